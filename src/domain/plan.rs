//! From what is asked for to what would be written: decides, and changes nothing but the next number to give.

use std::collections::{BTreeSet, HashMap};

use super::{
    Account, AccountId, BareJid, By, Desk, Edit, Key, Login, Name, Outcome, Queue, QueueFields, QueueId, Record,
    Refusal, TokenHash, UnixTime, User, UserFields, UserId, Write,
};

/// An edit that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it writes, and what is noted of it in the audit log.
    pub change: Change,
    /// What it rests on.
    pub claims: Claims,
    /// What to answer when it is done.
    pub outcome: Outcome,
}

/// What is written together, all or nothing.
pub type Change = Vec<Write>;

/// A thing that a plan rests on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Claim {
    /// All there is.
    Everything,
    /// An account.
    Account(AccountId),
    /// The name of an account.
    AccountName(Name),
    /// A user.
    User(UserId),
    /// A queue.
    Queue(QueueId),
    /// An assignment.
    Operator(QueueId, UserId),
    /// A name among the users and queues.
    Name(Name),
    /// The JID of a user.
    Jid(BareJid),
    /// A follower of a queue.
    Subscriber(QueueId, BareJid),
    /// The last places for followers.
    LastPlaces,
    /// The name of a login.
    LoginName(Name),
    /// A session.
    Session(TokenHash),
    /// A token of an account.
    Token(AccountId, Name),
}

/// What plans rest on (shared) and what they change (exclusive). Plans whose claims do not clash can be written in one go,
/// since each would have been planned the same after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims(HashMap<Claim, bool>);

impl Claims {
    pub(super) fn of<const S: usize, const X: usize>(shared: [Claim; S], exclusive: [Claim; X]) -> Self {
        let mut claims = Self::default();
        claims.0.insert(Claim::Everything, false);
        claims.0.extend(shared.into_iter().map(|claim| (claim, false)));
        claims.0.extend(exclusive.into_iter().map(|claim| (claim, true)));
        claims
    }

    /// Adds one that the plan rests on.
    pub(super) fn rest_on(&mut self, shared: Claim) {
        self.0.entry(shared).or_insert(false);
    }

    /// Adds one that the plan changes.
    pub(super) fn add(&mut self, exclusive: Claim) {
        self.0.insert(exclusive, true);
    }

    /// Adds an assignment that the plan changes.
    pub(super) fn add_operator(&mut self, queue: QueueId, user: UserId) {
        self.0.insert(Claim::User(user), false);
        self.add(Claim::Operator(queue, user));
    }

    /// Adds the claims of another plan.
    ///
    /// # Errors
    /// Gives them back, and stays as it was, when one side changes what the other rests on.
    pub fn join(&mut self, other: Self) -> Result<(), Self> {
        let clash = |(claim, exclusive): (&Claim, &bool)| self.0.get(claim).is_some_and(|held| *held || *exclusive);
        if other.0.iter().any(clash) {
            return Err(other);
        }
        self.0.extend(other.0);
        Ok(())
    }
}

impl Desk {
    /// Decides whether `by` may have `edit` done, by what they are now, and whether it can be done; and what is to be written
    /// for it. What is planned must be committed, or given up, before anything that clashes with its claims is planned.
    ///
    /// # Errors
    /// Why it can not be done.
    pub fn plan(&mut self, by: &By, at: UnixTime, edit: &Edit) -> Result<Plan, Refusal> {
        let standing = self.check_may(&by.who, at, edit)?;
        let mut plan = self.plan_edit(edit)?;
        if let Some(standing) = standing {
            plan.claims.rest_on(standing);
        }
        let notes = self.notes(by, at, edit, &plan);
        plan.change.extend(notes);
        Ok(plan)
    }

