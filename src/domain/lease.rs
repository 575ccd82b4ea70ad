//! A presence is a lease: servers report clients that died late or never, so a resource that has been silent is pinged
//! (XEP-0199, at its full JID), and stops counting when it does not answer.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{Desk, Effect, Event, LinkPhase, Policy, UserId, presence::Presence, shown::News};

/// A moment, in tenths of a second since the desk began. There may be a million of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Tick(u32);

impl Tick {
    /// The last tick at or before `now`.
    pub(super) fn at(began: Instant, now: Instant) -> Self {
        let tenths = now.saturating_duration_since(began).as_millis() / 100;
        Self(u32::try_from(tenths).unwrap_or(u32::MAX))
    }

    /// The same, but never the one that stands for nothing yet.
    pub(super) fn or_first(self) -> Self {
        Self(self.0.max(1))
    }

    pub(super) fn after(self, length: Duration) -> Self {
        let tenths = u32::try_from(length.as_millis().div_ceil(100)).unwrap_or(u32::MAX);
        Self(self.0.saturating_add(tenths))
    }

    pub(super) fn instant(self, began: Instant) -> Instant {
        began + Duration::from_millis(u64::from(self.0) * 100)
    }
}

/// What we know of a resource's life, each since the moment that stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Life {
    /// It was heard.
    #[default]
    Heard,
    /// It has been silent for long enough, and is to be pinged.
    Due,
    /// It was pinged.
    Pinged,
    /// Its server says that it is not there, or that it knows no pings; which of them, the answer to a probe tells.
    Doubted,
    /// It did not answer: it does not count until it is heard again.
    Stale,
    /// It said what could not be read: it does not count until it says something else. An answer to a ping says nothing.
    Unread,
}

/// Whom to look at, and when.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// Users with resources, by the moment at which one of those may have to be pinged: each user stands here once.
    silences: BTreeMap<Tick, Vec<UserId>>,
    /// Users of whom an answer is waited for, by the moment at which it is late. Bounded by the pings that are out.
    answers: BTreeMap<Tick, Vec<UserId>>,
    /// Resources that are to be pinged. Bounded by the resources there are: each stands here once.
    due: VecDeque<(UserId, Box<str>)>,
    /// When the server was last heard, whatever it said.
    heard: Tick,
    /// Users of whom an answer is late while nothing was heard of the server either. Bounded by the pings that are out.
    unsure: Vec<UserId>,
    /// Since when there are some.
    unsure_since: Tick,
    /// The server is to be asked whether it is there.
    ask_server: bool,
    may_ping: bool,
    /// When it is tried again, where the link was behind.
    retry: Option<Instant>,
}

/// How soon it is tried again whether the link has caught up.
const RETRY: Duration = Duration::from_millis(200);
/// A server that answers within this was there all the time.
const AT_ONCE: Duration = Duration::from_millis(500);

impl Leases {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the link has room for pings; where it has not, it is tried again soon.
    pub(super) fn may_ping(&mut self, may: bool, now: Instant) {
        self.may_ping = may;
        self.retry = (!may && self.is_waiting()).then(|| now + RETRY);
    }

    fn is_waiting(&self) -> bool {
        self.ask_server || !self.due.is_empty()
    }

    pub(super) fn has_due(&self) -> bool {
        self.may_ping && self.is_waiting()
    }

    /// Somebody's answer is late: does that say something of them? Not where the server has said nothing since then either;
    /// it is asked, and they are looked at again when it is heard.
    fn is_telling(&mut self, since: Tick, id: UserId, now: Tick) -> bool {
        if self.heard > since {
            return true;
        }
        if self.unsure.is_empty() {
            (self.ask_server, self.unsure_since) = (true, now);
        }
        self.unsure.push(id);
        false
    }

    pub(super) fn next(&self, began: Instant) -> Option<Instant> {
        let first = |wheel: &BTreeMap<Tick, Vec<UserId>>| wheel.keys().next().copied();
        let next = first(&self.silences).into_iter().chain(first(&self.answers)).min();
        next.map(|tick| tick.instant(began)).into_iter().chain(self.retry).min()
    }

