//! Content negotiation: the format in which the client wants its response.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::status::Status;

/// A response format; all are JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The objects themselves.
    Whole,
    /// Rows and columns.
    Table,
    /// The metadata of one object.
    Metadata,
    /// The metadata of a list of objects.
    MetadataList,
    /// All of discovery in one response.
    Discovery,
}

/// The first format that the client accepts and the sandbox supports.
///
/// # Errors
/// 406 if there is none.
pub fn form(headers: &HeaderMap) -> Result<Form, Status> {
    let accept: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    if accept.trim().is_empty() {
        return Ok(Form::Whole);
    }
    accept.split(',').find_map(read).ok_or_else(|| {
        Status::not_acceptable(
            "only the following media types are accepted: application/json, application/json;stream=watch",
        )
    })
}

fn read(choice: &str) -> Option<Form> {
    let mut parts = choice.split(';').map(str::trim);
    if !matches!(parts.next()?, "application/json" | "application/*" | "*/*") {
        return None;
    }
    let (mut target, mut group, mut version) = ("", "", "");
    for part in parts {
        match part.split_once('=').unwrap_or((part, "")) {
            ("as", value) => target = value,
            ("g", value) => group = value,
            ("v", value) => version = value,
            // Bytes per second, quality, character set: nothing that changes the format.
            _ => {}
        }
    }
    match (target, group, version) {
        ("", ..) => Some(Form::Whole),
        ("Table", "meta.k8s.io", "v1") => Some(Form::Table),
        ("PartialObjectMetadata", "meta.k8s.io", "v1") => Some(Form::Metadata),
        ("PartialObjectMetadataList", "meta.k8s.io", "v1") => Some(Form::MetadataList),
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Some(Form::Discovery),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_supported_format_is_chosen() {
        for (accept, expected) in [
            ("", Some(Form::Whole)),
            ("application/json, */*", Some(Form::Whole)),
            ("application/vnd.kubernetes.protobuf,application/json", Some(Form::Whole)),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some(Form::Table)),
            ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Some(Form::Whole)),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
                Some(Form::MetadataList),
            ),
            ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", Some(Form::Discovery)),
            ("application/yaml", None),
            ("text/html", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().expect("a header"));
            assert_eq!(form(&headers).ok(), expected, "{accept}");
        }
        assert_eq!(form(&HeaderMap::new()), Ok(Form::Whole));
    }
}
