//! What is shown of a user: their show, and for a short while one that has ended. Who goes may come back at once on another
//! network (`linger`), and a link that is lost may be back before anybody has noticed (`link_grace`). What is kept so is
//! shown only: who is not seen takes no work.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{
    Desk, Event, LinkPhase, Show, UserId,
    availability::Counts,
    desk::{Person, Standing},
    lease::Tick,
    presence::Presence,
};

/// Why what is shown of a user need not be what is seen of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kept {
    /// It is.
    #[default]
    Nothing,
    /// They went a short while ago. They stand among [`Keeping::lingers`].
    Lingers,
    /// The link went a short while ago, and not everybody has been heard since.
    Held,
}

/// Why something else may be seen of a user than before.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    /// They were heard, or did not answer.
    Heard,
    /// Their server says at this moment that a resource of theirs went, or all did.
    Went { all: bool, now: Instant },
    /// They are not to be seen any more: what was seen is none of our business, or was of another JID.
    Ended,
}

/// What somebody counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// What is shown of them.
    pub(super) shown: Show,
    /// They are seen to take new work.
    pub(super) is_ready: bool,
}

/// What is kept, and for how long.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// Until when what was shown as the link went is kept, if it is.
    hold: Option<Instant>,
    /// Who lingers, until when.
    lingers: BTreeMap<UserId, Instant>,
    /// The same, by the moment.
    ends: BTreeSet<(Instant, UserId)>,
}

impl Keeping {
    /// What was shown as the link went is kept.
    pub(super) fn is_holding(&self) -> bool {
        self.hold.is_some()
    }

    fn next(&self) -> Option<Instant> {
        self.ends.first().map(|(until, _)| *until).into_iter().chain(self.hold).min()
    }

    fn linger(&mut self, id: UserId, until: Instant) {
        self.unlinger(id);
        self.lingers.insert(id, until);
        self.ends.insert((until, id));
    }

    fn unlinger(&mut self, id: UserId) {
        if let Some(until) = self.lingers.remove(&id) {
            self.ends.remove(&(until, id));
        }
    }

    /// The next one who has lingered for long enough.
    fn take_over(&mut self, now: Instant) -> Option<UserId> {
        let (_, id) = *self.ends.first().filter(|(until, _)| *until <= now)?;
        self.unlinger(id);
        Some(id)
    }

    /// Lengths of time become others, each given as what it was and what it is: what has begun ends as if it had begun so. Nobody
    /// lingers for longer than what was shown is held.
    pub(super) fn set_lengths(&mut self, linger: (Duration, Duration), grace: (Duration, Duration), now: Instant) {
        self.hold = self.hold.map(|until| moved(until, grace, now));
        let lingers: Vec<_> = self.lingers.iter().map(|(id, until)| (*id, moved(*until, linger, now))).collect();
        for (id, until) in lingers {
            self.linger(id, self.hold.map_or(until, |hold| until.min(hold)));
        }
    }

    /// The link has gone. What is held since an earlier one went is held no longer for that, and nobody lingers longer.
    fn lose_link(&mut self, now: Instant, grace: Duration) {
        if grace.is_zero() {
            *self = Self::default();
            return;
        }
        let until = *self.hold.get_or_insert(now + grace);
        let late: Vec<_> = self.ends.iter().rev().take_while(|(end, _)| *end > until).map(|(_, id)| *id).collect();
        for id in late {
            self.linger(id, until);
        }
    }
}

/// When something ends that has begun, where its length becomes another one.
pub(super) fn moved(until: Instant, (old, new): (Duration, Duration), now: Instant) -> Instant {
    (until + new).checked_sub(old).unwrap_or(now)
}

