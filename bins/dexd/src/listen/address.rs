//! Addresses as Go's `net.Listen("tcp", …)` reads them: `host:port`, an empty host means all interfaces, ports may have names.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, lookup_host};

use crate::config::os_error;

/// Binds a socket; the error is in Go's words.
pub(super) async fn bind(address: &str) -> Result<TcpListener, String> {
    let explain = |reason: String| format!("listen tcp {address}: {reason}");
    let (host, port) = split(address).map_err(&explain)?;
    let port = port_number(port).map_err(&explain)?;
    let failed = |error: std::io::Error| explain(format!("bind: {}", os_error(&error)));
    if host.is_empty() {
        // One socket serves both protocols; a machine without IPv6 has the other.
        return match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Ok(socket) => Ok(socket),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(failed(error)),
            Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
                .await
                .map_err(failed),
        };
    }
    let candidates: Vec<SocketAddr> = lookup_host((host, port))
        .await
        .map_err(|error| explain(format!("lookup {host}: {}", os_error(&error))))?
        .collect();
    TcpListener::bind(candidates.as_slice())
        .await
        .map_err(failed)
}

/// Host and port of `host:port` or `[host]:port`.
fn split(address: &str) -> Result<(&str, &str), String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(format!("address {address}: missing port in address"));
    };
    match host.strip_prefix('[') {
        Some(host) => host
            .strip_suffix(']')
            .map(|host| (host, port))
            .ok_or_else(|| format!("address {address}: missing ']' in address")),
        None if host.contains(':') => Err(format!("address {address}: too many colons in address")),
        None => Ok((host, port)),
    }
}

fn port_number(port: &str) -> Result<u16, String> {
    if port.is_empty() {
        return Ok(0);
    }
    if port.bytes().all(|b| b.is_ascii_digit()) {
        return port
            .parse()
            .map_err(|_| format!("address {port}: invalid port"));
    }
    std::fs::read_to_string("/etc/services")
        .ok()
        .and_then(|services| service_port(&services, port))
        .ok_or_else(|| format!("lookup tcp/{port}: unknown port"))
}

/// Looks a name up in the text of `services(5)`.
fn service_port(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (official, port) = (words.next()?, words.next()?);
        let number = port.strip_suffix("/tcp")?.parse().ok()?;
        (official == name || words.any(|alias| alias == name)).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_split_as_in_go() {
        for (address, parts) in [
            ("127.0.0.1:5556", Ok(("127.0.0.1", "5556"))),
            (":5556", Ok(("", "5556"))),
            ("[::1]:http", Ok(("::1", "http"))),
            ("localhost", Err(())),
            ("::1:80", Err(())),
            ("[::1:80", Err(())),
        ] {
            assert_eq!(split(address).map_err(drop), parts, "{address}");
        }
        assert!(port_number("65536").is_err());
        assert_eq!(port_number("0"), Ok(0));
    }

    #[test]
    fn services_have_names_and_aliases() {
        let services = "ssh 22/tcp\nhttp\t\t80/tcp\t\twww # web\nhttp 80/udp\n# x 1/tcp\n";
        assert_eq!(service_port(services, "http"), Some(80));
        assert_eq!(service_port(services, "www"), Some(80));
        assert_eq!(service_port(services, "x"), None);
    }
}
