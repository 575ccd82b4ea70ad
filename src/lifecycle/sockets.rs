//! Listening sockets that the service manager has opened for us (`sd_listen_fds(3)`).

use std::{io, net::TcpListener};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

/// What was handed over, by the name that its unit gives it (`FileDescriptorName=`).
#[derive(Debug, Default)]
pub struct Sockets {
    /// `https`: for HTTPS.
    pub https: Option<TcpListener>,
    /// `public`: for public presence without TLS.
    pub public: Option<TcpListener>,
}

/// Why what was handed over can not be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// Nobody knows what it is for.
    #[error(
        "the service manager handed over a socket named {0:?}, which rosterd does not know: \
         FileDescriptorName= in its unit has to be \"https\" or \"public\""
    )]
    Unknown(String),
    /// One is enough.
    #[error(
        "the service manager handed over two sockets named {0:?}: one socket unit with one ListenStream= is wanted, which \
         takes IPv4 too with BindIPv6Only=both"
    )]
    Twice(String),
    /// It is no listening TCP socket.
    #[error(
        "the socket named {name:?} that the service manager handed over is of the wrong kind: \
         its unit has to have a ListenStream= with a port, and Accept=no"
    )]
    Kind {
        /// Its name.
        name: String,
        /// What it is, or what the operating system says of it.
        source: io::Error,
    },
}

impl Sockets {
    /// Takes what was handed over to this process; nothing, where nothing was. To be called once, before there is a second
    /// thread: it changes the environment.
    ///
    /// # Errors
    /// Why it can not be used.
    pub fn take() -> Result<Self, SocketsError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let (mut handed, mut sockets) = (ListenFd::from_env(), Self::default());
        for at in 0..handed.len() {
            let name = names.next().unwrap_or_default();
            let place = match name {
                "https" => &mut sockets.https,
                "public" => &mut sockets.public,
                other => return Err(SocketsError::Unknown(other.to_owned())),
            };
            if place.is_some() {
                return Err(SocketsError::Twice(name.to_owned()));
            }
            let of_kind = |source| SocketsError::Kind { name: name.to_owned(), source };
            let listener = handed.take_tcp_listener(at).map_err(of_kind)?;
            *place = listener.map(listening).transpose().map_err(of_kind)?;
        }
        Ok(sockets)
    }
}

fn listening(socket: TcpListener) -> io::Result<TcpListener> {
    if socket_acceptconn(&socket)? { Ok(socket) } else { Err(io::Error::other("it does not listen")) }
}
