//! Limits on what a connection may do, beside those of each version of HTTP.
//!
//! Which version a client speaks is told from its first bytes, so until then it is here that a silent one is cut off. From then
//! on a connection is kept as long as requests are made on it, and replies to them are taken; bytes that make up no requests (a
//! flood of pings, settings, or whatever comes to the mind of somebody next) end it, whatever they say.

use std::{
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum_server::accept::Accept;
use futures::{
    FutureExt,
    future::{BoxFuture, Either, poll_fn, select},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};
use tracing::debug;

use super::{
    Current,
    activity::{Activity, Noted},
    limits::PATIENCE,
    seats::{Seat, Seats},
};

/// The bytes that tell the version: the preface of HTTP/2 (RFC 9113 section 3.4).
const PREFACE: usize = 24;

/// Accepts what `inner` accepts, as long as there is a seat.
#[derive(Debug, Clone)]
pub(super) struct Guard<A> {
    pub(super) inner: A,
    pub(super) seats: Seats,
    /// How long a request may take, among others.
    pub(super) settings: Current,
}

impl<A, S> Accept<TcpStream, S> for Guard<A>
where
    A: Accept<TcpStream, S>,
    A::Stream: Send,
    A::Service: Send,
    A::Future: Send + 'static,
{
    type Stream = Guarded<A::Stream>;
    type Service = Noted<A::Service>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let activity = Arc::new(Activity::new(self.settings.get().request_timeout));
        let seat = stream.peer_addr().map(|peer| (peer, self.seats.take(peer.ip(), activity.clone())));
        let accepted = self.inner.accept(stream, service);
        async move {
            // Who gets none is gone with what is dropped here.
            let (peer, seat) = seat?;
            let seat = seat.ok_or(ErrorKind::ConnectionRefused)?;
            let unwanted = poll_fn(|cx| if activity.should_end(cx) { Poll::Ready(()) } else { Poll::Pending });
            let (stream, inner) = match select(Box::pin(accepted), unwanted).await {
                Either::Left((accepted, _)) => accepted?,
                Either::Right(((), _)) => return Err(ErrorKind::ConnectionAborted.into()),
            };
            let service = Noted { inner, activity: activity.clone() };
            let began = Instant::now();
            let wake = Box::pin(tokio::time::sleep(PATIENCE));
            Ok((Guarded { stream, peer, _seat: seat, activity, began, silent: Some(0), wake }, service))
        }
        .boxed()
    }
}

/// A connection that ends when nothing comes of it.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    stream: T,
    peer: SocketAddr,
    _seat: Seat,
    activity: Arc<Activity>,
    began: Instant,
    /// The bytes that came, until they tell the version, or something was answered.
    silent: Option<usize>,
    /// When it is next looked at whether it should end.
    wake: Pin<Box<Sleep>>,
}

impl<T> Guarded<T> {
    fn took(&mut self, bytes: usize) -> io::Result<()> {
        if let Some(heard) = self.silent {
            self.silent = Some(heard.saturating_add(bytes)).filter(|heard| *heard < PREFACE);
        }
        let is_fair = self.activity.spend(bytes);
        if is_fair {
            return Ok(());
        }
        debug!(peer = %self.peer, "connection cut off: much was sent that made up no requests");
        Err(io::Error::other("the client sends much, and asks nothing"))
    }

    /// Who takes nothing of what was answered goes at once where somebody else needs the seat: it is given away already, so
    /// whoever stayed would be one too many.
    fn unless_unwanted<R>(&self, cx: &Context<'_>, result: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if result.is_pending() && self.activity.is_unwanted(cx) {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        result
    }

    /// Whether nothing came of it for too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let deadline = if self.silent.is_some() { self.began + PATIENCE } else { self.activity.deadline() };
            if deadline <= Instant::now() {
                debug!(peer = %self.peer, "connection closed: nothing was asked, or taken of the answers");
                return Poll::Ready(());
            }
            if self.wake.deadline() != deadline {
                self.wake.as_mut().reset(deadline);
            }
            if self.wake.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Told as the end of what the client says: what has been asked is still answered, and the connection closed in order.
        if self.activity.should_end(cx) {
            return Poll::Ready(Ok(()));
        }
        // The seat is somebody else's: nothing new is taken in until what is being done for it is done.
        if self.activity.is_unwanted(cx) {
            return self.poll_late(cx).map(Ok);
        }
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            let took = self.took(buffer.filled().len() - before);
            return Poll::Ready(result.and(took));
        }
        self.poll_late(cx).map(Ok)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.silent = None;
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_unwanted(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.silent = None;
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.unless_unwanted(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.unless_unwanted(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.unless_unwanted(cx, result)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::{
        http::{activity::Open, limits::Limits},
        metrics::Metrics,
    };

    /// A connection that has told its version, and its other end.
    fn connection(seats: &Seats) -> (Guarded<DuplexStream>, Arc<Activity>, DuplexStream) {
        let activity = Arc::new(Activity::new(Duration::from_secs(30)));
        let peer: SocketAddr = "192.0.2.1:443".parse().unwrap();
        let seat = seats.take(peer.ip(), activity.clone()).unwrap();
        let (stream, client) = duplex(64);
        let (began, wake) = (Instant::now(), Box::pin(tokio::time::sleep(PATIENCE)));
        (Guarded { stream, peer, _seat: seat, activity: activity.clone(), began, silent: None, wake }, activity, client)
    }

    #[tokio::test(start_paused = true)]
    async fn whose_seat_is_given_away_asks_nothing_more() {
        let seats = Seats::new(Limits { connections: 1, per_address: 1 }, Metrics::default());
        let (mut ours, activity, mut client) = connection(&seats);
        client.write_all(b"first").await.unwrap();
        assert_eq!(ours.read(&mut [0; 9]).await.unwrap(), 5);
        // It was idle when somebody else came, and has asked by the time it is told.
        let (_theirs, ..) = connection(&seats);
        let (first, second) = (Open::begin(&activity), Open::begin(&activity));
        client.write_all(b"more").await.unwrap();
        let mut buffer = [0; 9];
        let mut read = Box::pin(ours.read(&mut buffer));
        assert!(futures::poll!(&mut read).is_pending(), "what it asks from now on is not taken in");
        drop(first);
        assert!(futures::poll!(&mut read).is_pending());
        drop(second);
        assert_eq!(read.await.unwrap(), 0, "and what it had asked is answered, so that was it");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_client_goes_behind_the_idle() {
        let seats = Seats::new(Limits { connections: 3, per_address: 3 }, Metrics::default());
        let (mut slow, busy, idle) = (connection(&seats), connection(&seats), connection(&seats));
        let (waiting, _working) = (Open::begin(&slow.1), Open::begin(&busy.1));
        waiting.waits(true);
        tokio::time::advance(Duration::from_secs(1)).await;
        let is_gone = async |who: &Activity| std::future::poll_fn(|cx| Poll::Ready(who.is_unwanted(cx))).await;
        let new = connection(&seats);
        let _new_works = Open::begin(&new.1);
        assert_eq!((is_gone(&idle.1).await, is_gone(&slow.1).await), (true, false));
        let _newer = connection(&seats);
        assert_eq!((is_gone(&slow.1).await, is_gone(&busy.1).await), (true, false));
        assert_eq!(slow.0.read(&mut [0; 9]).await.unwrap(), 0);
    }
}
