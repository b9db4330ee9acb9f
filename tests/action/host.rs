//! A git host on loopback, as far as comments go: GitHub's GraphQL and GitLab's notes, with the rules
//! that matter here: who wrote what, pages of a hundred, how long a comment may be, which pull requests
//! were merged by a commit, which run succeeded last. And the files of a release.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};

/// The token that may write.
pub const TOKEN: &str = "ghs_0123456789abcdef";
/// Whose token that is.
pub const ME: &str = "certctl-bot";
/// What GitHub takes.
const LONGEST: usize = 65_536;
const PAGE: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub id: usize,
    pub number: u64,
    pub author: String,
    pub body: String,
    /// Who changed it last.
    pub editor: Option<String>,
}

/// A pull request that was merged.
#[derive(Debug, Clone)]
pub struct Merged {
    pub number: u64,
    pub into: String,
    pub head: String,
    pub commit: String,
}

/// An issue; its number is its place in the list, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub author: String,
    pub title: String,
    pub body: String,
    pub open: bool,
    /// A larger one was updated later.
    pub updated: usize,
}

/// What is downloaded: these bytes, of so many that are promised.
#[derive(Debug, Clone)]
pub struct Download {
    pub bytes: Vec<u8>,
    pub promised: usize,
}

/// An open pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub branch: String,
    pub commit: String,
    pub repository: String,
}

#[derive(Debug, Default)]
pub struct State {
    pub comments: Vec<Comment>,
    pub issues: Vec<Issue>,
    pub pulls: Vec<Pull>,
    pub merged: Vec<Merged>,
    /// The commit of the last run of the apply that succeeded.
    pub applied: Option<String>,
    /// By the path after /releases/.
    pub downloads: BTreeMap<String, Download>,
    /// Answers everything with this status.
    pub broken: Option<u16>,
    /// Answers 403 below this path.
    pub forbidden: Option<&'static str>,
    /// Where GitLab's merge requests lead; `None` is main.
    pub target: Option<&'static str>,
    /// What was asked for, `METHOD path` and, of GraphQL, the operation.
    pub calls: Vec<String>,
}

impl State {
    pub fn open_issue(&mut self, author: &str, title: &str, body: &str) {
        let updated = self.next_update();
        let (author, title, body) = (author.to_owned(), title.to_owned(), body.to_owned());
        self.issues.push(Issue { author, title, body, open: true, updated });
    }

    /// By number; `open` is `None` where that stays.
    fn update_issue(&mut self, number: usize, title: &str, body: &str, open: Option<bool>) -> bool {
        let updated = self.next_update();
        let Some(issue) = number.checked_sub(1).and_then(|index| self.issues.get_mut(index)) else {
            return false;
        };
        let open = open.unwrap_or(issue.open);
        let author = issue.author.clone();
        *issue = Issue { author, title: title.to_owned(), body: body.to_owned(), open, updated };
        true
    }

    fn next_update(&self) -> usize {
        1 + self.issues.iter().map(|issue| issue.updated).max().unwrap_or_default()
    }

    /// With their numbers, the one that was updated last first.
    fn issues_by_update(&self) -> Vec<(usize, &Issue)> {
        let mut issues: Vec<_> =
            self.issues.iter().enumerate().map(|(index, issue)| (index + 1, issue)).collect();
        issues.sort_by_key(|(_, issue)| std::cmp::Reverse(issue.updated));
        issues
    }

    fn add(&mut self, number: u64, author: &str, body: &str) -> usize {
        let id = self.comments.len() + 1;
        self.comments.push(Comment { id, number, author: author.into(), body: body.into(), editor: None });
        id
    }
}

