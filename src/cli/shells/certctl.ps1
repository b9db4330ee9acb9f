# PowerShell completion of certctl. certctl itself says what can come next.
Register-ArgumentCompleter -Native -CommandName certctl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    # The words are passed on as they are written; nothing in them is evaluated.
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text })
    # Windows PowerShell drops an empty argument, so that a new word is asked for in another way.
    $next = @(if ($wordToComplete -eq '') { '--next' })
    certctl complete @next -- @words 2>$null | ForEach-Object {
        $value, $text = $_ -split "`t", 2
        if (-not $text) { $text = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $text)
    }
}
