//! What a handler leaves of a request's body is read all the same, before the answer goes out.
//!
//! A connection whose request was not read to its end has to be closed, or its HTTP/2 stream reset, and a client that is
//! sending still may miss the answer: that a login is missing, say, or that there is no such resource.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header,
    middleware::Next,
    response::Response,
};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// How many bytes are read in vain. Who sends more has to look for the answer while sending.
const MOST: usize = 64 * 1024;
/// How long it is waited for them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers when the request is over, as far as that may be waited for.
pub(super) async fn read(request: Request, next: Next) -> Response {
    // Who asks first whether to send has not sent anything.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = Shared(Arc::new(Mutex::new(body)));
    let response = next.run(Request::from_parts(head, Body::new(body.clone()))).await;
    // Who sends for longer than that gets the answer now.
    let _ = tokio::time::timeout(PATIENCE, drain(body)).await;
    response
}

async fn drain(mut body: Shared) {
    let mut left = MOST;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}

/// A body that can be read on when whoever had it has let it go.
#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<Body>>);

impl Shared {
    fn body(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Router, http::StatusCode, middleware::from_fn, routing::get};
    use futures::{StreamExt, stream};
    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;

    const CHUNK: usize = 1024;

    /// How many chunks of a body were read when what can not be done was answered; the body has as many, or ends never.
    async fn read_of(chunks: usize, ends: bool, headers: &[(&str, &str)]) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let chunks = stream::iter(0..chunks).map(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; CHUNK]))
        });
        let body = if ends { Body::from_stream(chunks) } else { Body::from_stream(chunks.chain(stream::pending())) };
        let mut request = Request::post("/").body(body).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(header::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let router: Router = Router::new().route("/", get(async || "")).layer(from_fn(read));
        assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
        count.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_wants_is_read_within_bounds() {
        assert_eq!(read_of(0, true, &[]).await, 0);
        assert_eq!(read_of(3, true, &[]).await, 3);
        assert_eq!(read_of(1_000_000, true, &[]).await, MOST / CHUNK + 1);
        assert_eq!(read_of(3, true, &[("expect", "100-continue")]).await, 0);
        let began = Instant::now();
        assert_eq!(read_of(3, false, &[]).await, 3);
        assert_eq!(began.elapsed(), PATIENCE);
    }
}
