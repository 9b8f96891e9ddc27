//! Redirect URIs: which ones a client may use, and how parameters are added to them (RFC 6749 §3.1.2, RFC 8252 §7.3; compat:
//! `authflow.md` §7 and §15).

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Url, form_urlencoded};

use crate::records::Client;

/// A place a client may have its answers sent to. Built only by [`RedirectUri::of_client`], which vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    out_of_band: bool,
}

/// The client may not use this redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("redirect_uri is not registered")]
pub struct Unregistered;

impl RedirectUri {
    /// Checks the once-decoded `redirect_uri` of a request against the client. `device_callback` is the rooted path at which the
    /// device flow gets its answers.
    ///
    /// Registered URIs match byte for byte (RFC 9700 §2.1). A public client without any may use the loopback interface on any port,
    /// the out-of-band URN and the device flow's own path.
    ///
    /// # Errors
    /// [`Unregistered`], also for registered values that must never be sent to a browser.
    pub fn of_client(
        client: &Client,
        requested: &str,
        device_callback: &str,
    ) -> Result<Self, Unregistered> {
        if client.redirect_uris.iter().any(|known| known == requested) {
            return if client.public && requested == DEVICE_CALLBACK {
                Ok(Self::new(device_callback))
            } else if requested == device_callback || is_safe_target(requested) {
                Ok(Self::new(requested))
            } else {
                Err(Unregistered)
            };
        }
        if !client.public || !client.redirect_uris.is_empty() {
            return Err(Unregistered);
        }
        match requested {
            OUT_OF_BAND => Ok(Self::new(OUT_OF_BAND)),
            DEVICE_CALLBACK => Ok(Self::new(device_callback)),
            _ if requested == device_callback => Ok(Self::new(device_callback)),
            _ => loopback(requested).map(|text| Self::new(&text)),
        }
    }

    fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            out_of_band: text == OUT_OF_BAND,
        }
    }

    /// The URI as sent and as stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the code is shown on a page instead of being sent anywhere.
    pub fn is_out_of_band(&self) -> bool {
        self.out_of_band
    }

    /// The URI with parameters in its query: those of `replaced` take the place of same-named ones, those of `added` come on top.
    /// Everything is encoded anew, sorted by name; a fragment survives.
    pub fn with_query(&self, replaced: &[(&str, &str)], added: &[(&str, &str)]) -> String {
        let (rest, fragment) = match self.text.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (self.text.as_str(), None),
        };
        let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
        let kept = form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| !replaced.iter().any(|(known, _)| known == name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()));
        let ours = replaced
            .iter()
            .chain(added)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut pairs: Vec<_> = kept.chain(ours).collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        let mut text = format!("{base}?{}", encode_query(&pairs));
        if let Some(fragment) = fragment {
            text.push('#');
            text.push_str(fragment);
        }
        text
    }
}

/// Form encoding as Go writes it: blanks are `+`, everything but letters, digits and `-_.~` is `%XX`.
pub fn encode_query<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        encode_into(&mut text, name.as_ref());
        text.push('=');
        encode_into(&mut text, value.as_ref());
    }
    text
}

fn encode_into(text: &mut String, raw: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in raw.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            b' ' => text.push('+'),
            _ => {
                text.push('%');
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from(
                        HEX.get(usize::from(digit)).copied().unwrap_or(b'0'),
                    ));
                }
            }
        }
    }
}

/// Whether a browser that is sent here lands where the text says: an absolute URL without backslashes and control characters, whose
/// scheme does not run code in our own origin.
fn is_safe_target(text: &str) -> bool {
    text == OUT_OF_BAND
        || (is_plain(text)
            && Url::parse(text).is_ok_and(|url| {
                !matches!(
                    url.scheme(),
                    "javascript" | "data" | "vbscript" | "blob" | "file" | "about"
                )
            }))
}

/// No characters that browsers and parsers read differently.
fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|c| !c.is_control() && !c.is_whitespace() && c != '\\')
}

