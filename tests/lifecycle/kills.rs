//! Killed at any moment, stopped in the middle of work, started twice.
//!
//! There is no XMPP server here: what is stored does not depend on one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use hyper::{Method, header};
use rosterd::{
    clock::{self, Clock},
    domain::UnixTime,
};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet};

use super::{
    daemon::Daemon,
    https::{Caller, Https},
    place, process,
};

const V1: &str = "/2011-12-03";
const ROUNDS: usize = 200;
const WORKERS: usize = 4;

/// What may be stored: of every worker's user, whether they are enabled (`None`: not assigned), and who was made.
#[derive(Debug, Default)]
struct Books {
    /// What was acknowledged last, and what was asked for since.
    may_be: BTreeMap<usize, BTreeSet<Option<bool>>>,
    made: BTreeSet<String>,
}

#[derive(Clone)]
struct Work {
    https: Https,
    caller: Caller,
    queue: u64,
    users: [u64; WORKERS],
    books: Arc<Mutex<Books>>,
    acknowledged: Arc<AtomicUsize>,
    more: Arc<Notify>,
}

impl Work {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let path = format!("{V1}/{path}");
        let reply = self.https.ask(method.clone(), &path, &self.caller, body.as_ref()).await?;
        ensure!(reply.status == 200, "{method} {path}: {reply:?}");
        let value = reply.json()?;
        ensure!(value.get("success") != Some(&Value::Null), "{method} {path}: {value}");
        Ok(value)
    }

    fn books<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        change(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.more.notify_one();
    }

    /// Changes one thing after the other until the daemon is gone. `round` makes names that were never used.
    async fn until_killed(self, worker: usize, round: usize) {
        let mut turn = 0;
        while self.one_change(worker, round, turn).await.is_continue() {
            turn += 1;
        }
    }

    async fn one_change(&self, worker: usize, round: usize, turn: usize) -> ControlFlow<()> {
        let (queue, user) = (self.queue, self.users[worker]);
        let operator = format!("queues/{queue}/operators/{user}");
        let now = self.books(|books| books.may_be[&worker].first().copied().flatten());
        let (after, asked) = match (turn % 3, now) {
            (0, _) => {
                let name = format!("user-{worker}-{round}-{turn}");
                if self.ask(Method::POST, "users", Some(json!({ "name": name }))).await.is_err() {
                    return ControlFlow::Break(());
                }
                self.books(|books| books.made.insert(name));
                self.acknowledge();
                return ControlFlow::Continue(());
            }
            (_, None) => {
                let body = json!({ "userId": user });
                (Some(true), (Method::POST, format!("queues/{queue}/operators"), Some(body)))
            }
            (1, Some(enabled)) => {
                let after = (!enabled).then_some(true);
                (Some(!enabled), (Method::PUT, operator, Some(json!({ "enabled": after }))))
            }
            (_, Some(_)) => (None, (Method::DELETE, operator, None)),
        };
        self.books(|books| books.may_be.entry(worker).or_default().insert(after));
        let (method, path, body) = asked;
        if self.ask(method, &path, body).await.is_err() {
            return ControlFlow::Break(());
        }
        self.books(|books| books.may_be.insert(worker, BTreeSet::from([after])));
        self.acknowledge();
        ControlFlow::Continue(())
    }

    /// Every user who was made is noted once, and nobody else; and no acknowledged change is missing from the log.
    async fn check_log(&self) -> Result<()> {
        let (mut made, mut count, mut after) = (Vec::new(), 0, String::new());
        loop {
            let path = format!("/v1/audit?limit=1000{after}");
            let page = self.https.ask(Method::GET, &path, &self.caller, None).await?.json()?;
            for entry in page["entries"].as_array().context("a list")? {
                count += 1;
                if entry["what"] == "user.create" {
                    made.push(entry["on"][0]["name"].as_str().context("a name")?.to_owned());
                }
            }
            let Some(next) = page["next"].as_u64() else { break };
            after = format!("&after={next}");
        }
        let users = self.ask(Method::GET, "users", None).await?;
        let users = users.as_array().context("a list")?.iter().filter_map(|user| user["name"].as_str());
        let mut users: Vec<_> = users.map(str::to_owned).collect();
        users.sort();
        made.sort();
        ensure!(users == made, "{} users, and {} are noted", users.len(), made.len());
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        ensure!(count >= acknowledged, "{acknowledged} changes were acknowledged, and {count} are noted");
        Ok(())
    }

    /// Compares what is stored with what may be, and goes on from there.
    async fn check(&self) -> Result<()> {
        let users = self.ask(Method::GET, "users", None).await?;
        let names: BTreeSet<_> =
            users.as_array().context("a list")?.iter().filter_map(|user| user["name"].as_str()).collect();
        let lost: Vec<_> =
            self.books(|books| books.made.iter().filter(|name| !names.contains(name.as_str())).cloned().collect());
        ensure!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let operators = self.ask(Method::GET, &format!("queues/{}/operators", self.queue), None).await?;
        for (worker, user) in self.users.iter().enumerate() {
            let row = operators.as_array().context("a list")?.iter().find(|row| row["userId"] == json!(user));
            let is = row.map(|row| row["enabled"] == json!(true));
            let may_be = self.books(|books| books.may_be.insert(worker, BTreeSet::from([is])));
            let may_be = may_be.unwrap_or_else(|| BTreeSet::from([None]));
            ensure!(may_be.contains(&is), "user {user} is {is:?}, and can only be one of {may_be:?}");
        }
        Ok(())
    }
}

