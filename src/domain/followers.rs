//! Who follows the presence of queues: who may, how many may, and who does no longer.

use super::{
    BareJid, Change, Desk, Key, Name, Outcome, Plan, QueueId, Record, Refusal, Subscriber, Write,
    plan::{Claim, Claims},
};

/// Where fewer places than this are left, they are given one by one: plans that are written together do not see each other.
const LAST_PLACES: usize = 10_000;

impl Desk {
    pub(super) fn plan_following(&self, queue: &Name, jid: BareJid) -> Result<Plan, Refusal> {
        let queue = self.queue_named(queue).ok_or(Refusal::NoQueue)?;
        let shared = [Claim::Account(queue.account), Claim::Queue(queue.id)];
        let mut claims = Claims::of(shared, [Claim::Subscriber(queue.id, jid.clone())]);
        if !self.queues[&queue.id].subscribers.contains_key(&jid) {
            if !self.may_follow(queue.id, &jid) {
                return Err(Refusal::MayNotFollow);
            }
            match self.places(queue.id) {
                0 => return Err(Refusal::TooManyFollowers),
                1..LAST_PLACES => claims.add(Claim::LastPlaces),
                LAST_PLACES.. => {}
            }
        }
        // Written again where it is there already, so that who asks again is answered again.
        let change = vec![Write::Put(Record::Subscriber(Subscriber { queue: queue.id, jid }))];
        Ok(Plan { change, claims, outcome: Outcome::Done })
    }

    /// How many more may follow a queue.
    fn places(&self, queue: QueueId) -> usize {
        let of_queue = self.policy.followers_of_queue_most.saturating_sub(self.queues[&queue].subscribers.len());
        of_queue.min(self.policy.followers_most.saturating_sub(self.followers))
    }

    pub(super) fn plan_unfollowing(&self, queue: &Name, jid: BareJid) -> Result<Plan, Refusal> {
        let queue = self.queue_named(queue).ok_or(Refusal::NoQueue)?;
        let shared = [Claim::Account(queue.account), Claim::Queue(queue.id)];
        let claims = Claims::of(shared, [Claim::Subscriber(queue.id, jid.clone())]);
        let follows = self.queues[&queue.id].subscribers.contains_key(&jid);
        let change = if follows { vec![Write::Delete(Key::Subscriber(queue.id, jid))] } else { Change::new() };
        Ok(Plan { change, claims, outcome: Outcome::Done })
    }

    /// A server says that a follower is gone for good: they are told nothing any more, unless they are heard. Whether they
    /// follow, so that this can be stored.
    pub fn follower_gone(&mut self, queue: &Name, jid: &BareJid) -> bool {
        let id = self.queue_named(queue).map(|queue| queue.id);
        let Some(state) = id.and_then(|id| self.queues.get_mut(&id)) else { return false };
        let Some(told) = state.subscribers.get_mut(jid) else { return false };
        (told.gone, told.approve) = (true, false);
        self.outbox.ungreet(state.queue.id, jid);
        true
    }
}