/// What is to be kept of somebody who was seen as `from`, is seen as `to`, and of whom `kept` was.
fn keep(kept: Kept, from: Show, to: Show, news: News, linger: Duration, holds: bool) -> Kept {
    let is_seen = to != Show::Unavailable;
    match (news, kept) {
        (News::Ended, _) => Kept::Nothing,
        // Who comes back is shown as they are; while all is held, that has to wait for the rest of their resources.
        (_, Kept::Lingers) if is_seen && holds => Kept::Held,
        (_, Kept::Lingers) if is_seen => Kept::Nothing,
        (_, kept) if is_seen => kept,
        (News::Went { .. }, _) if from != to && !linger.is_zero() => Kept::Lingers,
        (News::Went { .. } | News::Heard, _) if from != to => Kept::Nothing,
        // They went while there was no link.
        (News::Went { all: true, .. }, Kept::Held) => Kept::Nothing,
        (_, kept) => kept,
    }
}

impl Person {
    /// What they count for, where they are enabled.
    pub(super) const fn counted(&self) -> Counted {
        Counted { shown: self.shown, is_ready: self.show.takes_work() }
    }

    /// Nothing is shown but what is seen.
    fn show_truth(&mut self) {
        (self.kept, self.shown) = (Kept::Nothing, self.show);
    }

    /// Nothing is known of them any more.
    fn forget(&mut self) {
        self.presence.forget();
        self.show = Show::Unavailable;
        (self.leased, self.standing) = (false, Standing::Unknown);
    }
}

impl Desk {
    /// Changes what was seen of one user, and whatever follows from it. Cost: the queues of this user.
    pub(super) fn observe(
        &mut self,
        id: UserId,
        news: News,
        change: impl FnOnce(&mut Presence),
        events: &mut Vec<Event>,
    ) {
        let Some(person) = self.people.get_mut(&id) else { return };
        change(&mut person.presence);
        // What is heard on trial does not count yet. Who is not to be seen any more is not shown either, whatever the link.
        if self.sweep.on_trial && !matches!(news, News::Ended) {
            return;
        }
        let winner = person.presence.winner(self.policy.merge, &self.policy.precedence, |_| ());
        let to = winner.map_or(Show::Unavailable, |resource| resource.show);
        let before = person.counted();
        let from = std::mem::replace(&mut person.show, to);
        let (linger, holds) = (self.policy.linger, self.keeping.hold.is_some());
        let kept = keep(person.kept, from, to, news, linger, holds);
        let kept_before = std::mem::replace(&mut person.kept, kept);
        if kept_before == Kept::Lingers && kept != Kept::Lingers {
            self.keeping.unlinger(id);
        }
        if let News::Went { now, .. } = news
            && kept == Kept::Lingers
            && kept_before != Kept::Lingers
        {
            person.shown = from;
            self.keeping.linger(id, now + linger);
        }
        if kept == Kept::Nothing {
            person.shown = to;
        }
        self.recount(id, before, events);
    }

    /// Counts a user anew who counted for `before`.
    fn recount(&mut self, id: UserId, before: Counted, events: &mut Vec<Event>) {
        let Some(person) = self.people.get_mut(&id) else { return };
        let now = person.counted();
        if now == before {
            return;
        }
        if before.shown != now.shown {
            person.presence.changed = self.now;
            events.push(Event::User { id, from: before.shown, to: now.shown });
        }
        for staffs in person.staffs.iter().filter(|staffs| staffs.enabled) {
            let state = self.queues.get_mut(&staffs.queue).expect("who is deleted is unassigned before");
            state.counts.remove(before);
            state.counts.add(now);
            state.refresh(&self.policy.precedence, self.now, &mut self.outbox, events);
        }
    }

    /// The link has gone: everything that was seen is unknown again. What was shown is held, if it may be.
    pub(super) fn forget_all(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.leases.clear();
        self.keeping.lose_link(now, self.policy.link_grace);
        let holds = self.keeping.is_holding();
        let forget = |person: &mut Person| {
            person.forget();
            match person.kept {
                Kept::Lingers if holds => {}
                Kept::Nothing | Kept::Held if holds && person.is_assigned() => person.kept = Kept::Held,
                Kept::Nothing | Kept::Held | Kept::Lingers => person.show_truth(),
            }
        };
        self.recount_all(forget, events);
    }

