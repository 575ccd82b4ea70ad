//! The engine between a store and a link: what is acknowledged, in which order, and who waits for whom.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::match_same_arms,
    reason = "a test may panic, and owns all that it starts"
)]

use std::{
    future::poll_fn,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    task::Poll,
    time::{Duration, Instant},
};

use futures::future::join_all;
use rosterd::{
    domain::{
        AccountId, BareJid, Desk, Edit, Effect, Event, Input, LinkPhase, Name, Outcome, Policy, QueueFields, QueueId,
        Record, Refusal, Seen, Show, UserFields, UserId, Who, Write,
    },
    engine::{EditError, Engine, Fact, Handle},
    lifecycle::watchdog::feed,
    store::{Committer, MemoryStore, Store, StoreError, Trail},
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(20);

/// A store whose commits happen when the test says so, as the test says.
struct Scripted {
    inner: MemoryStore,
    commits: Arc<AtomicUsize>,
    /// What the next commit does.
    next: Receiver<Next>,
    began: mpsc::Sender<usize>,
}

impl Store for Scripted {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        self.inner.load()
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let _ = self.began.blocking_send(change.len());
        match self.next.recv() {
            Ok(Next::Fail) => Err(StoreError::Io {
                doing: "could not write to",
                path: "/the/disk".into(),
                source: io::Error::other("it is gone"),
            }),
            Ok(Next::Refuse) => Err(StoreError::Short { path: "/the/disk".into(), free: 1, floor: 2 }),
            Ok(Next::Succeed) | Err(_) => self.inner.commit(change),
        }
    }

    fn trail(&self) -> std::sync::Arc<dyn Trail> {
        self.inner.trail()
    }
}

/// What a commit does.
#[derive(Debug, Clone, Copy)]
enum Next {
    Succeed,
    Fail,
    /// There is no room, so nothing is begun.
    Refuse,
}

struct World {
    engine: Handle,
    facts: mpsc::Sender<Fact>,
    /// Lets one commit go; once dropped, all go by themselves.
    allow: Option<SyncSender<Next>>,
    began: mpsc::Receiver<usize>,
    commits: Arc<AtomicUsize>,
    failed: CancellationToken,
    stop: CancellationToken,
    task: JoinHandle<()>,
    account: AccountId,
}

fn name(text: &str) -> Name {
    Name::parse(text, 60).unwrap()
}

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).unwrap()
}

fn policy() -> Policy {
    Policy {
        sweep_rate: 100_000,
        sweep_quiet: Duration::ZERO,
        ping_after: None,
        link_grace: Duration::ZERO,
        session_idle: 3_600,
        ..Policy::new("queues.example.org", "example.org", name("staffing"))
    }
}

impl World {
    /// An engine with one account, and a store whose commits wait for [`World::allow`].
    async fn new() -> Self {
        Self::with(policy()).await
    }

