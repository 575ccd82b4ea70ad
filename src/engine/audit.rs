//! The audit log: read beside the engine's work, and kept from growing old.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use crate::{
    domain::{Noted, Search, UnixTime, Write},
    store::{StoreError, Trail},
};

/// How many search at a time; others wait.
const READERS: usize = 2;
/// Entries that are read in one go.
const CHUNK: usize = 256;
/// Entries that are looked at for one page, whether they are wanted or not.
const LOOK_MOST: usize = 20_000;
/// How often it is looked whether entries have become too old.
pub(super) const LOOK_EVERY: Duration = Duration::from_mins(1);

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
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(trail: Arc<dyn Trail>) -> Self {
        Self { trail, turns: Arc::new(Semaphore::new(READERS)) }
    }

    /// See [`super::Handle::audit`].
    pub(super) async fn page(
        &self,
        search: Search,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Page, Arc<StoreError>> {
        let stopped = || Arc::new(StoreError::Stopped);
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| stopped())?;
        let trail = self.trail.clone();
        let work = move || {
            let _turn = turn;
            read(&*trail, &search, before, limit)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| stopped())?.map_err(Arc::new)
    }

    /// What forgets some of what is older than `keep`, where there is anything.
    pub(super) fn outdated(&self, keep: Option<Duration>, now: UnixTime) -> Option<Write> {
        let before = UnixTime(now.0.saturating_sub(keep?.as_secs()));
        self.trail.oldest().filter(|oldest| *oldest < before).map(|_| Write::Forget(before))
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

    #[test]
    fn what_is_too_old_is_forgotten() {
        let readers = Readers::new(trail(10));
        let day = Some(Duration::from_hours(24));
        assert_eq!(readers.outdated(None, UnixTime(1_000_000)), None, "for ever");
        assert_eq!(readers.outdated(day, UnixTime(86_400)), None, "none is older than that");
        assert_eq!(readers.outdated(day, UnixTime(86_401)), Some(Write::Forget(UnixTime(1))));
        assert_eq!(Readers::new(trail(0)).outdated(day, UnixTime(u64::MAX)), None);
    }
}
