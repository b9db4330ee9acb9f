# shellcheck shell=bash
# One comment on a pull request, kept up to date. Sourced by action/github.
#
# It is found by its first line, and only among the comments that this token's own user wrote: GraphQL says so for each
# (viewerDidAuthor), also to GITHUB_TOKEN, whose user no other call names. Anyone can copy a marker; nobody can write as
# us.

# What graphql says that was not done, and what that takes; whoever writes something else sets them.
failed="the comment could not be written; what the pull request shows may be out of date"
needs="the job needs \`permissions: pull-requests: write\`, and a fork's pull request has no such token"

# graphql QUERY VARIABLES: sends the query, and prints `.data`. VARIABLES is a file of JSON.
graphql() {
  local answer="${folder:?}/answer.json" status=''
  if ! [[ ${token:-} =~ ^[A-Za-z0-9_.=-]+$ ]]; then
    fail "there is no token to write with; ${failed#* written; }" "give \`token\`, or leave it out"
  fi
  # The token stays out of the command line, which other processes can read.
  status=$(jq --arg query "$1" '{query: $query, variables: .}' -- "$2" |
    curl --silent --show-error --max-time 60 --output "$answer" --write-out '%{http_code}' \
      --header @<(printf 'Authorization: Bearer %s\n' "$token") --header 'Content-Type: application/json' \
      --data-binary @- -- "$GITHUB_GRAPHQL_URL") || status=${status:-000}
  if [ "$status" != 200 ] || ! jq --exit-status '(.errors | length) == 0 and (.data | type) == "object"' -- "$answer" >/dev/null 2>&1; then
    printf 'GitHub answered %s:\n' "$status" >&2
    # Its message could contain anything that is in the comment.
    if [ -s "$answer" ]; then show <(jq --raw-output '[.errors[]?.message, .message // empty] | join("; ") | .[0:2000]' -- "$answer" 2>/dev/null) >&2; fi
    fail "$failed" "$needs"
  fi
  jq .data -- "$answer"
}

# our_comment NUMBER MARKER: finds our comment, and leaves what GitHub knows of it in comment.json:
# {pull: ID, comment: null or {id, body, author, editor}}.
our_comment() {
  local number=$1 marker=$2 after=null page
  # shellcheck disable=SC2016 # GraphQL's own variables
  local find='query($owner: String!, $name: String!, $number: Int!, $after: String) {
    repository(owner: $owner, name: $name) { pullRequest(number: $number) { id
      comments(first: 100, after: $after) { nodes { id body viewerDidAuthor author { login } editor { login } }
        pageInfo { hasNextPage endCursor } } } } }'
  while :; do
    jq --null-input --arg repository "$GITHUB_REPOSITORY" --argjson number "$number" --argjson after "$after" '
      ($repository | split("/")) as $parts
      | {owner: $parts[0], name: $parts[1], number: $number, after: $after}' >"$folder/variables.json"
    page=$(graphql "$find" "$folder/variables.json")
    jq --arg marker "$marker" '.repository.pullRequest | {pull: .id, comment: ([.comments.nodes[]
        | select(.viewerDidAuthor and (.body | startswith($marker)))][0])}' <<<"$page" >"$folder/comment.json"
    after=$(jq '.repository.pullRequest.comments.pageInfo | if .hasNextPage then .endCursor else null end' <<<"$page")
    if [ "$after" = null ] || jq --exit-status .comment -- "$folder/comment.json" >/dev/null; then break; fi
  done
}

# comment NUMBER MARKER FILE NEW: sets the comment to FILE. If there is none yet, NEW says whether to create it.
comment() {
  local number=$1 marker=$2 file=$3 new=$4 id
  our_comment "$number" "$marker"
  id=$(jq --raw-output '.comment.id // empty' -- "$folder/comment.json")
  if [ -z "$id" ] && [ "$new" = false ]; then
    echo "Nothing changes, and there is no comment that would say otherwise."
    return
  fi
  jq --arg marker "$marker" --rawfile body "$file" '
    {body: ($marker + "\n" + $body), id: (.comment.id // .pull)}' -- "$folder/comment.json" >"$folder/variables.json"
  # shellcheck disable=SC2016
  if [ -n "$id" ]; then
    graphql 'mutation($id: ID!, $body: String!) { updateIssueComment(input: {id: $id, body: $body}) { clientMutationId } }' \
      "$folder/variables.json" >/dev/null
    echo "The comment on pull request $number is up to date."
  else
    graphql 'mutation($id: ID!, $body: String!) { addComment(input: {subjectId: $id, body: $body}) { clientMutationId } }' \
      "$folder/variables.json" >/dev/null
    echo "Commented on pull request $number."
  fi
}

# The open pull requests that are at the commit of the run which this workflow_run is about, one number on each line. The
# event omits them for forks, and what a fork's artifact says about itself is not trusted.
pull_requests_of_run() {
  # shellcheck disable=SC2016
  local find='query($owner: String!, $name: String!, $branch: String!) {
    repository(owner: $owner, name: $name) {
      pullRequests(headRefName: $branch, states: OPEN, first: 100, orderBy: {field: UPDATED_AT, direction: DESC}) {
        nodes { number headRefOid headRepository { nameWithOwner } } } } }'
  jq --arg repository "$GITHUB_REPOSITORY" '
    ($repository | split("/")) as $parts
    | {owner: $parts[0], name: $parts[1], branch: .workflow_run.head_branch}' -- "$GITHUB_EVENT_PATH" >"$folder/variables.json"
  graphql "$find" "$folder/variables.json" >"$folder/pulls.json"
  jq --raw-output --slurpfile pulls "$folder/pulls.json" '
    .workflow_run as $run
    | $pulls[0].repository.pullRequests.nodes[]
    | select(.headRefOid == $run.head_sha and .headRepository.nameWithOwner == $run.head_repository.full_name)
    | .number' -- "$GITHUB_EVENT_PATH"
}
