//! A TCP relay in front of the server, with faults on demand.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// What happens to connections. They are counted from 1.
#[derive(Debug, Clone, Default)]
struct Orders {
    /// Those up to this number pass nothing on and do not end, whatever the two ends do.
    stalled: usize,
    /// Those up to this number are reset.
    dropped: usize,
    /// Those up to this number end in the middle of the next presence that the server sends.
    cut: usize,
}

/// The relay. Dropping it ends every connection.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    orders: watch::Sender<Orders>,
    accepted: watch::Receiver<usize>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Passes on between who connects to `listener` and `server`.
    pub(crate) fn start(listener: std::net::TcpListener, server: SocketAddr) -> Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let orders = watch::Sender::new(Orders::default());
        let (count, accepted) = watch::channel(0);
        let mut task = JoinSet::new();
        task.spawn(serve(listener, server, orders.clone(), count));
        Ok(Self { address, orders, accepted, _task: task })
    }

    /// On a port of its own on loopback.
    pub(crate) fn on_loopback(server: SocketAddr) -> Result<Self> {
        Self::start(std::net::TcpListener::bind("127.0.0.1:0")?, server)
    }

    /// How many connections there were.
    pub(crate) fn accepted(&self) -> usize {
        *self.accepted.borrow()
    }

    /// Nothing passes any more, on any connection, nor on new ones; or everything goes on.
    pub(crate) fn stall(&self, stalled: bool) {
        self.orders.send_modify(|orders| orders.stalled = if stalled { usize::MAX } else { 0 });
    }

    /// Nothing passes any more on the connections that there are; new ones are good.
    pub(crate) fn stall_present(&self) {
        let present = self.accepted();
        self.orders.send_modify(|orders| orders.stalled = present);
    }

    /// The connections that there are end.
    pub(crate) fn drop_present(&self) {
        let present = self.accepted();
        self.orders.send_modify(|orders| orders.dropped = present);
    }

    /// The connections that there are end in the middle of the next presence that the server sends.
    pub(crate) fn cut_present(&self) {
        let present = self.accepted();
        self.orders.send_modify(|orders| orders.cut = present);
    }
}

async fn serve(listener: TcpListener, server: SocketAddr, orders: watch::Sender<Orders>, count: watch::Sender<usize>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let number = *count.borrow() + 1;
        count.send_replace(number);
        let orders = orders.subscribe();
        connections.spawn(async move {
            // A connection that fails ends, and so does the one on the other side.
            let _ = relay(number, near, server, orders).await;
        });
    }
}

async fn relay(
    number: usize,
    mut near: TcpStream,
    server: SocketAddr,
    mut orders: watch::Receiver<Orders>,
) -> Result<()> {
    let mut far = TcpStream::connect(server).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        let Orders { stalled, dropped, cut } = orders.borrow_and_update().clone();
        if number <= dropped {
            near.set_zero_linger()?;
            return Ok(());
        }
        let passes = number > stalled;
        tokio::select! {
            biased;
            changed = orders.changed() => changed?,
            read = near.read(&mut up), if passes => match read? {
                0 => return Ok(()),
                read => far.write_all(&up[..read]).await?,
            },
            read = far.read(&mut down), if passes => match read? {
                0 => return Ok(()),
                read => {
                    let text = &down[..read];
                    let presence = text.windows(9).position(|bytes| bytes == b"<presence");
                    if let Some(at) = presence.filter(|_| number <= cut) {
                        // Far enough into it to be believed, by somebody who believes too much.
                        near.write_all(&text[..text.len().min(at + 40)]).await?;
                        return Ok(());
                    }
                    near.write_all(text).await?;
                }
            },
        }
    }
}
