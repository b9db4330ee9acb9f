//! A request's method, path and query, as the attributes for authorization and the handlers.
//!
//! Paths are parsed as by `RequestInfoFactory` in k8s.io/apiserver
//! (pkg/endpoints/request/requestinfo.go), because the meaning of a path decides who may use it.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::status::Status;

/// What a request wants to do, to what (`authorizer.Attributes`). Absent attributes are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// get, list, watch, create, update, patch, delete, deletecollection; for a
    /// non-resource path, the HTTP method in lower case.
    pub verb: String,
    /// Whether the path names a resource.
    pub is_resource: bool,
    /// Empty for the core group.
    pub api_group: String,
    /// E.g. `v1`.
    pub api_version: String,
    /// The plural.
    pub resource: String,
    /// E.g. `approval`.
    pub subresource: String,
    /// For a namespace itself, its own name.
    pub namespace: String,
    /// The name of one object; also of a list that a field selector restricts to one name.
    pub name: String,
    /// The decoded path.
    pub path: String,
}

impl Attributes {
    /// Parses a request's method, path and query.
    ///
    /// # Errors
    /// A path that is not UTF-8 once decoded, or that is a deprecated `/watch/` or `/proxy/` without a target.
    pub fn of(method: &Method, path: &str, query: &Query) -> Result<Self, Status> {
        let path = percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| Status::bad_request("the path is not UTF-8"))?
            .into_owned();
        let mut this =
            Self { verb: method.as_str().to_ascii_lowercase(), path: path.clone(), ..Self::default() };
        let trimmed = path.trim_matches('/');
        let mut parts: &[&str] = &trimmed.split('/').collect::<Vec<_>>();
        if trimmed.is_empty() || parts.len() < 3 {
            return Ok(this);
        }
        match parts[0] {
            "api" => parts = &parts[1..],
            "apis" if parts.len() > 3 => {
                this.api_group = parts[1].to_owned();
                parts = &parts[2..];
            }
            _ => return Ok(this),
        }
        this.is_resource = true;
        this.api_version = parts[0].to_owned();
        parts = &parts[1..];

        if matches!(parts[0], "watch" | "proxy") {
            if parts.len() < 2 {
                return Err(Status::bad_request(format!(
                    "unable to determine kind and namespace from url, {path}"
                )));
            }
            this.verb = parts[0].to_owned();
            parts = &parts[1..];
        } else {
            this.verb = match *method {
                Method::POST => "create",
                Method::GET | Method::HEAD => "get",
                Method::PUT => "update",
                Method::PATCH => "patch",
                Method::DELETE => "delete",
                _ => "",
            }
            .to_owned();
        }

        if parts[0] == "namespaces" && parts.len() > 1 {
            this.namespace = parts[1].to_owned();
            if parts.len() > 2 && !matches!(parts[2], "status" | "finalize") {
                parts = &parts[2..];
            }
        }
        this.resource = parts[0].to_owned();
        this.name = parts.get(1).copied().unwrap_or_default().to_owned();
        if this.verb != "proxy" {
            this.subresource = parts.get(2).copied().unwrap_or_default().to_owned();
        }

        if this.name.is_empty() && this.verb == "get" {
            this.verb = if query.flag("watch") { "watch" } else { "list" }.to_owned();
            if let Some(name) = query.first("fieldSelector").and_then(named_by) {
                this.name = name;
            }
        }
        if this.name.is_empty() && this.verb == "delete" {
            "deletecollection".clone_into(&mut this.verb);
        }
        Ok(this)
    }

    /// The resource with its subresource, as rules and messages name it: `pods/log`.
    pub fn combined_resource(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }
}

/// The name that a field selector requires, if it can be a path segment.
fn named_by(selector: &str) -> Option<String> {
    let required = selector.split(',').find_map(|term| {
        let value = term.strip_prefix("metadata.name=")?;
        Some(value.strip_prefix('=').unwrap_or(value))
    })?;
    let plain =
        !required.is_empty() && !matches!(required, "." | "..") && !required.contains(['/', '%', '\\']);
    plain.then(|| required.to_owned())
}