    /// Everybody in `wheel` whose moment has come.
    fn take(wheel: &mut BTreeMap<Tick, Vec<UserId>>, now: Tick) -> Vec<UserId> {
        let mut taken = Vec::new();
        while let Some(entry) = wheel.first_entry().filter(|entry| *entry.key() <= now) {
            taken.extend(entry.remove());
        }
        taken
    }
}

/// How long a resource may be silent that was heard at `since`: from half of `ping_after` to all of it, differently for each
/// user and each time, so that those who were heard together are not pinged together, and do not come together again.
fn patience(ping_after: Duration, user: UserId, since: Tick) -> Duration {
    // Odd numbers with no pattern in their bits: neighbours in number and in time come out far from each other.
    let mixed = (user.get() ^ since.0.wrapping_mul(0x9e37_79b1)).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35);
    let half = ping_after / 2;
    half + half / (1 << 16) * (mixed >> 16)
}

/// When a resource needs something, if it does by itself.
fn due_at(life: Life, since: Tick, user: UserId, policy: &Policy) -> Option<Tick> {
    match life {
        Life::Heard => Some(since.after(patience(policy.ping_after?, user, since))),
        Life::Pinged | Life::Doubted => Some(since.after(policy.ping_timeout)),
        // The first waits for its turn, the others until they are heard.
        Life::Due | Life::Stale | Life::Unread => None,
    }
}

impl Desk {
    /// Sees to it that the leases of a user who was heard are looked at in time.
    pub(super) fn lease(&mut self, id: UserId) {
        let Some(person) = self.people.get_mut(&id).filter(|person| !person.leased) else { return };
        let heard = person.presence.resources().iter().filter(|it| it.life == Life::Heard);
        let next = heard.filter_map(|it| due_at(it.life, it.since, id, &self.policy)).min();
        if let Some(next) = next {
            person.leased = true;
            self.leases.silences.entry(next).or_default().push(id);
        }
    }

    /// How long resources may be silent has changed, or how long they may take to answer: everybody is looked at anew, in time.
    /// Who has been silent for longer than they may be by now is looked at within that length, each at another moment.
    pub(super) fn lease_anew(&mut self, now: Instant) {
        let tick = Tick::at(self.began, now);
        let leases = &mut self.leases;
        // Of whom an answer is waited for, it is waited for anew, also where the server is to say first that it is there.
        for list in [&mut leases.silences, &mut leases.answers] {
            list.clear();
        }
        leases.unsure.clear();
        for (id, person) in &mut self.people {
            person.leased = false;
            let mut silent = None;
            for resource in person.presence.resources() {
                let Some(due) = due_at(resource.life, resource.since, *id, &self.policy) else { continue };
                match resource.life {
                    Life::Heard => silent = silent.into_iter().chain([due]).min(),
                    Life::Pinged | Life::Doubted => leases.answers.entry(due).or_default().push(*id),
                    Life::Due | Life::Stale | Life::Unread => {}
                }
            }
            if let (Some(due), Some(after)) = (silent, self.policy.ping_after) {
                let spread = || tick.after(patience(after, *id, tick).saturating_sub(after / 2) * 2);
                let due = if due <= tick { spread() } else { due };
                person.leased = true;
                leases.silences.entry(due).or_default().push(*id);
            }
        }
    }

    fn expect_answer(&mut self, id: UserId, now: Tick) {
        let late = now.after(self.policy.ping_timeout);
        self.leases.answers.entry(late).or_default().push(id);
    }

    /// The server was heard, whatever it said. Where it was there all the time, who has not answered is late; where it was
    /// not, they are pinged once more, since it may not have passed on anything.
    pub(super) fn server_heard(&mut self, now: Instant, events: &mut Vec<Event>) {
        let tick = Tick::at(self.began, now);
        self.leases.heard = tick;
        let was_there = tick <= self.leases.unsure_since.after(AT_ONCE);
        for id in std::mem::take(&mut self.leases.unsure) {
            if !was_there {
                self.ping_anew(id, tick);
            }
            self.look(id, tick, events);
        }
    }