    /// What was held counts no longer.
    fn release(&mut self, events: &mut Vec<Event>) {
        if self.keeping.hold.take().is_some() {
            let release = |person: &mut Person| {
                if person.kept == Kept::Held {
                    person.show_truth();
                }
            };
            self.recount_all(release, events);
        }
    }

    /// How resources are weighed has changed, or how shows are: everybody's show, and every queue's, is computed anew. What is
    /// kept of people who are not seen stays what it was.
    pub(super) fn weigh_anew(&mut self, events: &mut Vec<Event>) {
        let (merge, precedence, on_trial) = (self.policy.merge, self.policy.precedence, self.sweep.on_trial);
        let weigh = |person: &mut Person| {
            // What is heard on trial does not count yet.
            if !on_trial {
                let winner = person.presence.winner(merge, &precedence, |_| ());
                person.show = winner.map_or(Show::Unavailable, |resource| resource.show);
            }
            if person.kept == Kept::Nothing {
                person.shown = person.show;
            }
        };
        self.recount_all(weigh, events);
    }

    fn recount_all(&mut self, mut change: impl FnMut(&mut Person), events: &mut Vec<Event>) {
        for state in self.queues.values_mut() {
            state.counts = Counts::default();
        }
        let is_linked = self.link() != LinkPhase::Down;
        for (id, person) in &mut self.people {
            let from = person.shown;
            change(person);
            if from != person.shown {
                person.presence.changed = self.now;
            }
            // Without a link nobody is there, which need not be said of each.
            if is_linked && from != person.shown {
                events.push(Event::User { id: *id, from, to: person.shown });
            }
            for staffs in person.staffs.iter().filter(|staffs| staffs.enabled) {
                let state = self.queues.get_mut(&staffs.queue).expect("who is deleted is unassigned before");
                state.counts.add(person.counted());
            }
        }
        for state in self.queues.values_mut() {
            state.refresh(&self.policy.precedence, self.now, &mut self.outbox, events);
        }
    }

    /// When [`Desk::expire`] next has something to do.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.keeping.next()
    }

    /// Ends what is shown of people who are not seen, where its time is over. [`Desk::apply`] and [`Desk::tick`] do so
    /// first; before [`Desk::outgoing`] it is for the caller to do.
    pub fn expire(&mut self, now: Instant) -> Vec<Event> {
        self.let_go(now, false)
    }

    /// Ends what is over, and where everybody was heard, what is held. All of it counts no longer before any of that shows.
    pub(super) fn let_go(&mut self, now: Instant, all_heard: bool) -> Vec<Event> {
        self.now = Tick::at(self.began, now).or_first();
        let mut events = Vec::new();
        let mut queues = BTreeSet::new();
        while let Some(id) = self.keeping.take_over(now) {
            let Some(person) = self.people.get_mut(&id) else { continue };
            let before = person.counted();
            person.show_truth();
            person.presence.changed = self.now;
            events.push(Event::User { id, from: before.shown, to: person.shown });
            for staffs in person.staffs.iter().filter(|staffs| staffs.enabled) {
                let state = self.queues.get_mut(&staffs.queue).expect("who is deleted is unassigned before");
                state.counts.remove(before);
                state.counts.add(person.counted());
                queues.insert(staffs.queue);
            }
        }
        if all_heard || self.keeping.hold.is_some_and(|until| until <= now) {
            self.release(&mut events);
        }
        for id in queues {
            let state = self.queues.get_mut(&id).expect("it was there a moment ago");
            state.refresh(&self.policy.precedence, self.now, &mut self.outbox, &mut events);
        }
        events
    }
}

mod tests;
