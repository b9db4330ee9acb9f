# Nushell completion of certctl, for its autoload folder. certctl itself says what can come next; for every
# other command, whoever was asked before is asked.
let before_certctl = $env.config.completions.external.completer?
$env.config.completions.external.enable = true
$env.config.completions.external.completer = {|spans|
    if $spans.0 == "certctl" {
        ^certctl complete -- ...($spans | skip 1) | lines | each {|line|
            let parts = ($line | split row "\t")
            { value: $parts.0, description: ($parts | get --optional 1) }
        }
    } else if $before_certctl != null {
        do $before_certctl $spans
    }
}
