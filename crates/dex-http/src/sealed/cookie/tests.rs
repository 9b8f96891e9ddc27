//! Sealing, opening, tampering, and the limits on what a browser carries.

use std::sync::Arc;
use std::time::Duration;

use dex_core::clock::ManualClock;
use dex_core::entropy::{SystemEntropy, new_id};
use dex_storage::memory::Memory;
use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::*;

struct World {
    keys: SealingKeyring,
    issuer: IssuerUrl,
    entropy: SystemEntropy,
    clock: ManualClock,
}

impl World {
    fn over(storage: Arc<Memory>) -> Self {
        let clock = ManualClock::at(Timestamp::from_unix(1_786_017_600, 0).unwrap());
        Self {
            keys: SealingKeyring::new(
                storage,
                Arc::new(clock.clone()),
                Arc::new(SystemEntropy::new()),
                Duration::from_hours(24),
            ),
            issuer: IssuerUrl::parse("https://issuer.example/dex").unwrap(),
            entropy: SystemEntropy::new(),
            clock,
        }
    }

    fn new() -> Self {
        Self::over(Arc::new(Memory::new()))
    }

    fn jar(&self) -> CookieJar<'_> {
        use dex_core::clock::Clock as _;
        CookieJar {
            keys: &self.keys,
            issuer: &self.issuer,
            entropy: &self.entropy,
            now: self.clock.now(),
        }
    }

    fn pending(&self, state: &str) -> PendingRequest {
        PendingRequest {
            client_id: "app".to_owned(),
            state: state.to_owned(),
            expiry: self.jar().now.saturating_add(Duration::from_hours(24)),
            ..PendingRequest::default()
        }
    }

    async fn line(&self, handle: &str, state: &str) -> String {
        let lines = self
            .jar()
            .set_pending(&RequestCookies::default(), handle, &self.pending(state))
            .await
            .unwrap()
            .unwrap();
        lines[0].to_str().unwrap().to_owned()
    }

    async fn opens(&self, cookies: &str, handle: &str) -> bool {
        let request = with_cookies(cookies);
        self.jar()
            .pending(&request, handle)
            .await
            .unwrap()
            .is_some()
    }
}

fn with_cookies(cookies: &str) -> Incoming {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::COOKIE, cookies.parse().unwrap());
    Incoming {
        method: Method::GET,
        path: String::new(),
        query: String::new(),
        headers,
        body: bytes::Bytes::new(),
        now: Timestamp::ZERO,
    }
}

/// `name=value` of a `Set-Cookie` line.
fn pair(line: &str) -> String {
    line.split(';').next().unwrap().to_owned()
}

const HANDLE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaa";

#[tokio::test]
async fn a_sealed_request_opens_in_the_browser_it_was_sealed_for() {
    let world = World::new();
    let line = world.line(HANDLE, "S").await;
    assert!(
        line.ends_with("; Path=/dex; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"),
        "{line}"
    );
    assert!(world.opens(&pair(&line), HANDLE).await);
    assert!(!world.opens("other=1", HANDLE).await);
    // Among others of the same name, planted by a sibling host.
    let planted = format!("dexd_req_{HANDLE}=junk; {}", pair(&line));
    assert!(world.opens(&planted, HANDLE).await);
}

