//! Which servers are asked without the proxy that the environment names.
//!
//! kube takes `HTTPS_PROXY` for every cluster and compares `NO_PROXY` with the proxy's own address.
//! This compares it with the server's, as kubectl does (golang.org/x/net/http/httpproxy), and never
//! sends a request for this machine itself through a proxy.

use std::net::IpAddr;

use kube::Config;

/// Takes the proxy out of a configuration whose server is to be asked directly.
pub(super) fn honour_no_proxy(config: &mut Config) {
    let list = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
    let direct = config
        .cluster_url
        .host()
        .is_some_and(|host| is_direct(host, config.cluster_url.port_u16().unwrap_or(443), &list));
    if direct {
        config.proxy_url = None;
    }
}

fn is_direct(host: &str, port: u16, list: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return address.is_some_and(|address| contains(network, bits, address));
        }
        if entry.parse::<IpAddr>().is_ok() {
            return entry.parse().ok() == address;
        }
        let entry = match entry.rsplit_once(':') {
            Some((name, number)) if number.parse() == Ok(port) => name,
            Some(_) => return false,
            None => &entry,
        };
        let domain = entry.trim_start_matches('*').trim_start_matches('.');
        let below = host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        below || (host == domain && !entry.starts_with(['.', '*']))
    })
}

/// Whether a network in CIDR notation holds an address of the same family.
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
            ("[::1]", ""),
            ("prod.example.com", "example.com"),
            ("example.com", "example.com"),
            ("prod.example.com", ".example.com"),
            ("prod.example.com", "a, *.example.com"),
            ("prod.example.com", "example.com:6443"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3", "0.0.0.0/0"),
            ("fd00::1", "fd00::/8"),
            ("anything", "*"),
        ] {
            assert!(is_direct(host, 6443, list), "{host} {list}");
        }
        for (host, list) in [
            ("prod.example.com", ""),
            ("notexample.com", "example.com"),
            ("example.com", ".example.com"),
            ("prod.example.com", "example.com:443"),
            ("11.1.2.3", "10.0.0.0/8"),
            ("11.1.2.3", "10.0.0.0/99"),
            ("10.1.2.3", "fd00::/8"),
        ] {
            assert!(!is_direct(host, 6443, list), "{host} {list}");
        }
    }
}
