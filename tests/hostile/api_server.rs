//! API servers that answer endlessly, or with large planted objects: `certctl plan`
//! ends by itself, within 200 MB as the kernel counts them.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

/// 200 MB of data, in `ulimit`'s units, and a minute of the processor's time.
const BOUNDS: &str = "ulimit -d 204800 && ulimit -t 60 && ulimit -c 0 && exec \"$0\" \"$@\"";

const ROSTER: &str = "\
apiVersion: certctl.dev/v1
kind: Roster
metadata: {name: acme}
clusters:
- {name: prod, server: 'https://prod.example.com:6443'}
";

/// Answers each path, whose query is kept, on as many connections as come; it ends with the process.
fn serve(answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Copy + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                stream.set_nodelay(true).expect("a socket");
                let mut writer = stream.try_clone().expect("a socket");
                let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
                while let Some(first) = lines.next() {
                    // The rest of the head; a GET has no body.
                    while lines.next().is_some_and(|line| !line.is_empty()) {}
                    let path = first.split(' ').nth(1).unwrap_or_default();
                    if answer(path, &mut writer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

fn whole(writer: &mut TcpStream, body: &str) -> std::io::Result<()> {
    // In one write: several small ones would each wait for the other side.
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    writer.write_all(answer.as_bytes())
}

/// A list, and where the next page begins; the cluster's identity is on the first of namespaces.
fn list(path: &str, items: &str, next: &str) -> String {
    let system = r#"{"metadata":{"name":"kube-system","uid":"u"}}"#;
    let items = if path.contains("/namespaces") && items.is_empty() { system } else { items };
    format!(r#"{{"kind":"List","metadata":{{"continue":"{next}"}},"items":[{items}]}}"#)
}

fn plan(server: &str) -> Output {
    plan_with(server, &[])
}

fn plan_with(server: &str, flags: &[&str]) -> Output {
    let folder = tempfile::Builder::new().prefix("certctl-hostile-").tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("users.yaml", ROSTER);
    write(
        "kubeconfig",
        &format!(
            "clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n\
             contexts: [{{name: prod, context: {{cluster: c}}}}]\n"
        ),
    );
    certctl_testing::scrubbed("sh", folder.path(), folder.path())
        .args(["-c", BOUNDS, env!("CARGO_BIN_EXE_certctl"), "--kubeconfig", "kubeconfig", "plan"])
        .args(flags)
        .env("CERTCTL_NOW", "2026-01-01T00:00:00Z")
        .output()
        .expect("sh starts")
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}: {said}", output.status);
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_well_behaved_server_is_read() {
    let output = plan(&serve(|path, writer| whole(writer, &list(path, "", ""))));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_clock_that_is_20_minutes_off_is_named() {
    let output = plan(&serve(|path, writer| {
        let now = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(20);
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT");
        let body = list(path, "", "");
        let answer =
            format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        writer.write_all(answer.as_bytes())
    }));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(": 20 minutes apart; nothing is issued on cluster `prod`"), "{said}");
}

#[test]
fn a_list_with_endless_pages_is_abandoned() {
    let server = serve(|path, writer| whole(writer, &list(path, "", "more")));
    refused(&plan(&server), "more than 2000 pages");
}

/// Each page comes in time, and the last one never.
#[test]
fn pages_that_trickle_in_for_ever_are_abandoned() {
    let server = serve(|path, writer| {
        thread::sleep(Duration::from_millis(300));
        whole(writer, &list(path, "", "more"))
    });
    refused(&plan_with(&server, &["--request-timeout", "1s"]), "the list did not end within 20 s");
}

#[test]
fn an_endless_response_is_abandoned() {
    let server = serve(|_, writer| {
        writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"kind\":\"")?;
        let part = vec![b'a'; 1 << 20];
        (0..).try_for_each(|_: u32| writer.write_all(&part))
    });
    refused(&plan(&server), "it has more than 8 MiB");
}

#[test]
fn lists_that_fill_memory_page_by_page_are_abandoned() {
    static SUBJECTS: LazyLock<String> = LazyLock::new(|| {
        let subjects = vec![r#"{"kind":"","name":""}"#; 100_000].join(",");
        binding(r#""name":"b""#, &subjects)
    });
    static FINALIZERS: LazyLock<String> = LazyLock::new(|| {
        let finalizers = vec![r#""""#; 100_000].join(",");
        binding(&format!(r#""name":"b","finalizers":[{finalizers}]"#), "")
    });
    fn binding(metadata: &str, subjects: &str) -> String {
        let role = r#""roleRef":{"kind":"Role","name":"r"}"#;
        format!(r#"{{"metadata":{{{metadata}}},{role},"subjects":[{subjects}]}}"#)
    }
    for large in [&SUBJECTS, &FINALIZERS] {
        let server = serve(|path, writer| {
            let (items, next) = if path.contains("bindings") { (large.as_str(), "more") } else { ("", "") };
            whole(writer, &list(path, items, next))
        });
        refused(&plan(&server), "its lists hold more than 64 MiB");
    }
}

/// As the API server keeps them: whole pages of what was asked for.
#[test]
fn large_requests_that_anyone_may_create_stop_nothing() {
    const ALL: usize = 400;
    // 1.2 MB of base64.
    static REQUEST: LazyLock<String> = LazyLock::new(|| "eHh4".repeat(400_000));
    let server = serve(|path, writer| {
        if !path.contains("certificatesigningrequests") {
            return whole(writer, &list(path, "", ""));
        }
        let number = |name: &str| {
            let value = path.split(['?', '&']).find_map(|part| part.strip_prefix(name))?;
            value.parse::<usize>().ok()
        };
        let from = number("continue=").unwrap_or(0);
        let to = ALL.min(from + number("limit=").unwrap_or(ALL));
        let mut items = String::new();
        let next = if to < ALL { to.to_string() } else { String::new() };
        let frame = list(path, "ITEMS", &next);
        let (before, after) = frame.split_once("ITEMS").expect("a list");
        let item = |n: usize| {
            format!(
                r#"{{"metadata":{{"name":"planted-{n}"}},"spec":{{"request":"{}","signerName":"kubernetes.io/kube-apiserver-client","username":"mallory"}}}}"#,
                *REQUEST
            )
        };
        let length = before.len() + after.len() + (from..to).map(|n| item(n).len() + 1).sum::<usize>() - 1;
        write!(items, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{before}").expect("a string");
        writer.write_all(items.as_bytes())?;
        for n in from..to {
            let comma = if n == from { "" } else { "," };
            writer.write_all(format!("{comma}{}", item(n)).as_bytes())?;
        }
        writer.write_all(after.as_bytes())
    });
    let output = plan(&server);
    let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{}: {said}", output.status);
    assert!(told.contains("planted-399") || said.contains("planted-399"), "{told}{said}");
}
