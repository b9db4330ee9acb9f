# bash completion of certctl, to be sourced. certctl itself says what can come next.
_certctl() {
    local line=${COMP_LINE:0:COMP_POINT} words candidate before
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    # bash also splits words at `=`, `:` and `@`, and replaces only the last part, which is $2.
    before=${words[${#words[@]}-1]}
    before=${before%"$2"}
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        [[ $candidate == */ ]] && compopt -o nospace 2>/dev/null
        candidate=${candidate#"$before"}
        printf -v candidate %q "$candidate"
        COMPREPLY+=("$candidate")
    done < <(certctl complete -- "${words[@]:1}" 2>/dev/null)
}
complete -o bashdefault -F _certctl certctl
