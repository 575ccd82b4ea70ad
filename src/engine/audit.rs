//! The audit log: read beside the engine's work, and kept from growing old.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{
    domain::{Noted, Search, UnixTime, Write},
    store::{Snapshot, StoreError, Trail},
};

/// How many search at a time; others wait.
const READERS: usize = 2;
/// How many may wait for their turn.
const WAITING_MOST: usize = 16;
/// Entries that are read in one go.
const CHUNK: usize = 256;
/// Entries that are looked at for one page, whether they are wanted or not.
const LOOK_MOST: usize = 20_000;
/// How often it is looked whether entries have become too old.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// For how long people's clock has to have gone as time does before anything is forgotten by it: a machine that starts with a
/// clock that is months ahead, or has it set so for a moment, has it corrected before that.
const STEADY: Duration = Duration::from_hours(1);
/// By how many seconds it may be set in that time.
const SET_MOST: u64 = 60;

/// Some entries of the audit log, newest first, with their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<(u64, Noted)>,
    /// Where to go on: entries below this number were not looked at. `None`: there are none.
    pub next: Option<u64>,
}

/// Whoever reads the audit log.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    trail: Arc<dyn Trail>,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// Why the audit log was not searched.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditError {
    /// Too many search already; nothing was done.
    #[error("too many search the audit log at present: try again in a few seconds")]
    Busy,
    /// What is damaged.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

impl Readers {
    pub(super) fn new(trail: Arc<dyn Trail>) -> Self {
        let [places, turns] = [READERS + WAITING_MOST, READERS].map(|most| Arc::new(Semaphore::new(most)));
        Self { trail, places, turns }
    }

    /// See [`super::Handle::snapshot`].
    pub(super) fn snapshot(&self, with_audit: bool) -> Result<Box<dyn Snapshot>, StoreError> {
        self.trail.clone().snapshot(with_audit)
    }

    /// See [`super::Handle::audit`].
    pub(super) async fn page(&self, search: Search, before: Option<u64>, limit: usize) -> Result<Page, AuditError> {
        let stopped = || AuditError::Store(Arc::new(StoreError::Stopped));
        let place = self.places.clone().try_acquire_owned().map_err(|_| AuditError::Busy)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| stopped())?;
        let trail = self.trail.clone();
        let work = move || {
            let _held = (place, turn);
            read(&*trail, &search, before, limit)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| stopped())?.map_err(|error| AuditError::Store(error.into()))
    }

    fn oldest(&self) -> Option<UnixTime> {
        self.trail.oldest()
    }
}

/// When entries are forgotten since they are old.
#[derive(Debug)]
pub(super) struct Ageing {
    keep: Duration,
    /// When it is looked again.
    pub(super) due: Instant,
    /// What time it was when the clock was last set, as far as we saw.
    set: Option<(UnixTime, Instant)>,
}

impl Ageing {
    pub(super) const fn new(keep: Duration, now: Instant) -> Self {
        Self { keep, due: now, set: None }
    }

    pub(super) const fn keep(&self) -> Duration {
        self.keep
    }

    /// What forgets some of what has become too old, where there is anything and the clock can be trusted.
    pub(super) fn outdated(&mut self, readers: &Readers, wall: UnixTime, now: Instant) -> Option<Write> {
        self.due = now + LOOK_EVERY;
        let before = UnixTime(wall.0.saturating_sub(self.keep.as_secs()));
        let is_steady = self.is_steady(wall, now);
        readers.oldest().filter(|oldest| is_steady && *oldest < before).map(|_| Write::Forget(before))
    }

    fn is_steady(&mut self, wall: UnixTime, now: Instant) -> bool {
        let (then, since) = *self.set.get_or_insert((wall, now));
        let went = now.saturating_duration_since(since);
        if (then.0.saturating_add(went.as_secs())).abs_diff(wall.0) > SET_MOST {
            self.set = Some((wall, now));
            return false;
        }
        went >= STEADY
    }
}

