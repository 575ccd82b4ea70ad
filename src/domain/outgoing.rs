//! What is still to be sent: computed from what everybody should have been told and what they were told, and taken out
//! as fast as the link takes it. Nothing here grows without a bound that something else sets, and no kind of work keeps
//! another one from its turn.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    ops::Bound::{Excluded, Unbounded},
    time::{Duration, Instant},
};

use super::{
    BareJid, Desk, Effect, LinkPhase, Name, Published, Queue, QueueId, UserId,
    desk::{Person, QueueState, Standing},
};

/// The most refusals that wait to be sent: they answer strangers, who may be many.
const DENIALS_MOST: usize = 1_024;
/// The most strangers that are told on one link that we do not follow them.
const SHOOED_MOST: usize = 10_000;

/// The most stanzas that are remembered for the case that the link dies under them.
const SENT_MOST: usize = 10_000;
/// Pings are taken out only where there is this much room: on a link that is behind, the answer would come too late through
/// no fault of the client.
const PING_ROOM: usize = 256;
/// How long a link has to live on after a stanza until that has arrived for sure: longer than it takes to find it dead.
pub const ARRIVES_WITHIN: Duration = Duration::from_mins(2);

/// Something that is said once, and has to be said again when it was lost with its link.
#[derive(Debug)]
enum Once {
    Ask(UserId),
    Leave(BareJid),
    Approve(QueueId, BareJid),
    Farewell(Name, BareJid),
}

/// Somebody who does not follow a JID of ours, and is to be told so.
#[derive(Debug, PartialEq, Eq)]
struct Denial {
    from: Name,
    to: BareJid,
    full: bool,
}

/// What one follower of a queue was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// On which link; 0 is never.
    pub(super) link: u32,
    published: Option<Published>,
    /// They are to be told that they may follow.
    pub(super) approve: bool,
    /// Their server says that they are gone for good: they are told nothing until they are heard.
    pub(super) gone: bool,
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
    /// Whose turn it is, where several kinds of work wait.
    turn: u8,
    sent: VecDeque<(Instant, Once)>,
    denials: VecDeque<Denial>,
    /// Those who followed a queue that went. Bounded by the followers there were.
    farewells: BTreeSet<(Name, BareJid)>,
    /// Followers to be told alone. Bounded by the followers there are.
    greets: BTreeSet<(QueueId, BareJid)>,
    retells: VecDeque<QueueId>,
    passes: BTreeMap<QueueId, Pass>,
    leaves: BTreeSet<BareJid>,
    asks: BTreeSet<UserId>,
    probes: BTreeSet<UserId>,
    /// Strangers who are to be told that we do not follow them, and all that were told on this link.
    shoos: VecDeque<BareJid>,
    shooed: HashSet<BareJid>,
}

impl Outbox {
    pub(super) fn deny(&mut self, from: Name, to: BareJid, full: bool) {
        if self.denials.len() < DENIALS_MOST {
            self.denials.push_back(Denial { from, to, full });
        }
    }

    pub(super) fn farewell(&mut self, queue: Name, to: BareJid) {
        self.farewells.insert((queue, to));
    }

    /// Somebody follows a queue whose name they were to be parted from, or refused: they stay.
    pub(super) fn welcome(&mut self, told: &mut Told, queue: &Queue, to: BareJid) {
        let parting = (queue.name.clone(), to.clone());
        self.farewells.remove(&parting);
        self.denials.retain(|denial| (&denial.from, &denial.to) != (&parting.0, &parting.1));
        told.approve = true;
        self.greet(told, queue.id, to);
    }

    pub(super) fn greet(&mut self, told: &mut Told, queue: QueueId, to: BareJid) {
        (told.link, told.gone) = (0, false);
        self.greets.insert((queue, to));
    }

