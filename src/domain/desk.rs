//! The aggregate: all intent, all observation, and the one place that decides.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use hashbrown::HashTable;

use super::{
    Account, AccountId, BareJid, Event, Input, Key, LinkPhase, Merge, Name, Operator, Precedence, Published, Queue,
    QueueId, Record, Session, Show, Subscriber, Tally, TokenHash, User, UserId, Write,
    availability::Counts,
    outgoing::{Outbox, Told},
    presence::Presence,
    sweep::Sweep,
};

/// The settings that decisions depend on.
#[derive(Debug, Clone)]
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
    /// How many probes and subscription requests go out a second, at the most.
    pub sweep_rate: u32,
    /// How long late answers are waited for after the server has worked off the last probe.
    pub sweep_quiet: Duration,
    /// How long until somebody who has not approved our subscription is asked again.
    pub ask_again: Duration,
    /// After how many seconds without use a session ends.
    pub session_idle: u64,
}

/// All that is known: intent as it is committed, observation since the link came up.
#[derive(Debug)]
pub struct Desk {
    pub(super) policy: Policy,
    pub(super) next_id: u32,
    pub(super) accounts: BTreeMap<AccountId, AccountState>,
    pub(super) sessions: HashMap<TokenHash, Session>,
    pub(super) people: BTreeMap<UserId, Box<Person>>,
    pub(super) queues: BTreeMap<QueueId, QueueState>,
    /// The numbers of queues and users, by name: they share one name space and one row of numbers.
    names: HashTable<u32>,
    jids: HashTable<UserId>,
    hasher: RandomState,
    pub(super) sweep: Sweep,
    pub(super) outbox: Outbox,
    pub(super) tally: Tally,
    /// Why there is no link, in words.
    pub(super) link_trouble: Option<String>,
    /// What [`Person::asked`] counts from.
    pub(super) began: Instant,
}

#[derive(Debug)]
pub(super) struct AccountState {
    pub(super) account: Account,
    pub(super) users: BTreeSet<UserId>,
    pub(super) queues: BTreeSet<QueueId>,
    pub(super) sessions: BTreeSet<TokenHash>,
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
    pub(super) show: Show,
    /// A probe was sent because they sent something that could not be read; no other until they are heard.
    pub(super) reprobed: bool,
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
    counts: Counts,
    pub(super) published: Published,
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

