//! A store that keeps nothing past its end: for tests, and for trying rosterd out.

use std::collections::BTreeMap;

use super::{Store, StoreError};
use crate::domain::{Key, Record, Write};

/// Records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(BTreeMap<Key, Record>);

impl MemoryStore {
    /// A store that holds these.
    #[must_use]
    pub fn with(records: impl IntoIterator<Item = Record>) -> Self {
        Self(records.into_iter().map(|record| (record.key(), record)).collect())
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(self.0.values().cloned().collect())
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        for write in change {
            match write {
                Write::Put(record) => {
                    self.0.insert(record.key(), record.clone());
                }
                Write::Delete(key) => {
                    self.0.remove(key);
                }
            }
        }
        Ok(())
    }
}