#[tokio::test]
async fn a_cookie_is_bound_to_issuer_handle_stage_and_time() {
    let world = World::new();
    let cookie = pair(&world.line(HANDLE, "S").await);
    let (name, value) = cookie.split_once('=').unwrap();
    let (time, sealed) = value.split_once('.').unwrap();

    let other = "bbbbbbbbbbbbbbbbbbbbbbbbb";
    assert!(
        !world
            .opens(&format!("dexd_req_{other}={value}"), other)
            .await
    );
    let later = format!(
        "{name}={:x}.{sealed}",
        i64::from_str_radix(time, 16).unwrap() + 1
    );
    assert!(!world.opens(&later, HANDLE).await);
    let request = with_cookies(&cookie);
    assert!(
        world
            .jar()
            .authenticated(&request, HANDLE)
            .await
            .unwrap()
            .is_none()
    );
    let mut bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
    bytes[1] = Stage::Authenticated.byte();
    let other_stage = format!("{name}={time}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let request = with_cookies(&other_stage);
    assert!(
        world
            .jar()
            .authenticated(&request, HANDLE)
            .await
            .unwrap()
            .is_none()
    );
    let elsewhere = World {
        issuer: IssuerUrl::parse("https://other.example/dex").unwrap(),
        ..world
    };
    assert!(!elsewhere.opens(&cookie, HANDLE).await);
}

#[tokio::test]
async fn all_replicas_open_what_one_sealed_and_rotation_keeps_it_open() {
    let storage = Arc::new(Memory::new());
    let (one, two) = (World::over(storage.clone()), World::over(storage));
    let cookie = pair(&one.line(HANDLE, "S").await);
    assert!(two.opens(&cookie, HANDLE).await);
    for world in [&one, &two] {
        world.clock.advance(Duration::from_secs(24 * 3600 - 10));
    }
    let late = pair(&one.line(HANDLE, "late").await);
    for hours in [1, 22] {
        for world in [&one, &two] {
            world.clock.advance(Duration::from_hours(hours));
            assert!(world.opens(&late, HANDLE).await);
        }
    }
    // Three rotations later nothing sealed with the first key can still be valid.
    for _ in 0..3 {
        for world in [&one, &two] {
            world.clock.advance(Duration::from_hours(25));
            world.line(HANDLE, "S").await;
        }
    }
    assert!(!one.opens(&cookie, HANDLE).await);
    assert!(!two.opens(&late, HANDLE).await);
}

#[tokio::test]
async fn keys_that_were_made_elsewhere_meanwhile_are_found() {
    let storage = Arc::new(Memory::new());
    let (one, two) = (World::over(storage.clone()), World::over(storage));
    one.line(HANDLE, "S").await;
    two.line(HANDLE, "S").await;
    // Only `one` notices the time: it rotates, and `two` still has its cache.
    one.clock.advance(Duration::from_hours(25));
    one.line(HANDLE, "S").await;
    one.clock.advance(Duration::from_mins(2));
    let cookie = pair(&one.line(HANDLE, "S").await);
    two.clock.advance(Duration::from_secs(2));
    assert!(two.opens(&cookie, HANDLE).await);
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_refused() {
    let world = World::new();
    let none = RequestCookies::default();
    let (mut fits, mut refused) = (0, 0);
    for len in (2_000..4_000).step_by(100) {
        let outcome = world
            .jar()
            .set_pending(&none, HANDLE, &world.pending(&"s".repeat(len)))
            .await
            .unwrap();
        match outcome {
            Ok(lines) => {
                let cookie = pair(lines[0].to_str().unwrap());
                assert!(cookie.len() - "dexd_req_=".len() - HANDLE.len() <= MAX_VALUE);
                assert!(world.opens(&cookie, HANDLE).await, "{len}");
                fits += 1;
            }
            Err(TooLarge) => refused += 1,
        }
    }
    assert!(fits > 3 && refused > 3, "{fits} {refused}");
}

#[tokio::test]
async fn the_oldest_requests_go_when_there_are_too_many() {
    let world = World::new();
    let mut carried: Vec<String> = Vec::new();
    let mut handles = Vec::new();
    for _ in 0..8 {
        world.clock.advance(Duration::from_secs(1));
        let handle = new_id(&world.entropy);
        let request = with_cookies(&carried.join("; "));
        let lines = world
            .jar()
            .set_pending(&RequestCookies::of(&request), &handle, &world.pending("S"))
            .await
            .unwrap()
            .unwrap();
        for line in lines {
            let line = line.to_str().unwrap();
            let name = pair(line).split('=').next().unwrap().to_owned();
            carried.retain(|cookie| !cookie.starts_with(&name));
            if !line.contains("Max-Age=0") {
                carried.push(pair(line));
            }
        }
        handles.push(handle);
        assert!(carried.len() <= MAX_REQUESTS);
    }
    let cookies = carried.join("; ");
    for (index, handle) in handles.iter().enumerate() {
        assert_eq!(world.opens(&cookies, handle).await, index >= 3, "{index}");
    }
}

#[tokio::test]
async fn all_requests_together_stay_below_the_limit_of_a_header_line() {
    let world = World::new();
    let big = "s".repeat(2_000);
    let first = new_id(&world.entropy);
    let second = new_id(&world.entropy);
    let mut cookies = pair(&world.line(&first, &big).await);
    world.clock.advance(Duration::from_secs(1));
    cookies = format!("{cookies}; {}", pair(&world.line(&second, &big).await));
    world.clock.advance(Duration::from_secs(1));
    let lines = world
        .jar()
        .set_pending(
            &RequestCookies::of(&with_cookies(&cookies)),
            HANDLE,
            &world.pending(&big),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lines.len(), 2);
    let evicted = lines[0].to_str().unwrap();
    assert!(
        evicted.starts_with(&format!("dexd_req_{first}=; ")),
        "{evicted}"
    );
    assert!(evicted.contains("Max-Age=0"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_cookie_does_not_open(at in any::<proptest::sample::Index>(), to in 0x21_u8..0x7f) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let cookie = pair(&world.line(HANDLE, "S").await);
            let (name, value) = cookie.split_once('=').unwrap();
            let mut changed = value.as_bytes().to_vec();
            let at = at.index(changed.len());
            // `;` and friends would end the value; a changed last digit may leave the decoded bytes as they were.
            if changed[at] != to && !b";, \"\\".contains(&to) && at + 1 < changed.len() {
                changed[at] = to;
                let changed = format!("{name}={}", String::from_utf8(changed).unwrap());
                assert!(!world.opens(&changed, HANDLE).await, "{changed}");
            }
        });
    }

    #[test]
    fn no_cookie_panics(value in "[ -~]{0,200}", name in "[a-z2-7]{25}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let _ = world.opens(&format!("dexd_req_{name}={value}"), &name).await;
            let _ = RequestCookies::of(&with_cookies(&format!("dexd_req_{name}={value}"))).to_evict(HANDLE, 1).count();
        });
    }
}
