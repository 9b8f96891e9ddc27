//! The HTTPS listener: versions, suites, ALPN, certificates that change while serving.

use std::path::Path;
use std::sync::Arc;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{Dexd, Run, minimal_but};

/// A self-signed pair for `localhost` and 127.0.0.1, recognisable by `name`.
fn pair(name: &str) -> (String, String) {
    let mut params =
        CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn write_pair(dir: &Path, (certificate, key): &(String, String)) {
    std::fs::write(dir.join("tls.key"), key).unwrap();
    std::fs::write(dir.join("tls.crt"), certificate).unwrap();
}

fn start(extra: &str, pair: &(String, String)) -> Dexd {
    let web = format!("web: {{https: 127.0.0.1:0, tlsCert: tls.crt, tlsKey: tls.key{extra}}}");
    let run = Run::serve(&minimal_but("web", &web));
    write_pair(run.dir.path(), pair);
    run.start()
}

/// Connects trusting exactly this certificate, with a server name or by address.
async fn connect(
    address: &str,
    (certificate, _): &(String, String),
    versions: &[&'static rustls::SupportedProtocolVersion],
    server_name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(server_name.to_owned()).unwrap();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

const BOTH: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];
const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

#[tokio::test]
async fn config_48_tls_1_2_and_1_3_with_http_2() {
    let pair = pair("first");
    let mut dexd = start("", &pair);
    let address = dexd.address("https");
    for (versions, expected) in [
        (BOTH, ProtocolVersion::TLSv1_3),
        (TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let stream = connect(&address, &pair, versions, "localhost")
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    }
    dexd.stop();
}

#[tokio::test]
async fn config_48_versions_are_limited_by_the_configuration() {
    let pair = pair("first");
    let mut dexd = start(", tlsMinVersion: '1.3'", &pair);
    let address = dexd.address("https");
    assert!(connect(&address, &pair, TLS12, "localhost").await.is_err());
    assert!(connect(&address, &pair, BOTH, "localhost").await.is_ok());
    dexd.stop();
    // Unquoted, as nobody remembers that it must be quoted.
    let mut dexd = start(", tlsMaxVersion: 1.2", &pair);
    let stream = connect(&dexd.address("https"), &pair, BOTH, "localhost")
        .await
        .unwrap();
    assert_eq!(
        stream.get_ref().1.protocol_version(),
        Some(ProtocolVersion::TLSv1_2)
    );
    dexd.stop();
}

#[tokio::test]
async fn peers_that_say_nothing_do_not_hold_up_a_stop() {
    let pair = pair("first");
    let mut dexd = start("", &pair);
    let address = dexd.address("https");
    // One that agreed on HTTP/2 and one that has not begun to shake hands.
    let _silent = connect(&address, &pair, BOTH, "localhost").await.unwrap();
    let _mute = TcpStream::connect(&address).await.unwrap();
    dexd.signal("TERM");
    assert_eq!(dexd.wait().code(), Some(0));
}

#[tokio::test]
async fn both_protocols_answer() {
    let pair = pair("first");
    let mut dexd = start("", &pair);
    let url = format!("https://{}/dex/robots.txt", dexd.address("https"));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(pair.0.as_bytes()).unwrap();
    for (http1_only, version) in [
        (true, reqwest::Version::HTTP_11),
        (false, reqwest::Version::HTTP_2),
    ] {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([root.clone()]);
        let builder = if http1_only {
            builder.http1_only()
        } else {
            builder
        };
        let response = builder.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (200, version)
        );
    }
    dexd.stop();
}

/// Whether a handshake of OpenSSL with these limits succeeds. Blocking.
fn openssl_connects(address: &str, max: SslVersion, ciphers: &str) -> bool {
    let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    connector.set_min_proto_version(None).unwrap();
    connector.set_max_proto_version(Some(max)).unwrap();
    connector
        .set_cipher_list(&format!("{ciphers}:@SECLEVEL=0"))
        .unwrap();
    let stream = std::net::TcpStream::connect(address).unwrap();
    connector.build().connect("localhost", stream).is_ok()
}

fn assert_only_strong_tls(address: &str) {
    assert!(openssl_connects(address, SslVersion::TLS1_3, "ALL"));
    assert!(openssl_connects(
        address,
        SslVersion::TLS1_2,
        "ECDHE-ECDSA-AES128-GCM-SHA256"
    ));
    assert!(
        !openssl_connects(address, SslVersion::TLS1_1, "ALL"),
        "TLS 1.1"
    );
    assert!(
        !openssl_connects(address, SslVersion::TLS1, "ALL"),
        "TLS 1.0"
    );
    for suite in [
        "AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-SHA",
        "AES256-SHA",
        "DHE-RSA-AES128-GCM-SHA256",
    ] {
        assert!(
            !openssl_connects(address, SslVersion::TLS1_2, suite),
            "{suite}"
        );
    }
}

#[tokio::test]
async fn d03_old_versions_and_weak_suites_stay_refused_after_a_reload() {
    let (first, second) = (pair("first"), pair("second"));
    let mut dexd = start("", &first);
    let address = dexd.address("https");
    assert_only_strong_tls(&address);
    write_pair(dexd.dir.path(), &second);
    dexd.expect_line("reloaded TLS certificate");
    assert!(connect(&address, &second, BOTH, "localhost").await.is_ok());
    assert_only_strong_tls(&address);
    dexd.stop();
}

#[tokio::test]
async fn config_49_certificates_are_replaced_by_rename_for_every_client() {
    let (first, second) = (pair("first"), pair("second"));
    let mut dexd = start("", &first);
    let address = dexd.address("https");
    assert!(connect(&address, &first, BOTH, "localhost").await.is_ok());
    let staging = dexd.path("new");
    std::fs::create_dir(&staging).unwrap();
    write_pair(&staging, &second);
    for name in ["tls.key", "tls.crt"] {
        std::fs::rename(staging.join(name), dexd.path(name)).unwrap();
    }
    dexd.expect_line("reloaded TLS certificate");
    // With a server name and without one.
    for name in ["localhost", "127.0.0.1"] {
        assert!(
            connect(&address, &second, BOTH, name).await.is_ok(),
            "{name}"
        );
        assert!(
            connect(&address, &first, BOTH, name).await.is_err(),
            "{name}"
        );
    }
    dexd.stop();
}

#[tokio::test]
async fn certificates_behind_a_swapped_link_are_taken_up() {
    // The way Kubernetes updates a secret: the directory is a link that changes.
    let (first, second) = (pair("first"), pair("second"));
    let web = "web: {https: 127.0.0.1:0, tlsCert: data/tls.crt, tlsKey: data/tls.key}";
    let run = Run::serve(&minimal_but("web", web));
    for (dir, pair) in [("one", &first), ("two", &second)] {
        std::fs::create_dir(run.path(dir)).unwrap();
        write_pair(&run.path(dir), pair);
    }
    std::os::unix::fs::symlink("one", run.path("data")).unwrap();
    std::os::unix::fs::symlink("two", run.path("next")).unwrap();
    let mut dexd = run.start();
    let address = dexd.address("https");
    assert!(connect(&address, &first, BOTH, "localhost").await.is_ok());
    std::fs::rename(dexd.path("next"), dexd.path("data")).unwrap();
    dexd.expect_line("reloaded TLS certificate");
    assert!(connect(&address, &second, BOTH, "localhost").await.is_ok());
    dexd.stop();
}

#[tokio::test]
async fn the_last_good_pair_stays_when_a_new_one_is_broken() {
    let (first, second) = (pair("first"), pair("second"));
    let mut dexd = start("", &first);
    let address = dexd.address("https");
    assert!(connect(&address, &first, BOTH, "localhost").await.is_ok());
    // A certificate without its key.
    std::fs::write(dexd.path("tls.crt"), &second.0).unwrap();
    dexd.expect_line("level=ERROR msg=\"reload TLS config\"");
    assert!(connect(&address, &first, BOTH, "localhost").await.is_ok());
    std::fs::write(dexd.path("tls.key"), &second.1).unwrap();
    dexd.expect_line("reloaded TLS certificate");
    assert!(connect(&address, &second, BOTH, "localhost").await.is_ok());
    dexd.stop();
}

#[tokio::test]
async fn config_49_a_hangup_reloads() {
    let (first, second) = (pair("first"), pair("second"));
    let mut dexd = start("", &first);
    let address = dexd.address("https");
    assert!(connect(&address, &first, BOTH, "localhost").await.is_ok());
    write_pair(dexd.dir.path(), &second);
    dexd.signal("HUP");
    dexd.expect_line("reloaded TLS certificate");
    assert!(connect(&address, &second, BOTH, "localhost").await.is_ok());
    dexd.stop();
}

#[test]
fn a_pair_that_cannot_be_loaded_is_fatal() {
    let (first, second) = (pair("first"), pair("second"));
    let web = "web: {https: 127.0.0.1:0, tlsCert: tls.crt, tlsKey: tls.key}";
    let run = Run::serve(&minimal_but("web", web));
    assert!(run.fails().contains("invalid config: get HTTP TLS: load TLS config: loading TLS keypair: open tls.crt: no such file or directory"));
    write_pair(run.dir.path(), &(first.0, second.1));
    assert!(
        run.fails()
            .contains("invalid config: get HTTP TLS: load TLS config: loading TLS keypair: ")
    );
    write_pair(run.dir.path(), &(String::new(), String::new()));
    assert!(run.fails().contains("no PEM certificate"));
}
