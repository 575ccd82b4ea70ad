//! A store that keeps nothing past its end: for tests, and for trying rosterd out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Store, StoreError, Trail};
use crate::domain::{Key, Noted, Record, UnixTime, Write};

/// Records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    records: BTreeMap<Key, Record>,
    notes: Arc<Notes>,
}

#[derive(Debug, Default)]
struct Notes(Mutex<Vec<Noted>>);

impl MemoryStore {
    /// A store that holds these.
    #[must_use]
    pub fn with(records: impl IntoIterator<Item = Record>) -> Self {
        let records = records.into_iter().map(|record| (record.key(), record)).collect();
        Self { records, notes: Arc::default() }
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(self.records.values().cloned().collect())
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        for write in change {
            match write {
                Write::Put(record) => {
                    self.records.insert(record.key(), record.clone());
                }
                Write::Delete(key) => {
                    self.records.remove(key);
                }
                Write::Note(noted) => {
                    self.notes.0.lock().unwrap_or_else(PoisonError::into_inner).push((**noted).clone());
                }
                // What has no end keeps all that there was.
                Write::Forget(_) => {}
            }
        }
        Ok(())
    }

    fn trail(&self) -> Arc<dyn Trail> {
        self.notes.clone()
    }
}

impl Trail for Notes {
    fn before(&self, before: Option<u64>, most: usize) -> Result<Vec<(u64, Noted)>, StoreError> {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |number: u64| before.is_none_or(|before| number < before);
        let numbered = (0_u64..).zip(notes.iter()).filter(|(number, _)| is_wanted(*number));
        let numbered: Vec<_> = numbered.map(|(number, noted)| (number, noted.clone())).collect();
        Ok(numbered.into_iter().rev().take(most).collect())
    }

    fn oldest(&self) -> Option<UnixTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().map(|noted| noted.at)
    }
}
