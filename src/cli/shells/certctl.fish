# fish completion of certctl. certctl itself says what can come next.
complete --command certctl --no-files --keep-order --arguments '(certctl complete -- (commandline --current-process --tokenize --cut-at-cursor)[2..] (commandline --current-token --cut-at-cursor) 2>/dev/null)'
