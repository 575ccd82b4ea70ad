//! The one owner of the desk. It takes facts and edits in order, has edits written before they count, sends what the desk
//! wants sent as fast as the link takes it, and tells what has changed.
//!
//! Facts never wait for the store, and reads wait for neither: the desk stands behind a lock that is held for one step.

mod audit;
mod batch;
mod causes;
mod follows;
mod handle;
mod pulse;
mod returns;
mod sending;
mod watched;

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug, debug_span, warn};

use self::{
    audit::{Ageing, Readers},
    batch::{Batch, finished},
    causes::Causes,
    follows::{Follower, Follows},
    handle::{Asked, Request},
    pulse::Pulse,
    returns::Returns,
    sending::{Sending, room},
};
pub use self::{
    audit::{AuditError, Page},
    handle::{EditError, Handle, Rules},
};
use crate::{
    clock::Clock,
    domain::{BareJid, Change, Desk, Effect, Event, Input, LinkPhase, Name, RosterWrite, UnixTime},
    metrics::Metrics,
    store::{Committer, StoreError},
};

/// Facts that may wait for the engine; a link that is faster waits.
const FACTS_MOST: usize = 4_096;
/// Edits that may wait for the store; who asks for more waits.
const EDITS_MOST: usize = 1_024;
/// How often it is said that something goes on going wrong.
const WARN_EVERY: Duration = Duration::from_mins(1);
/// Facts taken in one go, with one hold of the lock.
const STEP_MOST: usize = 256;
/// Events kept for listeners that are slow; they are told how many they missed.
const EVENTS_MOST: usize = 1_024;

/// What comes in from the link, in order.
#[derive(Debug)]
pub enum Fact {
    /// The link is up; this takes what is to be sent on it.
    LinkUp(mpsc::Sender<Effect>),
    /// The same, on trial: see [`Input::LinkOnTrial`].
    LinkOnTrial(mpsc::Sender<Effect>),
    /// The link is gone, or could not be made, and why, in words for an administrator.
    LinkDown(String),
    /// Something was seen on it.
    Input(Input),
    /// The same, with where it came from: the log names both with what comes of it.
    Stanza {
        /// The number of the link, from 1.
        link: u32,
        /// The number of the stanza on it, from 1.
        number: u64,
        /// What was seen.
        input: Input,
    },
    /// Somebody wants to follow a queue's presence, or no longer.
    Follow {
        /// The queue's localpart.
        queue: Name,
        /// Who.
        jid: BareJid,
        /// Whether they want to.
        follow: bool,
    },
    /// Somebody was told a queue's presence, and their server says that they are gone for good.
    FollowerGone {
        /// The queue's localpart.
        queue: Name,
        /// Who.
        jid: BareJid,
    },
}

/// The owner of the desk.
pub struct Engine {
    desk: Arc<RwLock<Desk>>,
    committer: Arc<Committer>,
    facts: mpsc::Receiver<Fact>,
    requests: mpsc::Receiver<Request>,
    events: broadcast::Sender<Event>,
    failure: Arc<OnceLock<Arc<StoreError>>>,
    short: watch::Sender<Option<Arc<StoreError>>>,
    failed: CancellationToken,
    waiting: VecDeque<Asked>,
    follows: Follows,
    returns: Returns,
    warn_due: Instant,
    batch: Option<Batch>,
    outbox: Option<mpsc::Sender<Effect>>,
    /// Who writes rosters, where that is not the link.
    clerk: Option<mpsc::Sender<RosterWrite>>,
    /// Who waits until everybody was told.
    closing: Option<oneshot::Sender<()>>,
    causes: Causes,
    progress_due: Instant,
    readers: Readers,
    pulse: Pulse,
    /// What forgets old entries of the audit log; `None`: they are kept for ever.
    ageing: Option<Ageing>,
    metrics: Metrics,
    /// How the link was when that was last looked at, and since when it was so.
    link: (LinkPhase, Instant),
}

