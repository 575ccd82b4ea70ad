//! `[metrics]`: what Prometheus is told beside what is the same everywhere.

use super::reader::{self, Given, Key, Reader, Taken};
use crate::domain::Name;

/// The most queues that have series of their own.
const QUEUES_MOST: usize = 1_000;

/// `[metrics]`.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Queues that have series of their own.
    pub queues: Vec<Name>,
}

const QUEUES: Key = Key {
    path: "metrics.queues",
    value: Given::Default("[]"),
    taken: Taken::AtStart,
    doc: "The names of queues that have series of their own, such as [\"law\", \"night\"]: those that somebody should be alerted \
          of while nobody staffs them. All others are counted together. Each costs two series; 1000 queues at the most.",
};

pub(super) const KEYS: &[Key] = &[QUEUES];

impl Metrics {
    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        Some(Self { queues: keys.take(&QUEUES, names)? })
    }
}

fn names(value: ::config::Value) -> Result<Vec<Name>, String> {
    let words = reader::words(value)?;
    let name = |word: String| Name::parse(&word, Name::QUEUE_MOST).map_err(|wrong| format!("{word:?}: {wrong}"));
    let mut names = words.into_iter().filter(|word| !word.is_empty()).map(name).collect::<Result<Vec<_>, _>>()?;
    if names.len() > QUEUES_MOST {
        return Err(format!("names {} queues, where {QUEUES_MOST} are the most", names.len()));
    }
    // A series that comes twice is none that can be read.
    names.sort();
    names.dedup();
    Ok(names)
}
