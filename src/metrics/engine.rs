//! The engine: how long it takes for what, and what waits for it.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge, Registry};

use super::family::Family;
use crate::domain::UnixTime;

const STEP: Family = Family::histogram(
    "rosterd_engine_step_duration_seconds",
    "How long the engine was at work before it looked for more: facts, edits and sending, without the store.",
    &[],
    &[0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0],
);
const EDITS: Family =
    Family::counter("rosterd_edits_total", "Changes that were asked for, by what became of them.", &["result"]);
const FOLLOWS: Family = Family::counter(
    "rosterd_follow_requests_dropped_total",
    "Requests to follow a queue that were not granted for want of room, by reason; counted with up to a minute's delay.",
    &["reason"],
);
const WAITING: Family = Family::gauge(
    "rosterd_engine_waiting",
    "What the engine has taken and not yet handed to the store, by kind.",
    &["kind"],
);
const OUTBOX: Family = Family::gauge(
    "rosterd_engine_outbox_depth",
    "Stanzas that the engine has handed to the link, and that the link has not sent yet.",
    &[],
);
const PUBLISHED: Family =
    Family::counter("rosterd_presences_published_total", "Presences of queues that followers were told.", &[]);
const SWEEP: Family = Family::histogram(
    "rosterd_sweep_duration_seconds",
    "How long it took from a new link until everybody had been asked and heard, or given time.",
    &[],
    &[0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0],
);
const SINCE: Family = Family::gauge(
    "rosterd_link_state_change_timestamp_seconds",
    "When the link got into the state that it is in.",
    &[],
);

pub(super) const FAMILIES: [Family; 8] = [STEP, EDITS, FOLLOWS, WAITING, OUTBOX, PUBLISHED, SWEEP, SINCE];

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// It is stored.
    Done,
    /// It can not be done.
    Refused,
    /// It could not be stored.
    Failed,
}

/// What is counted of the engine.
#[derive(Debug)]
pub struct Engine {
    step: Histogram,
    edits: [IntCounter; 3],
    follows: [IntCounter; 2],
    waiting: [IntGauge; 2],
    outbox: IntGauge,
    published: IntCounter,
    sweep: Histogram,
    since: IntGauge,
}

impl Engine {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            step: STEP.times(registry),
            edits: EDITS.count_each(registry, ["done", "refused", "failed"]),
            follows: FOLLOWS.count_each(registry, ["overload", "too-many-followers"]),
            waiting: WAITING.level_each(registry, ["edits", "follows"]),
            outbox: OUTBOX.level(registry),
            published: PUBLISHED.count(registry),
            sweep: SWEEP.times(registry),
            since: SINCE.level(registry),
        }
    }

    /// The engine was at work for so long.
    pub fn worked(&self, took: Duration) {
        self.step.observe(took.as_secs_f64());
    }

    /// Somebody's edit has ended.
    pub fn edited(&self, how: Edited) {
        self.edits[how as usize].inc();
    }

    /// So many requests to follow were lost, and so many refused, for want of room.
    pub fn turned_away(&self, lost: u64, refused: u64) {
        self.follows[0].inc_by(lost);
        self.follows[1].inc_by(refused);
    }

    /// So many edits and requests to follow wait to be written.
    pub fn waiting(&self, edits: usize, follows: usize) {
        self.waiting[0].set(level(edits));
        self.waiting[1].set(level(follows));
    }

    /// So many stanzas wait for the link.
    pub fn outbox(&self, depth: usize) {
        self.outbox.set(level(depth));
    }

    /// So many presences of queues were handed to the link.
    pub fn published(&self, count: u64) {
        self.published.inc_by(count);
    }

    /// The link got into another state.
    pub fn link_changed(&self, at: UnixTime) {
        self.since.set(i64::try_from(at.0).unwrap_or(i64::MAX));
    }

    /// A sweep has ended.
    pub fn swept(&self, took: Duration) {
        self.sweep.observe(took.as_secs_f64());
    }
}

fn level(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