    fn set(&mut self, user: User) {
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
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Computes what is to be published anew, and notes it where that has changed.
    fn refresh(&mut self, precedence: &Precedence, outbox: &mut Outbox, events: &mut Vec<Event>) {
        let now = self.counts.verdict(self.operators.len(), precedence, |_| ());
        let before = std::mem::replace(&mut self.published, now);
        if before == now {
            return;
        }
        if !self.subscribers.is_empty() {
            outbox.retell(self.queue.id);
        }
        if before.show != now.show {
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
            sessions: HashMap::new(),
            people: BTreeMap::new(),
            queues: BTreeMap::new(),
            names: HashTable::new(),
            jids: HashTable::new(),
            hasher: RandomState::new(),
            outbox: Outbox::default(),
            tally: Tally::default(),
            link_trouble: None,
            began: now,
        }
    }

    /// Takes in a fact from the link.
    pub fn apply(&mut self, input: Input, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        match input {
            Input::LinkUp => self.link_up(now, &mut events),
            Input::LinkDown { why } => {
                self.link_down(&mut events);
                self.link_trouble = Some(why);
            }
            Input::Seen { user, resource, seen } => match self.staffing(&user) {
                Some(id) => {
                    self.tally.unknown_shows += u64::from(!seen.known_show);
                    self.observe(id, |presence| presence.see(&resource, seen), &mut events);
                }
                None => self.stranger(user),
            },
            Input::Gone { user, resource } => {
                if let Some(id) = self.staffing(&user) {
                    self.observe(id, |presence| presence.lose(resource.as_deref()), &mut events);
                }
            }
            Input::Refused { user } => {
                if let Some(id) = self.staffing(&user) {
                    self.refused(id, &mut events);
                }
            }
            Input::Approved { user } => {
                // ejabberd sends no presence along when the subscription was there before.
                if let Some(id) = self.staffing(&user) {
                    self.outbox.probe(id);
                }
            }
            Input::Knocked { from } => {
                let watcher = self.policy.watcher.clone();
                self.outbox.deny(watcher, from);
            }
            Input::Probed { queue, from } => self.probed(queue, from),
            Input::SweepAnswered => self.sweep.answered(now + self.policy.sweep_quiet),
            Input::Dropped { from, reason } => self.dropped(from.as_ref(), reason),
            Input::Closing => self.close(),
        }
        events
    }

    /// Takes in a change that is on disk.
    pub fn commit(&mut self, change: Vec<Write>) -> Vec<Event> {
        let mut events = Vec::new();
        for write in change {
            match write {
                Write::Put(record) => self.put(record, &mut events),
                Write::Delete(key) => self.delete(&key, &mut events),
            }
        }
        events
    }

    pub(super) fn put(&mut self, record: Record, events: &mut Vec<Event>) {
        match record {
            Record::NextId(next) => self.next_id = self.next_id.max(next),
            Record::Account(account) => self.put_account(account),
            Record::User(user) => self.put_user(user, events),
            Record::Queue(queue) => self.put_queue(queue),
            Record::Operator(operator) => self.put_operator(operator, events),
            Record::Subscriber(subscriber) => self.put_subscriber(subscriber),
            Record::Session(session) => {
                if let Some(state) = self.accounts.get_mut(&session.account) {
                    state.sessions.insert(session.token);
                    self.sessions.insert(session.token, session);
                }
            }
        }
    }

    fn delete(&mut self, key: &Key, events: &mut Vec<Event>) {
        match key {
            Key::NextId => {}
            Key::Account(id) => {
                self.accounts.remove(id);
            }
            Key::User(id) => self.delete_user(*id),
            Key::Queue(id) => self.delete_queue(*id),
            Key::Operator(queue, user) => self.delete_operator(*queue, *user, events),
            Key::Subscriber(queue, jid) => self.delete_subscriber(*queue, jid),
            Key::Session(token) => {
                if let Some(session) = self.sessions.remove(token)
                    && let Some(state) = self.accounts.get_mut(&session.account)
                {
                    state.sessions.remove(token);
                }
            }
        }
    }

    fn put_account(&mut self, account: Account) {
        if let Some(state) = self.accounts.get_mut(&account.id) {
            state.account = account;
            return;
        }
        let (users, queues, sessions) = Default::default();
        self.accounts.insert(account.id, AccountState { account, users, queues, sessions });
    }

    fn put_user(&mut self, user: User, events: &mut Vec<Event>) {
        let id = user.id;
        let Some(person) = self.people.get_mut(&id) else {
            if let Some(state) = self.accounts.get_mut(&user.account) {
                state.users.insert(id);
            }
            let mut person = Box::new(Person {
                account: user.account,
                asked: 0,
                jid: user.jid.clone(),
                name: None,
                email: None,
                staffs: Box::default(),
                presence: Presence::default(),
                show: Show::Unavailable,
                reprobed: false,
            });
            person.set(user);
            self.people.insert(id, person);
            self.index_user(id);
            return;
        };
        let moved = person.jid != user.jid;
        let assigned = person.is_assigned();
        if moved && assigned {
            self.outbox.leave(person.jid.clone());
        }
        self.unindex_user(id);
        if let Some(person) = self.people.get_mut(&id) {
            person.set(user);
            if moved {
                person.asked = 0;
            }
        }
        self.index_user(id);
        if moved && assigned {
            self.observe(id, Presence::forget, events);
            self.ask(id);
        }
    }

    fn delete_user(&mut self, id: UserId) {
        if !self.people.contains_key(&id) {
            return;
        }
        self.unindex_user(id);
        if let Some(person) = self.people.remove(&id)
            && let Some(state) = self.accounts.get_mut(&person.account)
        {
            state.users.remove(&id);
        }
    }

    fn put_queue(&mut self, queue: Queue) {
        let id = queue.id;
        if let Some(state) = self.queues.get(&id) {
            let old = state.queue.name.clone();
            self.unindex_name(&old, id.get());
            if let Some(state) = self.queues.get_mut(&id) {
                state.queue = queue;
            }
        } else {
            if let Some(state) = self.accounts.get_mut(&queue.account) {
                state.queues.insert(id);
            }
            let state = QueueState {
                queue,
                operators: BTreeSet::new(),
                counts: Counts::default(),
                published: Published::CLOSED,
                subscribers: BTreeMap::new(),
            };
            self.queues.insert(id, state);
        }
        self.index_name(id.get());
    }

    fn delete_queue(&mut self, id: QueueId) {
        let Some(state) = self.queues.get(&id) else { return };
        let (name, account) = (state.queue.name.clone(), state.queue.account);
        self.unindex_name(&name, id.get());
        self.queues.remove(&id);
        if let Some(state) = self.accounts.get_mut(&account) {
            state.queues.remove(&id);
        }
    }

    fn put_operator(&mut self, operator: Operator, events: &mut Vec<Event>) {
        let Operator { queue, user, enabled } = operator;
        let (Some(person), Some(state)) = (self.people.get_mut(&user), self.queues.get_mut(&queue)) else { return };
        let before = person.enabled_on(queue);
        let mut staffs = std::mem::take(&mut person.staffs).into_vec();
        staffs.retain(|it| it.queue != queue);
        staffs.reserve_exact(1);
        staffs.push(Staffs { queue, enabled });
        staffs.sort_by_key(|it| it.queue);
        person.staffs = staffs.into();
        let first = person.staffs.len() == 1 && before.is_none();
        state.operators.insert(user);
        if before == Some(true) {
            state.counts.remove(person.show);
        }
        if enabled {
            state.counts.add(person.show);
        }
        state.refresh(&self.policy.precedence, &mut self.outbox, events);
        if first {
            self.ask(user);
        }
    }

    fn delete_operator(&mut self, queue: QueueId, user: UserId, events: &mut Vec<Event>) {
        let (Some(person), Some(state)) = (self.people.get_mut(&user), self.queues.get_mut(&queue)) else { return };
        let Some(enabled) = person.enabled_on(queue) else { return };
        person.staffs = person.staffs.iter().copied().filter(|it| it.queue != queue).collect();
        state.operators.remove(&user);
        if enabled {
            state.counts.remove(person.show);
        }
        state.refresh(&self.policy.precedence, &mut self.outbox, events);
        if !person.is_assigned() {
            person.presence.forget();
            person.show = Show::Unavailable;
            person.asked = 0;
            self.outbox.leave(person.jid.clone());
        }
    }

    fn put_subscriber(&mut self, subscriber: Subscriber) {
        if let Some(state) = self.queues.get_mut(&subscriber.queue) {
            let told = state.subscribers.entry(subscriber.jid.clone()).or_default();
            self.outbox.welcome(told, &state.queue, subscriber.jid);
        }
    }

    fn delete_subscriber(&mut self, queue: QueueId, jid: &BareJid) {
        if let Some(state) = self.queues.get_mut(&queue)
            && state.subscribers.remove(jid).is_some()
        {
            self.outbox.farewell(state.queue.name.clone(), jid.clone());
        }
    }

    /// The user with this JID, if they are assigned to anything: nobody else's presence counts.
    fn staffing(&self, jid: &BareJid) -> Option<UserId> {
        self.user_at(jid).filter(|id| self.people[id].is_assigned())
    }

    /// Changes what was seen of one user, and whatever follows from it. Cost: the queues of this user.
    pub(super) fn observe(&mut self, id: UserId, change: impl FnOnce(&mut Presence), events: &mut Vec<Event>) {
        let Some(person) = self.people.get_mut(&id) else { return };
        change(&mut person.presence);
        person.reprobed = false;
        let policy = &self.policy;
        let winner = person.presence.winner(policy.merge, &policy.precedence, |_| ());
        let to = winner.map_or(Show::Unavailable, |resource| resource.show);
        let from = std::mem::replace(&mut person.show, to);
        if from == to {
            return;
        }
        events.push(Event::User { id, from, to });
        for staffs in person.staffs.iter().filter(|staffs| staffs.enabled) {
            let state = self.queues.get_mut(&staffs.queue).expect("who is deleted is unassigned before");
            state.counts.remove(from);
            state.counts.add(to);
            state.refresh(&policy.precedence, &mut self.outbox, events);
        }
    }

    /// During the sweep this answers a probe, and says that our request was never approved. Prosody 0.12 forgets a request
    /// that still waits when it answers so: they are asked again after the sweep.
    fn refused(&mut self, id: UserId, events: &mut Vec<Event>) {
        if !matches!(self.link(), LinkPhase::Sweeping { .. }) {
            self.observe(id, |presence| presence.lose(None), events);
            return;
        }
        self.observe(id, Presence::forget, events);
        if let Some(person) = self.people.get_mut(&id) {
            person.asked = 0;
        }
    }

    /// Everything that was seen is unknown again.
    pub(super) fn forget_all(&mut self, events: &mut Vec<Event>) {
        for state in self.queues.values_mut() {
            state.counts = Counts::default();
        }
        for person in self.people.values_mut() {
            person.presence.forget();
            person.show = Show::Unavailable;
            person.reprobed = false;
            for staffs in person.staffs.iter().filter(|staffs| staffs.enabled) {
                let state = self.queues.get_mut(&staffs.queue).expect("who is deleted is unassigned before");
                state.counts.add(Show::Unavailable);
            }
        }
        for state in self.queues.values_mut() {
            state.refresh(&self.policy.precedence, &mut self.outbox, events);
        }
    }

    fn stranger(&mut self, from: BareJid) {
        self.tally.strangers += 1;
        self.outbox.shoo(from);
    }

    fn dropped(&mut self, from: Option<&BareJid>, reason: &'static str) {
        *self.tally.dropped.entry(reason).or_default() += 1;
        let Some(id) = from.and_then(|jid| self.staffing(jid)) else { return };
        let Some(person) = self.people.get_mut(&id) else { return };
        if !std::mem::replace(&mut person.reprobed, true) {
            self.outbox.probe(id);
        }
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

    // The two indices hold numbers only: the texts they go by stand in the things themselves.

    fn name_of<'a>(
        people: &'a BTreeMap<UserId, Box<Person>>,
        queues: &'a BTreeMap<QueueId, QueueState>,
        id: u32,
    ) -> &'a str {
        let user = UserId::new(id).and_then(|id| people.get(&id)).map(|person| person.name());
        let queue = || QueueId::new(id).and_then(|id| queues.get(&id)).map(|state| state.queue.name.as_str());
        user.or_else(queue).expect("a name is indexed while its owner is there")
    }

