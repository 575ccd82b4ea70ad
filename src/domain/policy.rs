//! The settings that decisions depend on, and what follows when they change while the desk works.

use std::time::{Duration, Instant};

use super::{Desk, Event, Merge, Name, Onboarding, Precedence};

/// The settings that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The order of shows.
    pub precedence: Precedence,
    /// How several resources become one show.
    pub merge: Merge,
    /// The domain of the queues and of the watcher: our component's.
    pub domain: Box<str>,
    /// The domain of users who are made without a JID.
    pub user_domain: Box<str>,
    /// The localpart of the watcher.
    pub watcher: Name,
    /// Who may follow a queue's presence. Who follows already goes on.
    pub who_may_follow: WhoMayFollow,
    /// The most followers of one queue. Those that there are already stay.
    pub followers_of_queue_most: usize,
    /// The most followers of all queues together.
    pub followers_most: usize,
    /// How many probes and subscription requests go out a second, at the most.
    pub sweep_rate: u32,
    /// How long late answers are waited for after the server has worked off the last probe.
    pub sweep_quiet: Duration,
    /// How users are brought to let us see their presence.
    pub onboarding: Onboarding,
    /// The group of an operator's contacts that the queues which they staff are put into; `None`: they are not.
    pub roster_group: Option<Box<str>>,
    /// How long until somebody who has not approved our subscription is asked again.
    pub ask_again: Duration,
    /// How long a resource may be silent before it is pinged; `None`: none ever is.
    pub ping_after: Option<Duration>,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
    /// For how long the last show of somebody who went is shown.
    pub linger: Duration,
    /// For how long what was shown is shown after the link went, while not everybody has been heard again.
    pub link_grace: Duration,
    /// After how many seconds without use a session ends.
    pub session_idle: u64,
    /// After how many seconds a session ends however much it is used; `None`: never.
    pub session_most: Option<u64>,
}

impl Policy {
    /// What holds where nothing is set.
    #[must_use]
    pub fn new(domain: &str, user_domain: &str, watcher: Name) -> Self {
        Self {
            precedence: Precedence::default(),
            merge: Merge::default(),
            domain: domain.into(),
            user_domain: user_domain.into(),
            watcher,
            who_may_follow: WhoMayFollow::default(),
            followers_of_queue_most: 200_000,
            followers_most: 1_000_000,
            sweep_rate: 1_500,
            sweep_quiet: Duration::from_secs(1),
            onboarding: Onboarding::default(),
            roster_group: None,
            ask_again: Duration::from_hours(24),
            ping_after: Some(Duration::from_mins(2)),
            ping_timeout: Duration::from_secs(20),
            linger: Duration::ZERO,
            link_grace: Duration::from_secs(20),
            session_idle: 30 * 24 * 3_600,
            session_most: Some(365 * 24 * 3_600),
        }
    }
}

/// Who may follow a queue's presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhoMayFollow {
    /// Everybody with an XMPP address.
    Anyone,
    /// Everybody on the users' domain.
    #[default]
    UserDomain,
    /// Who is assigned to the queue.
    Operators,
}

impl WhoMayFollow {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Anyone, Self::UserDomain, Self::Operators];

    /// The word used in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::UserDomain => "user_domain",
            Self::Operators => "operators",
        }
    }
}

impl Policy {
    /// The same, with what can not change while a desk works as it is in `old`: the addresses that were given to others, and
    /// how people were brought to let us see them.
    fn after(self, old: &Self) -> Self {
        Self {
            domain: old.domain.clone(),
            user_domain: old.user_domain.clone(),
            watcher: old.watcher.clone(),
            onboarding: old.onboarding,
            roster_group: old.roster_group.clone(),
            ..self
        }
    }
}

impl Desk {
    /// Decides by other settings from now on. Every verdict is what it would be had they been there all the time; whoever was
    /// told another one is told as after any change. A length of time that has begun ends as if it had been the new one from
    /// its beginning, and what has ended does not begin again. The domains, the watcher, and the way of onboarding stay as
    /// they are. Cost: everybody once, where that is needed.
    pub fn set_policy(&mut self, new: Policy, now: Instant) -> Vec<Event> {
        let mut events = self.expire(now);
        let new = new.after(&self.policy);
        let old = std::mem::replace(&mut self.policy, new);
        let new = &self.policy;
        self.keeping.set_lengths((old.linger, new.linger), (old.link_grace, new.link_grace), now);
        self.sweep.set_lengths((old.ask_again, new.ask_again), (old.sweep_quiet, new.sweep_quiet), now);
        if old.sweep_rate != new.sweep_rate {
            self.sweep.set_rate(new.sweep_rate, now);
        }
        if (old.ping_after, old.ping_timeout) != (new.ping_after, new.ping_timeout) {
            self.lease_anew(now);
        }
        // What is over by now counts no longer before anything is weighed by it.
        events.extend(self.expire(now));
        if (&old.precedence, old.merge) != (&self.policy.precedence, self.policy.merge) {
            self.weigh_anew(&mut events);
        }
        events
    }
}
