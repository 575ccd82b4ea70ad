//! What is to be written into users' rosters, so that nobody has to click: the watcher, who sees them, and the queues that
//! they staff, whom they see. What is to be written is checked again when its turn comes, and so little of it is under way
//! at a time that no server is flooded.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use super::{
    BareJid, Desk, Effect, Entry, Event, Grants, LinkPhase, Name, Onboarding, QueueId, RosterWrite, UserId,
    WriteFailure,
    desk::{Person, Standing},
    presence::Presence,
    shown::News,
};

/// The most writes whose answer is waited for.
pub const WRITES_MOST: usize = 16;
/// With so many waiting, the pass over all users waits too.
const WAITING_MOST: usize = 64;
/// How long the answer to a write may take. Who answers for us knows how long that is himself, a server need not.
const OVERDUE: Duration = Duration::from_mins(1);
/// How long nothing is written after the first failure to reach whom we write to. It doubles with every further one.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
/// The longest of these pauses.
const PAUSE_MOST: Duration = Duration::from_mins(5);

/// A user's roster, and one of our JIDs in it.
type Place = (BareJid, Name);

#[derive(Debug, Default)]
pub(super) struct Rosters {
    grants: Grants,
    /// The server has told before who is there, and does not again on this stream.
    were_told: bool,
    /// What is to be written. Bounded by the assignments that there are, or were when nothing could be written.
    waiting: BTreeMap<Place, Entry>,
    /// What is under way, and until when an answer is waited for.
    out: BTreeMap<Place, (Entry, Instant)>,
    /// Those who are to be asked the ordinary way, since their roster could not be written.
    plainly: BTreeSet<UserId>,
    /// Queues that were written into rosters: those users are to become followers. Bounded by who takes them out at once.
    listed: VecDeque<Place>,
    /// Nothing is written before this.
    paused: Option<Instant>,
    pause: Duration,
}

impl Rosters {
    pub(super) fn grants(&self) -> Grants {
        self.grants
    }

    pub(super) fn put(&mut self, user: BareJid, contact: Name, entry: Entry) {
        self.waiting.insert((user, contact), entry);
    }

    /// The pass over all users has to wait.
    pub(super) fn is_full(&self) -> bool {
        self.paused.is_none() && self.waiting.len() >= WAITING_MOST
    }

    pub(super) fn has_work(&self) -> bool {
        let is_free = |place: &Place| !self.out.contains_key(place);
        let may_write = self.paused.is_none() && self.out.len() < WRITES_MOST;
        !self.plainly.is_empty() || (may_write && self.waiting.keys().any(is_free))
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.out.values().map(|(_, until)| *until).chain(self.paused).min()
    }

    /// What the server grants it has to say again. What was under way through the link may be lost, and is to be written
    /// again; who writes beside it goes on.
    pub(super) fn link_down(&mut self, onboarding: Onboarding) {
        if onboarding != Onboarding::EjabberdApi {
            for (place, (entry, _)) in std::mem::take(&mut self.out) {
                self.waiting.entry(place).or_insert(entry);
            }
        }
        (self.grants, self.were_told) = (Grants::default(), false);
        self.plainly.clear();
    }

    /// The link begins anew on the stream that it has, on which the server has said what it grants, and who is there.
    pub(super) fn begin_anew(&mut self, grants: Grants) {
        (self.grants, self.were_told) = (grants, true);
    }

    fn next_free(&mut self) -> Option<(Place, Entry)> {
        let place = self.waiting.keys().find(|place| !self.out.contains_key(place))?.clone();
        self.waiting.remove_entry(&place)
    }
}

impl Desk {
    /// Whether this is an address on the users' domain, which is the one whose rosters may be ours to write.
    fn is_local(&self, jid: &BareJid) -> bool {
        jid.domain() == &*self.policy.user_domain
    }

    /// Whether we write this roster, be it that we have to wait a little.
    pub(super) fn writes(&self, jid: &BareJid) -> bool {
        let may = match self.policy.onboarding {
            Onboarding::Subscribe => false,
            Onboarding::Privilege => self.rosters.grants.roster,
            Onboarding::EjabberdApi => true,
        };
        may && self.is_local(jid)
    }

    pub(super) fn can_write(&self, jid: &BareJid) -> bool {
        self.rosters.paused.is_none() && self.writes(jid)
    }

    /// Whether the server tells us what this user's presence is without being asked: then nobody who was not heard is there.
    /// Without the right to write rosters nobody can be asked who is assigned later, so then all go the ordinary way.
    pub(super) fn is_managed(&self, jid: &BareJid) -> bool {
        let Grants { roster, presence } = self.rosters.grants;
        roster && presence && !self.rosters.were_told && self.is_local(jid)
    }

