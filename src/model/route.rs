//! How a cluster's server is reached, besides its address and its CA: through which proxy, and under which name
//! it is verified. Refuses what kubectl does not take, and passwords, which a roster is no place for.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// The longest address.
const LONGEST: usize = 2048;

checked_text!(
    /// The proxy of a cluster, as `proxy-url` of a kubeconfig names it.
    ProxyUrl,
    |text| {
        let schemes = ["http://", "https://", "socks5://"];
        let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
            return Err(Invalid("does not begin with http://, https:// or socks5://".into()));
        };
        if text.len() > LONGEST {
            return Err(Invalid(format!("is longer than {LONGEST} characters")));
        }
        if rest.contains('@') {
            return Err(Invalid("may hold no `@`: a roster is no place for a user name or password".into()));
        }
        host_and_port(rest.strip_suffix('/').unwrap_or(rest))
    }
);
checked_text!(
    /// The name in a server's certificate, where it is not that of its address: `tls-server-name` of a kubeconfig.
    TlsServerName,
    |text| match is_host_name(text) || text.parse::<IpAddr>().is_ok() {
        true => Ok(()),
        false => Err(Invalid("is no host name or address".into())),
    }
);

/// How a server is reached; by default directly, and under the name in its address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    pub proxy: Option<ProxyUrl>,
    pub tls_server_name: Option<TlsServerName>,
}

/// Checks `host[:port]`.
///
/// # Errors
/// The host is no name and no address, or the port no port.
pub fn host_and_port(text: &str) -> Result<(), Invalid> {
    let (host, port) = match text.rfind(']') {
        Some(end) => text.split_at(end + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let known = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_host_name(host),
    };
    if !known {
        return Err(Invalid("has no valid host name or address".into()));
    }
    let valid = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(port) => {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
    };
    if valid { Ok(()) } else { Err(Invalid("has no valid port: a number from 1 to 65535".into())) }
}

fn is_host_name(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_scheme_host_and_port_without_a_password() {
        for good in
            ["http://proxy:3128", "https://proxy.example.com/", "socks5://[::1]:1080", "http://10.0.0.1"]
        {
            assert!(good.parse::<ProxyUrl>().is_ok(), "{good}");
        }
        for bad in [
            "proxy:3128",
            "ftp://proxy",
            "socks5h://proxy:1",
            "http://",
            "http://ann:secret@proxy",
            "http://proxy/path",
            "http://proxy?x",
            "http://proxy:0",
            "http://pro xy",
            "http://prоxy",
        ] {
            assert!(bad.parse::<ProxyUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_servers_name_is_a_host_name_or_an_address() {
        for good in ["kubernetes.default.svc", "prod", "10.0.0.1", "2001:db8::1"] {
            assert!(good.parse::<TlsServerName>().is_ok(), "{good}");
        }
        for bad in ["", "https://prod", "prod:6443", "a b", "-a", "*.example.com", "[::1]"] {
            assert!(bad.parse::<TlsServerName>().is_err(), "{bad}");
        }
    }
}
