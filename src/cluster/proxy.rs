//! Which proxy is used for a server, by kubectl's rules (golang.org/x/net/http/httpproxy).
//!
//! `HTTPS_PROXY`, or `HTTP_PROXY` for a server without TLS, unless `NO_PROXY` names the server; each
//! also in lower case. A proxy from the environment is never used for this machine itself.
//! kube's own reading is not used: it compares `NO_PROXY` with the address of the proxy.

use std::net::IpAddr;

use http::Uri;

/// The proxy variables of the environment.
#[derive(Debug, Default)]
pub(super) struct ProxyVariables {
    https: String,
    http: String,
    exceptions: String,
}

impl ProxyVariables {
    /// Those of this process.
    pub(super) fn from_environment() -> Self {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&str; 2]| {
            names.into_iter().filter_map(&variable).find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]),
            http: first(["HTTP_PROXY", "http_proxy"]),
            exceptions: first(["NO_PROXY", "no_proxy"]),
        }
    }

    /// The proxy for `server`; `None` connects directly.
    ///
    /// # Errors
    /// The variable's value is not an address; it is not repeated, since it may contain a password.
    pub(super) fn proxy_of(&self, server: &Uri) -> Result<Option<Uri>, String> {
        let tls = server.scheme_str() != Some("http");
        let (name, proxy) = if tls { ("HTTPS_PROXY", &self.https) } else { ("HTTP_PROXY", &self.http) };
        let port = server.port_u16().unwrap_or(if tls { 443 } else { 80 });
        if proxy.is_empty() || server.host().is_none_or(|host| is_direct(host, port, &self.exceptions)) {
            return Ok(None);
        }
        parse(proxy).map(Some).ok_or_else(|| format!("{name} is not the address of a proxy"))
    }
}

/// The address of a proxy; one without a scheme is spoken to in HTTP, as Go does.
pub(super) fn parse(address: &str) -> Option<Uri> {
    let whole = |text: &str| {
        text.parse::<Uri>()
            .ok()
            .filter(|uri| uri.scheme().is_some() && uri.host().is_some_and(|h| !h.is_empty()))
    };
    whole(address).or_else(|| whole(&format!("http://{address}")))
}

fn is_direct(host: &str, port: u16, exceptions: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    exceptions
        .split(',')
        .map(|entry| entry.trim().to_ascii_lowercase())
        .any(|entry| names(&entry, &host, address, port))
}

/// Whether one entry of `NO_PROXY` names the host.
fn names(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/') {
        return address.is_some_and(|address| contains(network, bits, address));
    }
    let (name, only) = split_port(entry);
    if only.is_some_and(|only| only.parse() != Ok(port)) {
        return false;
    }
    if let Ok(one) = name.parse::<IpAddr>() {
        return address == Some(one.to_canonical());
    }
    let domain = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    match domain.strip_prefix('.') {
        Some(parent) => is_below(host, parent),
        None => !domain.is_empty() && (host == domain || is_below(host, domain)),
    }
}

/// `host:port` or `[address]:port`; a bare IPv6 address has no port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if name.starts_with('[') && name.ends_with(']') => {
            (&name[1..name.len() - 1], Some(port))
        }
        Some((name, port)) if !name.contains(':') => (name, Some(port)),
        _ => (entry, None),
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether a network in CIDR notation contains an address of the same family.
fn contains(network: &str, bits: &str, address: IpAddr) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let (a, b, width) = match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    bits <= width && (a ^ b).checked_shr(width - bits).is_none_or(|rest| rest == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_as_kubectl_reads_it() {
        for (host, list) in [
            ("localhost", ""),
            ("127.0.0.1", ""),
            ("127.8.8.8", ""),
            ("[::1]", ""),
            ("[::ffff:127.0.0.1]", ""),
            ("prod.example.com", "example.com"),
            ("PROD.example.com", "Example.COM"),
            ("example.com", "example.com"),
            ("prod.example.com", ".example.com"),
            ("prod.example.com", "a, *.example.com"),
            ("prod.example.com", "example.com:6443"),
            ("prod.example.com", "example.com,"),
            ("prod.example.com", ",, example.com"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3", "10.1.2.3:6443"),
            ("10.1.2.3", "0.0.0.0/0"),
            ("[::ffff:10.1.2.3]", "10.0.0.0/8"),
            ("[fd00::1]", "fd00::/8"),
            ("[fd00::1]", "fd00::1"),
            ("[fd00::1]", "[fd00::1]:6443"),
            ("anything", "*"),
        ] {
            assert!(is_direct(host, 6443, list), "{host} {list}");
        }
        for (host, list) in [
            ("prod.example.com", ""),
            ("prod.example.com", ","),
            ("prod.example.com", "."),
            ("prod.example.com", ":6443"),
            ("notexample.com", "example.com"),
            ("example.com", ".example.com"),
            ("example.com", "*.example.com"),
            ("prod.example.com", "example.com:443"),
            ("prod.example.com", "example.com:"),
            ("11.1.2.3", "10.0.0.0/8"),
            ("11.1.2.3", "11.0.0.0/99"),
            ("10.1.2.3", "10.1.2.3:443"),
            ("10.1.2.3", "fd00::/8"),
            ("[fd00::1]", "[fd00::1]:443"),
        ] {
            assert!(!is_direct(host, 6443, list), "{host} {list}");
        }
    }

    fn through(variables: &[(&str, &str)], server: &str) -> Option<String> {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        let proxy = ProxyVariables::read(value).proxy_of(&server.parse().expect("a URL"));
        proxy.expect("an address").map(|uri| uri.to_string())
    }

    #[test]
    fn no_proxy_matches_the_server_and_not_the_proxy() {
        let variables = [("HTTPS_PROXY", "http://10.1.1.1:3128"), ("NO_PROXY", "10.0.0.0/8,")];
        let proxy = through(&variables, "https://prod.example.com:6443");
        assert_eq!(proxy.as_deref(), Some("http://10.1.1.1:3128/"));
        assert_eq!(through(&variables, "https://10.9.9.9:6443"), None);
    }

    #[test]
    fn the_variable_for_the_servers_scheme_is_used() {
        let variables = [("https_proxy", "secure:1"), ("HTTPS_PROXY", ""), ("http_proxy", "http://plain:2")];
        assert_eq!(through(&variables, "https://prod").as_deref(), Some("http://secure:1/"));
        assert_eq!(through(&variables, "http://prod").as_deref(), Some("http://plain:2/"));
        assert_eq!(through(&variables[2..], "https://prod"), None);
        assert_eq!(
            through(&[("HTTPS_PROXY", "socks5://s:3")], "https://prod").as_deref(),
            Some("socks5://s:3/")
        );
    }

    #[test]
    fn a_default_port_is_compared_as_any_other() {
        let variables = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "prod.example.com:443")];
        assert_eq!(through(&variables, "https://prod.example.com"), None);
        assert!(through(&variables, "https://prod.example.com:6443").is_some());
    }

    #[test]
    fn an_invalid_address_is_not_repeated() {
        let variables = ProxyVariables::read(|_| Some("http://user:s3cret@ not a host".to_owned()));
        let error = variables.proxy_of(&"https://prod".parse().expect("a URL")).expect_err("no address");
        assert_eq!(error, "HTTPS_PROXY is not the address of a proxy");
    }
}
