//! The bounded HTTP client.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dex_connectors::upstream::{ProxySettings, Trust, UpstreamClient, UpstreamSettings};
use http::{Request, StatusCode, header};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn client(change: impl FnOnce(&mut UpstreamSettings)) -> UpstreamClient {
    let mut settings = UpstreamSettings::default();
    change(&mut settings);
    UpstreamClient::new(&settings, &Trust::default()).unwrap()
}

fn request(url: &str) -> Request<Vec<u8>> {
    Request::get(url).body(Vec::new()).unwrap()
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

/// Every cause of an error, joined.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn answers_are_read_up_to_the_limit() {
    let streamed = || async {
        // Without a length: only counting while reading helps.
        let chunks = std::iter::repeat_n("x".repeat(1000), 20);
        let stream = futures_util::stream::iter(chunks.map(Ok::<_, std::convert::Infallible>));
        axum::body::Body::from_stream(stream)
    };
    let base = serve(
        Router::new()
            .route("/small", get(|| async { "y".repeat(10_000) }))
            .route("/large", get(|| async { "y".repeat(10_001) }))
            .route("/streamed", get(streamed)),
    )
    .await;
    let client = client(|settings| settings.max_response_bytes = 10_000);
    let response = client
        .send("test", request(&format!("{base}/small")))
        .await
        .unwrap();
    assert_eq!(response.body.len(), 10_000);
    assert!(!format!("{response:?}").contains("yyy"));
    for path in ["large", "streamed"] {
        let error = client
            .send("test", request(&format!("{base}/{path}?secret=1")))
            .await
            .unwrap_err();
        assert_eq!(chain(&error), "test: the answer is larger than 10000 bytes");
    }
}

#[tokio::test]
async fn redirects_are_counted_and_do_not_carry_bodies_elsewhere() {
    let elsewhere = serve(Router::new().route("/token", post(|| async { "got it" }))).await;
    let target = format!("{elsewhere}/token");
    let base = serve(
        Router::new()
            .route("/loop", get(|| async { Redirect::to("/loop") }))
            .route("/once", get(|| async { Redirect::to("/end") }))
            .route("/end", get(|| async { "end" }))
            .route(
                "/token",
                post(move || async move { Redirect::temporary(&target) }),
            ),
    )
    .await;
    let client = client(|settings| settings.max_redirects = 3);
    let response = client
        .send("test", request(&format!("{base}/once")))
        .await
        .unwrap();
    assert_eq!(&response.body[..], b"end");
    let error = client
        .send("test", request(&format!("{base}/loop")))
        .await
        .unwrap_err();
    assert!(
        chain(&error).contains("too many redirects"),
        "{}",
        chain(&error)
    );
    let post = Request::post(format!("{base}/token"))
        .body(b"client_secret=1".to_vec())
        .unwrap();
    let error = client.send("test", post).await.unwrap_err();
    assert!(
        chain(&error).contains("another origin"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/?secret=1", listener.local_addr().unwrap());
    let client = client(|settings| settings.request_timeout = Duration::from_millis(50));
    let error = client.send("test", request(&url)).await.unwrap_err();
    assert!(chain(&error).contains("timed out"), "{}", chain(&error));
    assert!(!chain(&error).contains("secret"));
}

#[tokio::test]
async fn proxies_are_used_as_set_and_never_for_loopback() {
    // A proxy sees the whole URL in the request line.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nproxy")
            .await
            .unwrap();
        String::from_utf8(head).unwrap()
    });
    let base = serve(Router::new().route("/", get(|| async { "direct" }))).await;
    let client = client(|settings| {
        settings.proxies = ProxySettings {
            http: Some(proxy),
            https: None,
            no_proxy: Some("unused.test".into()),
        };
    });
    let direct = client.send("test", request(&base)).await.unwrap();
    assert_eq!(&direct.body[..], b"direct");
    let proxied = client
        .send("test", request("http://upstream.test/path"))
        .await
        .unwrap();
    assert_eq!(&proxied.body[..], b"proxy");
    assert!(
        seen.await
            .unwrap()
            .starts_with("GET http://upstream.test/path HTTP/1.1\r\n")
    );
}

#[test]
fn a_proxy_that_is_no_url_is_named_without_its_password() {
    let settings = |http: Option<&str>, https: Option<&str>| {
        let mut settings = UpstreamSettings::default();
        settings.proxies.http = http.map(str::to_owned);
        settings.proxies.https = https.map(str::to_owned);
        settings
    };
    for (settings, expected) in [
        (
            settings(Some("http://u:hunter2@[broken"), None),
            "HTTP_PROXY is not a proxy URL",
        ),
        (
            settings(None, Some("http://u:hunter2@[broken")),
            "HTTPS_PROXY is not a proxy URL",
        ),
    ] {
        assert!(!format!("{settings:?}").contains("hunter2"));
        let error = UpstreamClient::new(&settings, &Trust::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

/// Answers every TLS connection with one HTTP answer. Gives its URL and its certificate.
async fn serve_tls(status_line: &'static str) -> (String, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}/",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut buffer = [0; 1024];
            let _request = stream.read(&mut buffer).await;
            let answer = format!(
                "HTTP/1.1 {status_line}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
            );
            let _sent = stream.write_all(answer.as_bytes()).await;
            let _closed = stream.shutdown().await;
        }
    });
    (url, cert.pem())
}

async fn fetch(trust: &Trust, url: &str) -> Result<StatusCode, String> {
    let client = UpstreamClient::new(&UpstreamSettings::default(), trust).unwrap();
    client
        .send("test", request(url))
        .await
        .map(|response| response.status)
        .map_err(|error| chain(&error))
}

#[tokio::test]
async fn listed_roots_are_trusted_in_all_three_forms() {
    let (url, pem) = serve_tls("200 OK").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &pem).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let base64 = STANDARD.encode(&pem);
    let folded = format!("{}\n{}\n", &base64[..64], &base64[64..]);
    for entry in [path, base64, folded, pem.clone()] {
        let trust = Trust::with_roots(&[String::new(), entry]).await.unwrap();
        assert_eq!(fetch(&trust, &url).await, Ok(StatusCode::OK));
    }
    let error = fetch(&Trust::default(), &url).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    let any = Trust::default().dangerously_accept_any_certificate(true);
    assert_eq!(fetch(&any, &url).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn a_redirect_from_tls_to_plain_text_is_refused() {
    let plain = serve(Router::new().route("/", get(|| async { "plain" }))).await;
    let status_line: &'static str = format!("302 Found\r\nlocation: {plain}/").leak();
    let (url, pem) = serve_tls(status_line).await;
    let trust = Trust::with_roots(&[pem]).await.unwrap();
    let error = fetch(&trust, &url).await.unwrap_err();
    assert!(error.contains("redirect from https to http"), "{error}");
}

#[tokio::test]
async fn entries_without_a_certificate_are_named_by_position() {
    let (_, pem) = serve_tls("200 OK").await;
    for (entries, index) in [
        (vec!["nonsense".to_owned()], 0),
        (vec![String::new(), pem.clone(), "/nowhere".to_owned()], 1),
        (
            vec!["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()],
            0,
        ),
    ] {
        let error = Trust::with_roots(&entries).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("rootCAs.{index} is not in PEM format")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_media_type_has_no_parameters() {
    let base = serve(Router::new().route(
        "/",
        get(|| async {
            (
                [(header::CONTENT_TYPE, "Application/JWT; charset=utf-8")],
                "",
            )
        }),
    ))
    .await;
    let response = client(|_| {}).send("test", request(&base)).await.unwrap();
    assert_eq!(response.media_type(), "application/jwt");
}
