//! The store: how long it takes, and what it holds.

use prometheus::{Histogram, IntCounter, IntGauge, Registry};
use tokio::time::Instant;

use super::family::Family;

const BOUNDS: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const COMMIT: Family = Family::histogram(
    "rosterd_store_commit_duration_seconds",
    "How long it took to keep a change, flushes included, whether it could be kept or not.",
    &[],
    BOUNDS,
);
const FLUSH: Family = Family::histogram(
    "rosterd_store_flush_duration_seconds",
    "How long it took until the disk had what was written.",
    &[],
    BOUNDS,
);
const FAILED: Family = Family::counter(
    "rosterd_store_commit_failures_total",
    "Changes that could not be kept, for want of room or since the store has failed.",
    &[],
);
const AUDIT: Family = Family::gauge("rosterd_audit_entries", "Entries of the audit log.", &[]);
const REMOVED: Family = Family::counter(
    "rosterd_audit_entries_removed_total",
    "Entries of the audit log that made room: older than [audit] keep, or more than [audit] max_entries.",
    &["reason"],
);

pub(super) const FAMILIES: [Family; 5] = [COMMIT, FLUSH, FAILED, AUDIT, REMOVED];

/// What is counted of the store.
#[derive(Debug)]
pub struct Store {
    commit: Histogram,
    flush: Histogram,
    failed: IntCounter,
    audit: IntGauge,
    removed: [IntCounter; 2],
}

impl Store {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            commit: COMMIT.times(registry),
            flush: FLUSH.times(registry),
            failed: FAILED.count(registry),
            audit: AUDIT.level(registry),
            removed: REMOVED.count_each(registry, ["keep", "max_entries"]),
        }
    }

    /// Takes the time of a commit.
    ///
    /// # Errors
    /// That of `commit`.
    pub fn commit<E>(&self, commit: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let result = timed(&self.commit, commit);
        self.failed.inc_by(u64::from(result.is_err()));
        result
    }

    /// Takes the time of a flush.
    pub fn flush<T>(&self, flush: impl FnOnce() -> T) -> T {
        timed(&self.flush, flush)
    }

    /// The audit log has so many entries; so many went since they were too old, and so many to make room.
    pub fn audit(&self, entries: u64, outdated: u64, superfluous: u64) {
        self.audit.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.removed[0].inc_by(outdated);
        self.removed[1].inc_by(superfluous);
    }
}

fn timed<T>(histogram: &Histogram, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    histogram.observe(began.elapsed().as_secs_f64());
    done
}
