//! The one owner of the desk. It takes facts and edits in order, has edits written before they count, sends what the desk
//! wants sent as fast as the link takes it, and tells what has changed.
//!
//! Facts never wait for the store, and reads wait for neither: the desk stands behind a lock that is held for one step.

mod audit;
mod follows;
mod returns;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

pub use self::audit::Page;
use self::{
    audit::Readers,
    follows::{Follower, Follows},
    returns::Returns,
};
use crate::{
    clock::Clock,
    domain::{
        BareJid, By, Change, Claims, Desk, Edit, Effect, Event, Grants, Input, LinkPhase, Name, Outcome, Published,
        Refusal, RosterWrite, Search, UnixTime, Who,
    },
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
/// Stanzas handed to the link in one go, with one hold of the lock.
const SEND_MOST: usize = 1_024;
/// Writes that share one flush, about.
const BATCH_MOST: usize = 4_096;
/// Events kept for listeners that are slow; they are told how many they missed.
const EVENTS_MOST: usize = 1_024;
/// How often a long sweep says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

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

type Answer = oneshot::Sender<Result<Outcome, EditError>>;

/// An edit, and who waits for what becomes of it.
#[derive(Debug)]
struct Asked {
    by: By,
    edit: Edit,
    answer: Answer,
}

#[derive(Debug)]
enum Request {
    Edit(Asked),
    Close(oneshot::Sender<()>),
}

/// The way to the engine for everybody else.
#[derive(Debug, Clone)]
pub struct Handle {
    desk: Arc<RwLock<Desk>>,
    requests: mpsc::Sender<Request>,
    events: broadcast::Sender<Event>,
    failure: Arc<OnceLock<Arc<StoreError>>>,
    shortage: watch::Receiver<Option<Arc<StoreError>>>,
    clock: Clock,
    readers: Readers,
}

impl Handle {
    /// Asks for a change, and waits until it is on disk.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn edit(&self, by: impl Into<By>, edit: Edit) -> Result<Outcome, EditError> {
        let (answer, result) = oneshot::channel();
        let asked = Asked { by: by.into(), edit, answer };
        self.requests.send(Request::Edit(asked)).await.map_err(|_| EditError::Stopping)?;
        result.await.map_err(|_| EditError::Stopping)?
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
    /// What is damaged.
    pub async fn audit(&self, search: Search, before: Option<u64>, limit: usize) -> Result<Page, Arc<StoreError>> {
        self.readers.page(search, before, limit).await
    }

    /// Closes every queue for those who follow it; returns when they have been told, as far as the link is there.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.requests.send(Request::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

type Commit = Pin<Box<dyn Future<Output = (Change, Result<(), StoreError>)> + Send>>;

/// Edits that are being written together.
struct Batch {
    answers: Vec<(Answer, Outcome)>,
    /// What stanzas asked for.
    follows: Vec<(Follower, bool)>,
    commit: Commit,
}

/// How far what the desk wants sent has been sent.
enum Sending {
    /// All of it.
    Done,
    /// There is more, and may be room for it.
    More,
    /// The link is full; this is the way to it.
    Blocked(mpsc::Sender<Effect>),
    /// The link takes nothing any more, and is about to say why.
    Over,
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
    progress_due: Instant,
    readers: Readers,
    /// For how long entries of the audit log are kept; `None`: for ever.
    audit_keep: Option<Duration>,
    /// When it is looked again whether some are older.
    audit_due: Instant,
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
        Self::by(Clock::System, desk, committer, failed)
    }

    /// The same, by another clock.
    #[must_use]
    pub fn by(
        clock: Clock,
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
        let handle = Handle {
            desk: desk.clone(),
            requests: request_sender,
            events: events.clone(),
            failure: failure.clone(),
            shortage,
            clock: clock.clone(),
            readers: readers.clone(),
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
            progress_due: now(),
            readers,
            audit_keep: None,
            audit_due: now(),
        };
        (engine, handle, fact_sender)
    }

    /// The same, with somebody else than the link who writes rosters, and has room for [`crate::domain::WRITES_MOST`] of
    /// them: no more are ever under way. What becomes of each is told as [`Input::Written`].
    #[must_use]
    pub fn with_clerk(mut self, clerk: mpsc::Sender<RosterWrite>) -> Self {
        self.clerk = Some(clerk);
        self
    }

    /// The same, where entries of the audit log are forgotten when they are older than this.
    #[must_use]
    pub fn with_audit_keep(mut self, keep: Duration) -> Self {
        self.audit_keep = Some(keep);
        self
    }

    /// Works until `stop`, and then until what it was asked before is on disk and answered.
    pub async fn run(mut self, stop: CancellationToken) {
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
            let forget = self.audit_keep.filter(|_| self.batch.is_none()).map(|_| self.audit_due);
            let deadline = deadline.into_iter().chain(retry).chain(returns).chain(forget).min();
            tokio::select! {
                Some(fact) = self.facts.recv(), if !starting => self.take_facts(fact),
                Some(request) = self.requests.recv(), if self.waiting.len() < EDITS_MOST => self.take_requests(request),
                (change, result) = finished(&mut self.batch) => self.finish_batch(change, result),
                () = room(sending) => {}
                () = until(deadline) => {
                    let events = self.with(|desk| desk.tick(now()));
                    self.tell(events);
                }
                () = stop.cancelled(), if !stopping => {}
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
        let mut taken = 0;
        while let Some(fact) = next {
            let input = match fact {
                Fact::Input(input) => Some(input),
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
                self.tell(events);
            }
            taken += 1;
            next = if taken < STEP_MOST { self.facts.try_recv().ok() } else { None };
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
        self.audit_keep.is_some() && now() >= self.audit_due
    }

    fn warn_of_follows(&mut self) {
        let Follows { lost, refused, .. } = &mut self.follows;
        if *lost + *refused == 0 || now() < self.warn_due {
            return;
        }
        self.warn_due = now() + WARN_EVERY;
        let (lost, refused) = (std::mem::take(lost), std::mem::take(refused));
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
            Request::Edit(asked) => self.waiting.push_back(asked),
            Request::Close(done) => {
                self.with(|desk| desk.apply(Input::Closing, now()));
                self.closing = Some(done);
            }
        }
    }

    /// Plans what waits, and has written what fits together. What clashes waits for the next round; the first never does.
    fn start_batch(&mut self, stopping: bool) {
        if let Some(failure) = self.failure.get() {
            self.follows = Follows::default();
            self.audit_keep = None;
            for asked in self.waiting.drain(..) {
                let _ = asked.answer.send(Err(EditError::Store(failure.clone())));
            }
            return;
        }
        let (mut waiting, mut follows) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.follows));
        let wall = self.returns.now();
        let returns = if stopping { 0 } else { self.returns.most() };
        let mut taken = Vec::new();
        let mut later = VecDeque::new();
        let (mut claims, mut change, mut answers) = (Claims::default(), Change::new(), Vec::new());
        self.with(|desk| {
            while let Some(asked) = waiting.pop_front() {
                if change.len() >= BATCH_MOST {
                    later.push_back(asked);
                    continue;
                }
                match desk.plan(&asked.by, wall, &asked.edit) {
                    Err(refusal) => {
                        debug!(%refusal, by = %asked.by, "edit refused");
                        let _ = asked.answer.send(Err(refusal.into()));
                    }
                    Ok(plan) => match claims.join(plan.claims) {
                        Ok(()) => {
                            change.extend(plan.change);
                            answers.push((asked.answer, plan.outcome));
                        }
                        Err(_) => later.push_back(asked),
                    },
                }
            }
            while let Some(edit) = follows.first().filter(|_| follows.is_due(now()) && change.len() < BATCH_MOST) {
                match desk.plan(&Who::Daemon.into(), wall, &edit) {
                    Err(refusal) => follows.deny_first(&refusal, desk),
                    Ok(plan) => match claims.join(plan.claims) {
                        Ok(()) => change.extend(plan.change),
                        Err(_) => break,
                    },
                }
                taken.extend(follows.pop());
            }
            for (queue, user) in desk.returns(wall).take(returns).collect::<Vec<_>>() {
                // What clashes is due still when this is written.
                if let Ok(plan) = desk.plan(&Who::Daemon.into(), wall, &Edit::EndSuspension { queue, user, now: wall })
                    && claims.join(plan.claims).is_ok()
                {
                    debug!(%queue, %user, "suspension over");
                    change.extend(plan.change);
                }
            }
        });
        (self.waiting, self.follows) = (later, follows);
        self.audit_due = now() + audit::LOOK_EVERY;
        change.extend(self.readers.outdated(self.audit_keep, wall));
        if change.is_empty() {
            for (answer, outcome) in answers {
                let _ = answer.send(Ok(outcome));
            }
        } else {
            let committer = self.committer.clone();
            let commit = Box::pin(async move { committer.commit(change).await });
            self.batch = Some(Batch { answers, follows: taken, commit });
        }
    }

    fn finish_batch(&mut self, change: Change, result: Result<(), StoreError>) {
        let Some(batch) = self.batch.take() else { return };
        let failure = match result {
            Ok(()) => {
                let events = self.with(|desk| {
                    // What is to change now changes now.
                    let mut events = desk.expire(now());
                    events.extend(desk.commit(change));
                    events
                });
                self.tell(events);
                self.short.send_if_modified(|short| short.take().is_some());
                self.returns.not_before = None;
                None
            }
            Err(failure) => Some(Arc::new(failure)),
        };
        match &failure {
            // Nothing was written, so nothing is in doubt: these edits are refused, and everything else goes on.
            Some(short) if matches!(**short, StoreError::Short { .. }) => {
                self.warn_of(short);
                self.short.send_replace(Some(short.clone()));
                // Nobody asks for these again, so they wait.
                self.follows.not_before = Some(now() + WARN_EVERY);
                self.returns.not_before = Some(now() + WARN_EVERY);
                for (who, follow) in batch.follows {
                    if !self.follows.waits(&who) {
                        self.follows.put(who, follow);
                    }
                }
            }
            Some(failure) => {
                error!(error = %crate::telemetry::chain(&**failure), "the store has failed, rosterd stops");
                let _ = self.failure.set(failure.clone());
                self.failed.cancel();
            }
            None => {}
        }
        for (answer, outcome) in batch.answers {
            let result = failure.clone().map_or(Ok(outcome), |failure| Err(EditError::Store(failure)));
            let _ = answer.send(result);
        }
    }

    fn warn_of(&mut self, short: &StoreError) {
        if now() >= self.warn_due {
            self.warn_due = now() + WARN_EVERY;
            error!(error = %short, "changes are refused");
        }
    }

    /// Sends of what the desk wants sent as much as the link has room for; facts and edits have their turn before the rest.
    fn send(&mut self) -> Sending {
        let sending = self.outbox.as_ref().map_or(Sending::Done, |outbox| self.send_on(outbox));
        self.log_progress();
        if matches!(sending, Sending::Done | Sending::Over)
            && let Some(done) = self.closing.take()
        {
            let _ = done.send(());
        }
        sending
    }

    fn send_on(&self, outbox: &mpsc::Sender<Effect>) -> Sending {
        if outbox.is_closed() {
            return Sending::Over;
        }
        let room = outbox.capacity().min(SEND_MOST);
        let (events, effects) = self.with(|desk| {
            let now = now();
            (desk.expire(now), desk.outgoing(room, now))
        });
        self.tell(events);
        let sent = effects.len();
        for effect in effects {
            match (effect, &self.clerk) {
                // No more of these are under way than there is room for.
                (Effect::Roster(write), Some(clerk)) => drop(clerk.try_send(write)),
                // A link that has gone says so by itself.
                (effect, _) => drop(outbox.try_send(effect)),
            }
        }
        match room {
            _ if sent < room => Sending::Done,
            0 => Sending::Blocked(outbox.clone()),
            _ => Sending::More,
        }
    }

    fn log_progress(&mut self) {
        if let LinkPhase::Sweeping { done, total } = self.with(|desk| desk.link())
            && now() >= self.progress_due
        {
            self.progress_due = now() + PROGRESS_EVERY;
            info!("swept {done}/{total}");
        }
    }

    fn tell(&self, events: Vec<Event>) {
        for event in events {
            match &event {
                Event::Queue { name, from, now: Published { show, .. }, .. } => {
                    info!(queue = %name, %from, to = %show, "queue show changed");
                }
                Event::User { id, from, to } => debug!(user = %id, %from, %to, "user show changed"),
                Event::Granted(grants) => say_granted(*grants),
                Event::Swept { asked, heard, in_time } => {
                    info!(asked, heard, "swept {asked}/{asked}");
                    if !in_time {
                        warn!(
                            "the server did not answer the ping after the last probe: who is shown as offline may be late"
                        );
                    }
                }
            }
            // Nobody may be listening.
            let _ = self.events.send(event);
        }
    }
}

/// What the server lets us do, and what to do about it where that is not enough.
fn say_granted(Grants { roster, presence }: Grants) {
    const WHAT_TO_ADD: &str = "in Prosody's configuration, enable mod_privilege on the users' VirtualHost, with \
        privileged_entities = { [\"<the component's domain>\"] = { roster = \"both\", presence = \"managed_entity\" } }, \
        and restart Prosody";
    if roster {
        info!(roster, presence, "the server lets us onboard people");
    } else {
        warn!(
            roster,
            presence,
            "the server does not let us write rosters, so everybody is asked and has to say yes in their client: {WHAT_TO_ADD}"
        );
    }
}

async fn finished(batch: &mut Option<Batch>) -> (Change, Result<(), StoreError>) {
    match batch {
        Some(batch) => (&mut batch.commit).await,
        None => std::future::pending().await,
    }
}

/// Until something can be sent that waits.
async fn room(sending: Sending) {
    match sending {
        Sending::Blocked(outbox) => drop(outbox.reserve().await),
        // The link has its turn too.
        Sending::More => tokio::task::yield_now().await,
        Sending::Done | Sending::Over => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
