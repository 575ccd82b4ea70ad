//! A limit on how long a new connection may keep silent.
//!
//! Which version of HTTP a client speaks is told from its first bytes, and only then the limits of that version apply. Until
//! then this one does.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum_server::accept::Accept;
use futures::{FutureExt, future::BoxFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// The bytes that tell the version: the preface of HTTP/2 (RFC 9113 section 3.4).
const PREFACE: usize = 24;

/// Accepts what `inner` accepts, and cuts it off when it has not said anything of use within `most`.
#[derive(Debug, Clone)]
pub(super) struct Guard<A> {
    pub(super) inner: A,
    pub(super) most: Duration,
}

impl<A, I, S> Accept<I, S> for Guard<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
{
    type Stream = Guarded<A::Stream>;
    type Service = A::Service;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let most = self.most;
        let accepted = self.inner.accept(stream, service);
        async move {
            let (stream, service) = accepted.await?;
            let silence = Some(Box::pin(tokio::time::sleep(most)));
            Ok((Guarded { stream, heard: 0, silence }, service))
        }
        .boxed()
    }
}

/// A connection whose first bytes must come in time.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    stream: T,
    heard: usize,
    /// Gone once enough was heard, or something was answered.
    silence: Option<Pin<Box<Sleep>>>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            self.heard = self.heard.saturating_add(buffer.filled().len() - before);
            if self.heard >= PREFACE {
                self.silence = None;
            }
            return Poll::Ready(result);
        }
        let Some(silence) = &mut self.silence else { return Poll::Pending };
        ready!(silence.poll_unpin(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.silence = None;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.silence = None;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
