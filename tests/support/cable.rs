//! The way from the daemon to the server's component listener, which can be cut.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A relay on loopback. Both ends of a connection are closed when it is cut, and while it is, every new one at once.
pub(crate) struct Cable {
    address: SocketAddr,
    is_whole: watch::Sender<bool>,
    /// Dropping it ends the relay.
    _task: JoinSet<()>,
}

impl Cable {
    /// A whole one, to `server`.
    pub(crate) async fn to(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let is_whole = watch::Sender::new(true);
        let mut task = JoinSet::new();
        task.spawn(relay(listener, server, is_whole.subscribe()));
        Ok(Self { address, is_whole, _task: task })
    }

    /// Where the daemon connects to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

/// Passes on one connection after the other: a component has one at a time.
async fn relay(listener: TcpListener, server: SocketAddr, mut is_whole: watch::Receiver<bool>) {
    while let Ok((mut near, _)) = listener.accept().await {
        if !*is_whole.borrow() {
            continue;
        }
        // A server that is not there refuses, and the daemon is told so by the end of its connection.
        let Ok(mut far) = TcpStream::connect(server).await else { continue };
        if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
            continue;
        }
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = is_whole.wait_for(|is_whole| !is_whole) => {}
        }
    }
}