    /// Whether the server's word about the presence of this user is taken.
    pub(super) fn is_relayed(&self, jid: &BareJid) -> bool {
        self.rosters.grants.presence && self.is_local(jid)
    }

    /// Whether the queues that this user staffs are kept in their roster, and they among the followers of those.
    pub(super) fn is_listing(&self, jid: &BareJid) -> bool {
        self.policy.onboarding != Onboarding::Subscribe && self.policy.roster_group.is_some() && self.is_local(jid)
    }

    /// The server says what it lets us do: all of it, in place of what it has said before. Whose presence it tells no longer
    /// is asked for, where they do not tell us themselves.
    pub(super) fn granted(&mut self, grants: Grants, events: &mut Vec<Event>) {
        if self.policy.onboarding != Onboarding::Privilege || self.link() == LinkPhase::Down {
            return;
        }
        let before = std::mem::replace(&mut self.rosters.grants, grants);
        if before.presence && !grants.presence {
            let untold = |it: &Person| it.presence.heard && it.standing != Standing::Approved && self.is_local(&it.jid);
            let untold: Vec<_> = self.people.iter().filter(|(_, it)| untold(it)).map(|(id, _)| *id).collect();
            for id in untold {
                self.observe(id, News::Ended, Presence::forget, events);
            }
            self.sweep.ask_all();
        }
    }

    /// How users are brought to let us see their presence at the moment; `None` while that is not known.
    #[must_use]
    pub fn onboards_by(&self) -> Option<Onboarding> {
        let onboarding = self.policy.onboarding;
        let is_known = self.link() != LinkPhase::Down && !self.sweep.is_learning();
        let works = match onboarding {
            Onboarding::Subscribe => true,
            Onboarding::Privilege => self.rosters.grants.roster,
            Onboarding::EjabberdApi => self.rosters.paused.is_none(),
        };
        is_known.then_some(if works { onboarding } else { Onboarding::Subscribe })
    }

    /// The watcher has no business with this user any more.
    pub(super) fn unlist_watcher(&mut self, user: BareJid) {
        let watcher = self.policy.watcher.clone();
        self.rosters.put(user, watcher, Entry::Absent);
    }

    pub(super) fn list_watcher(&mut self, user: BareJid) {
        let watcher = self.policy.watcher.clone();
        self.rosters.put(user, watcher, Entry::Watcher);
    }

    /// A user staffs this queue. Before everybody was heard nothing is noted: the pass after that sees to it.
    pub(super) fn list_queue(&mut self, user: &BareJid, queue: Name) {
        if self.link() == LinkPhase::Up
            && self.is_listing(user)
            && let Some(group) = self.policy.roster_group.clone()
        {
            self.rosters.put(user.clone(), queue, Entry::Queue { group });
        }
    }

    /// A user staffs the queue of this name no longer.
    pub(super) fn unlist_queue(&mut self, user: &BareJid, queue: Name) {
        if self.is_listing(user) {
            self.rosters.put(user.clone(), queue, Entry::Absent);
        }
    }

    /// The queues that a user staffs and does not follow.
    fn unfollowed<'a>(&'a self, person: &'a Person) -> impl Iterator<Item = &'a Name> {
        let states = person.staffs.iter().filter_map(|staffs| self.queues.get(&staffs.queue));
        states.filter(|state| !state.subscribers.contains_key(&person.jid)).map(|state| &state.queue.name)
    }

    /// Whether something is missing from a user's roster.
    pub(super) fn lacks_queues(&self, person: &Person) -> bool {
        self.is_listing(&person.jid) && self.can_write(&person.jid) && self.unfollowed(person).next().is_some()
    }

    /// Notes all that is missing from a user's roster.
    pub(super) fn list_queues(&mut self, id: UserId) {
        let Some(person) = self.people.get(&id).filter(|person| self.lacks_queues(person)) else { return };
        let (jid, queues) = (person.jid.clone(), self.unfollowed(person).cloned().collect::<Vec<_>>());
        for queue in queues {
            self.list_queue(&jid, queue);
        }
    }

    fn staffs_named(&self, user: UserId, queue: &Name) -> Option<QueueId> {
        let queue = self.queue_named(queue)?.id;
        self.people.get(&user)?.enabled_on(queue).map(|_| queue)
    }

