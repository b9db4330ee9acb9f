//! A git server over HTTP on loopback: `git http-backend`, behind a check of the Authorization header.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Who may read and push. It may read and not push as `reader`.
pub const USER: &str = "x-access-token";
pub const TOKEN: &str = "s3cret-t0ken";

/// As actions/checkout writes it: `AUTHORIZATION: basic ...`.
pub fn header(user: &str) -> String {
    format!("AUTHORIZATION: basic {}", STANDARD.encode(format!("{user}:{TOKEN}")))
}

pub struct Server {
    address: String,
    /// Method and path of each request that was let in, and by whom.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves the repositories in this folder for as long as the process lives.
    pub fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (root, log) = (root.to_owned(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (root, log) = (root.clone(), Arc::clone(&log));
                std::thread::spawn(move || answer(&stream.unwrap(), &root, &log));
            }
        });
        Self { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}/origin.git", self.address)
    }

    pub fn site(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// With credentials in it.
    pub fn url_for(&self, user: &str) -> String {
        format!("http://{user}:{TOKEN}@{}/origin.git", self.address)
    }

    /// What was asked by those who were let in.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// One request a connection.
fn answer(mut stream: &TcpStream, root: &Path, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    if find("expect") == "100-continue" {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let mut body = Vec::new();
    if find("transfer-encoding") == "chunked" {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).unwrap();
            let size = u64::from_str_radix(size.trim(), 16).unwrap();
            reader.by_ref().take(size).read_to_end(&mut body).unwrap();
            reader.read_line(&mut String::new()).unwrap();
            if size == 0 {
                break;
            }
        }
    } else {
        reader.by_ref().take(find("content-length").parse().unwrap_or(0)).read_to_end(&mut body).unwrap();
    }

    let basic =
        find("authorization").split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let given = basic.and_then(|(_, text)| STANDARD.decode(text).ok()).unwrap_or_default();
    let given = String::from_utf8(given).unwrap();
    let user = given.strip_suffix(&format!(":{TOKEN}")).unwrap_or_default();
    let pushes = query == "service=git-receive-pack" || path.ends_with("/git-receive-pack");
    if user.is_empty() {
        let unauthorized = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return stream.write_all(unauthorized.as_bytes()).unwrap();
    }
    if pushes && user == "reader" {
        let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return stream.write_all(forbidden.as_bytes()).unwrap();
    }
    log.lock().unwrap().push(format!("{user} {method} {}", path.rsplit('/').next().unwrap_or_default()));

    let mut child = Command::new("git")
        .arg("http-backend")
        .envs([
            ("GIT_PROJECT_ROOT", root.to_str().unwrap()),
            ("GIT_HTTP_EXPORT_ALL", "1"),
            ("REMOTE_USER", user),
        ])
        .envs([("REQUEST_METHOD", method), ("PATH_INFO", path), ("QUERY_STRING", query)])
        .envs([("CONTENT_TYPE", find("content-type")), ("HTTP_CONTENT_ENCODING", find("content-encoding"))])
        .envs([("GIT_PROTOCOL", find("git-protocol")), ("CONTENT_LENGTH", &body.len().to_string())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().unwrap().stdout;
    // A backend that wants no body reads none.
    drop(writer.join().unwrap());
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let (head, body) = (String::from_utf8_lossy(&output[..end]), &output[end + 4..]);
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let head: String =
        head.lines().filter(|line| !line.starts_with("Status: ")).map(|line| format!("{line}\r\n")).collect();
    let reply =
        format!("HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // A client that has gone away has all it wanted.
    let _ = stream.write_all(reply.as_bytes()).and_then(|()| stream.write_all(body));
}