    fn plan_edit(&mut self, edit: &Edit) -> Result<Plan, Refusal> {
        match edit.clone() {
            Edit::AddAccount { name, password_hash } => self.plan_account(name, password_hash),
            Edit::RemoveAccount { name, with_all } => self.plan_account_removal(&name, with_all),
            Edit::AddLogin { account, login, role, password_hash } => {
                self.plan_login(&account, login, Login { role, password_hash })
            }
            Edit::SetRole { login, role } => self.plan_role(&login, role),
            Edit::RemoveLogin { login } => self.plan_login_removal(&login),
            Edit::SetPassword { login, password_hash } => self.plan_password(&login, password_hash),
            Edit::Rehash { login, before, after } => self.plan_rehash(&login, &before, after),
            Edit::AddToken { account, name, role, hash, now, expires } => {
                self.plan_token(&account, (name, role, hash), now, expires)
            }
            Edit::TouchToken { account, name, now } => Ok(self.plan_token_touch(account, name, now)),
            Edit::RevokeToken { account, name } => self.plan_token_removal(&account, name),
            Edit::LinkAdmin { name, jid } => self.plan_link(&name, jid),
            Edit::UnlinkAdmin { name, jid } => self.plan_unlink(&name, jid),
            Edit::OpenSession { login, password_hash, token, instead_of, from, now } => {
                self.plan_session(&login, &password_hash, token, &instead_of, (from, now))
            }
            Edit::TouchSession { token, now } => Ok(self.plan_touch(token, now)),
            Edit::CloseSession { token } => Ok(Plan {
                change: vec![Write::Delete(Key::Session(token))],
                claims: Claims::of([], [Claim::Session(token)]),
                outcome: Outcome::Done,
            }),
            Edit::CloseSessions { login } => self.plan_logout(&login),
            Edit::CreateQueue { account, name, fields } => self.plan_queue(account, name, fields),
            Edit::UpdateQueue { account, queue, fields } => self.plan_queue_update(account, queue, fields),
            Edit::DeleteQueue { account, queue } => self.plan_queue_removal(account, queue),
            Edit::CreateUser { account, name, fields } => self.plan_user(account, name, fields),
            Edit::UpdateUser { account, user, fields } => self.plan_user_update(account, user, fields),
            Edit::DeleteUser { account, user } => self.plan_user_removal(account, user),
            Edit::Assign { account, queue, user } => self.plan_assignment(account, queue, user),
            Edit::Enable { account, queue, user, enabled, suspension } => {
                self.plan_enabling(account, queue, user, enabled, &suspension)
            }
            Edit::Staff { account, queue, versions, staffing } => {
                self.plan_staffing(account, queue, versions.as_deref(), &staffing)
            }
            Edit::EndSuspension { queue, user, now } => Ok(self.plan_return(queue, user, now)),
            Edit::Unassign { account, queue, user } => self.plan_unassignment(account, queue, user),
            Edit::Asked { by, user, queues, wish } => self.plan_asked(&by, user, &queues, &wish),
            Edit::Follow { queue, jid } => self.plan_following(&queue, jid),
            Edit::Unfollow { queue, jid } => self.plan_unfollowing(&queue, jid),
            Edit::Import { records } => self.plan_import(records),
        }
    }

    fn give_id(&mut self) -> Result<(u32, Write), Refusal> {
        let id = self.next_id;
        self.next_id = id.checked_add(1).ok_or(Refusal::NoMoreIds)?;
        Ok((id, Write::Put(Record::NextId(self.next_id))))
    }

    fn plan_account(&mut self, name: Name, password_hash: Box<str>) -> Result<Plan, Refusal> {
        if self.account_named(&name).is_some() {
            return Err(Refusal::AccountTaken(name));
        }
        self.free_login(&name)?;
        let (id, next) = self.give_id()?;
        let id = AccountId::new(id).ok_or(Refusal::NoMoreIds)?;
        let claims = Claims::of([], [Claim::AccountName(name.clone()), Claim::LoginName(name.clone())]);
        let account = Account::owned(id, name, password_hash);
        Ok(Plan { change: vec![next, Write::Put(Record::Account(account))], claims, outcome: Outcome::Account(id) })
    }

    fn plan_account_removal(&self, name: &Name, with_all: bool) -> Result<Plan, Refusal> {
        let id = self.account_named(name).ok_or(Refusal::NoAccount)?.id;
        let state = &self.accounts[&id];
        let is_empty = state.users.is_empty() && state.queues.is_empty();
        if !with_all && !is_empty {
            return Err(Refusal::NotEmpty { users: state.users.len(), queues: state.queues.len() });
        }
        let mut change = Change::new();
        state.queues.iter().for_each(|queue| self.remove_queue(*queue, &mut change));
        change.extend(state.users.iter().map(|user| Write::Delete(Key::User(*user))));
        change.extend(state.sessions.values().flatten().map(|token| Write::Delete(Key::Session(*token))));
        change.extend(self.tokens(id).map(|token| Write::Delete(Key::Token(id, token.name.clone()))));
        change.push(Write::Delete(Key::Account(id)));
        let claims = Claims::of([], [Claim::Everything]);
        Ok(Plan { change, claims, outcome: Outcome::Account(id) })
    }

