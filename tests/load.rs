//! Two thousand connections over TLS, half of them slow, while what they ask about changes: every request is answered, and
//! every answer was true at some moment between the two.
//!
//! It prints how long answers took; how fast a machine is, is no matter of right and wrong.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and its figures are for people")]

#[path = "load/client.rs"]
mod client;
#[expect(dead_code, reason = "other tests need more of it")]
mod support;
#[path = "load/truth.rs"]
mod truth;

use std::{path::Path, sync::Arc, time::Duration};

use rosterd::{
    domain::{Account, AccountId, BareJid, Desk, Name, Operator, Queue, QueueId, Record, User, UserId},
    http::{AccessSettings, Limits, Server, Settings},
    lifecycle, password,
    store::MemoryStore,
};
use tempfile::TempDir;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use client::{Client, Way};
use support::{
    component_server::{ComponentServer, Connection},
    world,
};
use truth::Truth;

const CONNECTIONS: usize = 2_000;
const QUEUES: u32 = 20;
/// In each of them everything changes once, who is fast asks once, and who is slow goes on by a piece.
const STEPS: usize = 12;
/// How many pieces a slow request is sent in.
const PIECES: usize = 6;
/// How many replies a slow reader asks for at once.
const REPLIES: usize = 8;
const PASSWORD: &str = "a password";

/// What becomes of a queue's operator, turn by turn.
const SHOWS: [&str; 3] = ["away", "dnd", "xa"];

fn name(text: &str) -> Name {
    Name::parse(text, Name::QUEUE_MOST).unwrap()
}

fn queue_id(number: u32) -> QueueId {
    QueueId::new(100 + number).unwrap()
}

fn user_id(number: u32) -> UserId {
    UserId::new(200 + number).unwrap()
}

/// Whether it is asked about as anybody may, or as its manager.
fn is_public(number: u32) -> bool {
    number.is_multiple_of(2)
}

fn path(number: u32) -> String {
    if is_public(number) {
        format!("/presence/jid/q{number}/queues.localhost/text")
    } else {
        format!("/2011-12-03/queues/{}", queue_id(number))
    }
}

fn jid(number: u32) -> BareJid {
    BareJid::parse(&format!("u{number}@localhost")).unwrap()
}

/// Each queue has one operator, enabled.
fn records() -> Vec<Record> {
    let account = AccountId::new(1).unwrap();
    let password_hash = password::hash(PASSWORD).unwrap();
    let boss = Account::owned(account, name("boss"), password_hash);
    let mut records = vec![Record::NextId(1_000), Record::Account(boss)];
    for number in 0..QUEUES {
        let (queue, user) = (queue_id(number), user_id(number));
        let queue_name = name(&format!("q{number}"));
        records.push(Record::Queue(Queue {
            id: queue,
            account,
            name: queue_name,
            email: None,
            avatar: None,
            transcripts: false,
        }));
        let user_name = name(&format!("u{number}"));
        records.push(Record::User(User { id: user, account, name: user_name, jid: jid(number), email: None }));
        records.push(Record::Operator(Operator { queue, user, suspended: None }));
    }
    records
}

fn settings(state: &Path) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_listen: None,
        metrics_listen: None,
        tls_cert: None,
        tls_key: None,
        state: state.into(),
        domain: "queues.localhost".into(),
        user_domain: "localhost".into(),
        presence_cap: true,
        presence_of_users: false,
        request_timeout: Duration::from_mins(10),
        access: AccessSettings::default(),
        body_limit: 64 * 1_024,
        hsts: Duration::ZERO,
        limits: Limits::DEFAULT,
    }
}