async fn log_in(https: &Https) -> Result<Caller> {
    let fields = json!({ "username": "acme", "password": "a secret" });
    let reply = https.ask(Method::POST, &format!("{V1}/auth/login"), &Caller::Anybody, Some(&fields)).await?;
    let cookie = reply.headers.get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok()?.split(';').next());
    Ok(Caller::Shows(hyper::header::COOKIE, cookie.with_context(|| format!("no cookie: {reply:?}"))?.to_owned()))
}

/// Starts work on a daemon that serves.
async fn work_on(daemon: &Daemon) -> Result<Work> {
    let https = daemon.https()?;
    let mut work = Work {
        caller: log_in(&https).await?,
        https,
        queue: 0,
        users: [0; WORKERS],
        books: Arc::default(),
        acknowledged: Arc::default(),
        more: Arc::default(),
    };
    let made = work.ask(Method::POST, "queues", Some(json!({ "name": "law" }))).await?;
    work.queue = made[0]["id"].as_u64().context("an id")?;
    for (worker, user) in work.users.clone().iter_mut().enumerate() {
        let made = work.ask(Method::POST, "users", Some(json!({ "name": format!("worker-{worker}") }))).await?;
        *user = made[0]["id"].as_u64().context("an id")?;
        work.users[worker] = *user;
    }
    Ok(work)
}

fn start_all(work: &Work, round: usize) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    (0..WORKERS).for_each(|worker| drop(workers.spawn(work.clone().until_killed(worker, round))));
    workers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_it_is_killed() -> Result<()> {
    let place = place()?;
    place.site.add_account("acme", "a secret")?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let work = work_on(&daemon).await?;
    let seed = getrandom::u64()?;
    println!("seed {seed}");
    let mut chance = seed;
    for round in 0..ROUNDS {
        // The session is from before the first kill.
        work.check().await.with_context(|| format!("after kill {round}, seed {seed}\n{}", daemon.log()))?;
        // Knuth's generator: how many more acknowledgements until the next kill.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let goal = work.acknowledged.load(Ordering::SeqCst) + usize::try_from((chance >> 33) % 16)?;
        let workers = start_all(&work, round);
        while work.acknowledged.load(Ordering::SeqCst) < goal {
            let more = tokio::time::timeout(process::LIMIT, work.more.notified());
            more.await.with_context(|| format!("no more is acknowledged\n{}", daemon.log()))?;
        }
        daemon.kill();
        workers.join_all().await;
        daemon.start_again()?;
        daemon.serves().await?;
    }
    work.check().await?;
    work.check_log().await?;
    println!("{} acknowledged, {ROUNDS} kills", work.acknowledged.load(Ordering::SeqCst));
    Ok(())
}

/// Who of the workers is enabled.
async fn enabled(work: &Work) -> Result<Vec<bool>> {
    let rows = work.ask(Method::GET, &format!("queues/{}/operators", work.queue), None).await?;
    Ok(rows.as_array().context("a list")?.iter().map(|row| row["enabled"] == json!(true)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_that_ended_while_it_was_down_is_over() -> Result<()> {
    let place = place()?;
    place.site.add_account("acme", "a secret")?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let work = work_on(&daemon).await?;
    let clock = Clock::System;
    let soon = UnixTime(clock.now().0 + 2);
    for (user, until) in work.users.iter().zip([Some(soon), Some(UnixTime(soon.0 + 3_600)), None]) {
        let queue = work.queue;
        work.ask(Method::POST, &format!("queues/{queue}/operators"), Some(json!({ "userId": user }))).await?;
        let body = json!({ "enabled": null, "reason": "lunch", "until": until.map(clock::write) });
        work.ask(Method::PUT, &format!("queues/{queue}/operators/{user}"), Some(body)).await?;
    }
    ensure!(enabled(&work).await? == [false; 3]);
    daemon.kill();
    // Nothing but the clock tells when it is time.
    while clock.now() < soon {
        tokio::task::yield_now().await;
    }
    daemon.start_again()?;
    daemon.serves().await?;
    let ended = async {
        while enabled(&work).await? != [true, false, false] {}
        anyhow::Ok(())
    };
    tokio::time::timeout(process::LIMIT, ended).await.context("it is over")??;
    daemon.kill();
    daemon.start_again()?;
    daemon.serves().await?;
    ensure!(enabled(&work).await? == [true, false, false], "that is stored");
    daemon.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_work_loses_nothing() -> Result<()> {
    let place = place()?;
    place.site.add_account("acme", "a secret")?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let work = work_on(&daemon).await?;
    for round in 0..3 {
        work.check().await?;
        let goal = work.acknowledged.load(Ordering::SeqCst) + 20;
        let workers = start_all(&work, round);
        while work.acknowledged.load(Ordering::SeqCst) < goal {
            tokio::time::timeout(process::LIMIT, work.more.notified()).await.context("no more is acknowledged")?;
        }
        daemon.stop().await?;
        workers.join_all().await;
        daemon.start_again()?;
        daemon.serves().await?;
    }
    work.check().await
}

#[tokio::test]
async fn it_says_why_it_is_not_ready() -> Result<()> {
    let place = place()?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let alive = daemon.https()?.get("/healthz").await?;
    ensure!(alive.status == 200, "{alive:?}");
    let ready = daemon.https()?.get("/readyz").await?;
    let reasons = ready.json()?["reasons"].to_string();
    ensure!(ready.status == 503 && reasons.contains("link-down"), "{ready:?}");
    daemon.stop().await
}

#[tokio::test]
async fn a_second_daemon_on_the_same_store_says_who_has_it() -> Result<()> {
    let place = place()?;
    let mut first = Daemon::start(place.site.clone())?;
    first.serves().await?;
    let mut second = place.site.launch()?;
    let status = second.ended().await?;
    let log = second.log();
    ensure!(status.code() == Some(75), "{status}: {log}");
    ensure!(log.contains("is in use by process") && log.contains("[store] path"), "{log}");
    first.stop().await
}
