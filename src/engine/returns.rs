//! Suspensions that are over: who is enabled again, and when that is looked at.
//!
//! Nothing is queued here: who is due is read from the desk when there is room for it, and stays due until it is stored.

use std::time::{Duration, Instant};

use super::{Engine, now};
use crate::{
    clock::Clock,
    domain::{Desk, UnixTime},
};

/// How many of them share a flush with whatever else waits, so that edits do not wait for all of them.
const RETURNS_MOST: usize = 512;
/// How long until the clock is looked at again: it may have been set, or the machine may have slept.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// When suspensions are ended.
#[derive(Debug)]
pub(super) struct Returns {
    clock: Clock,
    /// Those that were over before the start are ended before anything else goes on.
    pub(super) are_first: bool,
    /// Nothing is tried before this, since there was no room on the disk.
    pub(super) not_before: Option<Instant>,
}

impl Returns {
    pub(super) const fn new(clock: Clock) -> Self {
        Self { clock, are_first: true, not_before: None }
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn may(&self) -> bool {
        self.not_before.is_none_or(|moment| moment <= now())
    }

    /// How many may go into one batch.
    pub(super) fn most(&self) -> usize {
        if self.may() { RETURNS_MOST } else { 0 }
    }
}

impl Engine {
    /// Whether somebody is to be enabled now.
    pub(super) fn is_return_due(&self) -> bool {
        let wall = self.returns.now();
        let is_over = || self.read(|desk| desk.next_return().is_some_and(|until| until <= wall));
        self.returns.may() && self.failure.get().is_none() && is_over()
    }

    /// When it is to be looked at next whether somebody is to be enabled.
    pub(super) fn next_return(&self) -> Option<Instant> {
        if self.failure.get().is_some() {
            return None;
        }
        let until = self.read(Desk::next_return)?;
        let wait = Duration::from_secs(until.since(self.returns.now())).min(LOOK_EVERY);
        Some(self.returns.not_before.unwrap_or_else(now).max(now() + wait))
    }
}
