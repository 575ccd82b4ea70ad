//! Suspensions that end by themselves: when, and what becomes of them when the store, the clock or the daemon does not go on
//! as it should.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::option_option,
    reason = "a test may panic, and owns all that it starts"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rosterd::{
    clock::Clock,
    domain::{
        Account, AccountId, BareJid, Cause, Desk, Edit, LinkPhase, Name, Operator, Policy, Queue, QueueId, Record,
        Suspension, SuspensionFields, UnixTime, User, UserId, Who, Write,
    },
    engine::{Engine, Fact, Handle},
    metrics::Metrics,
    store::{Committer, MemoryStore, Store, StoreError, Trail},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const QUEUES: u32 = 2;
const ACCOUNT: u32 = 1;

fn name(text: &str) -> Name {
    Name::parse(text, 60).unwrap()
}

fn account() -> AccountId {
    AccountId::new(ACCOUNT).unwrap()
}

fn queue(place: u32) -> QueueId {
    QueueId::new(2 + place).unwrap()
}

fn user(place: u32) -> UserId {
    UserId::new(2 + QUEUES + place).unwrap()
}

fn policy() -> Policy {
    Policy::new("queues.example.org", "example.org", name("staffing"))
}

/// An account with queues and users, nobody assigned.
fn records(users: u32) -> Vec<Record> {
    let id = account();
    let mut records = vec![Record::NextId(2 + QUEUES + users)];
    records.push(Record::Account(Account::owned(id, name("acme"), "x".into())));
    records.extend((0..users).map(|place| {
        let text = format!("u{place}");
        let jid = BareJid::parse(&format!("{text}@example.org")).unwrap();
        Record::User(User { id: user(place), account: id, name: name(&text), jid, email: None })
    }));
    records.extend((0..QUEUES).map(|place| {
        let name = name(&format!("q{place}"));
        Record::Queue(Queue { id: queue(place), account: id, name, email: None, avatar: None, transcripts: false })
    }));
    records
}

fn suspended(until: u64) -> Suspension {
    Suspension { cause: Cause::parse("lunch").ok(), until: Some(UnixTime(until)) }
}

mod in_any_order {
    use super::*;

    const USERS: u32 = 2;

    #[derive(Debug, Clone)]
    enum Step {
        /// The clock is this much later, or earlier.
        Time(i64),
        Assign(u32, u32),
        Unassign(u32, u32),
        Set {
            queue: u32,
            user: u32,
            enabled: Option<bool>,
            cause: Option<bool>,
            until: Option<Option<u64>>,
        },
        /// As many as may be are ended; of these that many are not stored.
        End {
            most: usize,
            lost: usize,
        },
        /// All are ended that are due.
        Settle,
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        let (queues, users) = (|| 0..QUEUES, || 0..USERS);
        let until = proptest::option::of(proptest::option::of(0..60_u64));
        prop_oneof![
            3 => (-20..40_i64).prop_map(Step::Time),
            1 => (queues(), users()).prop_map(|(queue, user)| Step::Assign(queue, user)),
            1 => (queues(), users()).prop_map(|(queue, user)| Step::Unassign(queue, user)),
            4 => (queues(), users(), any::<Option<bool>>(), any::<Option<bool>>(), until).prop_map(
                |(queue, user, enabled, cause, until)| Step::Set { queue, user, enabled, cause, until }
            ),
            2 => (0..3_usize, 0..3_usize).prop_map(|(most, lost)| Step::End { most, lost }),
            2 => Just(Step::Settle),
            1 => Just(Step::Restart),
        ]
    }

    struct World {
        desk: Desk,
        now: u64,
        /// What each assignment should be, put together from what was said.
        model: BTreeMap<(u32, u32), Option<Suspension>>,
    }

    impl World {
        fn edit(&mut self, edit: &Edit) -> bool {
            let Ok(plan) = self.desk.plan(&Who::Daemon.into(), UnixTime(self.now), edit) else { return false };
            self.desk.commit(plan.change);
            true
        }

        fn end(&mut self, most: usize, lost: usize) -> usize {
            let now = UnixTime(self.now);
            let due: Vec<_> = self.desk.returns(now).take(most).collect();
            for (nth, (queue, user)) in due.iter().copied().enumerate() {
                let plan = self.desk.plan(&Who::Daemon.into(), now, &Edit::EndSuspension { queue, user, now }).unwrap();
                assert!(matches!(plan.change[..], [Write::Put(_), Write::Note(_)]), "who is said to be due is");
                if nth >= lost {
                    self.desk.commit(plan.change);
                    let key = (queue.get() - 2, user.get() - 2 - QUEUES);
                    let before = self.model.insert(key, None).unwrap().unwrap();
                    assert!(before.until.unwrap() <= now, "nobody is enabled before it is time");
                }
            }
            due.len()
        }

        fn play(&mut self, step: &Step) {
            match step.clone() {
                Step::Time(more) => self.now = self.now.saturating_add_signed(more),
                Step::Assign(at, who) => {
                    self.edit(&Edit::Assign { account: account(), queue: queue(at), user: user(who) });
                    self.model.entry((at, who)).or_insert(None);
                }
                Step::Unassign(at, who) => {
                    let was = self.edit(&Edit::Unassign { account: account(), queue: queue(at), user: user(who) });
                    assert_eq!(was, self.model.remove(&(at, who)).is_some());
                }
                Step::Set { queue: at, user: who, enabled, cause, until } => {
                    let cause = cause.map(|some| Cause::parse("lunch").ok().filter(|_| some));
                    let until = until.map(|until| until.map(|until| UnixTime(self.now + until)));
                    let suspension = SuspensionFields { cause: cause.clone(), until };
                    let (queue, user) = (queue(at), user(who));
                    self.edit(&Edit::Enable { account: account(), queue, user, enabled, suspension });
                    let Some(row) = self.model.get_mut(&(at, who)) else { return };
                    if enabled.unwrap_or(row.is_none()) {
                        *row = None;
                    } else {
                        let mut is = row.take().unwrap_or_default();
                        is.cause = cause.unwrap_or(is.cause);
                        is.until = until.unwrap_or(is.until);
                        *row = Some(is);
                    }
                }
                Step::End { most, lost } => drop(self.end(most, lost)),
                Step::Settle => while self.end(1, 0) > 0 {},
                Step::Restart => {
                    self.desk = Desk::restore(policy(), self.desk.records(), Instant::now()).unwrap();
                }
            }
        }

        fn check(&self, settled: bool) {
            let operators = self.desk.records().into_iter().filter_map(|record| match record {
                Record::Operator(it) => Some(((it.queue.get() - 2, it.user.get() - 2 - QUEUES), it.suspended)),
                Record::NextId(_)
                | Record::Account(_)
                | Record::User(_)
                | Record::Queue(_)
                | Record::Subscriber(_)
                | Record::Session(_)
                | Record::Token(_) => None,
            });
            let is: BTreeMap<_, _> = operators.collect();
            assert_eq!(is, self.model);
            let ends = is.values().flatten().filter_map(|it| it.until);
            assert_eq!(self.desk.next_return(), ends.clone().min());
            let late = ends.filter(|until| until.0 <= self.now).count();
            assert_eq!(self.desk.returns(UnixTime(self.now)).count(), late);
            assert!(!settled || late == 0, "nobody is suspended for longer than they should be");
        }
    }

    proptest! {
        #[test]
        fn suspensions_end_when_they_should(steps in proptest::collection::vec(step(), 1..60)) {
            let desk = Desk::restore(policy(), records(USERS), Instant::now()).unwrap();
            let mut world = World { desk, now: 1_000, model: BTreeMap::new() };
            for (at, who) in [(0, 0), (1, 1)] {
                world.play(&Step::Assign(at, who));
            }
            for step in steps {
                let settled = matches!(step, Step::Settle);
                world.play(&step);
                world.check(settled);
            }
        }
    }
}

/// A store that refuses as many commits as it is told to, for want of room, and notes how much was in each of the others.
struct Counting {
    inner: MemoryStore,
    refuse: Arc<AtomicUsize>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

impl Store for Counting {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        self.inner.load()
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        let refused = self.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if refused.is_ok() {
            return Err(StoreError::Short { path: "/the/disk".into(), free: 1, floor: 2 });
        }
        let records = change.iter().filter(|write| !matches!(write, Write::Note(_)));
        self.sizes.lock().unwrap().push(records.count());
        self.inner.commit(change)
    }

    fn trail(&self) -> Arc<dyn Trail> {
        self.inner.trail()
    }
}

/// An engine, and the clock by which it goes.
struct Daemon {
    engine: Handle,
    facts: mpsc::Sender<Fact>,
    wall: Arc<AtomicU64>,
    refuse: Arc<AtomicUsize>,
    sizes: Arc<Mutex<Vec<usize>>>,
    stop: CancellationToken,
}

const START: u64 = 1_000;

impl Daemon {
    /// A start at [`START`] by people's clock, with these operators.
    fn start(users: u32, refuse: usize, suspended: impl Fn(u32) -> Option<Suspension>) -> Self {
        let mut all = records(users);
        let row = |place| Operator { queue: queue(0), user: user(place), suspended: suspended(place) };
        all.extend((0..users).map(|place| Record::Operator(row(place))));
        let desk = Desk::restore(policy(), all.clone(), Instant::now()).unwrap();
        let (wall, refuse) = (Arc::new(AtomicU64::new(START)), Arc::new(AtomicUsize::new(refuse)));
        let sizes = Arc::<Mutex<Vec<usize>>>::default();
        let store = Counting { inner: MemoryStore::with(all), refuse: refuse.clone(), sizes: sizes.clone() };
        let committer = Committer::start(Box::new(store)).unwrap();
        let clock = Clock::Set(wall.clone());
        let (engine, handle, facts) = Engine::by(clock, Metrics::default(), desk, committer, CancellationToken::new());
        let stop = CancellationToken::new();
        tokio::spawn(engine.run(stop.clone()));
        Self { engine: handle, facts, wall, refuse, sizes, stop }
    }

    fn is_suspended(&self, place: u32) -> bool {
        self.engine.read(|desk| !desk.books(account()).operator(queue(0), user(place)).unwrap().enabled)
    }

    fn how_many_are_suspended(&self) -> usize {
        self.engine.read(|desk| desk.books(account()).operators(queue(0)).unwrap().filter(|it| !it.enabled).count())
    }

    /// How long it takes until this is so, on the paused clock, to the second.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) -> u64 {
        let began = tokio::time::Instant::now();
        while !is_so(self) {
            // The store's thread works on a clock that is not paused.
            tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        began.elapsed().as_secs()
    }

    async fn set(&self, enabled: bool, until: Option<u64>) {
        let suspension = SuspensionFields::by_hand(None, until.map(UnixTime));
        let (queue, user) = (queue(0), user(0));
        let edit = Edit::Enable { account: account(), queue, user, enabled: Some(enabled), suspension };
        self.engine.edit(Who::Daemon, edit).await.unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_suspension_ends_at_its_moment() {
    let daemon = Daemon::start(1, 0, |_| None);
    daemon.set(false, Some(START + 5)).await;
    assert!(daemon.is_suspended(0));
    tokio::time::advance(Duration::from_secs(4)).await;
    daemon.wall.store(START + 4, Ordering::SeqCst);
    daemon.set(false, Some(START + 6)).await;
    daemon.wall.store(START + 5, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(daemon.is_suspended(0), "the one before was replaced");
    daemon.wall.store(START + 6, Ordering::SeqCst);
    assert!(daemon.until(|it| !it.is_suspended(0)).await <= 2);
    assert_eq!(daemon.engine.read(|desk| desk.suspension(queue(0), user(0)).cloned()), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_by_hand_holds() {
    let daemon = Daemon::start(1, 0, |_| Some(suspended(START + 5)));
    daemon.set(false, None).await;
    daemon.wall.store(START + 100, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(100)).await;
    daemon.set(false, None).await;
    assert!(daemon.is_suspended(0), "suspended anew, with no end");
    daemon.set(false, Some(START + 200)).await;
    daemon.set(true, None).await;
    daemon.set(false, None).await;
    daemon.wall.store(START + 300, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(100)).await;
    daemon.set(false, None).await;
    assert!(daemon.is_suspended(0), "the end went when they were enabled");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_is_noticed() {
    let daemon = Daemon::start(1, 0, |_| None);
    daemon.set(false, Some(START + 3_600)).await;
    // Back: it takes as much longer.
    daemon.wall.store(START - 500, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(3_700)).await;
    daemon.set(false, Some(START + 3_600)).await;
    assert!(daemon.is_suspended(0), "by people's clock it is not time");
    // Forwards, or the machine has slept: nothing tells, so it is looked at.
    daemon.wall.store(START + 3_600, Ordering::SeqCst);
    assert!(daemon.until(|it| !it.is_suspended(0)).await <= 16);
    daemon.wall.store(START, Ordering::SeqCst);
    daemon.set(true, None).await;
    assert!(!daemon.is_suspended(0), "who is enabled stays so");
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_stored_is_tried_again() {
    let daemon = Daemon::start(1, 3, |_| Some(suspended(START)));
    daemon.until(|it| it.refuse.load(Ordering::SeqCst) == 2).await;
    assert!(daemon.is_suspended(0), "it counts once it is on disk");
    let took = daemon.until(|it| it.refuse.load(Ordering::SeqCst) == 0).await;
    assert!(took >= 115, "{took}: a full disk is left alone for a minute");
    daemon.until(|it| !it.is_suspended(0)).await;
}

#[tokio::test(start_paused = true)]
async fn many_at_once_hold_up_nobody() {
    let daemon = Daemon::start(3_000, 0, |place| Some(place).filter(|it| *it > 0).map(|_| suspended(START + 1)));
    assert_eq!(daemon.how_many_are_suspended(), 2_999);
    daemon.set(true, None).await;
    daemon.wall.store(START + 1, Ordering::SeqCst);
    // This wakes the engine, and goes with the first of them: an edit is answered when its batch is stored.
    daemon.set(false, None).await;
    daemon.until(|it| it.how_many_are_suspended() == 1).await;
    let sizes = daemon.sizes.lock().unwrap().clone();
    assert_eq!(sizes, [513, 512, 512, 512, 512, 439]);
}

#[tokio::test(start_paused = true)]
async fn those_that_were_over_before_the_start_come_before_everything() {
    let daemon = Daemon::start(600, 0, |_| Some(suspended(START - 1)));
    let (outbox, _effects) = mpsc::channel(1_024);
    daemon.facts.send(Fact::LinkUp(outbox)).await.unwrap();
    daemon.until(|it| it.engine.read(|desk| desk.link() != LinkPhase::Down)).await;
    assert_eq!(daemon.how_many_are_suspended(), 0, "all of them, before the first fact");
    assert_eq!(daemon.sizes.lock().unwrap().clone(), [512, 88]);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_at_the_start_keeps_nobody_from_work() {
    let daemon = Daemon::start(1, usize::MAX, |_| Some(suspended(START - 1)));
    let (outbox, _effects) = mpsc::channel(1_024);
    daemon.facts.send(Fact::LinkUp(outbox)).await.unwrap();
    daemon.until(|it| it.engine.read(|desk| desk.link() != LinkPhase::Down)).await;
    assert!(daemon.is_suspended(0));
}
