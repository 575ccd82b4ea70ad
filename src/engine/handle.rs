//! The way to the engine for everybody else.

use std::{
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tracing::Span;

use super::{
    Fact,
    audit::{AuditError, Page, Readers},
    pulse::{Times, Turn},
};
use crate::{
    clock::Clock,
    domain::{By, Desk, Edit, Event, Outcome, Policy, Refusal, Search},
    metrics::{Edited, Metrics},
    store::{Snapshot, StoreError},
};

/// Why an edit was not done. Nothing has changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EditError {
    /// It can not be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be kept.
    #[error("the change could not be stored: {0}")]
    Store(Arc<StoreError>),
    /// The daemon is stopping.
    #[error("rosterd is stopping")]
    Stopping,
}

pub(super) type Answer = oneshot::Sender<Result<Outcome, EditError>>;

/// An edit, and who waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) by: By,
    pub(super) edit: Edit,
    pub(super) answer: Answer,
    /// What it is part of, for the log.
    pub(super) cause: Span,
}

#[derive(Debug)]
pub(super) enum Request {
    Edit(Box<Asked>),
    Settle(Box<Rules>, oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// What the engine goes by, and may be changed while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What the desk decides by.
    pub policy: Policy,
    /// For how long entries of the audit log are kept; `None`: for ever.
    pub audit_keep: Option<Duration>,
}

/// The way to the engine for everybody else.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) desk: Arc<RwLock<Desk>>,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) failure: Arc<OnceLock<Arc<StoreError>>>,
    pub(super) shortage: watch::Receiver<Option<Arc<StoreError>>>,
    pub(super) clock: Clock,
    pub(super) readers: Readers,
    pub(super) turns: mpsc::Sender<Turn>,
    pub(super) standing: watch::Receiver<()>,
    pub(super) times: Arc<Times>,
    pub(super) metrics: Metrics,
    /// Only looked at: who has the handle keeps no link waiting.
    pub(super) facts: mpsc::WeakSender<Fact>,
    /// Whose turn it is to put together what can be watched.
    pub(super) watching: Arc<Semaphore>,
}

impl Handle {
    /// Asks for a change, and waits until it is on disk. In the log it stands in the span that this is called in.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn edit(&self, by: impl Into<By>, edit: Edit) -> Result<Outcome, EditError> {
        let (answer, result) = oneshot::channel();
        let asked = Asked { by: by.into(), edit, answer, cause: Span::current() };
        self.requests.send(Request::Edit(Box::new(asked))).await.map_err(|_| EditError::Stopping)?;
        let result = result.await.map_err(|_| EditError::Stopping)?;
        self.metrics.engine().edited(match &result {
            Ok(_) => Edited::Done,
            Err(EditError::Refused(_)) => Edited::Refused,
            Err(EditError::Store(_) | EditError::Stopping) => Edited::Failed,
        });
        result
    }

    /// Reads from the desk. `question` holds up everybody else, so it should not take long.
    pub fn read<T>(&self, question: impl FnOnce(&Desk) -> T) -> T {
        question(&self.desk.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The clock by which suspensions end.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Everything that changes from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Why nothing can be stored any more, once that is so.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<StoreError>> {
        self.failure.get().cloned()
    }

    /// Why the last change was refused, where that was for want of room.
    #[must_use]
    pub fn shortage(&self) -> Option<Arc<StoreError>> {
        self.shortage.borrow().clone()
    }

    /// Searches the audit log: at most `limit` entries below the number `before`, newest first. Waits for no edit, and holds up
    /// none; a page may hold less than there is, and says where to go on.
    ///
    /// # Errors
    /// What is damaged, or that too many search at present.
    pub async fn audit(&self, search: Search, before: Option<u64>, limit: usize) -> Result<Page, AuditError> {
        self.readers.page(search, before, limit).await
    }

    /// Everything that is on disk at this moment, with the audit log or without it, to be read in turns with the store's work.
    /// The engine does its own meanwhile. Reading it blocks.
    ///
    /// # Errors
    /// When the store has failed, or too many are reading already.
    pub fn snapshot(&self, with_audit: bool) -> Result<Box<dyn Snapshot>, StoreError> {
        self.readers.snapshot(with_audit)
    }

    /// Has the engine go by these from now on (see [`Desk::set_policy`]); returns when it does.
    ///
    /// # Errors
    /// When it is stopping.
    pub async fn settle(&self, rules: Rules) -> Result<(), EditError> {
        let (done, settled) = oneshot::channel();
        let request = Request::Settle(Box::new(rules), done);
        self.requests.send(request).await.map_err(|_| EditError::Stopping)?;
        settled.await.map_err(|_| EditError::Stopping)
    }

    /// Closes every queue for those who follow it; returns when they have been told, as far as the link is there.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.requests.send(Request::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}
