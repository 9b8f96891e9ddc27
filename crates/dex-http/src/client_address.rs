//! Whose request it is, behind proxies: only those that the operator trusts are believed (compat: `web.md` §4).

use std::net::IpAddr;

use http::HeaderMap;

use crate::ClientAddressPolicy;

impl ClientAddressPolicy {
    /// The client's address: the peer's, or what the trusted proxies on the way say, walked from the nearest one. All header lines
    /// of the name count as one list, so that a client cannot get in front of what a proxy appends as a line of its own.
    pub(crate) fn resolve(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let lines = headers.get_all(&self.header).iter().rev();
        for line in lines {
            let Ok(line) = line.to_str() else {
                return peer;
            };
            for item in line.rsplit(',') {
                match item.trim().parse::<IpAddr>() {
                    Ok(address) if self.trusts(address) => {}
                    Ok(address) => return address,
                    Err(_) => return peer,
                }
            }
        }
        peer
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn resolve(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let policy = ClientAddressPolicy {
            header: HeaderName::from_static("x-forwarded-for"),
            trusted_proxies: trusted.iter().map(|net| net.parse().unwrap()).collect(),
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("X-Forwarded-For", HeaderValue::from_str(line).unwrap());
        }
        policy.resolve(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn web_38_only_trusted_proxies_are_believed() {
        const TEN: &str = "10.0.0.0/8";
        const HOME: &str = "192.168.0.0/16";
        for (trusted, peer, lines, client) in [
            (&[TEN][..], "10.1.2.3", &["203.0.113.9"][..], "203.0.113.9"),
            (&[TEN, HOME], "192.168.5.5", &["203.0.113.9"], "203.0.113.9"),
            (&[TEN], "203.0.113.1", &["198.51.100.7"], "203.0.113.1"),
            (&[], "203.0.113.1", &["198.51.100.7"], "203.0.113.1"),
            (&[TEN], "10.1.2.3", &[], "10.1.2.3"),
            (&[TEN], "10.1.2.3", &["not-an-ip"], "10.1.2.3"),
            (
                &[TEN, HOME],
                "10.1.2.3",
                &["203.0.113.9, 192.168.1.1, 10.9.9.9"],
                "203.0.113.9",
            ),
            (
                &[TEN],
                "10.1.2.3",
                &["1.2.3.4, 198.51.100.7, 10.1.2.3"],
                "198.51.100.7",
            ),
            (
                &[TEN],
                "10.1.2.3",
                &["203.0.113.9, garbage, 10.1.2.3"],
                "10.1.2.3",
            ),
            (&[TEN], "10.1.2.3", &["10.9.9.9, 10.1.2.3"], "10.1.2.3"),
            (
                &["127.0.0.0/8"],
                "127.0.0.1",
                &["203.0.113.9, 127.0.0.5"],
                "203.0.113.9",
            ),
            // a port, brackets, an empty item
            (&[TEN], "10.1.2.3", &["203.0.113.9:80"], "10.1.2.3"),
            (&[TEN], "10.1.2.3", &["[2001:db8::1]"], "10.1.2.3"),
            (&[TEN], "10.1.2.3", &["203.0.113.9,"], "10.1.2.3"),
            // IPv6, and an IPv4-mapped address that matches no IPv4 prefix
            (&[TEN], "10.1.2.3", &["2001:DB8::1"], "2001:db8::1"),
            (&[TEN], "10.1.2.3", &["::ffff:10.1.2.3"], "::ffff:10.1.2.3"),
        ] {
            assert_eq!(resolve(trusted, peer, lines), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn o19_a_line_of_the_client_does_not_hide_what_the_proxy_appended() {
        assert_eq!(
            resolve(&["10.0.0.0/8"], "10.1.2.3", &["1.2.3.4", "203.0.113.9"]),
            "203.0.113.9"
        );
        assert_eq!(
            resolve(&["10.0.0.0/8"], "10.1.2.3", &["1.2.3.4", "10.5.5.5"]),
            "1.2.3.4"
        );
    }
}
