//! What is on disk becomes what holds: each write of a change, one by one. Restoring a desk goes the same way.

use super::{
    Account, AccountId, BareJid, Desk, Event, Key, Name, Operator, Queue, QueueId, Record, Session, Subscriber, Token,
    TokenHash, User, UserId, Write,
    desk::{AccountState, Person, QueueState, Staffs, Standing},
    presence::Presence,
    shown::News,
};

impl Desk {
    /// Takes in a change that is on disk.
    pub fn commit(&mut self, change: Vec<Write>) -> Vec<Event> {
        let mut events = Vec::new();
        for write in change {
            match write {
                Write::Put(record) => self.put(record, &mut events),
                Write::Delete(key) => self.delete(&key, &mut events),
                // The audit log is the store's alone.
                Write::Note(_) | Write::Forget(_) => {}
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
            Record::Session(session) => self.put_session(session),
            Record::Token(token) => self.put_token(token),
        }
    }

    fn delete(&mut self, key: &Key, events: &mut Vec<Event>) {
        match key {
            Key::NextId => {}
            Key::Account(id) => self.delete_account(*id),
            Key::User(id) => self.delete_user(*id),
            Key::Queue(id) => self.delete_queue(*id),
            Key::Operator(queue, user) => self.delete_operator(*queue, *user, events),
            Key::Subscriber(queue, jid) => self.delete_subscriber(*queue, jid),
            Key::Session(token) => self.delete_session(token),
            Key::Token(account, name) => self.delete_token(*account, name),
        }
    }

    fn put_account(&mut self, account: Account) {
        self.unlink_all(account.id);
        self.logins.extend(account.logins.keys().map(|name| (name.clone(), account.id)));
        for jid in &account.admins {
            self.admins.entry(jid.clone()).or_default().insert(account.id);
        }
        if let Some(state) = self.accounts.get_mut(&account.id) {
            state.account = account;
            return;
        }
        let (users, queues, sessions, tokens) = Default::default();
        self.accounts.insert(account.id, AccountState { account, users, queues, sessions, tokens });
    }

    fn delete_account(&mut self, id: AccountId) {
        self.unlink_all(id);
        self.accounts.remove(&id);
    }

    fn unlink_all(&mut self, id: AccountId) {
        let Some(state) = self.accounts.get(&id) else { return };
        for name in state.account.logins.keys() {
            self.logins.remove(name);
        }
        for jid in &state.account.admins {
            if let Some(accounts) = self.admins.get_mut(jid) {
                accounts.remove(&id);
                if accounts.is_empty() {
                    self.admins.remove(jid);
                }
            }
        }
    }

    fn put_session(&mut self, session: Session) {
        if let Some(state) = self.accounts.get_mut(&session.account) {
            state.sessions.entry(session.login.clone()).or_default().insert(session.token);
            self.sessions.insert(session.token, session);
        }
    }

    fn delete_session(&mut self, token: &TokenHash) {
        if let Some(session) = self.sessions.remove(token)
            && let Some(state) = self.accounts.get_mut(&session.account)
            && let Some(of_login) = state.sessions.get_mut(&session.login)
        {
            of_login.remove(token);
            if of_login.is_empty() {
                state.sessions.remove(&session.login);
            }
        }
    }

    fn put_token(&mut self, token: Token) {
        self.delete_token(token.account, &token.name);
        if let Some(state) = self.accounts.get_mut(&token.account) {
            state.tokens.insert(token.name.clone());
            let key = (token.account, token.name.clone());
            self.token_hashes.insert(token.hash, key.clone());
            self.tokens.insert(key, token);
        }
    }

    fn delete_token(&mut self, account: AccountId, name: &Name) {
        if let Some(token) = self.tokens.remove(&(account, name.clone())) {
            self.token_hashes.remove(&token.hash);
            if let Some(state) = self.accounts.get_mut(&account) {
                state.tokens.remove(name);
            }
        }
    }

    fn put_user(&mut self, user: User, events: &mut Vec<Event>) {
        let id = user.id;
        let Some(person) = self.people.get_mut(&id) else {
            if let Some(state) = self.accounts.get_mut(&user.account) {
                state.users.insert(id);
            }
            self.people.insert(id, Box::new(Person::new(user)));
            self.index_user(id);
            return;
        };
        let moved = person.jid != user.jid;
        let assigned = person.is_assigned();
        let left = (moved && assigned).then(|| person.jid.clone());
        if let Some(left) = left {
            self.list_all(id, Desk::unlist_queue);
            self.outbox.leave(left);
        }
        self.unindex_user(id);
        if let Some(person) = self.people.get_mut(&id) {
            person.set(user);
            if moved {
                (person.asked, person.standing) = (0, Standing::Unknown);
            }
        }
        self.index_user(id);
        if moved && assigned {
            self.observe(id, News::Ended, Presence::forget, events);
            self.ask(id);
            self.list_all(id, Desk::list_queue);
        }
    }

    fn list_all(&mut self, id: UserId, list: fn(&mut Self, &BareJid, Name)) {
        let Some(person) = self.people.get(&id) else { return };
        let jid = person.jid.clone();
        let names = person.staffs.iter().filter_map(|it| self.queues.get(&it.queue)).map(|it| it.queue.name.clone());
        for name in names.collect::<Vec<_>>() {
            list(self, &jid, name);
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
            if old != queue.name {
                self.rename(id, &old, &queue.name);
            }
            if let Some(state) = self.queues.get_mut(&id) {
                state.queue = queue;
            }
        } else {
            if let Some(state) = self.accounts.get_mut(&queue.account) {
                state.queues.insert(id);
            }
            self.queues.insert(id, QueueState::new(queue));
        }
        self.index_name(id.get());
    }

    /// With its name a queue's JID changes, which stands in its operators' rosters.
    fn rename(&mut self, id: QueueId, old: &Name, new: &Name) {
        let operators = self.queues.get(&id).into_iter().flat_map(|state| &state.operators);
        let jids: Vec<_> = operators.filter_map(|user| self.people.get(user)).map(|it| it.jid.clone()).collect();
        for jid in jids {
            self.unlist_queue(&jid, old.clone());
            self.list_queue(&jid, new.clone());
        }
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
        let Operator { queue, user, suspended } = operator;
        let enabled = suspended.is_none();
        let (Some(person), Some(state)) = (self.people.get_mut(&user), self.queues.get_mut(&queue)) else { return };
        let before = person.enabled_on(queue);
        if before.is_some() {
            state.roll.remove(user, before == Some(true), self.suspensions.get(queue, user));
        }
        self.suspensions.put(queue, user, suspended);
        state.roll.add(user, enabled, self.suspensions.get(queue, user));
        let mut staffs = std::mem::take(&mut person.staffs).into_vec();
        staffs.retain(|it| it.queue != queue);
        staffs.reserve_exact(1);
        staffs.push(Staffs { queue, enabled });
        staffs.sort_by_key(|it| it.queue);
        person.staffs = staffs.into();
        let first = person.staffs.len() == 1 && before.is_none();
        state.operators.insert(user);
        if before == Some(true) {
            state.counts.remove(person.counted());
        }
        if enabled {
            state.counts.add(person.counted());
        }
        state.refresh(&self.policy.precedence, self.now, &mut self.outbox, events);
        let (jid, name) = (person.jid.clone(), state.queue.name.clone());
        if first {
            self.ask(user);
        }
        if before.is_none() {
            self.list_queue(&jid, name);
        }
    }

    fn delete_operator(&mut self, queue: QueueId, user: UserId, events: &mut Vec<Event>) {
        let (Some(person), Some(state)) = (self.people.get_mut(&user), self.queues.get_mut(&queue)) else { return };
        let Some(enabled) = person.enabled_on(queue) else { return };
        state.roll.remove(user, enabled, self.suspensions.get(queue, user));
        self.suspensions.put(queue, user, None);
        person.staffs = person.staffs.iter().copied().filter(|it| it.queue != queue).collect();
        state.operators.remove(&user);
        if enabled {
            state.counts.remove(person.counted());
        }
        state.refresh(&self.policy.precedence, self.now, &mut self.outbox, events);
        let (jid, name) = (person.jid.clone(), state.queue.name.clone());
        if !person.is_assigned() {
            (person.asked, person.standing) = (0, Standing::Unknown);
            self.outbox.leave(jid.clone());
            self.observe(user, News::Ended, Presence::forget, events);
        }
        self.unlist_queue(&jid, name);
    }

    fn put_subscriber(&mut self, subscriber: Subscriber) {
        if let Some(state) = self.queues.get_mut(&subscriber.queue) {
            self.followers += usize::from(!state.subscribers.contains_key(&subscriber.jid));
            let told = state.subscribers.entry(subscriber.jid.clone()).or_default();
            self.outbox.welcome(told, &state.queue, subscriber.jid);
        }
    }

    fn delete_subscriber(&mut self, queue: QueueId, jid: &BareJid) {
        if let Some(state) = self.queues.get_mut(&queue)
            && let Some(told) = state.subscribers.remove(jid)
        {
            self.followers -= 1;
            self.outbox.ungreet(queue, jid);
            if !told.gone {
                self.outbox.farewell(state.queue.name.clone(), jid.clone());
            }
        }
    }
}
