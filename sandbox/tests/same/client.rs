//! Requests and their answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::Request;
use kube::Config;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

use crate::step::{Step, Until};

/// How long an answer may take to have what is awaited in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// CN=carol, O=team; base64 of PEM, as all in the API.
const REQUEST: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIYk1JR0JBZ0VBTUI4eERUQUxCZ05WQkFvTUJIUmxZVzB4RGpBTUJnTlZCQU1NQldOaGNtOXNNRmt3RXdZSApLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFWmpRR2pHa2MrcUYyVHVaeWRmVzNPdTE5NElRYXB5NVBvTGNRCkloWWtVWm5yaVAyRi9xQmp6a014b1pyd1JIc0Q0STl0QlB1UTJCdnpzWGVNV21yelhLQUFNQW9HQ0NxR1NNNDkKQkFNQ0Ewa0FNRVlDSVFET3RaSVMwRmRNRVdqTFlWN0lyaTQ5eGFZa0FuclpTYkhaU1JSWTEvNDhpQUloQU9YUQpFbS9rTWZzM1FHaC9Ca2VjazVmeExPSHF4Z2NHOGRYeHA0RHJjb2lPCi0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";
/// CN=eve, O=system:masters.
const MASTERS: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIaU1JR0pBZ0VBTUNjeEZ6QVZCZ05WQkFvTURuTjVjM1JsYlRwdFlYTjBaWEp6TVF3d0NnWURWUVFEREFObApkbVV3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVJtTkFhTWFSejZvWFpPNW5KMTliYzY3WDNnCmhCcW5MaytndHhBaUZpUlJtZXVJL1lYK29HUE9RekdobXZCRWV3UGdqMjBFKzVEWUcvT3hkNHhhYXZOY29BQXcKQ2dZSUtvWkl6ajBFQXdJRFNBQXdSUUloQU9sbzE3cjExbzdKRGJ6K3dkS2NsRnFDV0g2M3d6a1VrZXhweVQxUwpzZng2QWlCUHhFSXYxd3pZaGRwVi91VTRDZzV2aElONE5rRUNrZlljT0V0dW9aZ3VKQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub warnings: Vec<String>,
    /// One value; for a watch, one for each event.
    pub body: Vec<Value>,
}

/// One server, and everyone who asks it.
pub struct Client {
    people: BTreeMap<String, kube::Client>,
    uid: String,
    version: String,
    next: String,
    saved: BTreeMap<&'static str, String>,
}

impl Client {
    pub async fn for_all(
        people: impl Iterator<Item = &'static (&'static str, &'static [&'static str])>,
        kubeconfig: impl Fn(&str, &[&str]) -> String,
    ) -> Self {
        let mut clients = BTreeMap::new();
        for (user, groups) in people {
            let text = kubeconfig(user, groups);
            let parsed = Kubeconfig::from_yaml(&text).expect("a kubeconfig");
            let mut config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
                .await
                .expect("a config");
            config.default_retry = false;
            if *user == "nobody" {
                config.auth_info = kube::config::AuthInfo::default();
            }
            clients.insert((*user).to_owned(), kube::Client::try_from(config).expect("a client"));
        }
        Self {
            people: clients,
            uid: String::new(),
            version: String::new(),
            next: String::new(),
            saved: BTreeMap::new(),
        }
    }

    fn fill(&self, text: &str) -> String {
        let text = text
            .replace("$uid", &self.uid)
            .replace("$rv", &self.version)
            .replace("$next", &self.next)
            .replace("$request", REQUEST)
            .replace("$masters", MASTERS);
        self.saved.iter().fold(text, |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    pub async fn ask(&mut self, step: &Step) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = tokio::time::timeout(PATIENCE, self.ask_once(step)).await;
            let answer = answer.unwrap_or_else(|_| panic!("{step}: no answer, or one without an end"));
            let so = step.until.as_ref().is_none_or(|until| until.holds(&answer));
            assert!(so || Instant::now() < deadline, "{step}: what is awaited never came: {answer:?}");
            if so {
                for (name, place) in &step.saved {
                    let found = answer.body.first().and_then(|body| body.pointer(place));
                    let found = found.unwrap_or_else(|| panic!("{step}: nothing at {place}: {answer:?}"));
                    self.saved.insert(name, found.as_str().map_or_else(|| found.to_string(), str::to_owned));
                }
                return answer;
            }
        }
    }

    async fn ask_once(&mut self, step: &Step) -> Answer {
        let content_type = match step.method.as_str() {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut request = Request::builder().method(step.method.as_str()).uri(self.fill(&step.path));
        if !step.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            && !step.body.is_empty()
        {
            request = request.header("content-type", content_type);
        }
        for (name, value) in &step.headers {
            request = request.header(name, value);
        }
        let body = Body::from(self.fill(&step.body).into_bytes());
        let client = &self.people[&step.user];
        let request = request.body(body).unwrap_or_else(|error| panic!("{step}: {error}"));
        let response = client.send(request).await.expect("an answer");
        let code = response.status().as_u16();
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        let bytes = response.into_body().collect_bytes().await.expect("a body");
        let text = String::from_utf8_lossy(&bytes);
        let body: Vec<Value> = serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|_| vec![Value::String(text.trim().to_owned())]);
        if let Some(first) = body.first() {
            let take = |field: &str, into: &mut String| {
                if let Some(text) = first["metadata"][field].as_str() {
                    text.clone_into(into);
                }
            };
            take("uid", &mut self.uid);
            take("resourceVersion", &mut self.version);
            take("continue", &mut self.next);
        }
        Answer { code, warnings, body }
    }
}

impl Until {
    fn holds(&self, answer: &Answer) -> bool {
        let at = |place: &str| answer.body.first().and_then(|body| body.pointer(place));
        match self {
            Self::Text(text) => format!("{:?}", answer.body).contains(text),
            Self::Code(code) => answer.code == *code,
            Self::Holds(place, value) => at(place).unwrap_or(&Value::Null) == value,
            Self::There(place) => at(place).is_some(),
        }
    }
}
