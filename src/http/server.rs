//! The servers: listen, speak TLS or for public presence none, and stop in good order.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum::Router;
use axum_server::{
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Settings, TlsError, guard::Guard, public_router, router, tls};
use crate::engine::Handle;

/// How long a handshake may take, and how long a new connection may be silent.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the next request on an HTTP/1.1 connection may let wait, its head included: longer than pages wait between polls.
const HEAD_WAIT: Duration = Duration::from_secs(65);
/// How long requests in flight may go on once the server is told to stop.
const GRACE: Duration = Duration::from_secs(3);
/// The most bytes in a request's head.
const HEAD_MOST: u16 = 16 * 1_024;
/// The most header lines in a request.
const HEADERS_MOST: usize = 64;
/// The most requests that one HTTP/2 connection has open at a time.
const STREAMS_MOST: u32 = 64;
/// The most requests that one HTTP/2 connection may have taken back before they were looked at (CVE-2023-44487).
const RESETS_MOST: usize = 32;
/// The most bytes of answers that wait for one HTTP/2 stream.
const SEND_MOST: usize = 64 * 1_024;

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no certificate to serve with.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address can not be had.
    #[error(
        "could not listen on {address} ([http] {key}): check that no other program listens there \
         and that this machine has the address"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The setting that it comes from.
        key: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server could not go on.
    #[error("the server on {address} failed")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A server that has its address and, where it speaks TLS, its certificate.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    /// What is put in here, new connections get; those that are open keep what they have. Without one there is no TLS.
    certificate: Option<RustlsConfig>,
}

impl Server {
    /// The HTTPS server: reads the certificate and takes the address. Clients that connect wait until [`Server::run`].
    ///
    /// # Errors
    /// A file or the address, and what to do about it.
    pub fn bind(settings: Settings, desk: Handle) -> Result<Self, ServeError> {
        let certificate = RustlsConfig::from_config(tls::load(&settings)?);
        let (listener, address) = take(settings.listen, "listen")?;
        Ok(Self { listener, address, router: router(settings, desk), certificate: Some(certificate) })
    }

    /// The server for who can not speak TLS, where `settings` want one: public presence, and nothing else.
    ///
    /// # Errors
    /// The address, and what to do about it.
    pub fn bind_public(settings: &Settings, desk: Handle) -> Result<Option<Self>, ServeError> {
        let Some(wanted) = settings.public_listen else { return Ok(None) };
        let (listener, address) = take(wanted, "public_listen")?;
        Ok(Some(Self { listener, address, router: public_router(settings, desk), certificate: None }))
    }

    /// Where it listens: with the port that was given when port 0 was asked for.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then takes no more connections, and ends when the requests in flight are answered, or
    /// after five seconds.
    ///
    /// # Errors
    /// When the operating system takes the listening socket away.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServeError> {
        let Self { listener, address, router, certificate } = self;
        let failed = |source| ServeError::Serve { address, source };
        let handle = axum_server::Handle::new();
        let mut server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle.clone());
        set_limits(server.http_builder());
        let protocol = if certificate.is_some() { "HTTPS" } else { "public presence without TLS" };
        info!(%address, "{protocol} is served");
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = async {
            // Answers are small, and must not wait for what was sent before to be acknowledged.
            let plain = NoDelayAcceptor::new();
            match certificate {
                Some(certificate) => {
                    let inner = RustlsAcceptor::new(certificate).handshake_timeout(PATIENCE).acceptor(plain);
                    server.acceptor(Guard { inner, most: PATIENCE }).serve(service).await
                }
                None => server.acceptor(Guard { inner: plain, most: PATIENCE }).serve(service).await,
            }
        };
        let stopping = async {
            stop.cancelled().await;
            handle.graceful_shutdown(Some(GRACE));
            std::future::pending::<()>().await;
        };
        let result = tokio::select! {
            result = serving => result,
            () = stopping => Ok(()),
        };
        info!(%address, "{protocol} is no longer served");
        result.map_err(failed)
    }
}

/// Takes the address that the setting `key` names; with port 0, one that is free.
fn take(wanted: SocketAddr, key: &'static str) -> Result<(TcpListener, SocketAddr), ServeError> {
    let in_vain = |source| ServeError::Bind { address: wanted, key, source };
    let listener = TcpListener::bind(wanted).map_err(in_vain)?;
    listener.set_nonblocking(true).map_err(in_vain)?;
    let address = listener.local_addr().map_err(in_vain)?;
    Ok((listener, address))
}

fn set_limits(builder: &mut auto::Builder<TokioExecutor>) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_headers(HEADERS_MOST)
        .max_buf_size(HEAD_MOST.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE)
        .max_concurrent_streams(STREAMS_MOST)
        .max_pending_accept_reset_streams(RESETS_MOST)
        .max_local_error_reset_streams(RESETS_MOST)
        .max_header_list_size(HEAD_MOST.into())
        .max_send_buf_size(SEND_MOST);
}
