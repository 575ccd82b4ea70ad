//! How many there are of everything, for whoever watches over a deployment. Nothing decides by these numbers.

use std::ops::Bound::{Excluded, Unbounded};

use super::{Desk, QueueId, Show, UserId, lease::Life};

/// What is known without counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Accounts.
    pub accounts: usize,
    /// Everybody who follows a queue, once for each.
    pub followers: usize,
    /// Sessions that were opened and not closed, some of which may be over by now.
    pub sessions: usize,
    /// Tokens of the API.
    pub tokens: usize,
    /// Pieces of work that wait for the link: a piece may become several stanzas.
    pub backlog: usize,
}

/// What has to be counted, a part at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Users by what is shown of them, in the order of [`Show::ALL`].
    pub users: [usize; Show::ALL.len()],
    /// Resources that were heard and count, unless their priority is negative.
    pub resources: usize,
    /// Resources that did not answer a ping.
    pub stale: usize,
    /// Resources that said last what could not be read.
    pub unreadable: usize,
    /// Queues by their show, in the order of [`Show::ALL`].
    pub queues: [usize; Show::ALL.len()],
    /// Queues on which somebody is enabled, and nobody takes work.
    pub unstaffed: usize,
    /// Operators who are enabled.
    pub enabled: usize,
    /// Operators who are suspended.
    pub suspended: usize,
}

impl Desk {
    /// What is known without counting.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            accounts: self.accounts.len(),
            followers: self.followers,
            sessions: self.sessions.len(),
            tokens: self.tokens.len(),
            backlog: self.outbox.backlog(),
        }
    }

    /// Counts at most `most` users whose number is above `after`. Gives where to go on; `None`: those were the last.
    pub fn count_users(&self, after: Option<UserId>, most: usize, census: &mut Census) -> Option<UserId> {
        let mut last = None;
        let mut counted = 0;
        for (id, person) in self.people.range((after.map_or(Unbounded, Excluded), Unbounded)).take(most) {
            census.users[person.shown.index()] += 1;
            for resource in person.presence.resources() {
                *match resource.life {
                    Life::Heard | Life::Due | Life::Pinged | Life::Doubted => &mut census.resources,
                    Life::Stale => &mut census.stale,
                    Life::Unread => &mut census.unreadable,
                } += 1;
            }
            (last, counted) = (Some(*id), counted + 1);
        }
        last.filter(|_| counted == most)
    }

    /// The same with queues, and those who are assigned to them.
    pub fn count_queues(&self, after: Option<QueueId>, most: usize, census: &mut Census) -> Option<QueueId> {
        let mut last = None;
        let mut counted = 0;
        for (id, state) in self.queues.range((after.map_or(Unbounded, Excluded), Unbounded)).take(most) {
            let enabled = usize::try_from(state.published.enabled).unwrap_or(usize::MAX);
            census.queues[state.published.show.index()] += 1;
            census.enabled += enabled;
            census.suspended += state.operators.len().saturating_sub(enabled);
            census.unstaffed += usize::from(state.published.enabled > 0 && state.published.ready == 0);
            (last, counted) = (Some(*id), counted + 1);
        }
        last.filter(|_| counted == most)
    }
}
