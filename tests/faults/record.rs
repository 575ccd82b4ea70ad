//! Everything that was published, and what was true meanwhile.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use super::{client::Client, https::Https, process::LIMIT, servers::QUEUES};

/// How often is looked.
const EVERY: Duration = Duration::from_millis(25);

/// Who was told what, and when at the earliest and at the latest that was so.
#[derive(Debug, Clone)]
struct Reading {
    by: &'static str,
    show: String,
    from: Instant,
    to: Instant,
    /// Everybody had been heard. Who reads before that sees who was heard so far.
    whole: bool,
}

#[derive(Default)]
struct Book {
    /// What everybody really was, from when on.
    truth: Vec<(Instant, Vec<&'static str>)>,
    readings: Vec<Reading>,
    follower: Option<Client>,
}

/// Reads the show of the queue `law` all the time, over HTTPS and as one who follows it.
#[derive(Clone)]
pub(crate) struct Record {
    book: Arc<Mutex<Book>>,
    began: Instant,
}

/// The readers. Dropping it ends them.
pub(crate) struct Readers(JoinSet<()>);

/// The show of a queue that these staff.
fn best(shows: &[&'static str]) -> &'static str {
    let order = ["chat", "available", "dnd", "away", "xa"];
    order.into_iter().find(|show| shows.contains(show)).unwrap_or("unavailable")
}

impl Record {
    pub(crate) fn new() -> Self {
        let book = Book { truth: vec![(Instant::now(), Vec::new())], ..Book::default() };
        Self { book: Arc::new(Mutex::new(book)), began: Instant::now() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on those who staff the queue are so.
    pub(crate) fn are(&self, shows: Vec<&'static str>) {
        self.book().truth.push((Instant::now(), shows));
    }

    /// What the queue is.
    pub(crate) fn truth(&self) -> &'static str {
        self.book().truth.last().map_or("unavailable", |last| best(&last.1))
    }

    /// From now on this client follows the queue; or nobody does.
    pub(crate) fn follow(&self, follower: Option<Client>) {
        self.look_at_follower();
        self.book().follower = follower;
    }

    /// Starts to read. A daemon that does not answer is no reading.
    pub(crate) fn start(&self, readers: &[(&'static str, Https)]) -> Readers {
        let mut tasks = JoinSet::new();
        for (by, https) in readers.iter().cloned() {
            let record = self.clone();
            tasks.spawn(async move {
                let mut look = interval(EVERY);
                loop {
                    look.tick().await;
                    record.read(by, &https).await;
                }
            });
        }
        let record = self.clone();
        tasks.spawn(async move {
            let mut look = interval(EVERY);
            loop {
                look.tick().await;
                record.look_at_follower();
            }
        });
        Readers(tasks)
    }

    async fn read(&self, by: &'static str, https: &Https) {
        let is_ready = async || https.get("/readyz").await.is_ok_and(|reply| reply.status == 200);
        let was_whole = is_ready().await;
        let from = Instant::now();
        let Ok(reply) = https.get("/presence/jid/law/queues.localhost/text").await else { return };
        if reply.status == 200 {
            let to = Instant::now();
            let whole = was_whole && is_ready().await;
            self.book().readings.push(Reading { by, show: reply.body, from, to, whole });
        }
    }

    fn look_at_follower(&self) {
        let mut book = self.book();
        let heard = book.follower.as_mut().map(|follower| follower.unasked(QUEUES)).unwrap_or_default();
        let now = Instant::now();
        let told = heard.into_iter();
        let told = told.map(|heard| Reading { by: "follower", show: heard.show, from: now, to: now, whole: true });
        book.readings.extend(told);
    }

    /// Waits until this reader reads so.
    pub(crate) async fn until(&self, by: &'static str, show: &str) -> Result<()> {
        let began = Instant::now();
        let mut look = interval(EVERY);
        let waiting = async {
            // What was read before somebody waits for it does not count, unless it is what a follower was told last.
            let is_it = |it: &&Reading| it.by == by && (by == "follower" || it.from >= began);
            while self.book().readings.iter().rfind(is_it).is_none_or(|it| it.show != show) {
                look.tick().await;
            }
        };
        let waited = timeout(LIMIT, waiting).await;
        waited.with_context(|| format!("waited {LIMIT:?} for {by} to read {show}; read were:\n{}", self.list()))
    }

    /// Fails unless everything that was read was true at most `late` before, or `unavailable`. Each reader has read something.
    pub(crate) fn check(&self, late: Duration) -> Result<()> {
        self.look_at_follower();
        let book = self.book();
        let was_true = |it: &Reading| {
            let ends = book.truth.iter().skip(1).map(|next| Some(next.0)).chain([None]);
            let mut spans = book.truth.iter().zip(ends);
            let is_so = |shows: &[&'static str]| {
                if it.whole { best(shows) == it.show } else { shows.contains(&&*it.show) }
            };
            spans.any(|((from, shows), end)| {
                is_so(shows) && *from <= it.to && end.is_none_or(|end| end + late >= it.from)
            })
        };
        let wrong: Vec<_> =
            book.readings.iter().filter(|it| it.show != "unavailable" && !was_true(it)).cloned().collect();
        drop(book);
        ensure!(
            wrong.is_empty(),
            "published, and not true within {late:?}:\n{}\nof all:\n{}",
            self.lines(&wrong),
            self.list()
        );
        for by in ["https", "follower"] {
            ensure!(self.readings(by) >= 5, "next to nothing was read:\n{}", self.list());
        }
        Ok(())
    }

    /// How many times this reader has read something else than `unavailable`.
    pub(crate) fn open_readings(&self, by: &'static str) -> usize {
        self.book().readings.iter().filter(|it| it.by == by && it.show != "unavailable").count()
    }

    /// How many times this reader has read something.
    pub(crate) fn readings(&self, by: &'static str) -> usize {
        self.book().readings.iter().filter(|it| it.by == by).count()
    }

    fn list(&self) -> String {
        let book = self.book();
        let truths: Vec<_> =
            book.truth.iter().map(|(at, shows)| format!("  {:?} it is {}", *at - self.began, best(shows))).collect();
        // What was read again and again stands there once.
        let mut last = std::collections::BTreeMap::new();
        let news = book.readings.iter().filter(|it| last.insert(it.by, it.show.clone()).as_ref() != Some(&it.show));
        let news: Vec<_> = news.cloned().collect();
        drop(book);
        format!("{}\n{}", truths.join("\n"), self.lines(&news))
    }

    fn lines(&self, readings: &[Reading]) -> String {
        let line = |it: &Reading| {
            let so_far = if it.whole { "" } else { ", of those heard so far" };
            format!("  {:?} {} read {}{so_far}", it.to - self.began, it.by, it.show)
        };
        readings.iter().take(100).map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Readers {
    /// Reads for as long as this.
    pub(crate) async fn go_on_for(&self, time: Duration) -> Result<()> {
        ensure!(!self.0.is_empty(), "somebody reads");
        let end = Instant::now() + time;
        let mut look = interval(EVERY);
        while Instant::now() < end {
            look.tick().await;
        }
        Ok(())
    }
}