/// A running server, and what is true of it.
struct World {
    _state: TempDir,
    way: Way,
    inside: world::World,
    /// The XMPP server's end of the link.
    link: Connection,
    truth: Truth,
    cookie: String,
    /// Which step it is.
    step: watch::Sender<usize>,
    took: watch::Sender<Vec<Duration>>,
    _tasks: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        let xmpp = ComponentServer::start();
        let store = Box::new(MemoryStore::with(records()));
        let mut inside = world::World::with(world::settings(xmpp.address()), records(), store);
        let link = xmpp.accept().await;
        inside.swept().await;
        let state = TempDir::new().unwrap();
        let server = Server::bind(settings(state.path()), inside.engine.clone()).unwrap();
        let way = Way::new(server.local_addr(), &state.path().join("tls/cert.pem"));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { server.run(CancellationToken::new()).await.unwrap() });
        let body = format!(r#"{{"username": "boss", "password": "{PASSWORD}"}}"#);
        let reply = way.connect().await.ask("POST", "/api/auth/login", "", &body).await;
        let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
        let (truth, step) = (Truth::new(QUEUES, "unavailable"), watch::Sender::new(0));
        Self { _state: state, way, inside, link, truth, cookie, step, took: watch::Sender::default(), _tasks: tasks }
    }

    /// Has every queue's show change: of every other one by its operator's presence, of the rest by an edit.
    async fn change(&self, manager: &mut Client, step: usize) {
        for number in 0..QUEUES {
            let own = usize::try_from(number).unwrap();
            if step == 0 || is_public(number) {
                self.hear(number, SHOWS[(step + own) % SHOWS.len()]).await;
            } else {
                self.enable(manager, number, step.is_multiple_of(2), SHOWS[own % SHOWS.len()]).await;
            }
            self.truth.became(number);
        }
    }

    async fn hear(&self, number: u32, show: &str) {
        self.truth.may_become(number, show);
        let said = format!("<presence from='u{number}@localhost/desk' to='staffing@queues.localhost'>");
        self.link.send_raw(format!("{said}<show>{show}</show></presence>")).await;
        let queue = name(&format!("q{number}"));
        let is_so = |desk: &Desk| desk.queue_by_name(&queue).unwrap().published.show.as_str() == show;
        while !self.inside.engine.read(is_so) {
            tokio::task::yield_now().await;
        }
    }

    async fn enable(&self, manager: &mut Client, number: u32, enabled: bool, show: &str) {
        self.truth.may_become(number, if enabled { show } else { "unavailable" });
        let path = format!("/2011-12-03/queues/{}/operators/{}", queue_id(number), user_id(number));
        let body = format!(r#"{{"enabled": {}}}"#, if enabled { "true" } else { "null" });
        let reply = manager.ask("PUT", &path, &self.cookie, &body).await;
        assert!(reply.status == 200 && !reply.body.contains("success"), "{reply:?}");
    }

    /// Asks about one queue, as anybody may or as its manager, and looks whether the answer is true.
    async fn ask(&self, client: &mut Client, number: u32) {
        let asked = self.truth.ask(number);
        let reply = client.ask("GET", &path(number), &self.cookie, "").await;
        let show =
            if is_public(number) { reply.body.clone() } else { reply.json()["show"].as_str().unwrap().to_owned() };
        assert_eq!(reply.status, 200, "{reply:?}");
        self.truth.check(number, asked, &show);
    }

    /// Waits for a step.
    async fn reached(&self, step: usize) {
        self.step.subscribe().wait_for(|now| *now >= step).await.unwrap();
    }

    /// Asks once a step.
    async fn be_fast(&self, mut client: Client, number: u32) {
        for step in 1..=STEPS {
            self.reached(step).await;
            let began = Instant::now();
            self.ask(&mut client, number).await;
            self.took.send_modify(|took| took.push(began.elapsed()));
        }
    }

    /// Sends one piece of a request a step.
    async fn drip(&self, mut client: Client, number: u32) {
        let request = client::request("GET", &path(number), &self.cookie, "");
        let size = request.len().div_ceil(PIECES);
        for (step, piece) in (1..).zip([&request, &request].into_iter().flat_map(|request| request.chunks(size))) {
            self.reached(step).await;
            client.send(piece).await;
            if step.is_multiple_of(PIECES) {
                let reply = client.reply().await;
                assert_eq!(reply.status, 200, "{reply:?}");
            }
        }
    }

    /// Asks for much at once, and takes it in little by little.
    async fn read_slowly(&self, mut client: Client) {
        let one = client::request("GET", "/2011-12-03/queues", &self.cookie, "");
        client.send(&one.repeat(REPLIES)).await;
        for step in 1..=STEPS {
            self.reached(step).await;
            client.read_some().await;
        }
        for _ in 0..REPLIES {
            let reply = client.reply().await;
            let queues = reply.json();
            assert_eq!((reply.status, queues.as_array().unwrap().len()), (200, 20), "{reply:?}");
        }
    }
}

/// Connects everybody, each of whom asks at once, and gives them their parts.
async fn start(world: &Arc<World>) -> (JoinSet<()>, JoinSet<()>) {
    let (mut fast, mut slow) = (JoinSet::new(), JoinSet::new());
    let doors = Arc::new(Semaphore::new(64));
    let mut arriving = JoinSet::new();
    for part in 0..CONNECTIONS {
        let (world, doors) = (world.clone(), doors.clone());
        arriving.spawn(async move {
            let _door = doors.acquire_owned().await.unwrap();
            let number = u32::try_from(part / 4).unwrap() % QUEUES;
            let mut client = world.way.connect().await;
            world.ask(&mut client, number).await;
            (part, number, client)
        });
    }
    while let Some(arrived) = arriving.join_next().await {
        let (part, number, client) = arrived.unwrap();
        let world = world.clone();
        match part % 4 {
            0 | 1 => fast.spawn(async move { world.be_fast(client, number).await }),
            2 => slow.spawn(async move { world.drip(client, number).await }),
            _ => slow.spawn(async move { world.read_slowly(client).await }),
        };
    }
    (fast, slow)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connections_half_of_them_slow() {
    let files = lifecycle::raise_file_limit();
    assert!(files > 2 * CONNECTIONS + 200, "this test needs more open files than {files}: ulimit -Hn 8192");
    let whole = async {
        let world = Arc::new(World::new().await);
        let mut manager = world.way.connect().await;
        world.change(&mut manager, 0).await;
        let began = Instant::now();
        let (mut fast, mut slow) = start(&world).await;
        println!("{CONNECTIONS} connections made and served in {:.1?}", began.elapsed());
        let began = Instant::now();
        for step in 1..=STEPS {
            world.step.send_replace(step);
            world.change(&mut manager, step).await;
            let mut took = world.took.subscribe();
            let all = took.wait_for(|took| took.len() >= step * CONNECTIONS / 2);
            tokio::pin!(all);
            loop {
                tokio::select! {
                    _ = &mut all => break,
                    Some(ended) = fast.join_next() => ended.unwrap(),
                }
            }
        }
        while let Some(ended) = fast.join_next().await {
            ended.unwrap();
        }
        while let Some(ended) = slow.join_next().await {
            ended.unwrap();
        }
        let mut took = world.took.send_replace(Vec::new());
        took.sort();
        let at = |percent: usize| took[took.len() * percent / 100];
        println!("{} requests of {} fast ones in {:.1?}", took.len(), CONNECTIONS / 2, began.elapsed());
        println!("answered within: half {:.1?}, 99 of 100 {:.1?}, all {:.1?}", at(50), at(99), took[took.len() - 1]);
    };
    timeout(Duration::from_mins(5), whole).await.expect("it ends");
}
