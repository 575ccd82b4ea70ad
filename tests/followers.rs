//! Who follows a queue: how many may, who is gone for good, and that telling very many holds up nobody.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and owns all that it starts")]

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use rosterd::{
    domain::{
        Account, AccountId, BareJid, Desk, Effect, Input, LinkPhase, Name, Operator, Policy, Queue, QueueId, Record,
        Seen, Show, Subscriber, User, UserId, WhoMayFollow,
    },
    engine::{Engine, Fact, Handle},
    store::{Committer, MemoryStore, SledStore, Store},
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, advance, timeout},
};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes that is not broken.
const LIMIT: Duration = Duration::from_mins(1);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

fn name(text: &str) -> Name {
    Name::parse(text, 60).unwrap()
}

fn visitor(number: usize) -> BareJid {
    BareJid::prepared(&format!("visitor{number}@example.org"))
}

/// The queues law, which ann staffs, and tax, which nobody does; law has this many followers.
fn records(followers: usize) -> Vec<Record> {
    let account = AccountId::new(1).unwrap();
    let (law, tax, ann) = (QueueId::new(2).unwrap(), QueueId::new(3).unwrap(), UserId::new(4).unwrap());
    let queue = |id, text| {
        Record::Queue(Queue { id, account, name: name(text), email: None, avatar: None, transcripts: false })
    };
    let jid = BareJid::parse("ann@example.org").unwrap();
    let mut records = vec![
        Record::NextId(5),
        Record::Account(Account::owned(account, name("acme"), "-".into())),
        Record::User(User { id: ann, account, name: name("ann"), jid, email: None }),
        queue(law, "law"),
        queue(tax, "tax"),
        Record::Operator(Operator { queue: law, user: ann, suspended: None }),
    ];
    let subscriber = |number| Record::Subscriber(Subscriber { queue: law, jid: visitor(number) });
    records.extend((0..followers).map(subscriber));
    records
}

fn policy() -> Policy {
    Policy {
        sweep_rate: 100_000,
        sweep_quiet: Duration::ZERO,
        ping_after: None,
        ..Policy::new("queues.example.org", "example.org", name("staffing"))
    }
}

/// An engine, and the receiving end of its link.
struct World {
    engine: Handle,
    facts: mpsc::Sender<Fact>,
    link: mpsc::Receiver<Effect>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    /// On a store in memory, with a link that has room for this many stanzas.
    async fn new(followers: usize, room: usize, change: impl FnOnce(&mut Policy)) -> Self {
        let store = MemoryStore::with(records(followers));
        Self::on(Box::new(store), room, change).await
    }

    async fn on(mut store: Box<dyn Store>, room: usize, change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = policy();
        change(&mut policy);
        let desk = Desk::restore(policy, store.load().unwrap(), Instant::now().into_std()).unwrap();
        let committer = Committer::start(store).unwrap();
        let (engine, handle, facts) = Engine::new(desk, committer, CancellationToken::new());
        let stop = CancellationToken::new();
        let task = tokio::spawn(engine.run(stop.clone()));
        let (outbox, link) = mpsc::channel(room);
        facts.send(Fact::LinkUp(outbox)).await.unwrap();
        Self { engine: handle, facts, link, stop, task }
    }

    /// The next stanza about followers; the sweep is answered meanwhile.
    async fn next(&mut self) -> Effect {
        loop {
            match within("something to send", self.link.recv()).await.unwrap() {
                Effect::Mark => self.facts.send(Fact::Input(Input::SweepAnswered)).await.unwrap(),
                Effect::Probe { .. }
                | Effect::Ask { .. }
                | Effect::Leave { .. }
                | Effect::Ping { .. }
                | Effect::Roster(_) => {}
                effect @ (Effect::Tell { .. } | Effect::Approve { .. } | Effect::Deny { .. }) => return effect,
            }
        }
    }

    async fn follow(&self, queue: &str, who: usize, follow: bool) {
        self.facts.send(Fact::Follow { queue: name(queue), jid: visitor(who), follow }).await.unwrap();
    }

    async fn gone(&self, who: usize) {
        self.facts.send(Fact::FollowerGone { queue: name("law"), jid: visitor(who) }).await.unwrap();
    }

    async fn ann_is(&self, show: Show) {
        self.facts.send(seen(show)).await.unwrap();
    }