    async fn with(policy: Policy) -> Self {
        let (allow, next) = sync_channel(1_000);
        let (began_sender, began) = mpsc::channel(1_000);
        let commits = Arc::new(AtomicUsize::new(0));
        let store = Scripted { inner: MemoryStore::default(), commits: commits.clone(), next, began: began_sender };
        let desk = Desk::new(policy, Instant::now());
        let failed = CancellationToken::new();
        let (engine, handle, facts) = Engine::new(desk, Committer::start(Box::new(store)).unwrap(), failed.clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn(engine.run(stop.clone()));
        let account = AccountId::new(1).unwrap();
        let mut world = Self { engine: handle, facts, allow: Some(allow), began, commits, failed, stop, task, account };
        world.allow(Next::Succeed);
        let made =
            world.engine.edit(Who::Daemon, Edit::AddAccount { name: name("acme"), password_hash: "x".into() }).await;
        assert_eq!(made.unwrap(), Outcome::Account(account));
        world.began.recv().await.unwrap();
        world
    }

    fn allow(&self, next: Next) {
        self.allow.as_ref().unwrap().send(next).unwrap();
    }

    fn allow_all(&mut self) {
        self.allow = None;
    }

    fn create_queue(&self, text: &str) -> JoinHandle<Result<Outcome, EditError>> {
        let (engine, account, name) = (self.engine.clone(), self.account, name(text));
        let edit = Edit::CreateQueue { account, name, fields: QueueFields::default() };
        tokio::spawn(async move { engine.edit(Who::Daemon, edit).await })
    }

    async fn made(&self, edit: Edit) -> Outcome {
        self.engine.edit(Who::Daemon, edit).await.unwrap()
    }

    /// A user, a queue that they staff, and somebody who follows it.
    async fn staffed(&self) -> (UserId, QueueId) {
        let made = self.staff("ann", "law").await;
        self.made(Edit::Follow { queue: name("law"), jid: jid("visitor@example.org") }).await;
        made
    }

    /// A user, and a queue that they staff.
    async fn staff(&self, user: &str, queue: &str) -> (UserId, QueueId) {
        let account = self.account;
        let fields = UserFields::default();
        let Outcome::User(user) = self.made(Edit::CreateUser { account, name: name(user), fields }).await else {
            panic!("a user is made")
        };
        let fields = QueueFields::default();
        let Outcome::Queue(queue) = self.made(Edit::CreateQueue { account, name: name(queue), fields }).await else {
            panic!("a queue is made")
        };
        self.made(Edit::Assign { account, queue, user }).await;
        (user, queue)
    }

    async fn fact(&self, fact: Fact) {
        self.facts.send(fact).await.unwrap();
    }

    fn show(&self, queue: &str) -> Show {
        self.engine.read(|desk| desk.queue_by_name(&name(queue)).unwrap().published.show)
    }
}

fn seen(user: &str, show: Show) -> Fact {
    let seen = Seen { show, priority: 0, status: None, known_show: true };
    Fact::Input(Input::Seen { user: jid(user), resource: "desk".into(), seen })
}

fn follow(who: &str, follow: bool) -> Fact {
    Fact::Follow { queue: name("law"), jid: jid(who), follow }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

#[tokio::test]
async fn an_edit_counts_once_it_is_on_disk() {
    let mut world = World::new().await;
    let edit = world.create_queue("law");
    within("the commit begins", world.began.recv()).await;
    assert!(!edit.is_finished());
    assert_eq!(world.engine.read(|desk| desk.queues().count()), 0, "nothing shows before it is on disk");
    world.allow(Next::Succeed);
    within("the edit is answered", edit).await.unwrap().unwrap();
    assert_eq!(world.engine.read(|desk| desk.queues().count()), 1);
}

#[tokio::test]
async fn edits_that_wait_share_a_flush() {
    let mut world = World::new().await;
    let first = world.create_queue("first");
    within("the commit begins", world.began.recv()).await;
    let before = world.commits.load(Ordering::SeqCst);
    // While the first is written, a hundred come.
    let (engine, account) = (world.engine.clone(), world.account);
    let edit = |number| {
        let (name, fields) = (name(&format!("queue{number}")), QueueFields::default());
        Box::pin(engine.edit(Who::Daemon, Edit::CreateQueue { account, name, fields }))
    };
    let mut rest: Vec<_> = (0..100).map(edit).collect();
    for edit in &mut rest {
        // Polled once, an edit stands in the engine's queue.
        let polled = poll_fn(|context| Poll::Ready(edit.as_mut().poll(context))).await;
        assert!(polled.is_pending());
    }
    world.allow_all();
    within("the first is answered", first).await.unwrap().unwrap();
    for made in within("all are answered", join_all(rest)).await {
        made.unwrap();
    }
    assert!(world.commits.load(Ordering::SeqCst) - before <= 3, "a hundred edits took a commit or two");
    assert_eq!(world.engine.read(|desk| desk.queues().count()), 101);
}

#[tokio::test]
async fn edits_that_clash_are_done_one_after_the_other() {
    let mut world = World::new().await;
    world.allow_all();
    for round in 0..20 {
        let same = format!("queue{round}");
        let results = join_all((0..8).map(|_| world.create_queue(&same))).await;
        let done = results.iter().filter(|result| result.as_ref().unwrap().is_ok()).count();
        assert_eq!(done, 1, "a name is given once");
        let taken = |result: &Result<Outcome, EditError>| matches!(result, Err(EditError::Refused(Refusal::NameTaken(taken))) if taken.as_str() == same);
        assert_eq!(results.iter().filter(|result| taken(result.as_ref().unwrap())).count(), 7);
    }
}

#[tokio::test]
async fn edits_that_change_nothing_hold_up_nobody() {
    let mut world = World::new().await;
    world.allow_all();
    let (user, queue) = world.staffed().await;
    let assign = || world.engine.edit(Who::Daemon, Edit::Assign { account: world.account, queue, user });
    for result in within("all are answered", join_all((0..50).map(|_| assign()))).await {
        assert_eq!(result.unwrap(), Outcome::Done);
    }
    world.stop.cancel();
    within("the engine ends", world.task).await.unwrap();
}

#[tokio::test]
async fn an_edit_that_failed_is_not_there_in_part() {
    let mut world = World::new().await;
    let edits: Vec<_> = ["law", "tax"].into_iter().map(|name| world.create_queue(name)).collect();
    within("the commit begins", world.began.recv()).await;
    world.allow(Next::Fail);
    for edit in edits {
        let error = within("the edit is answered", edit).await.unwrap().unwrap_err();
        assert!(matches!(error, EditError::Store(_)), "{error}");
        assert!(error.to_string().contains("/the/disk"), "{error}");
    }
    assert!(world.failed.is_cancelled(), "who runs the daemon is told");
    assert!(world.engine.failure().is_some());
    assert_eq!(world.engine.read(|desk| desk.queues().count()), 0);
    let later = within("later edits are answered", world.create_queue("late")).await.unwrap().unwrap_err();
    assert!(matches!(later, EditError::Store(_)));
    // What was seen is still told: the desk goes on until the daemon stops.
    world.fact(Fact::LinkDown("gone".to_owned())).await;
}

#[tokio::test]
async fn facts_do_not_wait_for_the_store() {
    let mut world = World::new().await;
    (0..4).for_each(|_| world.allow(Next::Succeed));
    let (_, queue) = world.staffed().await;
    while world.began.try_recv().is_ok() {}
    let (outbox, _effects) = mpsc::channel(1_024);
    world.fact(Fact::LinkUp(outbox)).await;
    let stuck = world.create_queue("stuck");
    within("the commit begins", world.began.recv()).await;
    let mut events = world.engine.events();
    world.fact(seen("ann@example.org", Show::Dnd)).await;
    let changed = async {
        loop {
            if let Event::Queue { id, now, .. } = events.recv().await.unwrap() {
                break (id, now.show);
            }
        }
    };
    assert_eq!(within("the queue's show changes", changed).await, (queue, Show::Dnd));
    assert!(!stuck.is_finished());
    world.allow(Next::Succeed);
    within("the edit is answered", stuck).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_link_that_takes_nothing_does_not_stop_the_intake() {
    let mut world = World::new().await;
    world.allow_all();
    world.staffed().await;
    // Room for one stanza, and nobody takes it.
    let (outbox, mut effects) = mpsc::channel(1);
    world.fact(Fact::LinkUp(outbox)).await;
    for round in 0..10_000 {
        let show = if round % 2 == 0 { Show::Chat } else { Show::Away };
        within("the intake goes on", world.fact(seen("ann@example.org", show))).await;
    }
    world.fact(seen("ann@example.org", Show::Dnd)).await;
    // Once it takes something again, it gets the truth, not the ten thousand steps to it.
    let told = async {
        let mut told = Vec::new();
        loop {
            match effects.recv().await.unwrap() {
                Effect::Mark => world.fact(Fact::Input(Input::SweepAnswered)).await,
                Effect::Tell { published, .. } => told.push(published.show),
                Effect::Probe { .. } | Effect::Ask { .. } | Effect::Leave { .. } => {}
                Effect::Approve { .. } | Effect::Deny { .. } | Effect::Ping { .. } | Effect::Roster(_) => {}
            }
            if told.last() == Some(&Show::Dnd) {
                break told;
            }
        }
    };
    let told = within("the truth is told", told).await;
    assert!(told.len() < 10, "{told:?}");
}

#[tokio::test]
async fn on_a_link_that_takes_nothing_nobody_is_shown_for_longer() {
    let mut world = World::with(Policy { linger: Duration::from_millis(300), ..policy() }).await;
    world.allow_all();
    world.staffed().await;
    // Nobody takes what is sent.
    let (outbox, _effects) = mpsc::channel(1);
    world.fact(Fact::LinkUp(outbox)).await;
    world.fact(seen("ann@example.org", Show::Chat)).await;
    let mut events = world.engine.events();
    let gone = Input::Gone { user: jid("ann@example.org"), resource: None };
    world.fact(Fact::Input(gone)).await;
    let closes = async {
        let is_closed = |event| matches!(event, Event::Queue { now, .. } if now.show == Show::Unavailable);
        while !is_closed(events.recv().await.unwrap()) {}
    };
    within("the queue closes", closes).await;
    assert_eq!(world.show("law"), Show::Unavailable);
}

#[tokio::test]
async fn closing_tells_everybody_and_then_returns() {
    let mut world = World::new().await;
    world.allow_all();
    world.staffed().await;
    let (outbox, mut effects) = mpsc::channel(1_024);
    world.fact(Fact::LinkUp(outbox)).await;
    world.fact(seen("ann@example.org", Show::Chat)).await;
    let next_told = async |effects: &mut mpsc::Receiver<Effect>| {
        loop {
            match effects.recv().await.unwrap() {
                Effect::Mark => world.fact(Fact::Input(Input::SweepAnswered)).await,
                Effect::Tell { published, .. } => break published.show,
                Effect::Probe { .. } | Effect::Ask { .. } | Effect::Leave { .. } => {}
                Effect::Approve { .. } | Effect::Deny { .. } | Effect::Ping { .. } | Effect::Roster(_) => {}
            }
        }
    };
    assert_eq!(within("the queue opens", next_told(&mut effects)).await, Show::Chat);
    assert_eq!(world.engine.read(Desk::link), LinkPhase::Up);
    within("everything closes", world.engine.close()).await;
    assert_eq!(within("the queue closes", next_told(&mut effects)).await, Show::Unavailable);
    assert!(effects.try_recv().is_err(), "and nothing more is sent");
    within("what is asked while the daemon stops is still done", world.create_queue("late")).await.unwrap().unwrap();
    assert!(effects.try_recv().is_err());
}

#[tokio::test]
async fn a_stop_waits_for_what_was_asked_before() {
    let mut world = World::new().await;
    let edit = world.create_queue("law");
    within("the commit begins", world.began.recv()).await;
    world.stop.cancel();
    world.allow(Next::Succeed);
    within("the edit is answered", edit).await.unwrap().unwrap();
    within("the engine ends", world.task).await.unwrap();
}

#[tokio::test]
async fn a_new_link_knows_nothing_of_the_old_one() {
    let mut world = World::new().await;
    world.allow_all();
    world.staffed().await;
    let seen_by = Arc::new(Mutex::new(Vec::new()));
    for show in [Show::Chat, Show::Away] {
        let (outbox, _effects) = mpsc::channel(1_024);
        let mut events = world.engine.events();
        world.fact(Fact::LinkUp(outbox)).await;
        world.fact(seen("ann@example.org", show)).await;
        world.fact(Fact::LinkDown("the cable".to_owned())).await;
        let down = async {
            loop {
                if let Event::Queue { now, .. } = events.recv().await.unwrap() {
                    seen_by.lock().unwrap().push(now.show);
                    if now.show == Show::Unavailable {
                        break;
                    }
                }
            }
        };
        within("the queue closes", down).await;
        assert_eq!(world.show("law"), Show::Unavailable);
        assert_eq!(world.engine.read(|desk| desk.link_trouble().map(str::to_owned)), Some("the cable".to_owned()));
    }
    assert_eq!(*seen_by.lock().unwrap(), [Show::Chat, Show::Unavailable, Show::Away, Show::Unavailable]);
}

#[tokio::test]
async fn where_there_is_no_room_that_edit_alone_is_refused() {
    let mut world = World::new().await;
    world.allow(Next::Refuse);
    let refused = within("the edit is answered", world.create_queue("law")).await.unwrap().unwrap_err();
    assert!(matches!(&refused, EditError::Store(_)) && refused.to_string().contains("/the/disk"), "{refused}");
    assert!(!world.failed.is_cancelled() && world.engine.failure().is_none(), "the daemon goes on");
    assert!(world.engine.shortage().is_some(), "and says so");
    world.allow_all();
    within("the next one is done", world.create_queue("law")).await.unwrap().unwrap();
    assert!(world.engine.shortage().is_none());
}

#[tokio::test]
async fn a_flood_of_subscriptions_holds_up_no_manager() {
    let mut world = World::new().await;
    world.allow_all();
    world.staffed().await;
    // Nobody counts the commits here.
    world.began.close();
    let before = world.commits.load(Ordering::SeqCst);
    let (outbox, mut effects) = mpsc::channel(16);
    world.fact(Fact::LinkUp(outbox)).await;
    for round in 0..20_000 {
        // The same again and again, and back and forth.
        world.fact(follow("mallory@example.org", round % 3 != 2)).await;
        if round % 1_000 == 0 {
            within("a manager is served", world.create_queue(&format!("queue{round}"))).await.unwrap().unwrap();
        }
        while effects.try_recv().is_ok() {}
    }
    let settled = world.commits.load(Ordering::SeqCst);
    for _ in 0..1_000 {
        world.fact(follow("visitor@example.org", true)).await;
    }
    within("a manager is served", world.create_queue("last")).await.unwrap().unwrap();
    assert!(settled > before);
    assert!(world.commits.load(Ordering::SeqCst) - settled < 1_000, "who follows already needs nothing stored");
}

#[tokio::test]
async fn who_asks_to_follow_what_is_not_there_is_told_so() {
    let mut world = World::new().await;
    world.allow_all();
    let (outbox, mut effects) = mpsc::channel(16);
    world.fact(Fact::LinkUp(outbox)).await;
    world.fact(Fact::Follow { queue: name("nowhere"), jid: jid("visitor@example.org"), follow: true }).await;
    let denied = async {
        loop {
            if let Effect::Deny { from, to, full: false } = effects.recv().await.unwrap() {
                break (from, to);
            }
        }
    };
    assert_eq!(within("they are told", denied).await, (name("nowhere"), jid("visitor@example.org")));
}

#[tokio::test]
async fn who_comes_back_while_their_leaving_is_written_stays() {
    let mut world = World::new().await;
    (0..4).for_each(|_| world.allow(Next::Succeed));
    world.staffed().await;
    while world.began.try_recv().is_ok() {}
    let follows = |world: &World| {
        let is_it = |record: &Record| matches!(record, Record::Subscriber(it) if it.jid == jid("visitor@example.org"));
        world.engine.read(|desk| desk.records().iter().any(is_it))
    };
    assert!(follows(&world));
    world.fact(follow("visitor@example.org", false)).await;
    within("the leaving is being written", world.began.recv()).await;
    world.fact(follow("visitor@example.org", true)).await;
    world.allow_all();
    // What comes after it in line has been worked off when this is done.
    within("a manager is served", world.create_queue("tax")).await.unwrap().unwrap();
    within("a manager is served", world.create_queue("art")).await.unwrap().unwrap();
    assert!(follows(&world));
}

/// What is logged in this process; the engine of each test logs to it.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct ToLog;

impl io::Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_sweep_says_how_far_it_is() {
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| ToLog).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut world = World::with(Policy { sweep_rate: 1, ..policy() }).await;
    world.allow_all();
    let lines = || {
        let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains("swept ")).map(str::to_owned).collect::<Vec<_>>()
    };
    sweep(&world).await;
    let nobody = lines();
    assert!(nobody.len() == 1 && nobody[0].contains("swept 0/0") && nobody[0].contains("heard=0"), "{nobody:?}");

    world.staffed().await;
    world.staff("bob", "tax").await;
    // From here on, time passes as soon as there is nothing else to do.
    tokio::time::pause();
    sweep(&world).await;
    let all = lines();
    let [_, on_the_way @ .., end] = &all[..] else { panic!("{all:?}") };
    // Now and then on the way, and once at the end with how many were heard.
    assert!(!on_the_way.is_empty() && on_the_way.iter().all(|line| !line.contains("swept 2/2")), "{all:?}");
    assert!(end.contains("swept 2/2") && end.contains("heard=0"), "{all:?}");
}

/// A new link, on which nobody says anything, until the end of its sweep.
async fn sweep(world: &World) {
    let (outbox, mut effects) = mpsc::channel(1_024);
    world.fact(Fact::LinkUp(outbox)).await;
    let marked = async { while effects.recv().await.unwrap() != Effect::Mark {} };
    within("everybody has been asked", marked).await;
    let mut events = world.engine.events();
    world.fact(Fact::Input(Input::SweepAnswered)).await;
    let swept = async { while !matches!(events.recv().await.unwrap(), Event::Swept { .. }) {} };
    within("the sweep ends", swept).await;
}

#[tokio::test]
async fn turns_wait_neither_for_the_store_nor_for_the_link() {
    let mut world = World::new().await;
    let edits: Vec<_> = (0..2_500).map(|number| world.create_queue(&format!("queue{number}"))).collect();
    within("the commit begins", world.began.recv()).await;
    let (outbox, _taken_by_nobody) = mpsc::channel(1);
    world.fact(Fact::LinkUp(outbox)).await;
    for _ in 0..3 {
        assert!(within("a turn", world.engine.turn()).await);
    }
    assert!(edits.iter().all(|edit| !edit.is_finished()), "the disk is as slow as before");
    world.allow_all();
    world.stop.cancel();
    within("the engine ends", world.task).await.unwrap();
    assert!(!world.engine.turn().await, "it has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_no_turns_while_somebody_keeps_the_desk() {
    let world = World::new().await;
    assert!(within("a turn", world.engine.turn()).await);
    let (holds, held) = sync_channel(0);
    let (release, released) = sync_channel::<()>(0);
    let engine = world.engine.clone();
    let reader = std::thread::spawn(move || {
        engine.read(|_| {
            holds.send(()).unwrap();
            let _ = released.recv();
        });
    });
    held.recv().unwrap();
    let beats = Arc::new(AtomicUsize::new(0));
    let (engine, counted) = (world.engine.clone(), beats.clone());
    let alive = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let feeding = tokio::spawn(async move { feed(Duration::from_millis(20), || engine.turn(), alive).await });
    // However long: where the engine is stuck there is not one.
    assert!(timeout(Duration::from_millis(300), world.engine.turn()).await.is_err());
    assert_eq!(beats.load(Ordering::SeqCst), 0);
    drop(release);
    reader.join().unwrap();
    within("it goes on", async {
        while beats.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.stop.cancel();
    within("the feeding ends with the engine", feeding).await.unwrap();
}

#[test]
fn a_disk_that_hangs_does_not_keep_the_process_from_its_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let allow = runtime.block_on(async {
        let mut world = World::new().await;
        let _edit = world.create_queue("law");
        within("the commit begins", world.began.recv()).await;
        world.stop.cancel();
        world.allow.take()
    });
    let (ended, end) = sync_channel(1);
    std::thread::spawn(move || {
        runtime.shutdown_timeout(Duration::from_millis(50));
        ended.send(()).unwrap();
    });
    end.recv_timeout(LIMIT).expect("it ends while the commit goes on");
    drop(allow);
}
