//! The aggregate: all intent, all observation, and the one place that decides.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use super::{
    Account, AccountId, BareJid, Event, Input, LinkPhase, Name, Policy, Precedence, Published, Queue, QueueId, Seen,
    Session, Show, Tally, Token, TokenHash, User, UserId,
    availability::Counts,
    index::Index,
    lease::{Leases, Tick},
    outgoing::{Outbox, Told},
    presence::Presence,
    roster::Rosters,
    shown::{Keeping, Kept, News},
    suspension::Suspensions,
    sweep::Sweep,
    version::Roll,
};

/// All that is known: intent as it is committed, observation since the link came up.
#[derive(Debug)]
pub struct Desk {
    pub(super) policy: Policy,
    pub(super) next_id: u32,
    pub(super) accounts: BTreeMap<AccountId, AccountState>,
    /// Whose each login is.
    pub(super) logins: HashMap<Name, AccountId>,
    pub(super) sessions: HashMap<TokenHash, Session>,
    pub(super) tokens: HashMap<(AccountId, Name), Token>,
    pub(super) token_hashes: HashMap<TokenHash, (AccountId, Name)>,
    pub(super) people: BTreeMap<UserId, Box<Person>>,
    pub(super) queues: BTreeMap<QueueId, QueueState>,
    pub(super) suspensions: Suspensions,
    /// Which accounts a JID is linked to.
    pub(super) admins: HashMap<BareJid, BTreeSet<AccountId>>,
    /// How many followers all queues have together.
    pub(super) followers: usize,
    pub(super) index: Index,
    pub(super) sweep: Sweep,
    pub(super) outbox: Outbox,
    pub(super) leases: Leases,
    pub(super) rosters: Rosters,
    pub(super) keeping: Keeping,
    pub(super) tally: Tally,
    /// Why there is no link, in words.
    pub(super) link_trouble: Option<String>,
    /// What [`Person::asked`] counts from.
    pub(super) began: Instant,
    /// The last moment that the desk was told of.
    pub(super) now: Tick,
}

#[derive(Debug)]
pub(super) struct AccountState {
    pub(super) account: Account,
    pub(super) users: BTreeSet<UserId>,
    pub(super) queues: BTreeSet<QueueId>,
    /// Of each login.
    pub(super) sessions: BTreeMap<Name, BTreeSet<TokenHash>>,
    pub(super) tokens: BTreeSet<Name>,
}

/// A user, their assignments and their presence. There may be a million: every byte counts.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) account: AccountId,
    /// When we last asked to see their presence, in seconds since the desk began, from 1; 0 is never.
    pub(super) asked: u32,
    pub(super) jid: BareJid,
    /// `None` when it is the localpart of the JID.
    name: Option<Name>,
    pub(super) email: Option<Box<str>>,
    pub(super) staffs: Box<[Staffs]>,
    pub(super) presence: Presence,
    /// What is seen of them.
    pub(super) show: Show,
    /// What is shown of them.
    pub(super) shown: Show,
    /// Why that differs.
    pub(super) kept: Kept,
    /// They stand among the [`Leases`].
    pub(super) leased: bool,
    /// Whether they let us see their presence, as far as this link has told.
    pub(super) standing: Standing,
}

/// Whether somebody lets us see their presence, as far as a link has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    /// It has not.
    #[default]
    Unknown,
    /// They were asked, and have not said yes.
    Asked,
    /// They do.
    Approved,
    /// They do not.
    Refused,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Staffs {
    pub(super) queue: QueueId,
    pub(super) enabled: bool,
}

#[derive(Debug)]
pub(super) struct QueueState {
    pub(super) queue: Queue,
    pub(super) operators: BTreeSet<UserId>,
    pub(super) counts: Counts,
    pub(super) published: Published,
    /// When its show changed last.
    pub(super) changed: Tick,
    /// What its operators add up to.
    pub(super) roll: Roll,
    pub(super) subscribers: BTreeMap<BareJid, Told>,
}

impl Person {
    pub(super) fn name(&self) -> &str {
        self.name.as_ref().map_or_else(|| self.jid.localpart(), Name::as_str)
    }

    pub(super) fn user(&self, id: UserId) -> User {
        User {
            id,
            account: self.account,
            name: Name::prepared(self.name()),
            jid: self.jid.clone(),
            email: self.email.clone(),
        }
    }