pub struct Host {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Host {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        // It ends with the process; each connection is answered and closed.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = serve(stream, &shared);
            }
        });
        Self { url, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked with it")
    }

    pub fn comment(&self, number: u64, author: &str, body: &str) {
        self.state().add(number, author, body);
    }

    /// The bodies of one author's comments.
    pub fn bodies(&self, number: u64, author: &str) -> Vec<String> {
        let state = self.state();
        let theirs = state.comments.iter().filter(|c| c.number == number && c.author == author);
        theirs.map(|comment| comment.body.clone()).collect()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (method, target) =
        line.trim_end().rsplit_once(' ').unwrap_or_default().0.split_once(' ').unwrap_or_default();
    let (method, target) = (method.to_owned(), target.to_owned());
    let (mut length, mut token) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "authorization" => token = value.trim_start_matches("Bearer ").to_owned(),
            "private-token" => token = value.to_owned(),
            "expect" => reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if let Some(file) = target.strip_prefix("/releases/") {
        let found = state.lock().expect("no test panicked with it").downloads.get(file).cloned();
        let (status, Download { bytes, promised }) =
            found.map_or((404, Download { bytes: Vec::new(), promised: 0 }), |found| (200, found));
        let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {promised}\r\nConnection: close\r\n\r\n");
        return reader.get_mut().write_all(&[head.as_bytes(), &bytes].concat());
    }
    let (status, answer) = {
        let mut state = state.lock().expect("no test panicked with it");
        let path = target.split('?').next().unwrap_or_default();
        state.calls.push(format!("{method} {path}"));
        match state.broken {
            Some(status) => (status, json!({"message": "::error::Resource not accessible"})),
            None if state.forbidden.is_some_and(|part| path.contains(part)) => {
                (403, json!({"message": "Resource not accessible by integration"}))
            }
            None if token != TOKEN => (401, json!({"message": "Bad credentials"})),
            None if path == "/graphql" => (200, graphql(&mut state, &body)),
            None if path.ends_with("/actions/workflows/certctl-apply.yml/runs") => {
                let wanted = target.ends_with("?branch=main&status=success&per_page=1");
                let runs = state.applied.iter().filter(|_| wanted).map(|commit| json!({"head_sha": commit}));
                (200, json!({"workflow_runs": runs.collect::<Vec<_>>()}))
            }
            None => gitlab(&mut state, &method, &target, &body),
        }
    };
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    reader.get_mut().write_all(format!("{head}{answer}").as_bytes())
}

fn graphql(state: &mut State, request: &Value) -> Value {
    let query = request["query"].as_str().unwrap_or_default();
    let variables = &request["variables"];
    let refused = |why: &str| json!({"data": null, "errors": [{"message": why}]});
    let text = |name: &str| variables[name].as_str().unwrap_or_default().to_owned();
    if let Some(body) = variables["body"].as_str()
        && body.chars().count() > LONGEST
    {
        return refused("Body is too long (maximum is 65536 characters)");
    }
    if query.contains("updateIssueComment(") {
        let (id, body) = (text("id"), text("body"));
        match state.comments.iter_mut().find(|c| format!("IC_{}", c.id) == id && c.author == ME) {
            Some(comment) => {
                comment.body = body;
                comment.editor = Some(ME.to_owned());
            }
            None => return refused("Resource not accessible by integration"),
        }
        json!({"data": {"updateIssueComment": {"clientMutationId": null}}})
    } else if query.contains("createIssue(") {
        if text("repository") != "R_1" {
            return refused("Could not resolve to a node");
        }
        state.open_issue(ME, &text("title"), &text("body"));
        json!({"data": {"createIssue": {"clientMutationId": null}}})
    } else if query.contains("updateIssue(") {
        let number = text("id").strip_prefix("I_").and_then(|number| number.parse().ok());
        let open = text("state") == "OPEN";
        if !state.update_issue(number.unwrap_or_default(), &text("title"), &text("body"), Some(open)) {
            return refused("Could not resolve to a node");
        }
        json!({"data": {"updateIssue": {"clientMutationId": null}}})
    } else if query.contains("issues(") {
        let start: usize = text("after").parse().unwrap_or(0);
        let all = state.issues_by_update();
        let nodes: Vec<Value> = (all.iter().skip(start).take(PAGE))
            .map(|(number, issue)| {
                json!({"id": format!("I_{number}"), "number": number, "title": issue.title, "body": issue.body,
                       "state": if issue.open { "OPEN" } else { "CLOSED" }, "viewerDidAuthor": issue.author == ME})
            })
            .collect();
        let end = start + nodes.len();
        json!({"data": {"repository": {"id": "R_1", "issues": {"nodes": nodes,
            "pageInfo": {"hasNextPage": end < all.len(), "endCursor": end.to_string()}}}}})
    } else if query.contains("addComment(") {
        let Some(number) = text("id").strip_prefix("PR_").and_then(|number| number.parse().ok()) else {
            return refused("Could not resolve to a node");
        };
        state.add(number, ME, &text("body"));
        json!({"data": {"addComment": {"clientMutationId": null}}})
    } else if query.contains("associatedPullRequests(") {
        let commits =
            query.split(" c").filter_map(|rest| rest.split_once(": object(oid: \"")).map(|(oid, _)| oid);
        let of = |commit: &str| -> Vec<Value> {
            let theirs = state.merged.iter().filter(|pull| pull.commit == commit);
            let node = |pull: &Merged| {
                json!({"number": pull.number, "merged": true, "baseRefName": pull.into,
                       "headRefOid": pull.head, "mergeCommit": {"oid": pull.commit}})
            };
            theirs.map(node).collect()
        };
        let answers = commits
            .map(|commit| (format!("c{commit}"), json!({"associatedPullRequests": {"nodes": of(commit)}})));
        json!({"data": {"repository": answers.collect::<serde_json::Map<_, _>>()}})
    } else if query.contains("pullRequests(") {
        let nodes: Vec<Value> = state
            .pulls
            .iter()
            .filter(|pull| pull.branch == text("branch"))
            .map(|pull| {
                json!({"number": pull.number, "headRefOid": pull.commit,
                       "headRepository": {"nameWithOwner": pull.repository}})
            })
            .collect();
        json!({"data": {"repository": {"pullRequests": {"nodes": nodes}}}})
    } else {
        let number = variables["number"].as_u64().unwrap_or_default();
        let start: usize = text("after").parse().unwrap_or(0);
        let all: Vec<&Comment> = state.comments.iter().filter(|c| c.number == number).collect();
        let nodes: Vec<Value> = (all.iter().skip(start).take(PAGE))
            .map(|c| {
                let editor = c.editor.as_ref().map(|login| json!({"login": login}));
                json!({"id": format!("IC_{}", c.id), "body": c.body, "viewerDidAuthor": c.author == ME,
                       "author": {"login": c.author}, "editor": editor})
            })
            .collect();
        let end = start + nodes.len();
        json!({"data": {"repository": {"pullRequest": {"id": format!("PR_{number}"), "comments": {
            "nodes": nodes, "pageInfo": {"hasNextPage": end < all.len(), "endCursor": end.to_string()}}}}}})
    }
}