/// A URL on the loopback interface. The text itself is judged, not what a lenient parser makes of it.
fn loopback(text: &str) -> Result<String, Unregistered> {
    let (scheme, rest) = text.split_once("://").ok_or(Unregistered)?;
    if !scheme.eq_ignore_ascii_case("http") || !is_plain(text) || text.contains('#') {
        return Err(Unregistered);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if is_local(authority) && Url::parse(text).is_ok() {
        Ok(format!("http://{authority}{path}"))
    } else {
        Err(Unregistered)
    }
}

/// Whether `host` or `host:port` is this machine (RFC 8252 §7.3). User information makes it not local.
fn is_local(authority: &str) -> bool {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else {
            return false;
        };
        let is_loopback = host.parse::<Ipv6Addr>().is_ok_and(|ip| {
            ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        });
        return is_loopback && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_loopback =
        host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The code is shown on a page.
pub const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// Stands for the device flow's own path in requests of public clients.
pub const DEVICE_CALLBACK: &str = "/device/callback";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(public: bool, registered: &[&str]) -> Client {
        Client {
            public,
            redirect_uris: registered.iter().map(ToString::to_string).collect(),
            ..Client::default()
        }
    }

    fn accepts(client: &Client, uri: &str) -> bool {
        RedirectUri::of_client(client, uri, "/dex/device/callback").is_ok()
    }

    #[test]
    fn authflow_27_a_bare_public_client_may_use_the_loopback_interface() {
        let bare = client(true, &[]);
        for uri in [
            "http://localhost:8000/any",
            "http://localhost",
            "http://127.0.0.1:991/bar",
            "http://127.0.0.2/x",
            "http://[::1]:9/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]:80/",
            "HTTP://localhost/cb?x=1",
            OUT_OF_BAND,
            DEVICE_CALLBACK,
            "/dex/device/callback",
        ] {
            assert!(accepts(&bare, uri), "{uri}");
        }
        for uri in [
            "https://localhost/",
            "http://localhost.localhost/",
            "http://localhost./",
            "http://LOCALHOST/",
            "com.example.app:/cb",
            "",
            "http://",
            "http:///x",
        ] {
            assert!(!accepts(&bare, uri), "{uri}");
        }
    }

    #[test]
    fn o08_tricks_that_make_another_host_look_local_are_refused() {
        let bare = client(true, &[]);
        for uri in [
            "http://localhost@evil.example/",
            "http://user@localhost/",
            "http://user:pw@127.0.0.1/",
            "http://localhost:80@evil.example/",
            "http://localhost\\@evil.example/",
            "http://evil.example\\@localhost/",
            "http:\\\\localhost/",
            "http://localhost\t.evil.example/",
            "http://local\nhost/",
            "http://localhost.evil.example/",
            "http://127.0.0.1.evil.example/",
            "http://localhost#@evil.example/",
            "http://localhost/#fragment",
            "http://ⓛocalhost/",
            "http://127。0。0。1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://[::1%25eth0]/",
            "http://[::1]evil.example/",
            "http://localhost:99999/",
            "http://localhost:/",
            "http://localhost:80 /",
            " http://localhost/",
            "javascript:alert(1)//http://localhost/",
        ] {
            assert!(!accepts(&bare, uri), "{uri:?}");
        }
    }

    #[test]
    fn o03_registered_uris_match_byte_for_byte() {
        let registered = "https://app.example/cb?x=1";
        for public in [true, false] {
            let client = client(public, &[registered]);
            assert!(accepts(&client, registered));
            for other in [
                "https://app.example/cb?x=1&y=2",
                "https://app.example/cb",
                "https://APP.example/cb?x=1",
                "https://app.example:443/cb?x=1",
                "https://app.example/cb/?x=1",
                "https://app.example/cb?x=1#",
                "https://app.example/%63b?x=1",
                "http://app.example/cb?x=1",
                "http://localhost/",
                OUT_OF_BAND,
                DEVICE_CALLBACK,
            ] {
                assert!(!accepts(&client, other), "{other}");
            }
        }
        assert!(!accepts(&client(false, &[]), "http://localhost/"));
    }

    #[test]
    fn o04_what_runs_code_or_hides_its_host_is_refused_even_if_registered() {
        for uri in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "https:\\\\evil.example",
            "https://app.example\\@evil.example/",
            "https://app.example/\u{7}",
            "/rooted",
            "//evil.example",
            "relative",
        ] {
            assert!(!accepts(&client(false, &[uri]), uri), "{uri:?}");
        }
        for uri in [
            "com.example.app:/cb",
            "app://cb",
            "https://app.example/#/route",
        ] {
            assert!(accepts(&client(false, &[uri]), uri), "{uri}");
        }
    }

    #[test]
    fn the_device_flow_returns_to_its_own_path() {
        let bare = client(true, &[]);
        let uri = RedirectUri::of_client(&bare, DEVICE_CALLBACK, "/dex/device/callback").unwrap();
        assert_eq!(uri.as_str(), "/dex/device/callback");
        let listed = client(false, &["/dex/device/callback"]);
        assert!(accepts(&listed, "/dex/device/callback"));
    }

    #[test]
    fn authflow_26_parameters_replace_or_join_those_of_the_uri() {
        let registered = "http://127.0.0.1:5555/cb?x=1&code=old#frag";
        let uri = RedirectUri::of_client(&client(false, &[registered]), registered, "").unwrap();
        assert_eq!(
            uri.with_query(&[("code", "new"), ("state", "a b&=ü")], &[]),
            "http://127.0.0.1:5555/cb?code=new&state=a+b%26%3D%C3%BC&x=1#frag"
        );
        assert_eq!(
            uri.with_query(&[], &[("state", ""), ("error", "e")]),
            "http://127.0.0.1:5555/cb?code=old&error=e&state=&x=1#frag"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics_the_matcher(text in ".*") {
            let _ = accepts(&client(true, &[]), &text);
            let _ = accepts(&client(true, &[]), &format!("http://{text}"));
        }

        #[test]
        fn encoded_pairs_decode_to_themselves(pairs in proptest::collection::vec((".*", ".*"), 0..5)) {
            let text = encode_query(&pairs);
            let decoded: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            prop_assert_eq!(decoded, pairs);
        }
    }
}
