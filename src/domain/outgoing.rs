//! What is still to be sent: computed from what everybody should have been told and what they were told, and taken out
//! as fast as the link takes it. Nothing here grows without a bound that something else sets.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    ops::Bound::{Excluded, Unbounded},
    time::Instant,
};

use super::{BareJid, Desk, Effect, LinkPhase, Name, Published, Queue, QueueId, UserId};

/// The most refusals that wait to be sent: they answer strangers, who may be many.
const DENIALS_MOST: usize = 1_024;
/// The most strangers that are told on one link that we do not follow them.
const SHOOED_MOST: usize = 10_000;

/// What one follower of a queue was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// On which link; 0 is never.
    pub(super) link: u32,
    published: Option<Published>,
    /// They are to be told that they may follow.
    pub(super) approve: bool,
    /// They stand in [`Outbox::greets`].
    waiting: bool,
}

/// A pass over the followers of a queue.
#[derive(Debug, Default)]
struct Pass {
    after: Option<BareJid>,
    again: bool,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Everything closes: nobody is asked anything any more.
    pub(super) closing: bool,
    denials: VecDeque<(Name, BareJid)>,
    /// Those who followed a queue that went. Bounded by the followers there were.
    farewells: BTreeSet<(Name, BareJid)>,
    /// Followers to be told alone. Bounded by the followers there are.
    greets: VecDeque<(QueueId, BareJid)>,
    retells: VecDeque<QueueId>,
    passes: BTreeMap<QueueId, Pass>,
    leaves: BTreeSet<BareJid>,
    asks: BTreeSet<UserId>,
    probes: BTreeSet<UserId>,
    shooed: HashSet<BareJid>,
}

impl Outbox {
    pub(super) fn deny(&mut self, from: Name, to: BareJid) {
        if self.denials.len() < DENIALS_MOST {
            self.denials.push_back((from, to));
        }
    }

    pub(super) fn farewell(&mut self, queue: Name, to: BareJid) {
        self.farewells.insert((queue, to));
    }

    /// Somebody follows a queue whose name they were to be parted from: they stay.
    pub(super) fn welcome(&mut self, told: &mut Told, queue: &Queue, to: BareJid) {
        self.farewells.remove(&(queue.name.clone(), to.clone()));
        told.approve = true;
        self.greet(told, queue.id, to);
    }

    pub(super) fn greet(&mut self, told: &mut Told, queue: QueueId, to: BareJid) {
        told.link = 0;
        if !std::mem::replace(&mut told.waiting, true) {
            self.greets.push_back((queue, to));
        }
    }

    pub(super) fn retell(&mut self, queue: QueueId) {
        if let Some(pass) = self.passes.get_mut(&queue) {
            pass.again = pass.after.is_some();
        } else {
            self.passes.insert(queue, Pass::default());
            self.retells.push_back(queue);
        }
    }

    pub(super) fn leave(&mut self, user: BareJid) {
        self.leaves.insert(user);
    }

    pub(super) fn ask(&mut self, id: UserId, jid: &BareJid) {
        self.leaves.remove(jid);
        self.asks.insert(id);
    }

    pub(super) fn probe(&mut self, id: UserId) {
        self.probes.insert(id);
    }

    /// Somebody whom we do not follow shows us their presence: tell them once that they need not.
    pub(super) fn shoo(&mut self, stranger: BareJid) {
        if self.shooed.len() < SHOOED_MOST && self.shooed.insert(stranger.clone()) {
            self.leaves.insert(stranger);
        }
    }

    pub(super) fn has_paced_work(&self) -> bool {
        !(self.leaves.is_empty() && self.asks.is_empty() && self.probes.is_empty())
    }

    pub(super) fn next_leave(&mut self) -> Option<BareJid> {
        self.leaves.pop_first()
    }

    pub(super) fn next_ask(&mut self) -> Option<UserId> {
        self.asks.pop_first()
    }

    pub(super) fn next_probe(&mut self) -> Option<UserId> {
        self.probes.pop_first()
    }

    /// What only this link could have answered is dropped; what is owed to somebody is kept.
    pub(super) fn link_down(&mut self) {
        self.denials.clear();
        self.retells.clear();
        self.passes.clear();
        self.probes.clear();
        self.shooed.clear();
    }
}

impl Desk {
    /// Takes out at most `room` stanzas, in the order in which they are to be sent. What is taken out counts as sent.
    pub fn outgoing(&mut self, room: usize, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        while effects.len() < room {
            let Some(effect) = self.next_effect(now) else { break };
            effects.push(effect);
        }
        effects
    }

