//! Everything that is kept, as it was at one moment.

use std::fmt::Debug;

use super::StoreError;
use crate::domain::{Noted, Record};

/// A part of what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A record.
    Record(Record),
    /// An entry of the audit log, with its number.
    Noted(u64, Noted),
}

/// Reads everything that was kept at the moment when this was made, beside the work of the store, which goes on between two
/// turns.
pub trait Snapshot: Debug + Send {
    /// How many items there are.
    fn total(&self) -> u64;

    /// The number of the next entry of the audit log.
    fn next_entry(&self) -> u64;

    /// Some more items, in the order of their keys: records, then the audit log, the oldest first. None: those were all, and
    /// as many as there should be.
    ///
    /// # Errors
    /// What is damaged, and [`StoreError::Overtaken`]. What was read so far is of no use then.
    fn turn(&mut self) -> Result<Vec<Item>, StoreError>;
}
