//! A small world for tests: two accounts, their queues and users, a real engine, a store in memory.

#![cfg(test)]

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::phc::PasswordHash};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{AccessSettings, Limits, Settings, Tools, auth::hashed, router};
use crate::{
    clock::Clock,
    domain::{
        BareJid, Desk, Edit, Input, LinkPhase, Name, Outcome, Policy, QueueFields, Record, Role, Seen, Show,
        SuspensionFields, UnixTime, UserFields, Who, Write,
    },
    engine::{Engine, Fact, Handle, unix_now},
    metrics::Metrics,
    store::{Committer, MemoryStore, Store, StoreError, Trail},
};

/// The password of every account.
pub(super) const PASSWORD: &str = "pass:word";
/// How long a session lasts.
pub(super) const IDLE: u64 = 30 * 24 * 3_600;

/// Account 1 `boss` with queues 3 `law`, 4 `tax` and users 5 `ann` (enabled on law), 6 `bob` (suspended on law); account 2
/// `rival` with queue 7 `ops` and user 8 `eve` (enabled on ops). `boss` and `rival` are owners, `sue` is a supervisor and `vic` a
/// viewer of account 1. A session of each login has the login's name as its token; so have tokens of account 1 of each role,
/// `owner-token`, `supervisor-token` and `viewer-token`.
pub(super) struct Rig {
    pub(super) desk: Handle,
    router: Router,
    facts: mpsc::Sender<Fact>,
    outbox: Option<mpsc::Receiver<crate::domain::Effect>>,
    store: Trouble,
    /// What time it is for suspensions: seconds since 1970, half past two on the 22nd of November 2026 at first.
    pub(super) wall: Arc<AtomicU64>,
    stop: CancellationToken,
}

/// What the test can do to the store.
#[derive(Debug, Clone, Default)]
struct Trouble {
    broken: Arc<AtomicBool>,
    gate: Arc<Mutex<()>>,
}

struct TroubledStore(MemoryStore, Trouble);

impl Store for TroubledStore {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        self.0.load()
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        let _open = self.1.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if self.1.broken.load(Ordering::SeqCst) { Err(StoreError::Stopped) } else { self.0.commit(change) }
    }

    fn trail(&self) -> Arc<dyn Trail> {
        self.0.trail()
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// Two replies are the same where only the numbers of their requests differ.
impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        let said = |reply: &Self| {
            let mut headers = reply.headers.clone();
            headers.remove("x-request-id");
            (reply.status, headers, reply.body.clone())
        };
        said(self) == said(other)
    }
}

impl Reply {
    /// Status and body in one line.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.body)
    }

    pub(super) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_listen: None,
        metrics_listen: None,
        tls_cert: None,
        tls_key: None,
        state: "/nonexistent".into(),
        domain: "queues.example.org".into(),
        user_domain: "example.org".into(),
        presence_cap: true,
        presence_of_users: false,
        request_timeout: Duration::from_secs(20),
        body_limit: 64 * 1_024,
        hsts: Duration::from_hours(365 * 24),
        limits: Limits::DEFAULT,
        access: AccessSettings::default(),
    }
}

fn policy() -> Policy {
    Policy {
        sweep_rate: 10_000,
        sweep_quiet: Duration::ZERO,
        ask_again: Duration::from_hours(1),
        ping_after: None,
        session_idle: IDLE,
        ..Policy::new("queues.example.org", "example.org", name("staffing"))
    }
}

