# shellcheck shell=bash
# Shared by the scripts for GitHub and GitLab. Sourced, never run.
#
# Text from a plan, a roster or a fork only ever passes through files and through jq's own arguments: the shell never
# evaluates it, and no template is expanded with it.

# The maximum length of a comment, in characters. GitHub accepts 65,536.
comment_limit=65536

# An error as certctl itself writes them: the fact, then one hint each.
fail() {
  printf 'Error: %s\n' "$1" >&2
  shift
  for hint in "$@"; do printf '  Hint: %s\n' "$hint" >&2; done
  exit 1
}

# without_secrets ARGUMENT...: restarts the script without the variables in `secrets`, and passes it their values in a
# file that has no name. `unset` would leave them in /proc/PID/environ, which every program of the same user can read.
# shellcheck disable=SC2154 # `secrets` is set by the script that sources this
without_secrets() {
  local name
  if [ -n "${CERTCTL_SECRETS:-}" ]; then return; fi
  local unset=()
  for name in "${secrets[@]}"; do unset+=("--unset=$name"); done
  exec {CERTCTL_SECRETS}< <(for name in "${secrets[@]}"; do printf '%s=%s\0' "$name" "${!name:-}"; done)
  exec env "${unset[@]}" "CERTCTL_SECRETS=$CERTCTL_SECRETS" "${BASH:-bash}" -- "$0" "$@"
}

# secret NAME VARIABLE: the value that VARIABLE had when the script was started, as NAME, only in this shell.
secret() {
  local -n into=$1
  local line
  if [ -n "${CERTCTL_SECRETS:-}" ]; then
    while IFS= read -r -d '' line <&"$CERTCTL_SECRETS"; do values[${line%%=*}]=${line#*=}; done
    exec {CERTCTL_SECRETS}<&-
    unset CERTCTL_SECRETS
  fi
  into=${values[$2]:-}
}
declare -A values=()

# flag NAME VALUE: whether a boolean input is true.
flag() {
  case $2 in
  true) return 0 ;;
  false | '') return 1 ;;
  *) fail "\`$1\` is \`$2\`, neither true nor false; nothing was done" ;;
  esac
}

# lines NAME TEXT: the lines of a text as the array NAME, without empty ones.
lines() {
  local -n into=$1
  local line
  into=()
  while IFS= read -r line; do
    if [ -n "$line" ]; then into+=("$line"); fi
  done <<<"${2//$'\r'/}"
}

# The first line of our comment, which identifies it: one for each roster.
marker() {
  printf '<!-- certctl plan of %s -->' "${1//[^A-Za-z0-9._\/-]/_}"
}

# notices FOLDER ARGUMENT...: asks who must act soon, and leaves the page in notices.md. Returns what certctl does: 0
# nobody, 2 somebody, 1 where not everything is known.
notices() {
  local folder=$1 code=0
  shift
  certctl notices --detailed-exitcode "$@" >"$folder/notices.md" 2>"$folder/said.txt" || code=$?
  harmless "$folder/said.txt" >&2
  return "$code"
}

# notices_body FILE RUN: the issue, without its marker. A roster that cannot be read leaves no page.
notices_body() {
  if [ -s "$1" ]; then
    cat -- "$1"
  else
    printf '### certctl: nobody knows who must act\n\nThe roster could not be read: [the run](%s) says why.\n' "$2"
  fi
}

# quoted FILE LIMIT: its text as a block of code, whatever is in it. Four spaces in front of each line cannot be ended
# from inside, as a fence can. Characters that control a terminal or hide text are removed, also the carriage
# return, which would start a new line. Of a long text the beginning and the end are shown, and between them how
# much is omitted.
quoted() {
  local size
  size=$(wc -c <"$1")
  {
    head -c 200000 -- "$1"
    if [ "$size" -gt 200000 ]; then tail -c 8000 -- "$1"; fi
  } | jq --raw-input --raw-output --slurp --argjson limit "$2" --argjson size "$size" '
    def hidden: (. < 32 and . != 10 and . != 9) or (. >= 127 and . < 160) or . == 65279
      or (. >= 8203 and . <= 8207) or (. >= 8232 and . <= 8238) or (. >= 8288 and . <= 8297);
    def indented: rtrimstr("\n") | split("\n") | map("    " + .) | join("\n");
    (explode | map(select(hidden | not)) | implode | indented) as $all
    | if $size <= 200000 and ($all | length) <= $limit then $all
      else $all[:$limit * 3 / 4 | floor] as $first
      | ($all[-($limit / 8 | floor):] | split("\n")[1:] | join("\n")) as $last
      | ([$first, $last] | map(split("\n") | map(ltrimstr("    ")) | join("\n") | utf8bytelength) | add) as $shown
      | "\($first)\n    [... \($size - $shown) of \($size) bytes are not shown ...]\n\($last)"
      end'
}