/// The time of day.
#[must_use]
pub fn unix_now() -> UnixTime {
    Clock::System.now()
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Engine {
    /// An engine for `desk`, which holds all that `committer` has kept. `failed` is cancelled when the store fails.
    #[must_use]
    pub fn new(desk: Desk, committer: Committer, failed: CancellationToken) -> (Self, Handle, mpsc::Sender<Fact>) {
        Self::by(Clock::System, Metrics::default(), desk, committer, failed)
    }

    /// The same, by another clock, and with what is counted for others to see.
    #[must_use]
    pub fn by(
        clock: Clock,
        metrics: Metrics,
        desk: Desk,
        committer: Committer,
        failed: CancellationToken,
    ) -> (Self, Handle, mpsc::Sender<Fact>) {
        let desk = Arc::new(RwLock::new(desk));
        let (fact_sender, facts) = mpsc::channel(FACTS_MOST);
        let (request_sender, requests) = mpsc::channel(EDITS_MOST);
        let events = broadcast::Sender::new(EVENTS_MOST);
        let failure = Arc::new(OnceLock::new());
        let (short, shortage) = watch::channel(None);
        let readers = Readers::new(committer.trail());
        let (pulse, turns, standing) = Pulse::new();
        let handle = Handle {
            desk: desk.clone(),
            requests: request_sender,
            events: events.clone(),
            failure: failure.clone(),
            shortage,
            clock: clock.clone(),
            readers: readers.clone(),
            turns,
            standing,
            times: pulse.times.clone(),
            metrics: metrics.clone(),
            facts: fact_sender.downgrade(),
            watching: Arc::new(Semaphore::new(1)),
        };
        let engine = Self {
            desk,
            committer: Arc::new(committer),
            facts,
            requests,
            events,
            failure,
            short,
            failed,
            waiting: VecDeque::new(),
            follows: Follows::default(),
            returns: Returns::new(clock),
            warn_due: now(),
            batch: None,
            outbox: None,
            clerk: None,
            closing: None,
            causes: Causes::default(),
            progress_due: now(),
            readers,
            pulse,
            ageing: None,
            metrics,
            link: (LinkPhase::Down, now()),
        };
        engine.metrics.engine().link_changed(engine.returns.now());
        engine.pulse.times.changed(engine.returns.now());
        (engine, handle, fact_sender)
    }

    /// The same, with somebody else than the link who writes rosters, and has room for [`crate::domain::WRITES_MOST`] of
    /// them: no more are ever under way. What becomes of each is told as [`Input::Written`].
    #[must_use]
    pub fn with_clerk(mut self, clerk: mpsc::Sender<RosterWrite>) -> Self {
        self.clerk = Some(clerk);
        self
    }

    /// The same, where entries of the audit log are forgotten when they are older than this, by a clock that has gone evenly for
    /// an hour.
    #[must_use]
    pub fn with_audit_keep(mut self, keep: Duration) -> Self {
        self.keep_audit(Some(keep));
        self
    }

    fn keep_audit(&mut self, keep: Option<Duration>) {
        self.ageing = keep.map(|keep| Ageing::new(keep, now()));
    }

    /// Works until `stop`, and then until what it was asked before is on disk and answered.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut woke = now();
        loop {
            // Read once: it may change at any moment.
            let stopping = stop.is_cancelled();
            self.take_listed();
            let is_return_due = !stopping && self.is_return_due();
            while self.batch.is_none()
                && (self.follows.is_due(now())
                    || !self.waiting.is_empty()
                    || self.audit_is_due()
                    || !stopping && self.is_return_due())
            {
                self.start_batch(stopping);
            }
            // Who should be enabled by now is so before anybody is heard, or told anything.
            let starting = self.returns.are_first && is_return_due;
            self.returns.are_first = starting;
            self.warn_of_follows();
            if stopping && self.batch.is_none() && self.waiting.is_empty() {
                break;
            }
            let sending = self.send();
            let blocked = matches!(sending, Sending::Blocked(_) | Sending::Over);
            // A link that takes nothing keeps the desk from its work there, but nothing is shown the longer for that.
            let deadline = self.with(|desk| if blocked { desk.next_expiry() } else { desk.next_deadline() });
            let retry = self.follows.not_before.filter(|_| self.batch.is_none() && !self.follows.is_empty());
            let returns = self.next_return().filter(|_| self.batch.is_none() && !stopping);
            let forget = self.ageing.as_ref().filter(|_| self.batch.is_none()).map(|ageing| ageing.due);
            let deadline = deadline.into_iter().chain(retry).chain(returns).chain(forget).min();
            self.count(woke);
            self.end_turn();
            let turn = tokio::select! {
                Some(fact) = self.facts.recv(), if !starting => Turn::Facts(fact),
                Some(request) = self.requests.recv(), if self.waiting.len() < EDITS_MOST => Turn::Requests(request),
                Some(asked) = self.pulse.asked.recv() => Turn::Asked(asked),
                (change, result) = finished(&mut self.batch) => Turn::Finished(change, result),
                () = room(sending) => Turn::Nothing,
                () = until(deadline) => Turn::Deadline,
                () = stop.cancelled(), if !stopping => Turn::Nothing,
            };
            woke = now();
            match turn {
                Turn::Facts(first) => self.take_facts(first),
                Turn::Requests(first) => self.take_requests(first),
                Turn::Asked(asked) => self.pulse.taken = Some(asked),
                Turn::Finished(change, result) => self.finish_batch(change, result),
                Turn::Deadline => {
                    let events = self.with(|desk| desk.tick(now()));
                    self.tell(events, &Span::none());
                }
                Turn::Nothing => {}
            }
        }
    }

    fn with<T>(&self, step: impl FnOnce(&mut Desk) -> T) -> T {
        step(&mut self.desk.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<T>(&self, question: impl FnOnce(&Desk) -> T) -> T {
        question(&self.desk.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_facts(&mut self, first: Fact) {
        let desk = self.desk.clone();
        let mut desk = desk.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Some(first);
        let (mut taken, mut is_link_news) = (0, false);
        while let Some(fact) = next {
            let mut cause = Span::none();
            let input = match fact {
                Fact::Input(input) => Some(input),
                Fact::Stanza { link, number, input } => {
                    cause = debug_span!("stanza", link, number);
                    Some(input)
                }
                Fact::LinkUp(outbox) => {
                    self.outbox = Some(outbox);
                    Some(Input::LinkUp)
                }
                Fact::LinkOnTrial(outbox) => {
                    self.outbox = Some(outbox);
                    Some(Input::LinkOnTrial)
                }
                Fact::LinkDown(why) => {
                    self.outbox = None;
                    // It may be down for another reason than before.
                    is_link_news = true;
                    Some(Input::LinkDown { why })
                }
                Fact::Follow { queue, jid, follow } => {
                    self.take_follow((queue, jid), follow, &mut desk);
                    None
                }
                Fact::FollowerGone { queue, jid } => {
                    if desk.follower_gone(&queue, &jid) {
                        debug!(%queue, follower = %jid, "follower gone for good");
                        self.follows.put((queue, jid), false);
                    }
                    None
                }
            };
            if let Some(input) = input {
                let events = desk.apply(input, now());
                self.tell(events, &cause);
            }
            taken += 1;
            next = if taken < STEP_MOST { self.facts.try_recv().ok() } else { None };
        }
        drop(desk);
        if is_link_news {
            self.pulse.news();
        }
    }

    fn take_follow(&mut self, who: Follower, follow: bool, desk: &mut Desk) {
        // Who follows already needs nothing stored, unless what is being written changes that.
        let is_settled = self.batch.is_none() && !self.follows.waits(&who);
        if follow && is_settled && desk.greet_again(&who.0, &who.1) {
            return;
        }
        self.follows.put(who, follow);
    }

    /// Who has a queue in their roster by now becomes its follower, as if they had asked for it. Nothing else is written
    /// meanwhile, so that they staff the queue still when this is planned.
    fn take_listed(&mut self) {
        if self.batch.is_none() {
            let listed = self.with(|desk| std::iter::from_fn(|| desk.next_listed()).collect::<Vec<_>>());
            for who in listed {
                self.follows.put(who, true);
            }
        }
    }

    fn audit_is_due(&self) -> bool {
        self.ageing.as_ref().is_some_and(|ageing| now() >= ageing.due)
    }

    /// Counts what was done since it `woke`, and how everything is now that it is.
    fn count(&mut self, woke: Instant) {
        let metrics = self.metrics.engine();
        let moment = now();
        let follows = self.follows.len();
        metrics.waiting(self.waiting.len(), follows);
        metrics.outbox(self.outbox.as_ref().map_or(0, |outbox| outbox.max_capacity() - outbox.capacity()));
        let (before, since) = self.link;
        let link = self.read(Desk::link);
        if std::mem::discriminant(&before) != std::mem::discriminant(&link) {
            if matches!((before, link), (LinkPhase::Sweeping { .. }, LinkPhase::Up)) {
                metrics.swept(moment.saturating_duration_since(since));
            }
            metrics.link_changed(self.returns.now());
            self.pulse.times.changed(self.returns.now());
            self.link = (link, moment);
        }
        metrics.worked(moment.saturating_duration_since(woke));
    }

    fn warn_of_follows(&mut self) {
        let Follows { lost, refused, .. } = &mut self.follows;
        if *lost + *refused == 0 || now() < self.warn_due {
            return;
        }
        self.warn_due = now() + WARN_EVERY;
        let (lost, refused) = (std::mem::take(lost), std::mem::take(refused));
        self.metrics.engine().turned_away(lost, refused);
        if lost > 0 {
            warn!(lost, "subscription requests were dropped: too many wait for the store");
        }
        if refused > 0 {
            warn!(
                refused,
                "subscription requests were refused: there are as many followers as [xmpp] max_subscribers and \
                 max_subscribers_per_queue allow"
            );
        }
    }

    /// Takes all that waits, so that it is written together.
    fn take_requests(&mut self, first: Request) {
        let mut next = Some(first);
        while let Some(request) = next {
            self.take_request(request);
            next = if self.waiting.len() < EDITS_MOST { self.requests.try_recv().ok() } else { None };
        }
    }

    fn take_request(&mut self, request: Request) {
        match request {
            Request::Edit(asked) => self.waiting.push_back(*asked),
            Request::Settle(rules, done) => {
                let Rules { policy, audit_keep } = *rules;
                let events = self.with(|desk| desk.set_policy(policy, now()));
                self.tell(events, &Span::none());
                if self.ageing.as_ref().map(Ageing::keep) != audit_keep {
                    self.keep_audit(audit_keep);
                }
                // Who asked may have gone; it holds all the same.
                let _ = done.send(());
            }
            Request::Close(done) => {
                self.with(|desk| desk.apply(Input::Closing, now()));
                self.closing = Some(done);
            }
        }
    }
}

/// What the engine was woken by.
enum Turn {
    Facts(Fact),
    Requests(Request),
    Asked(oneshot::Sender<()>),
    Finished(Change, Result<(), StoreError>),
    Deadline,
    /// That there is room on the link, or that it is to stop.
    Nothing,
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