    /// Who follows no longer is greeted no longer.
    pub(super) fn ungreet(&mut self, queue: QueueId, to: &BareJid) {
        self.greets.remove(&(queue, to.clone()));
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
            self.shoos.push_back(stranger);
        }
    }

    /// How many pieces of work wait. A queue to be told of is one, however many follow it.
    pub(super) fn backlog(&self) -> usize {
        let told = self.denials.len() + self.farewells.len() + self.greets.len() + self.retells.len();
        told + self.leaves.len() + self.asks.len() + self.probes.len() + self.shoos.len()
    }

    pub(super) fn has_paced_work(&self) -> bool {
        !(self.leaves.is_empty() && self.asks.is_empty() && self.probes.is_empty() && self.shoos.is_empty())
    }

    pub(super) fn next_leave(&mut self) -> Option<BareJid> {
        self.leaves.pop_first()
    }

    pub(super) fn left(&mut self, user: BareJid, now: Instant) {
        self.remember(Once::Leave(user), now);
    }

    pub(super) fn next_shoo(&mut self) -> Option<BareJid> {
        self.shoos.pop_front()
    }

    pub(super) fn asked(&mut self, id: UserId, now: Instant) {
        self.remember(Once::Ask(id), now);
    }

    fn remember(&mut self, once: Once, now: Instant) {
        let has_arrived = |sent: &(Instant, Once)| now.saturating_duration_since(sent.0) >= ARRIVES_WITHIN;
        while self.sent.len() >= SENT_MOST || self.sent.front().is_some_and(has_arrived) {
            self.sent.pop_front();
        }
        self.sent.push_back((now, once));
    }

    /// 0, 1, 2, 0, ...
    pub(super) fn take_turn(&mut self) -> u8 {
        self.turn = (self.turn + 1) % 3;
        self.turn
    }

    pub(super) fn forget_asks(&mut self) {
        self.asks.clear();
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
        self.shoos.clear();
        self.shooed.clear();
    }
}

impl QueueState {
    /// What followers should know.
    fn wanted(&self, closing: bool) -> Published {
        if closing { Published::CLOSED } else { self.published }
    }
}

impl Desk {
    /// Takes out at most `room` stanzas, in the order in which they are to be sent. What is taken out counts as sent.
    pub fn outgoing(&mut self, room: usize, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.leases.may_ping(room >= PING_ROOM, now);
        while effects.len() < room {
            let Some(effect) = self.next_effect(now) else { break };
            effects.push(effect);
        }
        effects
    }

    fn next_effect(&mut self, now: Instant) -> Option<Effect> {
        if self.link() == LinkPhase::Down {
            return None;
        }
        if self.sweep.on_trial {
            return if self.outbox.closing { self.next_tell() } else { self.next_paced(now) };
        }
        match self.outbox.take_turn() {
            0 => self.next_parting(now).or_else(|| self.next_told(now)).or_else(|| self.next_paced(now)),
            1 => self.next_told(now).or_else(|| self.next_paced(now)).or_else(|| self.next_parting(now)),
            _ => self.next_paced(now).or_else(|| self.next_parting(now)).or_else(|| self.next_told(now)),
        }
    }

    /// What ends something: refusals, and farewells of queues that went.
    fn next_parting(&mut self, now: Instant) -> Option<Effect> {
        if let Some(Denial { from, to, full }) = self.outbox.denials.pop_front() {
            return Some(Effect::Deny { from, to, full });
        }
        let (queue, to) = self.outbox.farewells.pop_first()?;
        self.outbox.denials.push_front(Denial { from: queue.clone(), to: to.clone(), full: false });
        self.outbox.remember(Once::Farewell(queue.clone(), to.clone()), now);
        Some(Effect::Tell { queue, to, published: Published::CLOSED })
    }

    /// What followers are told: nothing before everybody was heard, unless it is that everything closes.
    fn next_told(&mut self, now: Instant) -> Option<Effect> {
        let may_tell = self.link() == LinkPhase::Up || self.outbox.closing;
        may_tell.then(|| self.next_greet(now).or_else(|| self.next_tell()))?
    }

