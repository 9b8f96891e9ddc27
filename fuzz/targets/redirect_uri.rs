//! Redirect URIs: nothing leads anywhere but to a registered place or, for a public client without any, to this machine.
#![no_main]

use dex_core::records::Client;
use dex_core::redirect_uri::RedirectUri;
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

fuzz_target!(|input: (bool, Option<&str>, &str, &str)| {
    let (public, registered, requested, state) = input;
    let client = Client {
        public,
        redirect_uris: registered.map(str::to_owned).into_iter().collect(),
        ..Client::default()
    };
    let Ok(uri) = RedirectUri::of_client(&client, requested, "/dex/device/callback") else {
        return;
    };
    if let Some(registered) = registered {
        assert_eq!(requested, registered);
    } else {
        assert!(public);
    }
    let text = uri.with_query(&[("state", state)], &[("code", "c")]);
    assert!(!text.contains(['\r', '\n']));
    if registered.is_none() && !uri.is_out_of_band() && uri.as_str() != "/dex/device/callback" {
        let url = Url::parse(&text).expect("a loopback URI stays a URL");
        let local = match url.host().expect("with a host") {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        assert!(url.scheme() == "http" && local, "{text}");
    }
});
