//! Stopping and not stopping.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::{MINIMAL, Run};

#[test]
fn config_51_a_stop_signal_ends_cleanly() {
    for signal in ["TERM", "INT"] {
        let mut dexd = Run::serve(MINIMAL).start();
        dexd.signal(signal);
        dexd.expect_line("shutdown now");
        assert_eq!(dexd.wait().code(), Some(0));
    }
}

#[test]
fn a_hangup_ends_nothing() {
    let mut dexd = Run::serve(MINIMAL).start();
    dexd.address("http");
    dexd.signal("HUP");
    dexd.stop();
}

#[test]
fn a_request_in_flight_is_finished_and_a_second_signal_kills() {
    // The head of a request whose body is still to come: it is in flight.
    let head = "POST /dex/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
    let mut dexd = Run::serve(MINIMAL).start();
    let address = dexd.address("http");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    answer_to_another(&address);
    dexd.signal("TERM");
    dexd.expect_line("shutdown now");
    stream.write_all(b"a=b&c").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    assert_eq!(dexd.wait().code(), Some(0));

    let mut dexd = Run::serve(MINIMAL).start();
    let address = dexd.address("http");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    answer_to_another(&address);
    dexd.signal("TERM");
    dexd.expect_line("shutdown now");
    dexd.signal("TERM");
    assert_eq!(dexd.wait().code(), Some(128 + 15));
}

/// A whole round trip on a second connection: by then the first one has been accepted.
fn answer_to_another(address: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}