fn gitlab(state: &mut State, method: &str, target: &str, body: &Value) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.trim_start_matches("/api/v4/").split('/').collect();
    let id_of = |author: &str| if author == ME { 7 } else { 8 };
    let text = body["body"].as_str().unwrap_or_default();
    let page = query.split('&').find_map(|pair| pair.strip_prefix("page="));
    let page: usize = page.and_then(|page| page.parse().ok()).unwrap_or(1);
    let (title, description) = (&body["title"], &body["description"]);
    let (title, description) = (title.as_str().unwrap_or_default(), description.as_str().unwrap_or_default());
    match (method, parts.as_slice()) {
        ("GET", ["projects", "42", "issues"]) => {
            let mine = query.split('&').any(|pair| pair == "scope=created_by_me");
            let issues = state.issues_by_update().into_iter();
            let issues = issues.filter(|(_, issue)| !mine || issue.author == ME);
            let issue = |(number, issue): (usize, &Issue)| {
                json!({"iid": number, "state": if issue.open { "opened" } else { "closed" },
                       "title": issue.title, "description": issue.body})
            };
            (200, issues.skip((page - 1) * PAGE).take(PAGE).map(issue).collect())
        }
        ("POST", ["projects", "42", "issues"]) => {
            state.open_issue(ME, title, description);
            (201, json!({"iid": state.issues.len()}))
        }
        ("PUT", ["projects", "42", "issues", number]) => {
            let open = match body["state_event"].as_str() {
                Some("close") => Some(false),
                Some("reopen") => Some(true),
                _ => None,
            };
            match state.update_issue(number.parse().unwrap_or_default(), title, description, open) {
                true => (200, json!({"iid": number})),
                false => (404, json!({"message": "404 Not found"})),
            }
        }
        ("GET", ["user"]) => (200, json!({"id": id_of(ME), "username": ME})),
        ("GET", ["projects", "42", "merge_requests", _]) => {
            (200, json!({"target_branch": state.target.unwrap_or("main")}))
        }
        ("GET", ["projects", "42", "merge_requests", number, "notes"]) => {
            let notes = state.comments.iter().filter(|c| c.number.to_string() == *number);
            let notes = notes.skip((page - 1) * PAGE).take(PAGE).map(
                |c| json!({"id": c.id, "body": c.body, "system": false, "author": {"id": id_of(&c.author)}}),
            );
            (200, notes.collect())
        }
        ("POST", ["projects", "42", "merge_requests", number, "notes"]) => {
            let id = state.add(number.parse().expect("a number"), ME, text);
            (201, json!({"id": id}))
        }
        ("PUT", ["projects", "42", "merge_requests", _, "notes", id]) => {
            match state.comments.iter_mut().find(|c| c.id.to_string() == *id && c.author == ME) {
                Some(comment) => {
                    comment.body = text.to_owned();
                    (200, json!({"id": comment.id}))
                }
                None => (403, json!({"message": "403 Forbidden"})),
            }
        }
        _ => (404, json!({"message": "404 Not found"})),
    }
}