/// A hash that takes no time, of [`PASSWORD`].
pub(super) fn cheap_hash() -> Box<str> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash: PasswordHash = argon2.hash_password_with_salt(PASSWORD.as_bytes(), b"salt for a test").unwrap();
    hash.to_string().into()
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text, Name::QUEUE_MOST).unwrap()
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        Self::build(settings, policy()).await
    }

    pub(super) async fn with_policy(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = policy();
        change(&mut policy);
        Self::build(settings(), policy).await
    }

    async fn build(settings: Settings, policy: Policy) -> Self {
        let store = Trouble::default();
        let committer = Committer::start(Box::new(TroubledStore(MemoryStore::default(), store.clone()))).unwrap();
        let desk = Desk::new(policy, Instant::now().into_std());
        let wall = Arc::new(AtomicU64::new(1_795_314_600));
        let clock = Clock::Set(wall.clone());
        let (engine, desk, facts) = Engine::by(clock, Metrics::default(), desk, committer, CancellationToken::new());
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(engine.run(stop.clone()));
        let rig = Self {
            router: router(Arc::new(Tools::new(settings, desk.clone()))),
            desk,
            facts,
            outbox: None,
            store,
            wall,
            stop,
        };
        rig.fill().await;
        rig
    }

    async fn fill(&self) {
        let mut accounts = Vec::new();
        for account in ["boss", "rival"] {
            let edit = Edit::AddAccount { name: name(account), password_hash: cheap_hash() };
            let Outcome::Account(id) = self.edit(edit).await else { panic!("an account was asked for") };
            accounts.push(id);
            self.open_session(account, account, 0).await;
        }
        for (login, role) in [("sue", Role::Supervisor), ("vic", Role::Viewer)] {
            let edit = Edit::AddLogin { account: name("boss"), login: name(login), role, password_hash: cheap_hash() };
            self.edit(edit).await;
            self.open_session(login, login, 0).await;
        }
        for role in Role::ALL {
            let (account, text) = (name("boss"), format!("{role}-token"));
            let (hash, now) = (hashed(&text), unix_now());
            self.edit(Edit::AddToken { account, name: name(&text), role, hash, now, expires: None }).await;
        }
        let (boss, rival) = (accounts[0], accounts[1]);
        let mut queues = Vec::new();
        let mut users = Vec::new();
        for (account, is_queue, text) in [
            (boss, true, "law"),
            (boss, true, "tax"),
            (boss, false, "ann"),
            (boss, false, "bob"),
            (rival, true, "ops"),
            (rival, false, "eve"),
        ] {
            let edit = if is_queue {
                Edit::CreateQueue { account, name: name(text), fields: QueueFields::default() }
            } else {
                Edit::CreateUser { account, name: name(text), fields: UserFields::default() }
            };
            match self.edit(edit).await {
                Outcome::Queue(id) => queues.push(id),
                Outcome::User(id) => users.push(id),
                Outcome::Account(_) | Outcome::Staffed(_) | Outcome::Done => panic!("a queue or a user was asked for"),
            }
        }
        for (account, queue, user, enabled) in
            [(boss, queues[0], users[0], true), (boss, queues[0], users[1], false), (rival, queues[2], users[2], true)]
        {
            self.edit(Edit::Assign { account, queue, user }).await;
            self.edit(Edit::Enable {
                account,
                queue,
                user,
                enabled: Some(enabled),
                suspension: SuspensionFields::default(),
            })
            .await;
        }
    }

    pub(super) async fn edit(&self, edit: Edit) -> Outcome {
        self.desk.edit(Who::Daemon, edit).await.unwrap()
    }

    /// Opens a session that was used `ago` seconds ago.
    pub(super) async fn open_session(&self, login: &str, token: &str, ago: u64) {
        let login = name(login);
        let password_hash = self.desk.read(|desk| desk.login(&login).map(|(_, it)| it.password_hash.clone())).unwrap();
        let now = UnixTime(unix_now().0 - ago);
        let (token, instead_of, from) = (hashed(token), Vec::new(), None);
        self.edit(Edit::OpenSession { login, password_hash, token, instead_of, from, now }).await;
    }

    /// Sends `METHOD /path` with a body and headers.
    pub(super) async fn send(&self, request: &str, body: impl AsRef<[u8]>, headers: &[(&str, &str)]) -> Reply {
        let (method, path) = request.split_once(' ').unwrap();
        let mut builder = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let response = self.router.clone().oneshot(builder.body(Body::from(body.as_ref().to_vec())).unwrap());
        let response = timeout(Duration::from_mins(1), response).await.expect("answered in time").unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Sends with a token.
    pub(super) async fn ask_with_token(&self, token: &str, request: &str, body: &str) -> Reply {
        self.send(request, body, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// Sends with the session of a login.
    pub(super) async fn ask(&self, login: &str, request: &str, body: &str) -> Reply {
        self.send(request, body, &[("cookie", &format!("libraryh3lp-session={login}"))]).await
    }

    /// Brings the link up; the server answers no ping yet, so that the sweep does not end.
    pub(super) async fn start_sweep(&mut self) {
        let (outbox, effects) = mpsc::channel(1_024);
        self.outbox = Some(effects);
        self.facts.send(Fact::LinkUp(outbox)).await.unwrap();
        self.until(|desk| desk.link() != LinkPhase::Down).await;
    }

    /// Brings the link up, and waits until everybody was asked.
    pub(super) async fn link_up(&mut self) {
        self.start_sweep().await;
        while self.desk.read(|desk| desk.link() != LinkPhase::Up) {
            // The server answers the ping that ends the sweep as soon as it comes.
            self.facts.send(Fact::Input(Input::SweepAnswered)).await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn link_down(&self, why: &str) {
        self.facts.send(Fact::LinkDown(why.to_owned())).await.unwrap();
        self.until(|desk| desk.link_trouble().is_some()).await;
    }

    /// Has a user of the users' domain say something.
    pub(super) async fn hear(&self, user: &str, show: Show, status: Option<&str>) {
        self.hear_client(user, "desk", show, 0, status).await;
        let jid = BareJid::parse(&format!("{user}@example.org")).unwrap();
        self.until(|desk| desk.user_by_jid(&jid).is_some_and(|user| user.show == show)).await;
    }

    /// Has one client of a user say something; whether that changes anything is another thing.
    pub(super) async fn hear_client(&self, user: &str, client: &str, show: Show, priority: i8, status: Option<&str>) {
        let jid = BareJid::parse(&format!("{user}@example.org")).unwrap();
        let seen = Seen { show, priority, status: status.map(Into::into), known_show: true };
        let input = Input::Seen { user: jid.clone(), resource: client.into(), seen };
        self.facts.send(Fact::Input(input)).await.unwrap();
        let is_there =
            |desk: &Desk| desk.user_at(&jid).is_some_and(|id| desk.resources(id).any(|it| it.name == client));
        self.until(is_there).await;
    }

    pub(super) fn break_store(&self) {
        self.store.broken.store(true, Ordering::SeqCst);
    }

    /// Nothing is stored until what comes back is dropped.
    pub(super) fn hold_store(&self) -> impl Drop + '_ {
        self.store.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.desk.read(Desk::records)
    }

    async fn until(&self, is_so: impl Fn(&Desk) -> bool) {
        let waited = async {
            while !self.desk.read(&is_so) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), waited).await.expect("what was sent was taken in");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
