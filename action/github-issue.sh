# shellcheck shell=bash
# One issue for each roster that says who must act soon. Sourced by action/github.
#
# As with our comment, it is ours if this token's own user opened it and it begins with our hidden line. It is open
# while somebody must act, and closed while nobody must; it is never opened twice.

# our_issue MARKER: finds our issue, and leaves what GitHub knows of it in issue.json:
# {repository: ID, issue: null or {id, number, state, title, body}}. It was updated lately, so it is on the first page,
# unless there is none yet.
our_issue() {
  local marker=$1 after=null page
  # shellcheck disable=SC2016 # GraphQL's own variables
  local find='query($owner: String!, $name: String!, $after: String) {
    repository(owner: $owner, name: $name) { id
      issues(first: 100, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
        nodes { id number state title body viewerDidAuthor } pageInfo { hasNextPage endCursor } } } }'
  while :; do
    jq --null-input --arg repository "$GITHUB_REPOSITORY" --argjson after "$after" '
      ($repository | split("/")) as $parts | {owner: $parts[0], name: $parts[1], after: $after}' >"${folder:?}/variables.json"
    page=$(graphql "$find" "$folder/variables.json")
    jq --arg marker "$marker" '.repository | {repository: .id, issue: ([.issues.nodes[]
        | select(.viewerDidAuthor and (.body | startswith($marker)))][0])}' <<<"$page" >"$folder/issue.json"
    after=$(jq '.repository.issues.pageInfo | if .hasNextPage then .endCursor else null end' <<<"$page")
    if [ "$after" = null ] || jq --exit-status .issue -- "$folder/issue.json" >/dev/null; then break; fi
  done
}

# issue MARKER TITLE FILE STATE: sets our issue to FILE. STATE is OPEN or CLOSED; for CLOSED none is opened.
issue() {
  local marker=$1 title=$2 file=$3 state=$4 number
  # For graphql to say.
  # shellcheck disable=SC2034
  local failed="the issue could not be written; who must act soon is in the log"
  # shellcheck disable=SC2034
  local needs="the job needs \`permissions: issues: write\`, and the repository issues"
  our_issue "$marker"
  number=$(jq --raw-output '.issue.number // empty' -- "$folder/issue.json")
  jq --arg marker "$marker" --arg title "$title" --arg state "$state" --rawfile body "$file" '
    {title: $title, body: ($marker + "\n" + ($body | rtrimstr("\n")))}
      + if .issue then {id: .issue.id, state: $state} else {repository} end' -- "$folder/issue.json" >"$folder/variables.json"
  if [ -n "$number" ]; then
    # An update that changes nothing would put the issue on top of everybody's list.
    if jq --exit-status --slurpfile wanted "$folder/variables.json" '.issue | . as $issue
        | $wanted[0] | all(to_entries[]; .value == $issue[.key])' -- "$folder/issue.json" >/dev/null; then
      echo "Issue $number is as it should be."
      return
    fi
    # shellcheck disable=SC2016
    graphql 'mutation($id: ID!, $title: String!, $body: String!, $state: IssueState!) {
      updateIssue(input: {id: $id, title: $title, body: $body, state: $state}) { clientMutationId } }' \
      "$folder/variables.json" >/dev/null
    echo "Issue $number is up to date."
  elif [ "$state" = CLOSED ]; then
    echo "Nobody has to act, and there is no issue that would say otherwise."
  else
    # shellcheck disable=SC2016
    graphql 'mutation($repository: ID!, $title: String!, $body: String!) {
      createIssue(input: {repositoryId: $repository, title: $title, body: $body}) { clientMutationId } }' \
      "$folder/variables.json" >/dev/null
    echo "Opened an issue about who must act soon."
  fi
}
