//! A store that keeps nothing past its end: for tests, and for trying rosterd out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Store, StoreError, Trail,
    snapshot::{Item, Snapshot},
};
use crate::domain::{Key, Noted, Record, UnixTime, Write};

/// Records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    records: BTreeMap<Key, Record>,
    notes: Vec<Noted>,
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// A store that holds these.
    #[must_use]
    pub fn with(records: impl IntoIterator<Item = Record>) -> Self {
        let records = records.into_iter().map(|record| (record.key(), record)).collect();
        Self { kept: Arc::new(Mutex::new(Kept { records, notes: Vec::new() })) }
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(locked(&self.kept).records.values().cloned().collect())
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        let mut kept = locked(&self.kept);
        for write in change {
            match write {
                Write::Put(record) => {
                    kept.records.insert(record.key(), record.clone());
                }
                Write::Delete(key) => {
                    kept.records.remove(key);
                }
                Write::Note(noted) => kept.notes.push((**noted).clone()),
                // What has no end keeps all that there was.
                Write::Forget(_) => {}
            }
        }
        Ok(())
    }

    fn trail(&self) -> Arc<dyn Trail> {
        self.kept.clone()
    }
}

impl Trail for Mutex<Kept> {
    fn before(&self, before: Option<u64>, most: usize) -> Result<Vec<(u64, Noted)>, StoreError> {
        let notes = &locked(self).notes;
        let is_wanted = |number: u64| before.is_none_or(|before| number < before);
        let numbered = (0_u64..).zip(notes.iter()).filter(|(number, _)| is_wanted(*number));
        let numbered: Vec<_> = numbered.map(|(number, noted)| (number, noted.clone())).collect();
        Ok(numbered.into_iter().rev().take(most).collect())
    }

    fn oldest(&self) -> Option<UnixTime> {
        locked(self).notes.first().map(|noted| noted.at)
    }

    fn snapshot(self: Arc<Self>, with_audit: bool) -> Result<Box<dyn Snapshot>, StoreError> {
        let kept = locked(&self);
        let next = kept.notes.len() as u64;
        let notes = (0..).zip(&kept.notes).filter(|_| with_audit).map(|(number, it)| Item::Noted(number, it.clone()));
        let items = kept.records.values().cloned().map(Item::Record).chain(notes).collect();
        Ok(Box::new(Copy { items, next }))
    }
}

/// A copy of everything.
#[derive(Debug)]
struct Copy {
    items: Vec<Item>,
    next: u64,
}

impl Snapshot for Copy {
    fn total(&self) -> u64 {
        self.items.len() as u64
    }

    fn next_entry(&self) -> u64 {
        self.next
    }

    fn turn(&mut self) -> Result<Vec<Item>, StoreError> {
        Ok(std::mem::take(&mut self.items))
    }
}