    fn free_name(&self, name: &Name) -> Result<(), Refusal> {
        if self.is_name_taken(name) { Err(Refusal::NameTaken(name.clone())) } else { Ok(()) }
    }

    fn free_jid(&self, jid: &BareJid) -> Result<(), Refusal> {
        if jid.domain() == &*self.policy.domain {
            return Err(Refusal::JidOfQueues(jid.clone()));
        }
        if self.user_at(jid).is_some() { Err(Refusal::JidTaken(jid.clone())) } else { Ok(()) }
    }

    pub(super) fn own_queue(&self, account: AccountId, queue: QueueId) -> Result<&Queue, Refusal> {
        let queue = self.queues.get(&queue).map(|state| &state.queue);
        queue.filter(|queue| queue.account == account).ok_or(Refusal::NoQueue)
    }

    pub(super) fn own_user(&self, account: AccountId, user: UserId) -> Result<User, Refusal> {
        let person = self.people.get(&user).filter(|person| person.account == account);
        person.map(|person| person.user(user)).ok_or(Refusal::NoUser)
    }

    fn plan_queue(&mut self, account: AccountId, name: Name, fields: QueueFields) -> Result<Plan, Refusal> {
        if !self.accounts.contains_key(&account) {
            return Err(Refusal::NoAccount);
        }
        self.free_name(&name)?;
        let (id, next) = self.give_id()?;
        let id = QueueId::new(id).ok_or(Refusal::NoMoreIds)?;
        let claims = Claims::of([Claim::Account(account)], [Claim::Name(name.clone())]);
        let queue = Queue {
            id,
            account,
            name,
            email: fields.email.flatten(),
            avatar: fields.avatar.flatten(),
            transcripts: fields.transcripts.unwrap_or_default(),
        };
        Ok(Plan { change: vec![next, Write::Put(Record::Queue(queue))], claims, outcome: Outcome::Queue(id) })
    }

    fn plan_queue_update(&self, account: AccountId, id: QueueId, fields: QueueFields) -> Result<Plan, Refusal> {
        let mut queue = self.own_queue(account, id)?.clone();
        let mut claims = Claims::of([Claim::Account(account)], [Claim::Queue(id)]);
        let mut change = Change::new();
        if let Some(name) = fields.name.filter(|name| *name != queue.name) {
            self.free_name(&name)?;
            let followers = self.queues[&id].subscribers.keys();
            change.extend(followers.map(|jid| Write::Delete(Key::Subscriber(id, jid.clone()))));
            claims.0.insert(Claim::Name(name.clone()), true);
            claims.0.insert(Claim::Name(queue.name), true);
            queue.name = name;
        }
        queue.email = fields.email.unwrap_or(queue.email);
        queue.avatar = fields.avatar.unwrap_or(queue.avatar);
        queue.transcripts = fields.transcripts.unwrap_or(queue.transcripts);
        change.push(Write::Put(Record::Queue(queue)));
        Ok(Plan { change, claims, outcome: Outcome::Queue(id) })
    }

    fn remove_queue(&self, id: QueueId, change: &mut Change) {
        let state = &self.queues[&id];
        change.extend(state.operators.iter().map(|user| Write::Delete(Key::Operator(id, *user))));
        change.extend(state.subscribers.keys().map(|jid| Write::Delete(Key::Subscriber(id, jid.clone()))));
        change.push(Write::Delete(Key::Queue(id)));
    }

    fn plan_queue_removal(&self, account: AccountId, id: QueueId) -> Result<Plan, Refusal> {
        let name = self.own_queue(account, id)?.name.clone();
        let mut change = Change::new();
        self.remove_queue(id, &mut change);
        let claims = Claims::of([Claim::Account(account)], [Claim::Queue(id), Claim::Name(name)]);
        Ok(Plan { change, claims, outcome: Outcome::Done })
    }