    /// Whether a write that has waited is still to be done.
    fn is_wanted(&self, (user, contact): &Place, entry: &Entry) -> bool {
        let id = self.staffing(user);
        let staffed = || id.and_then(|id| self.staffs_named(id, contact));
        match entry {
            Entry::Watcher => id.is_some_and(|id| self.people[&id].standing != Standing::Approved),
            Entry::Queue { .. } => staffed().is_some_and(|queue| !self.queues[&queue].subscribers.contains_key(user)),
            Entry::Absent if *contact == self.policy.watcher => id.is_none(),
            Entry::Absent => staffed().is_none(),
        }
    }

    /// The next write, where there is room for one.
    pub(super) fn next_writing(&mut self, now: Instant) -> Option<Effect> {
        if self.rosters.paused.is_some() || self.rosters.out.len() >= WRITES_MOST {
            return None;
        }
        while let Some((place, entry)) = self.rosters.next_free() {
            if !self.is_wanted(&place, &entry) {
                continue;
            }
            let (user, contact) = place.clone();
            if self.writes(&user) {
                self.rosters.out.insert(place, (entry.clone(), now + OVERDUE));
                return Some(Effect::Roster(RosterWrite { user, contact, entry }));
            }
            // The server lets us do it no longer.
            match entry {
                Entry::Watcher => self.ask_plainly_later(&user),
                Entry::Absent if contact == self.policy.watcher => self.outbox.leave(user),
                Entry::Queue { .. } | Entry::Absent => {}
            }
        }
        None
    }

    fn ask_plainly_later(&mut self, user: &BareJid) {
        self.rosters.plainly.extend(self.staffing(user));
    }

    /// The next who is asked the ordinary way.
    pub(super) fn next_asked_plainly(&mut self, now: Instant) -> Option<Effect> {
        while let Some(id) = self.rosters.plainly.pop_first() {
            let waits = |person: &Person| matches!(person.standing, Standing::Unknown | Standing::Asked);
            if self.people.get(&id).is_some_and(|person| waits(person)) {
                return self.ask_plainly(id, now);
            }
        }
        None
    }

    /// What became of a write. Answers that nobody waits for change nothing.
    pub(super) fn written(&mut self, place: Place, result: Result<(), WriteFailure>, now: Instant) {
        let Some((entry, _)) = self.rosters.out.remove(&place) else { return };
        match result {
            Ok(()) => {
                self.rosters.pause = Duration::ZERO;
                match entry {
                    Entry::Watcher => self.approved(&place.0),
                    Entry::Queue { .. } => self.rosters.listed.push_back(place),
                    Entry::Absent => {}
                }
            }
            Err(WriteFailure::Refused) => {
                if entry == Entry::Watcher {
                    self.ask_plainly_later(&place.0);
                }
            }
            Err(WriteFailure::Unreachable) => {
                self.rosters.waiting.entry(place).or_insert(entry);
                self.pause_writing(now);
            }
        }
    }

    /// Those who wait to be seen are asked the ordinary way meanwhile, if they were not asked on this link.
    fn pause_writing(&mut self, now: Instant) {
        let watched = self.rosters.waiting.iter().filter(|(_, entry)| **entry == Entry::Watcher);
        let users = watched.filter_map(|((user, _), _)| self.staffing(user));
        let users: Vec<_> = users.filter(|id| self.people[id].standing == Standing::Unknown).collect();
        self.rosters.plainly.extend(users);
        if self.rosters.paused.is_none() {
            self.rosters.pause = (self.rosters.pause * 2).clamp(PAUSE_FIRST, PAUSE_MOST);
            self.rosters.paused = Some(now + self.rosters.pause);
        }
    }

    /// Gives up what was not answered, and goes on after a pause: then everybody is looked at again who was asked
    /// the ordinary way in it.
    pub(super) fn tick_rosters(&mut self, now: Instant) {
        let late = self.rosters.out.iter().filter(|(_, (_, until))| *until <= now);
        let late: Vec<_> = late.map(|(place, _)| place.clone()).collect();
        for place in late {
            self.written(place, Err(WriteFailure::Refused), now);
        }
        if self.rosters.paused.is_some_and(|until| until <= now) {
            self.rosters.paused = None;
            self.sweep.ask_all();
        }
    }

    /// Whether somebody is to become a follower of a queue that was written into their roster.
    #[must_use]
    pub fn has_listed(&self) -> bool {
        !self.rosters.listed.is_empty()
    }

    /// The next queue that was written into an operator's roster, who is to become its follower, if they still staff it.
    pub fn next_listed(&mut self) -> Option<(Name, BareJid)> {
        while let Some((user, queue)) = self.rosters.listed.pop_front() {
            if self.staffing(&user).and_then(|id| self.staffs_named(id, &queue)).is_some() {
                return Some((queue, user));
            }
        }
        None
    }
}

mod tests;
