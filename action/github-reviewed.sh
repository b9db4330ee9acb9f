# shellcheck shell=bash
# What reviewers were shown: the plans in our comments on the pull requests that were merged since the last apply that
# succeeded. Sourced by action/github.
#
# A comment counts only if this token's own user wrote it and nobody edited it since (whoever may write to the repository
# may edit anybody's comment), and if it is about the commit that was merged.

# rest PATH: asks GitHub's REST API, and prints the answer.
rest() {
  local answer="${folder:?}/answer.json" status=''
  status=$(curl --silent --show-error --max-time 60 --output "$answer" --write-out '%{http_code}' \
    --header @<(printf 'Authorization: Bearer %s\n' "${token:-}") --header 'Accept: application/vnd.github+json' \
    -- "$GITHUB_API_URL/$1") || status=${status:-000}
  if [ "$status" != 200 ]; then
    fail "GitHub answered $status to GET ${1%%\?*}, so nobody knows what was reviewed; nothing was changed" \
      "the job needs \`permissions: actions: read\` and \`pull-requests: write\`; \`reviewed: false\` asks for no review"
  fi
  cat -- "$answer"
}

# reviewed_line FILE COMMIT LIMIT: a plan as a line that a page does not show, for the comment about it. If that would be
# longer than LIMIT characters, only its digest: then nothing but the whole of it counts as reviewed.
reviewed_line() {
  local packed
  # A plan that saw no cluster binds no apply.
  if ! jq --exit-status '.digest | startswith("sha256:")' -- "$1" >/dev/null; then return; fi
  packed=$(jq --compact-output '{digest, digested}' -- "$1" | gzip -9 --no-name | base64 | tr -d '\n')
  if [ "${#packed}" -gt "$3" ]; then packed=$(jq --raw-output .digest -- "$1"); fi
  printf '<!-- certctl reviewed %s %s -->' "$2" "$packed"
}

# applied_commit: the commit that the last successful run of this workflow on this branch was about; empty if none was.
# That run has applied this commit or a newer one.
applied_commit() {
  local workflow=${GITHUB_WORKFLOW_REF%%@*}
  rest "repos/$GITHUB_REPOSITORY/actions/workflows/${workflow##*/}/runs?branch=$(jq --null-input --raw-output \
    --arg branch "$GITHUB_REF_NAME" '$branch | @uri')&status=success&per_page=1" |
    jq --raw-output '.workflow_runs[0].head_sha // empty'
}

# merged_since COMMIT: a line for each pull request that was merged into this branch after it: its number, and the commit
# that was merged.
merged_since() {
  local range=HEAD commits query=''
  if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
    fail "this is a shallow clone, so nobody knows what was merged since the last apply; nothing was changed" \
      "check out with \`fetch-depth: 0\`"
  fi
  # A commit that is gone was on a history that somebody has replaced: all of what is there now counts.
  if [ -n "$1" ] && git merge-base --is-ancestor "$1" HEAD 2>/dev/null; then range=$1..HEAD; fi
  git rev-list --first-parent --max-count=100 "$range" >"$folder/commits"
  mapfile -t commits <"$folder/commits"
  if [ "${#commits[@]}" = 0 ]; then return; fi
  for commit in "${commits[@]}"; do
    query+=" c$commit: object(oid: \"$commit\") { ...pulls }"
  done
  jq --null-input --arg repository "$GITHUB_REPOSITORY" '
    ($repository | split("/")) as $parts | {owner: $parts[0], name: $parts[1]}' >"$folder/variables.json"
  # shellcheck disable=SC2016
  graphql 'fragment pulls on Commit { associatedPullRequests(first: 20) { nodes {
      number merged baseRefName headRefOid mergeCommit { oid } } } }
    query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) {'"$query"' } }' \
    "$folder/variables.json" >"$folder/merged.json"
  jq --raw-output --arg branch "$GITHUB_REF_NAME" --rawfile commits "$folder/commits" '
    ($commits | split("\n")) as $commits
    | [.repository[] | .associatedPullRequests.nodes[]?
       | select(.merged and .baseRefName == $branch and (.mergeCommit.oid | IN($commits[])))]
    | unique_by(.number)[] | "\(.number) \(.headRefOid)"' -- "$folder/merged.json"
}

# reviewed_plans: writes the plans that were reviewed to reviewed.json, and the pull requests that they were about to
# `numbers`, one on each line.
reviewed_plans() {
  local number commit line applied plans=()
  : >"$folder/numbers"
  # By itself, so that a failure ends the script: without an answer all of history would count.
  applied=$(applied_commit)
  merged_since "$applied" >"$folder/merged"
  while read -r number commit; do
    printf '%s\n' "$number" >>"$folder/numbers"
    our_comment "$number" "${marker:?}"
    line=$(jq --raw-output --arg commit "$commit" '
      select(.comment != null and (.comment.editor == null or .comment.editor.login == .comment.author.login)) | .comment.body
      | split("\n")[1] // ""
      | capture("^<!-- certctl reviewed (?<commit>[0-9a-f]{40}) (?<plan>[A-Za-z0-9+/=]+|sha256:[0-9a-f]{64}) -->\r?$")
      | select(.commit == $commit) | .plan' -- "$folder/comment.json")
    case $line in
    '') continue ;;
    sha256:*) jq --null-input --arg digest "$line" '{digest: $digest}' >"$folder/reviewed-$number.json" ;;
    # Bounded: what is a kilobyte here may be a gigabyte there.
    *) base64 --decode <<<"$line" | gzip --decompress | head -c 64000000 >"$folder/reviewed-$number.json" ;;
    esac
    plans+=("$folder/reviewed-$number.json")
  done <"$folder/merged"
  jq --slurp . -- /dev/null "${plans[@]}" >"$folder/reviewed.json"
}

# told FILE RUN: the comment about an apply, without its marker: in a sentence, and what went wrong.
told() {
  printf '### certctl apply\n\n'
  jq --raw-output '.summary, (.errors[] | "", .message, .causes[], (.hints[] | "Hint: \(.)"))' -- "$1" >"$folder/told.txt"
  quoted "$folder/told.txt" 20000
  printf '\n[The run](%s)\n' "$2"
}

# tell_merged FILE NEW: sets our comment about the apply to FILE, on each of those pull requests.
tell_merged() {
  local number
  while IFS= read -r number; do
    comment "$number" "${marker/ plan of / apply of }" "$1" "$2"
  done <"$folder/numbers"
}