    async fn ends(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    fn followers(&self) -> Vec<BareJid> {
        let follower = |record| if let Record::Subscriber(it) = record { Some(it.jid) } else { None };
        self.engine.read(Desk::records).into_iter().filter_map(follower).collect()
    }
}

fn seen(show: Show) -> Fact {
    let seen = Seen { show, priority: 0, status: None, known_show: true };
    Fact::Input(Input::Seen { user: BareJid::parse("ann@example.org").unwrap(), resource: "desk".into(), seen })
}

/// Whom an effect goes to, and what it says.
fn words(effect: &Effect) -> (String, String) {
    match effect {
        Effect::Tell { to, published, .. } => (to.to_string(), published.show.to_string()),
        Effect::Approve { to, .. } => (to.to_string(), "approved".to_owned()),
        Effect::Deny { to, full: false, .. } => (to.to_string(), "denied".to_owned()),
        Effect::Deny { to, full: true, .. } => (to.to_string(), "full".to_owned()),
        Effect::Probe { .. }
        | Effect::Ask { .. }
        | Effect::Leave { .. }
        | Effect::Mark
        | Effect::Ping { .. }
        | Effect::Roster(_) => {
            panic!("{effect:?}")
        }
    }
}

#[tokio::test]
async fn who_is_gone_for_good_is_dropped_for_good_and_told_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(folder.path(), 0).unwrap();
    let change: Vec<_> = records(2).into_iter().map(rosterd::domain::Write::Put).collect();
    store.commit(&change).unwrap();
    let mut world = World::on(Box::new(store), 64, |_| ()).await;
    let mut told = Vec::new();
    while told.len() < 4 {
        told.push(words(&world.next().await).1);
    }
    assert_eq!(told.iter().filter(|what| *what == "approved").count(), 2);

    // Who does not follow can not be dropped, and whoever else says something drops nobody.
    world.gone(7).await;
    world.gone(0).await;
    world.ann_is(Show::Chat).await;
    assert_eq!(words(&world.next().await), (visitor(1).to_string(), "chat".to_owned()));
    // Whatever was in line before this has been worked off when it is answered.
    world.follow("law", 2, true).await;
    assert_eq!(words(&world.next().await), (visitor(2).to_string(), "approved".to_owned()));
    assert_eq!(world.followers(), [visitor(1), visitor(2)]);
    assert_eq!(words(&world.next().await), (visitor(2).to_string(), "chat".to_owned()));
    // No farewell either: everything that is told goes to the others.
    world.ann_is(Show::Away).await;
    for other in [1, 2] {
        assert_eq!(words(&world.next().await), (visitor(other).to_string(), "away".to_owned()));
    }
    assert!(world.link.try_recv().is_err());
    world.ends().await;

    let kept = SledStore::open(folder.path(), 0).unwrap().load().unwrap();
    let kept = kept.iter().filter(|record| matches!(record, Record::Subscriber(_))).count();
    assert_eq!(kept, 2, "it is on disk");
}

#[tokio::test]
async fn who_is_heard_after_all_follows_again() {
    let mut world = World::new(1, 64, |_| ()).await;
    for expected in ["approved", "unavailable"] {
        assert_eq!(words(&world.next().await).1, expected);
    }
    world.gone(0).await;
    world.follow("law", 0, true).await;
    assert_eq!(words(&world.next().await).1, "approved");
    assert_eq!(words(&world.next().await).1, "unavailable");
    world.ann_is(Show::Chat).await;
    assert_eq!(words(&world.next().await).1, "chat");
    assert_eq!(world.followers(), [visitor(0)]);
    // To ask what the queue is is not to follow it anew.
    world.gone(0).await;
    let probe = Input::Probed { queue: name("law"), from: visitor(0) };
    world.facts.send(Fact::Input(probe)).await.unwrap();
    assert_eq!(words(&world.next().await).1, "denied");
    world.follow("law", 1, true).await;
    assert_eq!(words(&world.next().await), (visitor(1).to_string(), "approved".to_owned()));
    assert_eq!(world.followers(), [visitor(1)]);
}

#[tokio::test]
async fn a_queue_has_so_many_followers_and_no_more() {
    let mut world = World::new(0, 64, |policy| policy.followers_of_queue_most = 3).await;
    // All of them at once, so that they would be written together.
    for who in 0..8 {
        world.follow("law", who, true).await;
    }
    let (mut approved, mut full) = (Vec::new(), 0);
    while approved.len() + full < 8 {
        match words(&world.next().await) {
            (who, what) if what == "approved" => approved.push(who),
            (_, what) => full += usize::from(what == "full"),
        }
    }
    assert_eq!((approved.len(), full), (3, 5));
    assert_eq!(world.followers().len(), 3);
    // Another queue has places of its own.
    world.follow("tax", 9, true).await;
    while words(&world.next().await) != (visitor(9).to_string(), "approved".to_owned()) {}
    // Who follows already may say so again, and who leaves makes room.
    world.follow("law", 0, true).await;
    while words(&world.next().await) != (visitor(0).to_string(), "approved".to_owned()) {}
    world.follow("law", 0, false).await;
    while words(&world.next().await) != (visitor(0).to_string(), "denied".to_owned()) {}
    world.follow("law", 8, true).await;
    while words(&world.next().await) != (visitor(8).to_string(), "approved".to_owned()) {}
}