    /// What was said shortly before the link died may not have arrived.
    pub(super) fn say_again(&mut self, now: Instant) {
        for (said, once) in std::mem::take(&mut self.outbox.sent) {
            if now.saturating_duration_since(said) >= ARRIVES_WITHIN {
                continue;
            }
            match once {
                Once::Ask(id) => {
                    // Who has said yes or no was asked.
                    let waits = |person: &Person| person.is_assigned() && person.standing == Standing::Asked;
                    if self.people.get(&id).is_some_and(|person| waits(person)) {
                        self.ask(id);
                    }
                }
                Once::Leave(user) => {
                    if self.user_at(&user).is_none_or(|id| !self.people[&id].is_assigned()) {
                        self.outbox.leave(user);
                    }
                }
                Once::Approve(queue, to) => {
                    if let Some(state) = self.queues.get_mut(&queue)
                        && let Some(told) = state.subscribers.get_mut(&to)
                    {
                        self.outbox.welcome(told, &state.queue, to);
                    }
                }
                Once::Farewell(queue, to) => {
                    let is_follower = |state: &QueueState| state.subscribers.contains_key(&to);
                    let state = self.queue_named(&queue).and_then(|queue| self.queues.get(&queue.id));
                    if !state.is_some_and(is_follower) {
                        self.outbox.farewell(queue, to);
                    }
                }
            }
        }
    }

    /// Greets somebody who asks to follow a queue that they follow already: there is nothing to store.
    pub fn greet_again(&mut self, queue: &Name, jid: &BareJid) -> bool {
        let id = self.queue_named(queue).map(|queue| queue.id);
        let Some(state) = id.and_then(|id| self.queues.get_mut(&id)) else { return false };
        let Some(told) = state.subscribers.get_mut(jid) else { return false };
        self.outbox.welcome(told, &state.queue, jid.clone());
        true
    }

    /// Tells somebody that they do not follow this JID of ours; `full`: since it has as many followers as it may have.
    pub fn deny(&mut self, from: Name, to: BareJid, full: bool) {
        self.outbox.deny(from, to, full);
    }

    fn next_greet(&mut self, now: Instant) -> Option<Effect> {
        while let Some((id, to)) = self.outbox.greets.pop_first() {
            let (link, closing) = (self.sweep.link, self.outbox.closing);
            let Some(state) = self.queues.get_mut(&id) else { continue };
            let (published, queue) = (state.wanted(closing), state.queue.name.clone());
            let Some(told) = state.subscribers.get_mut(&to) else { continue };
            if std::mem::take(&mut told.approve) {
                self.outbox.greets.insert((id, to.clone()));
                self.outbox.remember(Once::Approve(id, to.clone()), now);
                return Some(Effect::Approve { queue, to });
            }
            if told.link == link && told.published == Some(published) {
                continue;
            }
            (told.link, told.published) = (link, Some(published));
            return Some(Effect::Tell { queue, to, published });
        }
        None
    }

    /// The next follower who was told something else than what is true, one queue after the other in turn.
    fn next_tell(&mut self) -> Option<Effect> {
        while let Some(id) = self.outbox.retells.pop_front() {
            if let Some(effect) = self.tell_of(id) {
                self.outbox.retells.push_back(id);
                return Some(effect);
            }
            if self.outbox.passes.remove(&id).is_some_and(|pass| pass.again) {
                self.outbox.retell(id);
            }
        }
        None
    }

    fn tell_of(&mut self, id: QueueId) -> Option<Effect> {
        let (link, on_trial, closing) = (self.sweep.link, self.sweep.on_trial, self.outbox.closing);
        let state = self.queues.get_mut(&id)?;
        let wanted = state.wanted(closing);
        let pass = self.outbox.passes.get_mut(&id)?;
        let from = pass.after.as_ref().map_or(Unbounded, Excluded);
        let mut rest = state.subscribers.range_mut::<BareJid, _>((from, Unbounded));
        // On trial somebody else may speak for the queue, rightly: only those hear of its end whom we have told of it. Else
        // who waits to be approved is told then.
        let may_hear = |told: &Told| if on_trial { told.published.is_some() } else { !told.approve };
        let is_news = |told: &Told| told.link != link || told.published != Some(wanted);
        let is_due = |told: &Told| !told.gone && may_hear(told) && is_news(told);
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
            // Who is gone for good is about to follow no longer.
            Some((id, told)) if !told.gone => self.outbox.greet(told, id, from),
            Some(_) | None => self.outbox.deny(queue, from, false),
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
}
