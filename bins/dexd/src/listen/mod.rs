//! Listeners: bind, accept, serve, drain (compat: `config.md` §10 and §14).
//!
//! All listeners stop together: no new connections, idle ones close, requests in flight are finished until the deadline.

mod address;
pub(crate) mod body;
mod in_flight;
pub(crate) mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use in_flight::{Guarded, InFlight};

/// Answers requests; `peer` is the other end of the connection.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// A bound socket.
#[derive(Debug)]
pub(crate) struct Listener {
    name: &'static str,
    socket: TcpListener,
}

impl Listener {
    /// Binds `address` and says so.
    ///
    /// # Errors
    /// In Dex's words, with the listener's name.
    pub(crate) async fn bind(name: &'static str, address: &str) -> anyhow::Result<Self> {
        let socket = address::bind(address)
            .await
            .map_err(|reason| anyhow::anyhow!("listening ({name}) on {address}: {reason}"))?;
        // With port 0 this is the only way to learn the port.
        let address = socket.local_addr()?;
        tracing::info!(server = name, address = %address, "listening on");
        Ok(Self { name, socket })
    }
}

/// All running servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Servers {
    tasks: TaskTracker,
    /// No more connections, finish what is in flight.
    stop: CancellationToken,
    /// The deadline has passed: drop everything.
    kill: CancellationToken,
}

impl Servers {
    /// Serves `listener` from now on, over TLS if there is an acceptor.
    pub(crate) fn serve<H: Handler>(
        &self,
        listener: Listener,
        tls: Option<TlsAcceptor>,
        handler: H,
    ) {
        let servers = self.clone();
        self.tasks.spawn(async move {
            servers
                .accept_until_stopped(&listener, tls.as_ref(), &handler)
                .await;
            tracing::debug!(server = listener.name, "starting graceful shutdown");
        });
    }

    /// Stops accepting, waits for requests in flight, and gives up on what is left at the deadline.
    pub(crate) async fn drain(self, deadline: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(deadline, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::error!(
                connections = self.tasks.len(),
                "graceful shutdown: the time ran out"
            );
            self.kill.cancel();
            self.tasks.wait().await;
        }
    }

    async fn accept_until_stopped<H: Handler>(
        &self,
        listener: &Listener,
        tls: Option<&TlsAcceptor>,
        handler: &H,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.socket.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (tls, handler) = (tls.cloned(), handler.clone());
                    let (stop, kill) = (self.stop.clone(), self.kill.clone());
                    self.tasks.spawn(async move {
                        tokio::select! {
                            () = connection(stream, peer, tls, handler, &stop) => {}
                            () = kill.cancelled() => {}
                        }
                    });
                }
                // The peer was gone before we looked: its loss. Everything else is a shortage that passes.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::error!(server = listener.name, err = %error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn connection<H: Handler>(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    handler: H,
    stop: &CancellationToken,
) {
    // Answers are small; waiting to fill a packet only costs time. A failure costs no more than that.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = tls else {
        return serve_http1(stream, peer, handler, stop).await;
    };
    let handshake = tokio::select! {
        handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => handshake,
        () = stop.cancelled() => return,
    };
    match handshake {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            serve_http2(stream, peer, handler, stop).await;
        }
        Ok(Ok(stream)) => serve_http1(stream, peer, handler, stop).await,
        Ok(Err(error)) => tracing::debug!(peer = %peer, err = %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(peer = %peer, "TLS handshake timed out"),
    }
}

async fn serve_http1<S, H>(stream: S, peer: SocketAddr, handler: H, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let in_flight = InFlight::default();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(
            TokioIo::new(stream),
            service(peer, handler, in_flight.clone()),
        );
    let mut connection = pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return note_end(peer, outcome),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        outcome = connection => note_end(peer, outcome),
        () = in_flight.nothing_left() => {}
    }
}

async fn serve_http2<S, H>(stream: S, peer: SocketAddr, handler: H, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let in_flight = InFlight::default();
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
        .serve_connection(
            TokioIo::new(stream),
            service(peer, handler, in_flight.clone()),
        );
    let mut connection = pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return note_end(peer, outcome),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        outcome = connection => note_end(peer, outcome),
        () = in_flight.nothing_left() => {}
    }
}

fn service<H: Handler>(
    peer: SocketAddr,
    handler: H,
    in_flight: InFlight,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Guarded>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Guarded>, Infallible>> + Send,
> {
    let handler = Arc::new(handler);
    service_fn(move |request| {
        let handler = Arc::clone(&handler);
        let guard = in_flight.enter();
        async move {
            let response = handler.handle(request, peer).await;
            Ok(response.map(|body| Guarded::new(body, guard)))
        }
    })
}

/// Peers go away all the time.
fn note_end(peer: SocketAddr, outcome: hyper::Result<()>) {
    if let Err(error) = outcome {
        tracing::debug!(peer = %peer, err = %error, "connection ended");
    }
}

/// From the first byte that could come to the last byte of the request's head. A connection without request counts the same way,
/// so this is the idle timeout too; it is longer than the 60 seconds for which common proxies keep idle connections.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// An HTTP/2 peer is asked this often whether it is still there…
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(75);
/// …and has this long to answer.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_STREAMS: u32 = 250;
const MAX_HEADERS: usize = 100;
/// A request's head: a Kerberos ticket of a member of many groups fits.
const MAX_HEADER_BYTES: usize = 128 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