#[tokio::test]
async fn all_queues_together_have_so_many_followers_and_no_more() {
    let mut world = World::new(2, 64, |policy| policy.followers_most = 3).await;
    for (queue, who) in [("tax", 10), ("tax", 11), ("law", 12), ("law", 0)] {
        world.follow(queue, who, true).await;
    }
    let (mut approved, mut full) = (Vec::new(), Vec::new());
    while full.len() < 2 {
        match words(&world.next().await) {
            (who, what) if what == "approved" => approved.push(who),
            (who, what) if what == "full" => full.push(who),
            _ => {}
        }
    }
    full.sort();
    assert_eq!(full, [visitor(11).to_string(), visitor(12).to_string()]);
    assert_eq!(world.followers().len(), 3);
}

/// What is logged on the thread of a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_requests_is_a_line_a_minute() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let lines = || {
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("requests were refused")).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut world = World::new(1, 64, |policy| policy.followers_of_queue_most = 1).await;
    for who in 1..1_000 {
        world.follow("law", who, true).await;
        while words(&world.next().await).1 != "full" {}
    }
    assert_eq!(lines().len(), 1, "{:?}", lines());
    assert!(lines()[0].contains("max_subscribers_per_queue"));
    advance(Duration::from_mins(1)).await;
    world.follow("law", 1_000, true).await;
    while words(&world.next().await).1 != "full" {}
    world.ends().await;
    assert_eq!(lines().len(), 2);
    assert!(lines()[1].contains("refused=999"), "none goes uncounted: {:?}", lines());
}

#[tokio::test]
async fn a_server_may_follow_where_anyone_may() {
    let mut world = World::new(0, 64, |policy| policy.who_may_follow = WhoMayFollow::Anyone).await;
    let wall = BareJid::of_follower("wall.example.org").unwrap();
    world.facts.send(Fact::Follow { queue: name("law"), jid: wall.clone(), follow: true }).await.unwrap();
    assert_eq!(words(&world.next().await), (wall.to_string(), "approved".to_owned()));
    assert_eq!(words(&world.next().await), (wall.to_string(), "unavailable".to_owned()));
    assert_eq!(world.followers(), [wall]);
    // An export that has one can be imported.
    let records = world.engine.read(Desk::records);
    let mut dump = Vec::new();
    rosterd::store::dump::write_records(&records, &mut dump, |_| ()).unwrap();
    assert_eq!(rosterd::store::dump::read_records(&*dump, |_| ()).unwrap(), records);
}

/// A hundred thousand of them, and a link that has room for everything, which is when the engine has most to do at once.
#[tokio::test]
async fn telling_very_many_holds_up_nobody() {
    const FOLLOWERS: usize = 100_000;
    let mut world = World::new(FOLLOWERS, 10 * FOLLOWERS, |_| ()).await;
    let mut told = 0;
    while told < FOLLOWERS {
        told += usize::from(matches!(world.next().await, Effect::Tell { .. }));
    }
    assert_eq!(world.engine.read(Desk::link), LinkPhase::Up);

    world.ann_is(Show::Chat).await;
    while world.link.len() < 1_000 {
        tokio::task::yield_now().await;
    }
    world.ann_is(Show::Away).await;
    // Who was told the one is told the other too, and everybody else the other only.
    let (mut tells, mut aways) = (Vec::new(), 0);
    while aways < FOLLOWERS {
        let Effect::Tell { to, published, .. } = world.next().await else { panic!("there is nothing else to say") };
        aways += usize::from(published.show == Show::Away);
        tells.push((to, published.show));
    }
    let chats = tells.len() - aways;
    assert!((1_000..FOLLOWERS / 10).contains(&chats), "a presence waited until {chats} were told of the one before");
    let last: BTreeMap<_, _> = tells.into_iter().collect();
    assert!(last.len() == FOLLOWERS && last.values().all(|show| *show == Show::Away), "everybody knows the truth");
    // Nobody else is told anything more: the next to be told is who comes now.
    world.follow("law", FOLLOWERS, true).await;
    assert_eq!(words(&world.next().await), (visitor(FOLLOWERS).to_string(), "approved".to_owned()));
}