fn read(trail: &dyn Trail, search: &Search, before: Option<u64>, limit: usize) -> Result<Page, StoreError> {
    let mut page = Page { entries: Vec::new(), next: before };
    for _ in 0..LOOK_MOST / CHUNK {
        let chunk = trail.before(page.next, CHUNK)?;
        // Not one alone: the clock may have been wrong for a moment.
        let is_last = chunk.len() < CHUNK || chunk.iter().all(|(_, noted)| search.is_over(noted.at));
        for (number, noted) in chunk {
            if page.entries.len() == limit {
                return Ok(page);
            }
            page.next = Some(number);
            if search.fits(&noted) {
                page.entries.push((number, noted));
            }
        }
        if is_last {
            return Ok(Page { next: None, ..page });
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Who,
        store::{MemoryStore, Store},
    };

    fn trail(count: u64) -> Arc<dyn Trail> {
        let mut store = MemoryStore::default();
        let noted = |at| Noted {
            at: UnixTime(at),
            by: Who::Local(u32::from(at % 10 == 0)).into(),
            what: if at % 2 == 0 { "queue.create" } else { "user.remove" }.into(),
            account: None,
            on: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
        };
        store.commit(&(0..count).map(|at| Write::Note(Box::new(noted(at)))).collect::<Vec<_>>()).unwrap();
        store.trail()
    }

    fn numbers(page: &Page) -> Vec<u64> {
        page.entries.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn pages_follow_on_each_other() {
        let trail = trail(1_000);
        let mut search = Search { who: Some("1".to_owned()), ..Search::default() };
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = read(&*trail, &search, before, 7).unwrap();
            seen.extend(numbers(&page));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..100).rev().map(|number| number * 10).collect::<Vec<_>>());
        search = Search { what: Some("queue".to_owned()), until: Some(UnixTime(6)), ..Search::default() };
        assert_eq!(numbers(&read(&*trail, &search, None, 100).unwrap()), [4, 2, 0]);
        search = Search { since: Some(UnixTime(998)), ..Search::default() };
        assert_eq!(numbers(&read(&*trail, &search, None, 100).unwrap()), [999, 998]);
    }

    #[tokio::test]
    async fn no_more_wait_than_there_are_places_for() {
        let readers = Readers::new(trail(3));
        let held = readers.turns.clone().acquire_many_owned(2).await.unwrap();
        let mut waiting: Vec<_> =
            (0..READERS + WAITING_MOST).map(|_| Box::pin(readers.page(Search::default(), None, 9))).collect();
        for search in &mut waiting {
            assert!(futures::poll!(search).is_pending());
        }
        let refused = readers.page(Search::default(), None, 9).await;
        assert!(matches!(refused, Err(AuditError::Busy)), "{refused:?}");
        drop(held);
        for page in futures::future::join_all(waiting).await {
            assert_eq!(page.unwrap().entries.len(), 3);
        }
        assert!(readers.page(Search::default(), None, 9).await.is_ok());
    }

    #[test]
    fn a_search_in_vain_looks_at_some_at_a_time() {
        let trail = trail(50_000);
        let search = Search { who: Some("nobody".to_owned()), ..Search::default() };
        let page = read(&*trail, &search, None, 100).unwrap();
        let looked = (LOOK_MOST / CHUNK * CHUNK) as u64;
        assert_eq!(page, Page { entries: vec![], next: Some(50_000 - looked) });
    }

    #[test]
    fn a_moment_with_a_wrong_clock_hides_nothing() {
        let mut store = MemoryStore::default();
        let noted = |at| Noted {
            at: UnixTime(at),
            by: Who::Local(0).into(),
            what: "queue.create".into(),
            account: None,
            on: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
        };
        // The machine thought for a moment that it was 1970.
        store.commit(&[1_000_000, 1_000_001, 5, 1_000_002].map(|at| Write::Note(Box::new(noted(at))))).unwrap();
        let search = Search { since: Some(UnixTime(1_000_000)), ..Search::default() };
        assert_eq!(numbers(&read(&*store.trail(), &search, None, 100).unwrap()), [3, 1, 0]);
    }

    /// Whether entries of before this moment are forgotten when the clocks show these.
    struct World(Readers, Ageing, Instant);

    impl World {
        fn new(entries: u64) -> Self {
            let began = tokio::time::Instant::now().into_std();
            Self(Readers::new(trail(entries)), Ageing::new(Duration::from_hours(24), began), began)
        }

        fn at(&mut self, minutes: u64, wall: u64) -> Option<u64> {
            let now = self.2 + Duration::from_mins(minutes);
            let write = self.1.outdated(&self.0, UnixTime(wall), now);
            assert_eq!(self.1.due, now + LOOK_EVERY);
            write.map(|write| match write {
                Write::Forget(before) => before.0,
                Write::Put(_) | Write::Delete(_) | Write::Note(_) => unreachable!(),
            })
        }
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let mut world = World::new(10);
        assert_eq!(world.at(0, 82_800), None);
        assert_eq!(world.at(60, 86_400), None, "none is older than that");
        assert_eq!(world.at(61, 86_461), Some(61));
        let mut empty = World::new(0);
        assert_eq!((empty.at(0, 1_000_000), empty.at(60, 1_003_600)), (None, None));
    }

    #[test]
    fn a_clock_that_was_wrong_for_a_moment_forgets_nothing() {
        let today = 86_500;
        let mut world = World::new(10);
        assert_eq!(world.at(0, today + 10_000_000), None, "it has just begun");
        assert_eq!(world.at(59, today + 10_003_540), None);
        assert_eq!(world.at(60, today + 3_600), None, "it was set right in time");
        assert_eq!(world.at(100, today + 6_000), None);
        assert_eq!(world.at(121, today + 7_260), Some(7_360), "it has gone well for an hour");
        assert_eq!(world.at(122, today + 9_000_000), None, "a jump");
        assert_eq!(world.at(123, today + 7_380), None, "and back");
        assert_eq!(world.at(183, today + 10_990), Some(11_090), "half a minute off is what is corrected all the time");
    }
}
