//! Plain listeners.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::{MINIMAL, Run, get, minimal_but};

#[tokio::test]
async fn port_0_is_taken_and_told() {
    let mut dexd = Run::serve(MINIMAL).start();
    let url = dexd.url("http", "/dex/robots.txt");
    assert_eq!(get(&url).await.0, 200);
    dexd.stop();
}

#[tokio::test]
async fn an_empty_host_means_every_interface() {
    let mut dexd = Run::serve(&minimal_but("web", "web: {http: ':0'}")).start();
    let address = dexd.address("http");
    let port = address.rsplit_once(':').unwrap().1;
    assert_eq!(
        get(&format!("http://127.0.0.1:{port}/dex/robots.txt"))
            .await
            .0,
        200
    );
    dexd.stop();
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let mut dexd = Run::serve(MINIMAL).start();
    let mut stream = TcpStream::connect(dexd.address("http")).unwrap();
    let head = format!(
        "GET /dex/robots.txt HTTP/1.1\r\nHost: x\r\nX-Big: {}\r\n\r\n",
        "x".repeat(300 * 1024)
    );
    // The server may hang up before all of it is sent.
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    dexd.stop();
}

#[test]
fn http_2_without_tls_is_not_spoken() {
    let mut dexd = Run::serve(MINIMAL).start();
    let mut stream = TcpStream::connect(dexd.address("http")).unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    dexd.stop();
}