# harmless FILE: its text, in which GitHub's runner finds no command except error annotations. certctl prints nothing
# else; the output of git or a credential plugin is untrusted.
harmless() {
  LC_ALL=C sed --unbuffered -e 's/\r/\n/g' -- "$1" | LC_ALL=C sed --unbuffered -E -e 's/##\[/#\\u{23}[/g' \
    -e '/^::error( [^:]*)?::/b' -e 's/^([^[:graph:]]*):(:)/\1:\\u{3a}/'
}

# plan FOLDER ARGUMENT...: plans once, and leaves plan.json, plan.md and plan.txt in the folder. What went wrong is in
# errors.txt and in the log. Returns what certctl does: 0 nothing to do, 2 changes, 1 failed wholly or in part.
plan() {
  local folder=$1 code=0
  shift
  certctl plan --detailed-exitcode --save "json=$folder/plan.json" --save "markdown=$folder/plan.md" "$@" \
    >"$folder/plan.txt" 2>"$folder/said.txt" || code=$?
  harmless "$folder/said.txt" >&2
  # Without the lines that are only for GitHub's runner.
  sed '/^::/d' -- "$folder/said.txt" >"$folder/errors.txt"
  return "$code"
}

# apply FOLDER ARGUMENT...: applies, and leaves apply.json in the folder. Returns what certctl does.
apply() {
  local folder=$1 code=0 said filter
  shift
  exec {said}> >(harmless /dev/stdin >&2)
  filter=$!
  certctl apply --auto-approve --format json "$@" >"$folder/apply.json" 2>&"$said" || code=$?
  exec {said}>&-
  # Only after all of it is in the log.
  wait "$filter" || true
  return "$code"
}

# counts FILE: digest and counts of a plan, or of an apply, as JSON, `name=value` line by line. Only hex, numbers and
# fixed words can come out.
counts() {
  jq --raw-output '
    def number: if type == "number" then floor else 0 end;
    (.summary | if type == "object" then . else null end) as $planned | .counts as $done
    | [["issue", "issued"], ["renew", "renewed"], ["rotate", "rotated"], ["revoke", "revoked"], ["bindings", "bindings"]]
    | map({name: .[0], number: (if $planned then $planned[.[0]] else $done[.[1]] end | number)}) as $counts
    | "digest=" + ($digest | if test("^sha256:[0-9a-f]{64}$") then . else "" end),
      ($counts[] | "\(.name)=\(.number)"),
      "warnings=\($planned.warnings | number)",
      "has-changes=\([$counts[].number, ($planned.cleanup | number)] | add > 0)"
  ' --arg digest "$(jq --raw-output '.digest // ""' -- "$1")" -- "$1"
}

# tells FOLDER CODE: whether a plan, or the reason why there is none, matters to a reviewer. An edit of the
# roster or of a record that changes nothing on a cluster yet may be the dangerous one; without a base, the edits are
# unknown.
tells() {
  if [ "$2" != 0 ]; then return; fi
  jq --exit-status '.summary.warnings as $warnings
    | .base | . != null and ($warnings > 0 or ([.edits[]?, .notes[]?] | length > 0))' -- "$1/plan.json" >/dev/null
}

# plan_body FOLDER COMMIT BASE RUN: the comment about a plan, without its marker. BASE is the branch that it would be merged
# into. If some of it failed, plan.md says so; if there is no plan at all, the old one must not stay.
plan_body() {
  if [ -s "$1/plan.md" ]; then
    cat -- "$1/plan.md"
  else
    printf '### certctl: no plan\n\nNothing is known of what this would do, and it cannot be applied like this.\n\n'
    quoted "$1/errors.txt" 8000
  fi
  printf '\nPlanned for %s into `%s`. [The run](%s)\n' "${2:0:10}" "${3//[^A-Za-z0-9._\/-]/_}" "$4"
}

# cut_body FILE RUN: replaces a comment that is too long by one that says so and links to the full text. Its last line, which
# says what it is about, stays.
cut_body() {
  local last
  if [ "$(jq --raw-input --slurp length -- "$1")" -gt $((comment_limit - 300)) ]; then
    last=$(tail -n 1 -- "$1")
    printf '### certctl: this plan is too long for a comment\n\nIt is in [the run](%s).\n\n%s\n' "$2" "$last" >"$1"
  fi
}