    fn ping_anew(&mut self, id: UserId, now: Tick) {
        let Some(person) = self.people.get_mut(&id) else { return };
        for resource in person.presence.resources_mut() {
            let is_late = due_at(resource.life, resource.since, id, &self.policy).is_some_and(|due| due <= now);
            if is_late && matches!(resource.life, Life::Pinged | Life::Doubted) {
                resource.set(Life::Due, now);
                self.leases.due.push_back((id, resource.name.clone()));
            }
        }
    }

    /// Looks at all leases whose moment has come.
    pub(super) fn tick_leases(&mut self, now: Instant, events: &mut Vec<Event>) {
        let tick = Tick::at(self.began, now);
        for id in Leases::take(&mut self.leases.silences, tick) {
            if let Some(person) = self.people.get_mut(&id) {
                person.leased = false;
            }
            self.look(id, tick, events);
        }
        for id in Leases::take(&mut self.leases.answers, tick) {
            self.look(id, tick, events);
        }
    }

    fn look(&mut self, id: UserId, now: Tick, events: &mut Vec<Event>) {
        let Some(person) = self.people.get_mut(&id) else { return };
        let mut presence = std::mem::take(&mut person.presence);
        presence.retain(|resource| {
            if due_at(resource.life, resource.since, id, &self.policy).is_none_or(|due| due > now) {
                return true;
            }
            match resource.life {
                Life::Heard => {
                    self.leases.due.push_back((id, resource.name.clone()));
                    resource.set(Life::Due, now);
                }
                Life::Pinged | Life::Doubted if !self.leases.is_telling(resource.since, id, now) => {}
                Life::Pinged => {
                    self.tally.stale += 1;
                    resource.set(Life::Stale, now);
                }
                Life::Doubted => return false,
                Life::Due | Life::Stale | Life::Unread => {}
            }
            true
        });
        self.observe(id, News::Heard, |seen| *seen = presence, events);
        self.lease(id);
    }

    /// The next ping that is due.
    pub(super) fn next_ping(&mut self, now: Instant) -> Option<Effect> {
        if !self.leases.may_ping {
            return None;
        }
        if std::mem::take(&mut self.leases.ask_server) {
            return Some(self.mark());
        }
        let now = Tick::at(self.began, now);
        while let Some((id, name)) = self.leases.due.pop_front() {
            let Some(person) = self.people.get_mut(&id) else { continue };
            let Some(resource) = person.presence.resource_mut(&name) else { continue };
            // Another life: it was heard meanwhile.
            if resource.life == Life::Due {
                resource.set(Life::Pinged, now);
                let user = person.jid.clone();
                self.expect_answer(id, now);
                return Some(Effect::Ping { user, resource: name });
            }
        }
        None
    }

    /// A resource has answered.
    pub(super) fn alive(&mut self, id: UserId, name: &str, now: Instant, events: &mut Vec<Event>) {
        let tick = Tick::at(self.began, now);
        let answered = |presence: &mut Presence| {
            if let Some(resource) = presence.resource_mut(name).filter(|it| it.life != Life::Unread) {
                resource.set(Life::Heard, tick);
            }
        };
        self.observe(id, News::Heard, answered, events);
        self.lease(id);
    }

    /// A server says that a resource is not there, or a client that it knows no pings: the same words mean both. Who is
    /// there is told in the answer to a probe; who is not in it is gone.
    pub(super) fn doubt(&mut self, id: UserId, name: &str, now: Instant) {
        let tick = Tick::at(self.began, now);
        let Some(person) = self.people.get_mut(&id) else { return };
        if let Some(resource) = person.presence.resource_mut(name)
            && resource.life == Life::Pinged
        {
            resource.set(Life::Doubted, tick);
            self.outbox.probe(id);
            self.expect_answer(id, tick);
        }
    }

    pub(super) fn next_lease(&self) -> Option<Instant> {
        if self.link() == LinkPhase::Down { None } else { self.leases.next(self.began) }
    }
}

mod tests;
