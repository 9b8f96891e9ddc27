//! Files over HTTP: types, validators, ranges, and what is not served.

use http::header::{HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE};

use super::*;

fn get(path: &str) -> Option<PageResponse> {
    pages(|_| ()).asset(&Method::GET, path, &HeaderMap::new())
}

fn get_with(path: &str, headers: &[(HeaderName, &str)]) -> PageResponse {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
        .collect();
    pages(|_| ()).asset(&Method::GET, path, &headers).unwrap()
}

#[test]
fn web_03_robots_are_sent_away() {
    let page = get("/robots.txt").unwrap();
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(header(&page, "content-type"), "text/plain; charset=utf-8");
    assert!(html(&page).contains("Disallow: /"));
}

#[test]
fn web_04_files_have_their_types_and_missing_ones_are_404() {
    for (path, content_type) in [
        ("/static/main.css", "text/css; charset=utf-8"),
        ("/static/submit.js", "text/javascript; charset=utf-8"),
        ("/static/img/github-icon.svg", "image/svg+xml"),
        ("/static/img/github%2Dicon.svg", "image/svg+xml"),
        ("/theme/styles.css", "text/css; charset=utf-8"),
        ("/theme/logo.png", "image/png"),
        ("/theme/favicon.png", "image/png"),
    ] {
        let page = get(path).unwrap();
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert_eq!(header(&page, "content-type"), content_type, "{path}");
        assert_eq!(header(&page, "x-content-type-options"), "nosniff");
        assert!(!page.body.is_empty(), "{path}");
    }
    for path in [
        "/theme/none",
        "/theme",
        "/theme/",
        "/static",
        "/static/",
        "/static/img",
        "/static/img/",
        "/static/../robots.txt",
        "/static/%2e%2e/robots.txt",
        "/static//main.css",
        "/static/main.css/",
        "/static/%zz",
        "/theme/../dark/styles.css",
    ] {
        let page = get(path).unwrap();
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(html(&page), "404 page not found\n", "{path}");
    }
}

#[test]
fn other_paths_are_left_to_the_router() {
    for path in [
        "/staticmain.css",
        "/themes/light/styles.css",
        "/templates/login.html",
        "/robots.txt/",
        "/",
        "",
        "static/main.css",
        "/%73tatic/main.css",
    ] {
        assert!(get(path).is_none(), "{path}");
    }
}

#[test]
fn web_05_a_range_of_a_style_sheet_is_206() {
    let whole = get("/static/main.css").unwrap().body;
    let length = whole.len();
    for (range, expected) in [
        ("bytes=0-9", 0..10),
        ("bytes=5-5", 5..6),
        ("bytes=-7", length - 7..length),
        ("bytes=10-", 10..length),
        ("bytes=0-99999999999999999999999", 0..length),
        ("bytes=-99999999999999999999999", 0..length),
    ] {
        let page = get_with("/static/main.css", &[(RANGE, range)]);
        assert_eq!(page.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(page.body, whole.slice(expected.clone()), "{range}");
        assert_eq!(
            header(&page, "content-range"),
            format!("bytes {}-{}/{length}", expected.start, expected.end - 1),
        );
    }
}

#[test]
fn a_range_beyond_the_end_is_416_and_an_odd_one_is_ignored() {
    let length = get("/static/main.css").unwrap().body.len();
    for range in ["bytes=999999-", "bytes=-0"] {
        let page = get_with("/static/main.css", &[(RANGE, range)]);
        assert_eq!(page.status, StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
        assert_eq!(header(&page, "content-range"), format!("bytes */{length}"));
        assert!(page.body.is_empty());
    }
    for range in [
        "bytes=0-1,3-4",
        "bytes=9-1",
        "bytes=-",
        "bytes=a-b",
        "bytes=+1-2",
        "lines=0-9",
        "bytes=",
    ] {
        let page = get_with("/static/main.css", &[(RANGE, range)]);
        assert_eq!(page.status, StatusCode::OK, "{range}");
        assert_eq!(page.body.len(), length, "{range}");
    }
}

#[test]
fn a_range_of_another_version_is_answered_with_the_whole_file() {
    let first = get("/static/main.css").unwrap();
    let tag = header(&first, "etag");
    for (validator, status) in [
        (tag, StatusCode::PARTIAL_CONTENT),
        ("\"other\"", StatusCode::OK),
        ("Sat, 01 Jan 2000 00:00:00 GMT", StatusCode::OK),
    ] {
        let page = get_with(
            "/static/main.css",
            &[(RANGE, "bytes=0-9"), (IF_RANGE, validator)],
        );
        assert_eq!(page.status, status, "{validator}");
    }
}

#[test]
fn a_browser_that_has_the_file_gets_304() {
    let first = get("/static/main.css").unwrap();
    let tag = header(&first, "etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    assert!(header(&first, "cache-control").contains("max-age="));
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let page = get_with("/static/main.css", &[(IF_NONE_MATCH, &known)]);
        assert_eq!(page.status, StatusCode::NOT_MODIFIED, "{known}");
        assert!(page.body.is_empty());
        assert_eq!(header(&page, "etag"), tag);
    }
    let page = get_with("/static/main.css", &[(IF_NONE_MATCH, "\"other\"")]);
    assert_eq!(page.status, StatusCode::OK);
}

#[test]
fn files_can_be_read_and_nothing_else() {
    let pages = pages(|_| ());
    let head = pages
        .asset(&Method::HEAD, "/static/main.css", &HeaderMap::new())
        .unwrap();
    assert_eq!(head.status, StatusCode::OK);
    assert!(head.body.is_empty());
    let length = get("/static/main.css").unwrap().body.len();
    assert_eq!(header(&head, "content-length"), length.to_string());
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let page = pages
            .asset(&method, "/static/main.css", &HeaderMap::new())
            .unwrap();
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(header(&page, "allow"), "GET, HEAD");
    }
}

proptest::proptest! {
    #[test]
    fn any_path_and_range_is_answered(path in "/(static|theme)/[a-z%./0-9\\\\]{0,20}", range in "bytes=[0-9,-]{0,40}") {
        let page = get_with(&path, &[(RANGE, &range)]);
        proptest::prop_assert!(page.status.as_u16() < 500);
        let page = get_with("/static/main.css", &[(RANGE, &range)]);
        proptest::prop_assert!(page.status.as_u16() < 500);
    }
}