    pub(super) fn new(user: User) -> Self {
        let mut person = Self {
            account: user.account,
            asked: 0,
            jid: user.jid.clone(),
            name: None,
            email: None,
            staffs: Box::default(),
            presence: Presence::default(),
            show: Show::Unavailable,
            shown: Show::Unavailable,
            kept: Kept::Nothing,
            leased: false,
            standing: Standing::Unknown,
        };
        person.set(user);
        person
    }

    pub(super) fn set(&mut self, user: User) {
        self.account = user.account;
        self.name = Some(user.name).filter(|name| name.as_str() != user.jid.localpart());
        self.jid = user.jid;
        self.email = user.email;
    }

    pub(super) fn enabled_on(&self, queue: QueueId) -> Option<bool> {
        self.staffs.iter().find(|staffs| staffs.queue == queue).map(|staffs| staffs.enabled)
    }

    pub(super) fn is_assigned(&self) -> bool {
        !self.staffs.is_empty()
    }
}

impl QueueState {
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            queue,
            operators: BTreeSet::new(),
            counts: Counts::default(),
            published: Published::EMPTY,
            changed: Tick::default(),
            roll: Roll::default(),
            subscribers: BTreeMap::new(),
        }
    }

    /// Computes what is to be published anew, and notes it where that has changed.
    pub(super) fn refresh(
        &mut self,
        precedence: &Precedence,
        tick: Tick,
        outbox: &mut Outbox,
        events: &mut Vec<Event>,
    ) {
        let now = self.counts.verdict(self.operators.len(), precedence, |_| ());
        let before = std::mem::replace(&mut self.published, now);
        if before == now {
            return;
        }
        if !self.subscribers.is_empty() {
            outbox.retell(self.queue.id);
        }
        if before.show == now.show {
            events.push(Event::Counts { id: self.queue.id, now });
        } else {
            self.changed = tick;
            let (id, name) = (self.queue.id, self.queue.name.clone());
            events.push(Event::Queue { id, name, from: before.show, now });
        }
    }
}

impl Desk {
    /// An empty desk.
    #[must_use]
    pub fn new(policy: Policy, now: Instant) -> Self {
        Self {
            sweep: Sweep::new(policy.sweep_rate, now),
            policy,
            next_id: 1,
            accounts: BTreeMap::new(),
            logins: HashMap::new(),
            sessions: HashMap::new(),
            tokens: HashMap::new(),
            token_hashes: HashMap::new(),
            people: BTreeMap::new(),
            queues: BTreeMap::new(),
            suspensions: Suspensions::default(),
            admins: HashMap::new(),
            followers: 0,
            index: Index::default(),
            outbox: Outbox::default(),
            leases: Leases::default(),
            rosters: Rosters::default(),
            keeping: Keeping::default(),
            tally: Tally::default(),
            link_trouble: None,
            began: now,
            now: Tick::default(),
        }
    }

    /// Takes in a fact from the link.
    pub fn apply(&mut self, input: Input, now: Instant) -> Vec<Event> {
        let mut events = self.expire(now);
        let is_of_server = input.is_of_server();
        match input {
            Input::LinkUp => self.link_up(now, false, &mut events),
            Input::LinkOnTrial => self.link_up(now, true, &mut events),
            Input::TrialPassed => self.pass_trial(now, &mut events),
            Input::LinkDown { why } => {
                self.link_down(now, &mut events);
                self.link_trouble = Some(why);
            }
            Input::Seen { user, resource, seen } => match self.staffing(&user) {
                Some(id) => {
                    self.tally.unknown_shows += u64::from(!seen.known_show);
                    let tick = Tick::at(self.began, now);
                    self.observe(id, News::Heard, |presence| presence.see(&resource, seen, tick), &mut events);
                    self.heard(id);
                }
                None => self.stranger(user),
            },
            Input::Unread { user, resource } => match self.staffing(&user) {
                Some(id) => self.unread(id, &resource, now, &mut events),
                None => self.stranger(user),
            },
            Input::Gone { user, resource } => {
                if let Some(id) = self.staffing(&user) {
                    let news = News::Went { all: resource.is_none(), now };
                    self.observe(id, news, |presence| presence.lose(resource.as_deref()), &mut events);
                }
            }
            Input::Refused { user } => {
                if let Some(id) = self.staffing(&user) {
                    self.refused(id, &mut events);
                }
            }
            Input::Relayed { user, resource, seen } => self.relayed(&user, &resource, seen, now, &mut events),
            Input::UnreadRelayed { user, resource } => {
                if let Some(id) = self.seen_relayed(&user) {
                    self.note_unread(id, &resource, now, &mut events);
                }
            }
            Input::Granted(grants) => self.granted(grants, &mut events),
            Input::Written { user, contact, result } => self.written((user, contact), result, now),
            Input::Approved { user } => self.approved(&user),
            Input::Alive { user, resource } => {
                if let Some(id) = self.staffing(&user) {
                    self.alive(id, &resource, now, &mut events);
                }
            }
            Input::Doubted { user, resource } => {
                if let Some(id) = self.staffing(&user) {
                    self.doubt(id, &resource, now);
                }
            }
            Input::Knocked { from } => {
                let watcher = self.policy.watcher.clone();
                self.deny(watcher, from, false);
            }
            Input::Probed { queue, from } => self.probed(queue, from),
            Input::SweepAnswered => self.mark_answered(now, &mut events),
            Input::Dropped { reason } => *self.tally.dropped.entry(reason).or_default() += 1,
            Input::Closing => self.close(),
        }
        if is_of_server {
            self.server_heard(now, &mut events);
        }
        events
    }