    fn index_name(&mut self, id: u32) {
        let Self { people, queues, hasher, names, .. } = self;
        let hash = |id: &u32| hasher.hash_one(Self::name_of(people, queues, *id));
        names.insert_unique(hash(&id), id, hash);
    }

    fn unindex_name(&mut self, name: &Name, id: u32) {
        if let Ok(entry) = self.names.find_entry(self.hasher.hash_one(name.as_str()), |it| *it == id) {
            entry.remove();
        }
    }

    fn index_user(&mut self, id: UserId) {
        self.index_name(id.get());
        let Self { people, hasher, jids, .. } = self;
        let hash = |id: &UserId| hasher.hash_one(people[id].jid.as_str());
        jids.insert_unique(hash(&id), id, hash);
    }

    fn unindex_user(&mut self, id: UserId) {
        let person = &self.people[&id];
        let name = Name::prepared(person.name());
        if let Ok(entry) = self.jids.find_entry(self.hasher.hash_one(person.jid.as_str()), |it| *it == id) {
            entry.remove();
        }
        self.unindex_name(&name, id.get());
    }

    fn holder(&self, name: &Name) -> Option<u32> {
        let is = |id: &u32| Self::name_of(&self.people, &self.queues, *id) == name.as_str();
        self.names.find(self.hasher.hash_one(name.as_str()), is).copied()
    }

    /// Whether a queue, a user or the watcher has this name.
    #[must_use]
    pub fn is_name_taken(&self, name: &Name) -> bool {
        *name == self.policy.watcher || self.holder(name).is_some()
    }

    /// The user with this JID.
    #[must_use]
    pub fn user_at(&self, jid: &BareJid) -> Option<UserId> {
        self.jids.find(self.hasher.hash_one(jid.as_str()), |id| self.people[id].jid == *jid).copied()
    }

    /// The queue with this name.
    #[must_use]
    pub fn queue_named(&self, name: &Name) -> Option<&Queue> {
        let id = QueueId::new(self.holder(name)?)?;
        self.queues.get(&id).map(|state| &state.queue)
    }

    /// The account with this name. There are few accounts, and names are looked up at login only.
    #[must_use]
    pub fn account_named(&self, name: &Name) -> Option<&Account> {
        self.accounts.values().map(|state| &state.account).find(|account| account.name == *name)
    }
}
