//! What goes on on a connection, as far as it decides whether the connection is kept.

use std::{
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, Response, Version, header},
};
use futures::{
    FutureExt,
    future::{Map, poll_fn},
    task::AtomicWaker,
};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;
use tower::Service;

use super::limits::{CREDIT_AT_FIRST, CREDIT_EACH, CREDIT_MOST, IDLE_MOST, STALL_MOST};

/// The most bytes of a reply that are handed on at a time, so that it is known whether somebody takes them.
const PIECE: usize = 16 * 1_024;

/// What one request counts in [`Activity::open`], beside whether it waits for the client.
const ONE_OPEN: u64 = 1 << 32;

/// A connection that can go where somebody else needs its place, and since when; those that should go first are less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spare {
    /// Nothing was asked since then.
    Idle(Instant),
    /// All that was asked waits for the client: for a body that it began to send then, or for an answer to be taken of which it
    /// last took something then.
    Waiting(Instant),
}

/// What goes on on one connection. Whoever polls the connection is woken when it should end.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    /// Milliseconds from then to when a request last began, or a piece of a reply was last taken.
    last: AtomicU64,
    /// Requests that are in work and replies of which a part is left, times [`ONE_OPEN`], and how many of them wait for the
    /// client.
    open: AtomicU64,
    /// Bytes that may come before the next request.
    credit: AtomicU64,
    /// Whether anything was asked yet.
    is_asked: AtomicBool,
    /// Whether the server stops.
    is_ending: AtomicBool,
    /// Whether it has to go, to make room for others.
    is_unwanted: AtomicBool,
    connection: AtomicWaker,
    /// How long a request may take.
    request_most: Duration,
}

impl Activity {
    pub(super) fn new(request_most: Duration) -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            open: AtomicU64::new(0),
            credit: AtomicU64::new(CREDIT_AT_FIRST),
            is_asked: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            is_unwanted: AtomicBool::new(false),
            connection: AtomicWaker::new(),
            request_most,
        }
    }

    /// Whether it can go; `None` while something is being done for it.
    pub(super) fn spare(&self) -> Option<Spare> {
        let open = self.open.load(Ordering::SeqCst);
        if open == 0 {
            return Some(Spare::Idle(self.last()));
        }
        (open / ONE_OPEN == open % ONE_OPEN).then(|| Spare::Waiting(self.last()))
    }

    /// When it ends unless something goes on. So a reply without an end has to send a piece now and then.
    pub(super) fn deadline(&self) -> Instant {
        let is_idle = self.open.load(Ordering::SeqCst) == 0;
        self.last() + if is_idle { IDLE_MOST } else { self.request_most + STALL_MOST }
    }

    /// Has it end as soon as nothing is being done for it.
    pub(super) fn end(&self) {
        self.is_unwanted.store(true, Ordering::SeqCst);
        self.connection.wake();
    }

    /// Whether it should end now. If not, who polls is woken when that changes.
    pub(super) fn should_end(&self, cx: &Context<'_>) -> bool {
        self.is_unwanted(cx) && self.spare().is_some()
    }

    /// Whether it has to go, as soon as it can. If not, who polls is woken when that changes.
    pub(super) fn is_unwanted(&self, cx: &Context<'_>) -> bool {
        self.connection.register(cx.waker());
        self.is_unwanted.load(Ordering::SeqCst)
    }

    /// Has clients told that what they ask from now on is the last, and waits until something was asked, now or ever.
    pub(super) async fn last_asked(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
        poll_fn(|cx| {
            self.connection.register(cx.waker());
            if self.is_asked.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Takes in that `bytes` came. False when that is more than requests can be made of: then they are made of something else.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let spent = |credit: u64| credit.checked_sub(bytes);
        self.credit.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spent).is_ok()
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last.load(Ordering::SeqCst))
    }

    fn goes_on(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::SeqCst);
    }
}

/// A request that is in work, or the reply to it that was not sent whole.
#[derive(Debug)]
pub(super) struct Open {
    activity: Arc<Activity>,
    is_waiting: AtomicBool,
}

impl Open {
    pub(super) fn begin(activity: &Arc<Activity>) -> Arc<Self> {
        activity.goes_on();
        activity.is_asked.store(true, Ordering::SeqCst);
        activity.open.fetch_add(ONE_OPEN, Ordering::SeqCst);
        activity.connection.wake();
        let earned = |credit: u64| Some(credit.saturating_add(CREDIT_EACH).min(CREDIT_MOST));
        let _ = activity.credit.fetch_update(Ordering::SeqCst, Ordering::SeqCst, earned);
        Arc::new(Self { activity: activity.clone(), is_waiting: AtomicBool::new(false) })
    }

    /// Notes whether the client has to do something before it goes on.
    pub(super) fn waits(&self, is_waiting: bool) {
        if self.is_waiting.swap(is_waiting, Ordering::SeqCst) == is_waiting {
            return;
        }
        if is_waiting {
            self.activity.open.fetch_add(1, Ordering::SeqCst);
            self.activity.connection.wake();
        } else {
            self.activity.open.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.waits(false);
        self.activity.goes_on();
        self.activity.open.fetch_sub(ONE_OPEN, Ordering::SeqCst);
        self.activity.connection.wake();
    }
}

/// A request's body, of which it is noted while it does not come.
#[derive(Debug)]
struct Awaited<B> {
    body: B,
    open: Weak<Open>,
}

impl<B: HttpBody + Unpin> HttpBody for Awaited<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(open) = self.open.upgrade() {
            open.waits(frame.is_pending());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A service whose requests are noted.
#[derive(Debug, Clone)]
pub(super) struct Noted<S> {
    pub(super) inner: S,
    pub(super) activity: Arc<Activity>,
}

type Finish<E> = Box<dyn FnOnce(Result<Response<Body>, E>) -> Result<Response<Piecewise>, E> + Send>;

impl<S, B> Service<Request<B>> for Noted<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<Piecewise>;
    type Error = S::Error;
    type Future = Map<S::Future, Finish<S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let open = Open::begin(&self.activity);
        // What is answered at once is sent before the connection is told to end, so the answer itself has to say it; later
        // versions have frames for that.
        let says_it_ends = request.version() <= Version::HTTP_11;
        let request = request.map(|body| Body::new(Awaited { body, open: Arc::downgrade(&open) }));
        let finish: Finish<S::Error> = Box::new(move |reply| {
            open.waits(false);
            open.activity.goes_on();
            let mut reply = reply?;
            if says_it_ends && open.activity.is_ending.load(Ordering::SeqCst) {
                reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(reply.map(|body| Piecewise { body, rest: Bytes::new(), open }))
        });
        self.inner.call(request).map(finish)
    }
}

/// A reply's body, piece by piece.
#[derive(Debug)]
pub(super) struct Piecewise {
    body: Body,
    /// What was taken out of the body, and is to be sent first.
    rest: Bytes,
    open: Arc<Open>,
}

impl HttpBody for Piecewise {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.open.activity.goes_on();
        self.open.waits(false);
        if self.rest.is_empty() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) else { return Poll::Ready(None) };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        // Until somebody asks for the next.
        self.open.waits(true);
        let most = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(most)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}