    /// ejabberd sends no presence along when the subscription was there before, nor does who writes a roster.
    pub(super) fn approved(&mut self, user: &BareJid) {
        if let Some(id) = self.staffing(user) {
            self.stands(id, Standing::Approved);
            self.outbox.probe(id);
        }
    }

    /// The user with this JID, if the server's word about them is taken. It says so of everybody, so of others nothing is to
    /// be told; and who has told us that we may not see them is not seen this way either.
    fn seen_relayed(&self, user: &BareJid) -> Option<UserId> {
        let id = self.staffing(user).filter(|id| self.people[id].standing != Standing::Refused);
        id.filter(|_| self.is_relayed(user))
    }

    /// What the server says of one of its users.
    fn relayed(&mut self, user: &BareJid, name: &str, seen: Option<Seen>, now: Instant, events: &mut Vec<Event>) {
        let Some(id) = self.seen_relayed(user) else { return };
        self.tally.unknown_shows += u64::from(seen.as_ref().is_some_and(|seen| !seen.known_show));
        let tick = Tick::at(self.began, now);
        let news = if seen.is_some() { News::Heard } else { News::Went { all: false, now } };
        let change = |presence: &mut Presence| match seen {
            Some(seen) => presence.see(name, seen, tick),
            None => presence.lose(Some(name)),
        };
        self.observe(id, news, change, events);
        self.lease(id);
    }

    pub(super) fn stands(&mut self, id: UserId, standing: Standing) {
        if let Some(person) = self.people.get_mut(&id) {
            person.standing = standing;
        }
    }

    fn heard(&mut self, id: UserId) {
        self.stands(id, Standing::Approved);
        self.lease(id);
    }

    /// Somebody has said what could not be read. It may have been meant for us alone, so their server is asked what it has
    /// of them: once for a resource until that is read, since it may have nothing else.
    fn unread(&mut self, id: UserId, resource: &str, now: Instant, events: &mut Vec<Event>) {
        self.stands(id, Standing::Approved);
        if self.note_unread(id, resource, now, events) {
            self.outbox.probe(id);
        }
    }

    /// What a resource said does not count any more. Whether this is news.
    fn note_unread(&mut self, id: UserId, resource: &str, now: Instant, events: &mut Vec<Event>) -> bool {
        let tick = Tick::at(self.began, now);
        let mut is_news = false;
        self.observe(id, News::Heard, |presence| is_news = presence.unread(resource, tick), events);
        is_news
    }

    /// The user with this JID, if they are assigned to anything: nobody else's presence counts.
    pub(super) fn staffing(&self, jid: &BareJid) -> Option<UserId> {
        self.user_at(jid).filter(|id| self.people[id].is_assigned())
    }

    /// During the sweep this answers a probe, and says that our request was never approved. Prosody 0.12 forgets a request
    /// that still waits when it answers so: they are asked again after the sweep.
    fn refused(&mut self, id: UserId, events: &mut Vec<Event>) {
        if !matches!(self.link(), LinkPhase::Sweeping { .. }) {
            self.stands(id, Standing::Refused);
            self.observe(id, News::Ended, |presence| presence.lose(None), events);
            return;
        }
        self.observe(id, News::Ended, Presence::forget, events);
        if let Some(person) = self.people.get_mut(&id) {
            person.asked = 0;
        }
    }

    fn stranger(&mut self, from: BareJid) {
        self.tally.strangers += 1;
        self.outbox.shoo(from);
    }

    /// Counts of things that should not happen.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The settings.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_small() {
        // Four boxed texts and lists, the presence, two numbers and five bytes. There may be a million.
        assert_eq!(std::mem::size_of::<Person>(), 104);
    }
}
