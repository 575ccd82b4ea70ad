//! What stanzas ask for: to follow a queue's presence, or no longer.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use crate::domain::{BareJid, Desk, Edit, Name, Refusal};

/// How many followers may wait for the store; more are dropped.
const FOLLOWS_MOST: usize = 16_384;

/// What stanzas ask for. It has its own place, so that a flood of it holds up no manager; and of each follower of each queue
/// only what they want last counts, so nobody takes more than one place.
#[derive(Debug, Default)]
pub(super) struct Follows {
    order: VecDeque<Follower>,
    wanted: HashMap<Follower, bool>,
    pub(super) lost: u64,
    /// How many were refused since there are as many followers as there may be.
    pub(super) refused: u64,
    /// Nothing is tried before this, since there was no room on the disk.
    pub(super) not_before: Option<Instant>,
}

/// A queue, and who follows it.
pub(super) type Follower = (Name, BareJid);

impl Follows {
    /// Takes what somebody wants; where there is no place left, that is counted as lost.
    pub(super) fn put(&mut self, who: Follower, follow: bool) {
        if let Some(wanted) = self.wanted.get_mut(&who) {
            *wanted = follow;
        } else if self.order.len() >= FOLLOWS_MOST {
            self.lost += 1;
        } else {
            self.order.push_back(who.clone());
            self.wanted.insert(who, follow);
        }
    }

    /// The first, as an edit.
    pub(super) fn first(&self) -> Option<Edit> {
        let who = self.order.front()?;
        let (queue, jid) = who.clone();
        Some(if self.wanted.get(who).copied()? { Edit::Follow { queue, jid } } else { Edit::Unfollow { queue, jid } })
    }

    pub(super) fn pop(&mut self) -> Option<(Follower, bool)> {
        let who = self.order.pop_front()?;
        let wanted = self.wanted.remove(&who)?;
        Some((who, wanted))
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn waits(&self, who: &Follower) -> bool {
        self.wanted.contains_key(who)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.is_empty() && self.not_before.is_none_or(|moment| moment <= now)
    }

    /// Tells the first that they do not follow what is not there, or what they may not.
    pub(super) fn deny_first(&mut self, refusal: &Refusal, desk: &mut Desk) {
        if let Some(Edit::Follow { queue, jid }) = self.first() {
            let full = *refusal == Refusal::TooManyFollowers;
            self.refused += u64::from(full);
            desk.deny(queue, jid, full);
        }
    }
}
