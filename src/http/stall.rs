//! A limit on how long a client may take nothing of what is sent to it.

use std::{
    future::Ready,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum_server::accept::{Accept, NoDelayAcceptor};
use futures::{FutureExt, TryFutureExt, future::MapOk};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

use super::limits::STALL_MOST;

/// Accepts connections as they come: with answers that do not wait for what was sent before to be acknowledged, since they are
/// small, and with an end for who takes none.
#[derive(Debug, Clone)]
pub(super) struct Sockets;

impl<S> Accept<TcpStream, S> for Sockets {
    type Stream = Stalling<TcpStream>;
    type Service = S;
    type Future = MapOk<Ready<io::Result<(TcpStream, S)>>, fn((TcpStream, S)) -> (Self::Stream, S)>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = NoDelayAcceptor::new().accept(stream, service);
        accepted.map_ok(|(stream, service)| (Stalling { stream, stall: None }, service))
    }
}

/// A stream that fails when it has taken nothing for [`STALL_MOST`].
#[derive(Debug)]
pub(super) struct Stalling<T> {
    stream: T,
    /// Runs while it takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<T> Stalling<T> {
    fn watched<R>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if result.is_ready() {
            self.stall = None;
            return result;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_MOST)));
        ready!(stall.poll_unpin(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stalling<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stalling<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watched(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