    /// Whether [`Desk::outgoing`] would give something at once.
    #[must_use]
    pub fn has_outgoing(&self, now: Instant) -> bool {
        let phase = self.link();
        let may_tell = phase == LinkPhase::Up || self.outbox.closing;
        let tells = !(self.outbox.greets.is_empty() && self.outbox.retells.is_empty());
        let owes = !(self.outbox.denials.is_empty() && self.outbox.farewells.is_empty());
        phase != LinkPhase::Down && (owes || (may_tell && tells) || self.is_pace_due(now))
    }

    fn next_effect(&mut self, now: Instant) -> Option<Effect> {
        let phase = self.link();
        if phase == LinkPhase::Down {
            return None;
        }
        if let Some((from, to)) = self.outbox.denials.pop_front() {
            return Some(Effect::Deny { from, to });
        }
        if let Some((queue, to)) = self.outbox.farewells.pop_first() {
            self.outbox.denials.push_front((queue.clone(), to.clone()));
            return Some(Effect::Tell { queue, to, published: Published::CLOSED });
        }
        if phase == LinkPhase::Up || self.outbox.closing {
            if let Some(effect) = self.next_greet() {
                return Some(effect);
            }
            if let Some(effect) = self.next_tell() {
                return Some(effect);
            }
        }
        self.next_paced(now)
    }

    /// What followers of a queue should know.
    fn wanted(&self, queue: QueueId) -> Published {
        if self.outbox.closing { Published::CLOSED } else { self.queues[&queue].published }
    }

    fn next_greet(&mut self) -> Option<Effect> {
        while let Some((id, to)) = self.outbox.greets.pop_front() {
            if !self.queues.contains_key(&id) {
                continue;
            }
            let published = self.wanted(id);
            let link = self.sweep.link;
            let Some(state) = self.queues.get_mut(&id) else { continue };
            let queue = state.queue.name.clone();
            let Some(told) = state.subscribers.get_mut(&to) else { continue };
            if std::mem::take(&mut told.approve) {
                self.outbox.greets.push_front((id, to.clone()));
                return Some(Effect::Approve { queue, to });
            }
            *told = Told { link, published: Some(published), approve: false, waiting: false };
            return Some(Effect::Tell { queue, to, published });
        }
        None
    }

    /// The next follower who was told something else than what is true, queue by queue.
    fn next_tell(&mut self) -> Option<Effect> {
        while let Some(&id) = self.outbox.retells.front() {
            if let Some(effect) = self.tell_of(id) {
                return Some(effect);
            }
            let Some(pass) = self.outbox.passes.get_mut(&id) else {
                self.outbox.retells.pop_front();
                continue;
            };
            if pass.again && self.queues.contains_key(&id) {
                *pass = Pass::default();
            } else {
                self.outbox.passes.remove(&id);
                self.outbox.retells.pop_front();
            }
        }
        None
    }

    fn tell_of(&mut self, id: QueueId) -> Option<Effect> {
        let wanted = self.queues.contains_key(&id).then(|| self.wanted(id))?;
        let link = self.sweep.link;
        let state = self.queues.get_mut(&id)?;
        let pass = self.outbox.passes.get_mut(&id)?;
        let from = pass.after.as_ref().map_or(Unbounded, Excluded);
        let mut rest = state.subscribers.range_mut::<BareJid, _>((from, Unbounded));
        // Who waits to be approved is told then.
        let is_due = |told: &Told| !told.approve && (told.link != link || told.published != Some(wanted));
        let (to, told) = rest.find(|(_, told)| is_due(told))?;
        pass.after = Some(to.clone());
        (told.link, told.published) = (link, Some(wanted));
        Some(Effect::Tell { queue: state.queue.name.clone(), to: to.clone(), published: wanted })
    }

    pub(super) fn retell_all(&mut self) {
        for (id, state) in &self.queues {
            if !state.subscribers.is_empty() {
                self.outbox.retell(*id);
            }
        }
    }

    pub(super) fn probed(&mut self, queue: Name, from: BareJid) {
        let id = self.queue_named(&queue).map(|queue| queue.id);
        let state = id.and_then(|id| self.queues.get_mut(&id));
        match state.and_then(|state| Some((state.queue.id, state.subscribers.get_mut(&from)?))) {
            Some((id, told)) => self.outbox.greet(told, id, from),
            None => self.outbox.deny(queue, from),
        }
    }

    pub(super) fn ask(&mut self, id: UserId) {
        if let Some(person) = self.people.get(&id) {
            self.outbox.ask(id, &person.jid);
        }
    }

    pub(super) fn close(&mut self) {
        self.outbox.closing = true;
        self.outbox.passes.clear();
        self.outbox.retells.clear();
        self.retell_all();
    }

    /// Nothing that was taken in so far is owed to anybody: it is how things were before.
    pub(super) fn owe_nothing(&mut self) {
        self.outbox = Outbox::default();
        for state in self.queues.values_mut() {
            state.subscribers.values_mut().for_each(|told| *told = Told::default());
        }
    }
}
