//! Why and until when operators are suspended, where somebody said so: few, so they have no place among the assignments.

use std::collections::{BTreeSet, HashMap};

use super::{Cause, Change, Claim, Claims, Desk, Operator, Outcome, Plan, QueueId, Record, UnixTime, UserId, Write};

/// What is known of a suspension.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Suspension {
    /// Why, where somebody said so.
    pub cause: Option<Cause>,
    /// From this moment on they are to be enabled again; `None`: when somebody says so.
    pub until: Option<UnixTime>,
}

/// What is to be known of a suspension; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SuspensionFields {
    /// Why, `Some(None)` for no reason.
    pub cause: Option<Option<Cause>>,
    /// Until when, `Some(None)` for no end.
    pub until: Option<Option<UnixTime>>,
}

impl SuspensionFields {
    /// Somebody suspends by hand: with no end unless they name one, whatever was to be before. Without a cause the one
    /// before stays.
    #[must_use]
    pub fn by_hand(cause: Option<Cause>, until: Option<UnixTime>) -> Self {
        Self { cause: cause.map(Some), until: Some(until) }
    }

    /// What is known after this was said, and `before` before.
    pub(super) fn after(&self, before: Suspension) -> Suspension {
        Suspension { cause: self.cause.clone().unwrap_or(before.cause), until: self.until.unwrap_or(before.until) }
    }
}

/// What is known of all suspensions of which anything is.
#[derive(Debug, Default)]
pub(super) struct Suspensions {
    known: HashMap<(QueueId, UserId), Suspension>,
    /// Those with an end, by it.
    ends: BTreeSet<(UnixTime, QueueId, UserId)>,
}

impl Suspensions {
    pub(super) fn get(&self, queue: QueueId, user: UserId) -> Option<&Suspension> {
        self.known.get(&(queue, user))
    }

    /// In place of what was known.
    pub(super) fn put(&mut self, queue: QueueId, user: UserId, suspension: Option<Suspension>) {
        if let Some(until) = self.known.remove(&(queue, user)).and_then(|before| before.until) {
            self.ends.remove(&(until, queue, user));
        }
        let Some(suspension) = suspension.filter(|it| *it != Suspension::default()) else { return };
        if let Some(until) = suspension.until {
            self.ends.insert((until, queue, user));
        }
        self.known.insert((queue, user), suspension);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len().max(self.ends.len())
    }
}

impl Desk {
    /// What is known of a suspension, where anything is.
    #[must_use]
    pub fn suspension(&self, queue: QueueId, user: UserId) -> Option<&Suspension> {
        self.suspensions.get(queue, user)
    }

    /// When the next suspension is over.
    #[must_use]
    pub fn next_return(&self) -> Option<UnixTime> {
        self.suspensions.ends.first().map(|(until, _, _)| *until)
    }

    /// The operators whose suspension is over by `now`, those who are due for longest first. They go on to be suspended until
    /// [`super::Edit::EndSuspension`] of each is committed.
    pub fn returns(&self, now: UnixTime) -> impl Iterator<Item = (QueueId, UserId)> {
        let ends = self.suspensions.ends.iter();
        ends.take_while(move |(until, _, _)| *until <= now).map(|(_, queue, user)| (*queue, *user))
    }

    /// Enables who is due. Where somebody else said something meanwhile, that holds, and nothing is changed.
    pub(super) fn plan_return(&self, queue: QueueId, user: UserId, now: UnixTime) -> Plan {
        let until = self.suspension(queue, user).and_then(|suspension| suspension.until);
        let change = match until {
            Some(until) if until <= now => {
                vec![Write::Put(Record::Operator(Operator { queue, user, suspended: None }))]
            }
            Some(_) | None => Change::new(),
        };
        let shared = [Claim::Queue(queue), Claim::User(user)];
        let claims = Claims::of(shared, [Claim::Operator(queue, user)]);
        Plan { change, claims, outcome: Outcome::Done }
    }
}
