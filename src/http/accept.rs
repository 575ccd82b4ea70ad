//! Connections as they come, and their end: a stop sends nobody away who was taken in before.
//!
//! Once the server is told to stop, it takes no more connections: where a service manager holds the listening socket, those
//! who come wait there for the next process. Of the connections that there are, those on which something was asked end when
//! that is answered (HTTP/1.1 says so in the answer, HTTP/2 with GOAWAY, RFC 9113 section 6.8), idle ones at once. On the others
//! a first request is waited for, for a moment: a client that is turned away before it was answered anything can not know
//! whether to ask again.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Extension, Router, extract::ConnectInfo, middleware::AddExtension};
use axum_server::accept::Accept;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tower::Layer;

use super::{
    guard::Guard,
    limits::{
        FIRST_WAIT, GRACE, HEAD_MOST, HEAD_WAIT, HEADERS_MOST, PATIENCE, RESETS_MOST, SEND_MOST, STREAMS_MOST, WINDOW,
        WINDOWS,
    },
};

/// How long nobody is taken in after the operating system has refused it, most likely since too many files are open.
const BREATH: Duration = Duration::from_millis(50);

/// What answers on one connection: it knows who asks.
type Service = AddExtension<Router, ConnectInfo<SocketAddr>>;

/// What all connections go by.
struct Shared<A> {
    guard: Guard<A>,
    http: auto::Builder<TokioExecutor>,
    /// Ends those on which something was asked, once it is answered.
    stop: CancellationToken,
    /// Ends those on which nothing was asked too.
    late: CancellationToken,
}

/// Serves who comes to `listener` until `stop`; then ends within three seconds.
pub(super) async fn serve<A>(listener: TcpListener, guard: Guard<A>, router: Router, stop: CancellationToken)
where
    A: Accept<TcpStream, Service, Service = Service, Future: Send> + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let late = CancellationToken::new();
    let shared = Arc::new(Shared { guard, http: http(), stop: stop.clone(), late: late.clone() });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            // One that panicked has said so.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let service = Extension(ConnectInfo(peer)).layer(router.clone());
                connections.spawn(shared.clone().connection(stream, service));
            }
            Err(_) => sleep(BREATH).await,
        }
    }
    drop(listener);
    let told = Instant::now();
    let all_end = async { while connections.join_next().await.is_some() {} };
    let mut all_end = pin!(all_end);
    if timeout_at(told + FIRST_WAIT, &mut all_end).await.is_err() {
        late.cancel();
        // Who is left after that is cut off.
        let _ = timeout_at(told + GRACE, all_end).await;
    }
}

impl<A> Shared<A>
where
    A: Accept<TcpStream, Service, Service = Service, Future: Send> + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// One connection, from its handshake to its end.
    async fn connection(self: Arc<Self>, stream: TcpStream, service: Service) {
        let accepted = self.late.run_until_cancelled(self.guard.accept(stream, service)).await;
        // Why nothing came of it is told where it is known.
        let Some(Ok((stream, service))) = accepted else { return };
        let activity = service.activity.clone();
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
        let told = async {
            self.stop.cancelled().await;
            self.late.run_until_cancelled(activity.last_asked()).await;
        };
        tokio::select! {
            biased;
            // First, so that what has come by now counts as asked.
            _ = connection.as_mut() => return,
            () = told => {}
        }
        connection.as_mut().graceful_shutdown();
        // It may have failed, which is the client's to know.
        let _ = connection.await;
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
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
        .max_send_buf_size(SEND_MOST)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOWS);
    builder
}
