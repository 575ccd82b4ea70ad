//! The servers: listen, speak TLS or for public presence none, and stop in good order.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use axum_server::tls_rustls::RustlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Control, Current, Settings, TlsError, Tools, accept, admin,
    guard::Guard,
    headers, host,
    limits::{Limits, PATIENCE},
    public_router, router,
    seats::Seats,
    stall::Sockets,
    tls::Keeper,
};
use crate::engine::Handle;

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
    /// What is served, in words.
    protocol: &'static str,
    /// Without one there is no TLS.
    certificate: Option<Keeper>,
    seats: Seats,
    control: Control,
}

impl Server {
    /// The HTTPS server: reads the certificate and takes the address. Clients that connect wait until [`Server::run`].
    ///
    /// # Errors
    /// A file or the address, and what to do about it.
    pub fn bind(settings: Settings, desk: Handle) -> Result<Self, ServeError> {
        Self::bind_on(None, settings, desk)
    }

    /// The same on a socket that is there already, if there is one: the address in `settings` does not count then.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub fn bind_on(socket: Option<TcpListener>, settings: Settings, desk: Handle) -> Result<Self, ServeError> {
        let metrics = desk.metrics().clone();
        let certificate = Keeper::start(&settings, metrics.clone())?;
        let (listener, address) = take(socket, settings.listen, "listen")?;
        let (seats, renewal) = (Seats::new(settings.limits, metrics), Some(certificate.renewal()));
        let site = Arc::new(Tools::new(settings, desk));
        let current = site.settings.clone();
        let router = router(site.clone()).layer(from_fn_with_state(current.clone(), headers::only_https));
        let control = Control { current, site: Some(site), renewal };
        Ok(Self { listener, address, router, protocol: "HTTPS", certificate: Some(certificate), seats, control })
    }

    /// The server for who can not speak TLS, where `settings` want one: public presence, and nothing else.
    ///
    /// # Errors
    /// The address, and what to do about it.
    pub fn bind_public(settings: &Settings, desk: Handle) -> Result<Option<Self>, ServeError> {
        Self::bind_public_on(None, settings, desk)
    }

    /// The same on a socket that is there already, if there is one: the address in `settings` does not count then.
    ///
    /// # Errors
    /// As [`Server::bind_public`].
    pub fn bind_public_on(
        socket: Option<TcpListener>,
        settings: &Settings,
        desk: Handle,
    ) -> Result<Option<Self>, ServeError> {
        let there = socket.as_ref().and_then(|socket| socket.local_addr().ok());
        let Some(wanted) = settings.public_listen.or(there) else { return Ok(None) };
        let taken = take(socket, wanted, "public_listen")?;
        let seats = Seats::new(settings.limits, desk.metrics().clone());
        let current = Current::new(settings.clone());
        let router = public_router(current.clone(), desk);
        Ok(Some(Self::plain(taken, router, "public presence without TLS", seats, current)))
    }

    /// The server for metrics, where `settings` want one: these, without TLS, and nothing else. Few connections are for it, and
    /// they are its own, so that whoever watches gets in when all others are taken.
    ///
    /// # Errors
    /// The address, and what to do about it.
    pub fn bind_metrics(settings: &Settings, desk: Handle) -> Result<Option<Self>, ServeError> {
        let Some(wanted) = settings.metrics_listen else { return Ok(None) };
        let taken = take(None, wanted, "metrics_listen")?;
        let seats = Seats::new(Limits::FOR_METRICS, desk.metrics().clone());
        let current = Current::new(settings.clone());
        let router = admin::metrics_router(current.clone(), desk);
        Ok(Some(Self::plain(taken, router, "metrics without TLS", seats, current)))
    }

    fn plain(
        (listener, address): (TcpListener, SocketAddr),
        router: Router,
        protocol: &'static str,
        seats: Seats,
        current: Current,
    ) -> Self {
        let control = Control { current, site: None, renewal: None };
        Self { listener, address, router, protocol, certificate: None, seats, control }
    }

    /// Counts the connections to both together.
    #[must_use]
    pub fn beside(self, other: &Self) -> Self {
        Self { seats: other.seats.clone(), ..self }
    }

    /// The way to change what it serves by.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Where it listens: with the port that was given when port 0 was asked for.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then takes no more connections, and ends when the requests in flight are answered and those that
    /// new connections were made for, or after three seconds.
    ///
    /// # Errors
    /// When the operating system refuses the listening socket.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServeError> {
        let Self { listener, address, router, protocol, certificate, seats, control } = self;
        let settings = control.current;
        let listener =
            tokio::net::TcpListener::from_std(listener).map_err(|source| ServeError::Serve { address, source })?;
        info!(%address, "{protocol} is served");
        let router = router.layer(from_fn(host::check));
        match certificate {
            Some(certificate) => {
                let inner = RustlsAcceptor::new(certificate.served()).handshake_timeout(PATIENCE).acceptor(Sockets);
                tokio::select! {
                    () = accept::serve(listener, Guard { inner, seats, settings }, router, stop) => {}
                    never = certificate.run() => match never {},
                }
            }
            None => accept::serve(listener, Guard { inner: Sockets, seats, settings }, router, stop).await,
        }
        info!(%address, "{protocol} is no longer served");
        Ok(())
    }
}

/// Takes `socket`, or else the address that the setting `key` names; with port 0, one that is free.
fn take(
    socket: Option<TcpListener>,
    wanted: SocketAddr,
    key: &'static str,
) -> Result<(TcpListener, SocketAddr), ServeError> {
    let in_vain = |source| ServeError::Bind { address: wanted, key, source };
    let is_given = socket.is_some();
    let listener = socket.map_or_else(|| TcpListener::bind(wanted), Ok).map_err(in_vain)?;
    listener.set_nonblocking(true).map_err(in_vain)?;
    let address = listener.local_addr().map_err(in_vain)?;
    if is_given {
        info!(%address, "listening on the socket of the service manager: [http] {key} does not count");
    }
    Ok((listener, address))
}
