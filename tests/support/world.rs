//! A daemon's inside, small: the engine on a store in memory, and the link. The user ann staffs the queue law; bob is a
//! user who staffs nothing.

use std::time::Duration;

use rosterd::{
    config::Secret,
    domain::{Account, AccountId, BareJid, Desk, Event, Name, Operator, Policy, Queue, QueueId, Record, User, UserId},
    engine::{Engine, Fact, Handle},
    store::{Committer, MemoryStore, Store},
    xmpp::{self, Lookout, Settings},
};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::component_server::{SECRET, soon};

fn name(text: &str) -> Name {
    Name::parse(text, 60).unwrap()
}

pub(crate) fn records() -> Vec<Record> {
    let account = AccountId::new(1).unwrap();
    let (ann, bob, law) = (UserId::new(2).unwrap(), UserId::new(3).unwrap(), QueueId::new(4).unwrap());
    let user = |id, text: &str| {
        let jid = BareJid::parse(&format!("{text}@localhost")).unwrap();
        Record::User(User { id, account, name: name(text), jid, email: None })
    };
    vec![
        Record::NextId(5),
        Record::Account(Account::owned(account, name("manager"), "-".into())),
        user(ann, "ann"),
        user(bob, "bob"),
        Record::Queue(Queue { id: law, account, name: name("law"), email: None, avatar: None, transcripts: false }),
        Record::Operator(Operator { queue: law, user: ann, suspended: None }),
    ]
}

fn policy() -> Policy {
    Policy {
        sweep_rate: 1_000,
        sweep_quiet: Duration::from_millis(20),
        ask_again: Duration::from_hours(1),
        ping_after: None,
        link_grace: Duration::ZERO,
        session_idle: 3_600,
        ..Policy::new("queues.localhost", "localhost", name("staffing"))
    }
}

/// Settings for a server that is near.
pub(crate) fn settings(server: String) -> Settings {
    Settings {
        server,
        domain: "queues.localhost".to_owned(),
        user_domain: "localhost".to_owned(),
        secret: Secret::new(SECRET.to_owned()),
        watcher: name("staffing"),
        connect_timeout: Duration::from_secs(10),
        ping_after: Duration::from_secs(30),
        ping_timeout: Duration::from_secs(15),
        lookout: Some(Lookout { every: Duration::from_mins(5), quiet: Duration::from_secs(1) }),
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_millis(100),
        stable_after: Duration::from_mins(1),
        goodbye: Duration::from_secs(5),
    }
}

pub(crate) struct World {
    pub(crate) engine: Handle,
    pub(crate) events: broadcast::Receiver<Event>,
    pub(crate) stop: CancellationToken,
    /// What the link tells the engine, in words, once the engine has been told.
    pub(crate) facts: mpsc::Receiver<String>,
    link: JoinSet<()>,
    _rest: JoinSet<()>,
}

impl World {
    pub(crate) fn start(settings: Settings) -> Self {
        Self::start_with(settings, |_| ())
    }

    /// The same, where another policy holds.
    pub(crate) fn start_with(settings: Settings, change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = policy();
        change(&mut policy);
        Self::build(settings, policy, records(), Box::new(MemoryStore::with(records())))
    }

    /// With these records, which `store` has.
    pub(crate) fn with(settings: Settings, records: Vec<Record>, store: Box<dyn Store>) -> Self {
        Self::build(settings, policy(), records, store)
    }

    fn build(settings: Settings, policy: Policy, records: Vec<Record>, store: Box<dyn Store>) -> Self {
        let committer = Committer::start(store).unwrap();
        let desk = Desk::restore(policy, records, Instant::now().into_std()).unwrap();
        let stop = CancellationToken::new();
        let (engine, handle, to_engine) = Engine::new(desk, committer, CancellationToken::new());
        let events = handle.events();
        let (facts, from_link) = mpsc::channel(1);
        let (seen, seen_facts) = mpsc::channel(100_000);
        let (mut link, mut rest) = (JoinSet::new(), JoinSet::new());
        rest.spawn(engine.run(CancellationToken::new()));
        rest.spawn(pass_on(from_link, to_engine, seen));
        link.spawn(xmpp::run(settings, handle.clone(), facts, stop.clone()));
        Self { engine: handle, events, stop, facts: seen_facts, link, _rest: rest }
    }

    /// The next fact that is so.
    pub(crate) async fn fact(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let fact = soon("a fact", self.facts.recv()).await.expect("the link works");
            if is_it(&fact) {
                return fact;
            }
        }
    }

    pub(crate) async fn swept(&mut self) {
        while !matches!(soon("the sweep", self.events.recv()).await, Ok(Event::Swept { .. })) {}
    }

    /// Waits until the link has ended.
    pub(crate) async fn ended(mut self) {
        let ended = soon("the end of the link", self.link.join_next()).await;
        ended.expect("there is one task").expect("it does not panic");
    }

    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        self.engine.read(|desk| desk.tally().dropped.get(reason).copied().unwrap_or(0))
    }
}

async fn pass_on(mut from: mpsc::Receiver<Fact>, to: mpsc::Sender<Fact>, seen: mpsc::Sender<String>) {
    while let Some(fact) = from.recv().await {
        let words = match &fact {
            Fact::LinkUp(_) | Fact::LinkOnTrial(_) => "up".to_owned(),
            Fact::LinkDown(why) => format!("down: {why}"),
            Fact::Input(input) | Fact::Stanza { input, .. } => format!("{input:?}"),
            Fact::FollowerGone { queue, jid } => format!("gone {queue} {jid}"),
            Fact::Follow { queue, jid, follow } => format!("follow {queue} {jid} {follow}"),
        };
        let _ = to.send(fact).await;
        let _ = seen.send(words).await;
    }
}