/// A query string, decoded.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses what follows the `?`.
    pub fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of a parameter.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter, if it is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|value| !value.is_empty())
    }

    /// Every value of a parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A boolean as the API server parses it: anything but `false` and `0` is true.
    pub fn flag(&self, name: &str) -> bool {
        self.first(name).is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
    }

    /// A number.
    ///
    /// # Errors
    /// 400 if it is not one.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        self.text(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    Status::bad_request(format!("strconv.ParseInt: parsing {value:?}: invalid syntax"))
                })
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, uri: &str) -> Attributes {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        Attributes::of(&method, path, &Query::parse(query)).expect("attributes")
    }

    /// verb group/version resource/subresource namespace name
    fn said(method: Method, uri: &str) -> String {
        let a = of(method, uri);
        format!(
            "{} {}/{} {} {} {}",
            a.verb,
            a.api_group,
            a.api_version,
            a.combined_resource(),
            a.namespace,
            a.name
        )
    }

    /// The cases of requestinfo_test.go that concern paths that exist here.
    #[test]
    fn paths_are_parsed_as_by_the_api_server() {
        for (method, uri, expected) in [
            (Method::GET, "/api/v1/namespaces", "list /v1 namespaces  "),
            (Method::GET, "/api/v1/namespaces/other", "get /v1 namespaces other other"),
            (Method::GET, "/api/v1/namespaces/other/pods", "list /v1 pods other "),
            (Method::GET, "/api/v1/namespaces/other/pods/foo", "get /v1 pods other foo"),
            (Method::GET, "/api/v1/namespaces/other/pods/foo/log", "get /v1 pods/log other foo"),
            (Method::PUT, "/api/v1/namespaces/other/finalize", "update /v1 namespaces/finalize other other"),
            (Method::GET, "/api/v1/pods", "list /v1 pods  "),
            (Method::GET, "/api/v1/pods?watch=true", "watch /v1 pods  "),
            (Method::GET, "/api/v1/pods?watch=0", "list /v1 pods  "),
            (Method::GET, "/api/v1/watch/namespaces/other/pods", "watch /v1 pods other "),
            (Method::DELETE, "/api/v1/namespaces/other/pods", "deletecollection /v1 pods other "),
            (Method::DELETE, "/api/v1/namespaces/other/pods/foo", "delete /v1 pods other foo"),
            (Method::GET, "/api/v1/pods?fieldSelector=metadata.name%3Dfoo", "list /v1 pods  foo"),
            (
                Method::PUT,
                "/apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval",
                "update certificates.k8s.io/v1 certificatesigningrequests/approval  a",
            ),
            (
                Method::PATCH,
                "/apis/rbac.authorization.k8s.io/v1/namespaces/n/rolebindings/certctl:a%3Fb",
                "patch rbac.authorization.k8s.io/v1 rolebindings n certctl:a?b",
            ),
            (Method::HEAD, "/api/v1/pods", "list /v1 pods  "),
        ] {
            assert_eq!(said(method, uri), expected, "{uri}");
        }
    }

    #[test]
    fn other_paths_are_non_resource_paths() {
        for uri in
            ["/", "/version", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz/ping/etcd"]
        {
            let a = of(Method::GET, uri);
            assert!(!a.is_resource && a.verb == "get" && a.path == uri, "{a:?}");
        }
    }

    #[test]
    fn an_encoded_slash_is_a_slash_and_never_hides_a_segment() {
        assert_eq!(said(Method::GET, "/api/v1/namespaces/a%2Fpods"), "list /v1 pods a ");
    }

    #[test]
    fn a_selector_names_only_what_can_be_a_name() {
        for selector in
            ["metadata.name%3D..", "metadata.name%3Da%2Fb", "metadata.name!%3Da", "metadata.name%3D"]
        {
            assert_eq!(
                of(Method::GET, &format!("/api/v1/pods?fieldSelector={selector}")).name,
                "",
                "{selector}"
            );
        }
        assert_eq!(of(Method::GET, "/api/v1/pods?fieldSelector=metadata.name==a").name, "a");
    }
}