    fn plan_user(&mut self, account: AccountId, name: Name, fields: UserFields) -> Result<Plan, Refusal> {
        if !self.accounts.contains_key(&account) {
            return Err(Refusal::NoAccount);
        }
        self.free_name(&name)?;
        let jid = fields.jid.unwrap_or_else(|| BareJid::of(&name, &self.policy.user_domain));
        self.free_jid(&jid)?;
        let (id, next) = self.give_id()?;
        let id = UserId::new(id).ok_or(Refusal::NoMoreIds)?;
        let claims = Claims::of([Claim::Account(account)], [Claim::Name(name.clone()), Claim::Jid(jid.clone())]);
        let user = User { id, account, name, jid, email: fields.email.flatten() };
        Ok(Plan { change: vec![next, Write::Put(Record::User(user))], claims, outcome: Outcome::User(id) })
    }

    fn plan_user_update(&self, account: AccountId, id: UserId, fields: UserFields) -> Result<Plan, Refusal> {
        let mut user = self.own_user(account, id)?;
        let claims = Claims::of([Claim::Account(account)], [Claim::User(id)]);
        let mut plan = Plan { change: Change::new(), claims, outcome: Outcome::User(id) };
        let jid_follows_name = user.jid == BareJid::of(&user.name, &self.policy.user_domain);
        let mut jid = fields.jid;
        if let Some(name) = fields.name.filter(|name| *name != user.name) {
            self.free_name(&name)?;
            if jid_follows_name && jid.is_none() {
                jid = Some(BareJid::of(&name, &self.policy.user_domain));
            }
            plan.claims.0.insert(Claim::Name(name.clone()), true);
            plan.claims.0.insert(Claim::Name(user.name), true);
            user.name = name;
        }
        if let Some(jid) = jid.filter(|jid| *jid != user.jid) {
            self.free_jid(&jid)?;
            for staffs in &self.people[&id].staffs {
                self.end_following(staffs.queue, &user.jid, &mut plan);
            }
            plan.claims.0.insert(Claim::Jid(jid.clone()), true);
            plan.claims.0.insert(Claim::Jid(user.jid), true);
            user.jid = jid;
        }
        user.email = fields.email.unwrap_or(user.email);
        plan.change.push(Write::Put(Record::User(user)));
        Ok(plan)
    }

    /// A user who staffs a queue no longer follows it no longer either, where operators are made followers.
    pub(super) fn end_following(&self, queue: QueueId, jid: &BareJid, plan: &mut Plan) {
        if self.is_listing(jid) {
            plan.claims.0.insert(Claim::Subscriber(queue, jid.clone()), true);
            if self.queues[&queue].subscribers.contains_key(jid) {
                plan.change.push(Write::Delete(Key::Subscriber(queue, jid.clone())));
            }
        }
    }

    fn plan_user_removal(&self, account: AccountId, id: UserId) -> Result<Plan, Refusal> {
        let user = self.own_user(account, id)?;
        let exclusive = [Claim::User(id), Claim::Name(user.name), Claim::Jid(user.jid.clone())];
        let claims = Claims::of([Claim::Account(account)], exclusive);
        let mut plan = Plan { change: Change::new(), claims, outcome: Outcome::Done };
        for staffs in &self.people[&id].staffs {
            plan.change.push(Write::Delete(Key::Operator(staffs.queue, id)));
            self.end_following(staffs.queue, &user.jid, &mut plan);
        }
        plan.change.push(Write::Delete(Key::User(id)));
        Ok(plan)
    }

    fn plan_import(&self, mut records: Vec<Record>) -> Result<Plan, Refusal> {
        if !(self.accounts.is_empty() && self.people.is_empty() && self.queues.is_empty()) {
            return Err(Refusal::StoreNotEmpty);
        }
        for record in &mut records {
            if let Record::NextId(next) = record {
                // Numbers that were given here are never used again either.
                *next = self.next_id.max(*next);
            }
        }
        records.sort_by_cached_key(Record::key);
        let mut seen = BTreeSet::new();
        if let Some(twice) = records.iter().map(Record::key).find(|key| !seen.insert(key.clone())) {
            return Err(Refusal::Inconsistent(format!("{twice:?} is there twice")));
        }
        self.tried_with(&records).map_err(|error| Refusal::Inconsistent(error.to_string()))?;
        let change = records.into_iter().map(Write::Put).collect();
        Ok(Plan { change, claims: Claims::of([], [Claim::Everything]), outcome: Outcome::Done })
    }
}
