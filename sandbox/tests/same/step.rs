//! One request, as text or as a line of a table, and what to make of its answer.

use std::fmt;

use serde_json::Value;

/// One request.
///
/// As text: `[~][USER] METHOD PATH [HEADER:VALUE]... [BODY]`, the body being everything from the first
/// `{` or `[` that begins a word. `~` is for answers whose words come from inside the real server. `$uid` and
/// `$rv` stand for those of the last object that was answered, `$next` for its continue token, and
/// `$request` and `$masters` for certificate requests. `until:TEXT` asks again until the answer has it.
/// In tables, `{name}` stands for what [`Step::save`] kept.
pub struct Step {
    pub(crate) user: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Names of what is kept of the answer, and where it stands there.
    pub(crate) saved: Vec<(&'static str, &'static str)>,
    /// It is asked again until this holds of the answer.
    pub(crate) until: Option<Until>,
    /// What is compared.
    pub(crate) compared: Compared,
}

/// How much of two answers must be the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// All of it.
    All,
    /// The code and the reason: the words come from inside the real server.
    CodeAndReason,
    /// They differ, for this reason.
    Differing(&'static str),
}

pub enum Until {
    /// The text of the body has this.
    Text(String),
    /// The HTTP status.
    Code(u16),
    /// What stands at a place of the body.
    Holds(&'static str, Value),
    /// Something stands at a place of the body.
    There(&'static str),
}

impl Step {
    fn new(user: &str, method: &str, path: &str, body: String) -> Self {
        Self {
            user: user.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body,
            saved: Vec::new(),
            until: None,
            compared: Compared::All,
        }
    }

    pub fn parse(text: &str) -> Self {
        let (head, body) = match [" {", " ["].iter().filter_map(|begin| text.find(begin)).min() {
            Some(at) => (&text[..at], text[at + 1..].to_owned()),
            None => (text, String::new()),
        };
        let mut words = head.trim_start_matches('~').split_whitespace();
        let first = words.next().expect("a step is not empty");
        let (user, method) = if first.chars().all(|c| c.is_ascii_uppercase()) {
            ("admin", first)
        } else {
            (first, words.next().expect("a method"))
        };
        let mut step = Self::new(user, method, words.next().expect("a path"), body);
        for (name, value) in words.filter_map(|word| word.split_once(':')) {
            match name {
                "until" => step.until = Some(Until::Text(value.to_owned())),
                _ => step.headers.push((name.to_owned(), value.to_owned())),
            }
        }
        if head.starts_with('~') {
            step.compared = Compared::CodeAndReason;
        }
        step
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn content_type(self, content_type: &str) -> Self {
        self.header("content-type", content_type)
    }

    pub fn accept(self, accept: &str) -> Self {
        self.header("accept", accept)
    }

    /// Keeps what stands at a place of the answer, for `{name}` in later requests.
    pub fn save(mut self, name: &'static str, place: &'static str) -> Self {
        self.saved.push((name, place));
        self
    }

    /// Asks again until this is the code: the real server's caches and controllers take their time.
    pub fn until_code(mut self, code: u16) -> Self {
        self.until = Some(Until::Code(code));
        self
    }

    /// Asks again until the answer has this.
    pub fn until_text(mut self, text: &str) -> Self {
        self.until = Some(Until::Text(text.to_owned()));
        self
    }

    /// Asks again until this stands at a place of the answer.
    pub fn until(mut self, place: &'static str, value: impl Into<Value>) -> Self {
        self.until = Some(Until::Holds(place, value.into()));
        self
    }

    /// Asks again until something stands at a place of the answer.
    pub fn until_there(mut self, place: &'static str) -> Self {
        self.until = Some(Until::There(place));
        self
    }

    /// The code and the reason are the same: the words come from inside the real server.
    pub fn in_other_words(mut self) -> Self {
        self.compared = Compared::CodeAndReason;
        self
    }

    /// The answers differ, and why.
    pub fn differs(mut self, why: &'static str) -> Self {
        self.compared = Compared::Differing(why);
        self
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = self.body.chars().take(500).collect();
        write!(f, "{} {} {} {body}", self.user, self.method, self.path)
    }
}

pub fn get(user: &str, path: &str) -> Step {
    Step::new(user, "GET", path, String::new())
}

pub fn delete(user: &str, path: &str) -> Step {
    Step::new(user, "DELETE", path, String::new())
}

pub fn delete_with(user: &str, path: &str, options: Value) -> Step {
    Step::new(user, "DELETE", path, options.to_string())
}

pub fn post(user: &str, path: &str, body: Value) -> Step {
    post_text(user, path, &body.to_string())
}

/// A body that need not be JSON.
pub fn post_text(user: &str, path: &str, body: &str) -> Step {
    Step::new(user, "POST", path, body.to_owned())
}

pub fn put(user: &str, path: &str, body: Value) -> Step {
    Step::new(user, "PUT", path, body.to_string())
}

/// A merge patch.
pub fn merge(user: &str, path: &str, body: Value) -> Step {
    Step::new(user, "PATCH", path, body.to_string())
}

/// A JSON patch.
pub fn json_patch(user: &str, path: &str, body: Value) -> Step {
    merge(user, path, body).content_type("application/json-patch+json")
}
