//! What can be read: answers only, nothing decides here that is not decided elsewhere.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    time::Instant,
};

use super::{
    Account, AccountId, BareJid, Cause, Desk, LinkPhase, Name, Published, Queue, QueueId, Reason, Record, Session,
    Show, Subscriber, TokenHash, UnixTime, UserId,
    desk::{Person, QueueState, Standing},
    lease::{Life, Tick},
    shown::Kept,
};

/// Counts of things that should not happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Presences with a `<show/>` that is not one of the known words, taken for `available`.
    pub unknown_shows: u64,
    /// Resources that did not answer a ping.
    pub stale: u64,
    /// Presences from people who are not assigned to anything.
    pub strangers: u64,
    /// Stanzas that could not be read, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// A queue and what is published of it.
#[derive(Debug, Clone, Copy)]
pub struct QueueView<'a> {
    /// The queue.
    pub queue: &'a Queue,
    /// What its followers are told.
    pub published: Published,
}

/// A user and their presence.
#[derive(Debug, Clone)]
pub struct UserView<'a> {
    /// Their number.
    pub id: UserId,
    /// Their name.
    pub name: &'a str,
    /// Where their presence comes from.
    pub jid: &'a BareJid,
    /// Their e-mail address.
    pub email: Option<&'a str>,
    /// Their show, as it is published.
    pub show: Show,
    /// The status text of the resource that speaks for them.
    pub status: Option<&'a str>,
}

/// An assignment, with both of its sides.
#[derive(Debug, Clone)]
pub struct OperatorView<'a> {
    /// The queue.
    pub queue: QueueView<'a>,
    /// The user.
    pub user: UserView<'a>,
    /// `false`: suspended.
    pub enabled: bool,
    /// Why they are suspended, where somebody said so.
    pub cause: Option<&'a Cause>,
    /// When they are enabled again, where somebody said so.
    pub until: Option<UnixTime>,
}

/// A resource of a user.
#[derive(Debug, Clone, Copy)]
pub struct ResourceView<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it says.
    pub show: Show,
    /// Its priority.
    pub priority: i8,
    /// It did not answer a ping, so it does not count.
    pub stale: bool,
    /// What it said last could not be read, so it does not count; its show and priority say nothing.
    pub unreadable: bool,
    /// It has been silent for long, and it is being found out whether it is there; it counts meanwhile.
    pub doubted: bool,
    /// Since when it is stale or doubted, else when it was heard last.
    pub since: Instant,
    /// Its status text.
    pub status: Option<&'a str>,
}

/// What one account can see: its own, and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Books<'a> {
    desk: &'a Desk,
    account: AccountId,
}

impl<'a> Books<'a> {
    /// Its queues, by number.
    pub fn queues(self) -> impl Iterator<Item = QueueView<'a>> {
        self.queues_after(None)
    }

    /// Its queues whose number is above `after`, by number.
    pub fn queues_after(self, after: Option<QueueId>) -> impl Iterator<Item = QueueView<'a>> {
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        let state = self.desk.accounts.get(&self.account);
        state.into_iter().flat_map(move |state| state.queues.range(range)).filter_map(move |id| self.queue(*id))
    }

    /// One of its queues.
    #[must_use]
    pub fn queue(self, id: QueueId) -> Option<QueueView<'a>> {
        self.queue_state(id).map(QueueState::view)
    }

    /// Its queue with this name.
    #[must_use]
    pub fn queue_named(self, name: &str) -> Option<QueueView<'a>> {
        self.queue(QueueId::new(self.desk.holder(name)?)?)
    }

    /// Its users, by number.
    pub fn users(self) -> impl Iterator<Item = UserView<'a>> {
        self.users_after(None)
    }

    /// Its users whose number is above `after`, by number.
    pub fn users_after(self, after: Option<UserId>) -> impl Iterator<Item = UserView<'a>> {
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        let state = self.desk.accounts.get(&self.account);
        state.into_iter().flat_map(move |state| state.users.range(range)).filter_map(move |id| self.user(*id))
    }

    /// One of its users.
    #[must_use]
    pub fn user(self, id: UserId) -> Option<UserView<'a>> {
        self.person(id).map(|person| self.desk.user_view(id, person))
    }

    /// Its user with this name.
    #[must_use]
    pub fn user_named(self, name: &str) -> Option<UserView<'a>> {
        self.user(UserId::new(self.desk.holder(name)?)?)
    }

    /// The operators of one of its queues, by the number of the user; `None` when it has no such queue.
    #[must_use]
    pub fn operators(self, queue: QueueId) -> Option<impl Iterator<Item = OperatorView<'a>>> {
        self.operators_after(queue, None)
    }

    /// The same, of those whose number is above `after`.
    #[must_use]
    pub fn operators_after(
        self,
        queue: QueueId,
        after: Option<UserId>,
    ) -> Option<impl Iterator<Item = OperatorView<'a>>> {
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        let state = self.queue_state(queue)?;
        Some(state.operators.range(range).filter_map(move |user| self.operator(queue, *user)))
    }

    /// How many operators one of its queues has.
    #[must_use]
    pub fn operator_count(self, queue: QueueId) -> Option<usize> {
        self.queue_state(queue).map(|state| state.operators.len())
    }

    /// The assignments of one of its users, by the number of the queue; `None` when it has no such user.
    #[must_use]
    pub fn assignments(self, user: UserId) -> Option<impl Iterator<Item = OperatorView<'a>>> {
        let person = self.person(user)?;
        Some(person.staffs.iter().filter_map(move |staffs| self.operator(staffs.queue, user)))
    }

    /// One assignment.
    #[must_use]
    pub fn operator(self, queue: QueueId, user: UserId) -> Option<OperatorView<'a>> {
        let person = self.person(user)?;
        let enabled = person.enabled_on(queue)?;
        let known = self.desk.suspension(queue, user);
        let (cause, until) = (known.and_then(|it| it.cause.as_ref()), known.and_then(|it| it.until));
        Some(OperatorView { queue: self.queue(queue)?, user: self.desk.user_view(user, person), enabled, cause, until })
    }

    fn queue_state(self, id: QueueId) -> Option<&'a QueueState> {
        self.desk.queues.get(&id).filter(|state| state.queue.account == self.account)
    }

    fn person(self, id: UserId) -> Option<&'a Person> {
        self.desk.people.get(&id).map(|person| &**person).filter(|person| person.account == self.account)
    }
}

impl QueueState {
    fn view(&self) -> QueueView<'_> {
        QueueView { queue: &self.queue, published: self.published }
    }
}

impl Desk {
    /// What `account` can see.
    #[must_use]
    pub const fn books(&self, account: AccountId) -> Books<'_> {
        Books { desk: self, account }
    }

    /// Every account, by number.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().map(|state| &state.account)
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id).map(|state| &state.account)
    }

    /// The open session with this token, unless it has expired.
    #[must_use]
    pub fn session(&self, token: &TokenHash, now: UnixTime) -> Option<&Session> {
        self.sessions.get(token).filter(|session| self.is_open(session, now))
    }

    /// Every queue of every account, by number.
    pub fn queues(&self) -> impl Iterator<Item = QueueView<'_>> {
        self.queues.values().map(QueueState::view)
    }

    /// The queue with this name, of whichever account.
    #[must_use]
    pub fn queue_by_name(&self, name: &Name) -> Option<QueueView<'_>> {
        self.queue_view(self.queue_named(name)?.id)
    }

    pub(super) fn queue_view(&self, id: QueueId) -> Option<QueueView<'_>> {
        self.queues.get(&id).map(QueueState::view)
    }

    /// The user with this JID, of whichever account.
    #[must_use]
    pub fn user_by_jid(&self, jid: &BareJid) -> Option<UserView<'_>> {
        let id = self.user_at(jid)?;
        Some(self.user_view(id, &self.people[&id]))
    }

    /// The resources of a user.
    pub fn resources(&self, user: UserId) -> impl Iterator<Item = ResourceView<'_>> {
        let person = self.people.get(&user);
        let resources = person.into_iter().flat_map(|person| person.presence.resources());
        resources.map(|it| ResourceView {
            name: &it.name,
            show: it.show,
            priority: it.priority,
            stale: it.life == Life::Stale,
            unreadable: it.life == Life::Unread,
            doubted: matches!(it.life, Life::Due | Life::Pinged | Life::Doubted),
            since: it.since.instant(self.began),
            status: it.status.as_deref(),
        })
    }

    fn user_view<'a>(&'a self, id: UserId, person: &'a Person) -> UserView<'a> {
        let winner = person.presence.winner(self.policy.merge, &self.policy.precedence, |_| ());
        UserView {
            id,
            name: person.name(),
            jid: &person.jid,
            email: person.email.as_deref(),
            show: person.shown,
            status: winner.and_then(|resource| resource.status.as_deref()),
        }
    }

    /// Whether a user is seen to take new work.
    #[must_use]
    pub fn takes_work(&self, user: UserId) -> bool {
        self.people.get(&user).is_some_and(|person| person.show.takes_work())
    }

    /// Since when a user has the show that they have; `None` when it has not changed since the desk began.
    #[must_use]
    pub fn user_since(&self, user: UserId) -> Option<Instant> {
        self.people.get(&user).and_then(|person| self.moment(person.presence.changed))
    }

    /// Since when a queue has the show that it has; `None` when it has not changed since the desk began.
    #[must_use]
    pub fn queue_since(&self, queue: QueueId) -> Option<Instant> {
        self.queues.get(&queue).and_then(|state| self.moment(state.changed))
    }

    fn moment(&self, tick: Tick) -> Option<Instant> {
        (tick != Tick::default()).then(|| tick.instant(self.began))
    }

    /// Why a user has the show that they have.
    #[must_use]
    pub fn why_user(&self, user: UserId) -> Vec<Reason> {
        let Some(person) = self.people.get(&user) else { return Vec::new() };
        let mut reasons = self.why_seen(person);
        if person.shown != person.show {
            let kept = match person.kept {
                Kept::Lingers => Some(Reason::Lingering),
                Kept::Held => Some(Reason::Held),
                Kept::Nothing => None,
            };
            let is_there = person.shown != Show::Unavailable;
            let shown = is_there.then_some(Reason::Show(person.shown));
            reasons.splice(0..0, shown.into_iter().chain(kept));
        }
        reasons.dedup();
        reasons
    }

    /// Why somebody is seen to be what they are seen to be.
    fn why_seen(&self, person: &Person) -> Vec<Reason> {
        // What is heard on trial does not count.
        if self.sweep.on_trial {
            return vec![Reason::Unknown];
        }
        let mut reasons = Vec::new();
        let note = |reason| reasons.push(reason);
        let winner = person.presence.winner(self.policy.merge, &self.policy.precedence, note);
        match (winner, self.link()) {
            (Some(resource), _) => reasons.insert(0, Reason::Show(resource.show)),
            (None, LinkPhase::Down) => reasons.push(Reason::LinkDown),
            (None, LinkPhase::Sweeping { .. }) if !person.presence.heard => reasons.push(Reason::Unknown),
            (None, LinkPhase::Up) if person.standing == Standing::Refused => reasons.push(Reason::Refused),
            (None, LinkPhase::Up) if person.standing == Standing::Asked => reasons.push(Reason::NotApproved),
            // Of these the server tells who is there.
            (None, LinkPhase::Up) if !person.presence.heard && self.is_managed(&person.jid) => {
                reasons.push(Reason::Offline);
            }
            (None, LinkPhase::Up) if !person.presence.heard => reasons.push(Reason::Silent),
            (None, _) if person.presence.resources().is_empty() => reasons.push(Reason::Offline),
            (None, _) => {}
        }
        reasons
    }

    /// Why an operator counts as they do.
    #[must_use]
    pub fn why_operator(&self, queue: QueueId, user: UserId) -> Vec<Reason> {
        let enabled = self.people.get(&user).and_then(|person| person.enabled_on(queue));
        let suspended = (enabled == Some(false)).then_some(Reason::Suspended);
        suspended.into_iter().chain(self.why_user(user)).collect()
    }

    /// Why a queue has the show that it has.
    #[must_use]
    pub fn why_queue(&self, queue: QueueId) -> Vec<Reason> {
        let Some(state) = self.queues.get(&queue) else { return Vec::new() };
        let mut reasons = Vec::new();
        let note = |reason| reasons.push(reason);
        let _ = state.counts.verdict(state.operators.len(), &self.policy.precedence, note);
        reasons.extend(self.keeping.is_holding().then_some(Reason::Held));
        match self.link() {
            LinkPhase::Down => reasons.push(Reason::LinkDown),
            LinkPhase::Sweeping { .. } => reasons.push(Reason::Unknown),
            LinkPhase::Up => {}
        }
        reasons
    }

    /// Everything that is kept, in the order of the keys.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let accounts = self.accounts().cloned().map(Record::Account);
        let users = self.people.iter().map(|(id, person)| Record::User(person.user(*id)));
        let queues = self.queues.values().map(|state| Record::Queue(state.queue.clone()));
        let operators = self.queues.iter().flat_map(|(id, state)| {
            let enabled = |user: &UserId| self.people[user].enabled_on(*id).unwrap_or_default();
            let operator = move |user: &UserId| super::Operator {
                queue: *id,
                user: *user,
                suspended: (!enabled(user)).then(|| self.suspension(*id, *user).cloned().unwrap_or_default()),
            };
            state.operators.iter().map(operator).map(Record::Operator)
        });
        let subscribers = self.queues.iter().flat_map(|(id, state)| {
            let subscriber = |jid: &BareJid| Subscriber { queue: *id, jid: jid.clone() };
            state.subscribers.keys().map(subscriber).map(Record::Subscriber)
        });
        let mut sessions: Vec<_> = self.sessions.values().cloned().collect();
        sessions.sort_by_key(|session| session.token);
        let mut tokens: Vec<_> = self.tokens.values().cloned().map(Record::Token).collect();
        tokens.sort_by_cached_key(Record::key);
        std::iter::once(Record::NextId(self.next_id))
            .chain(accounts)
            .chain(users)
            .chain(queues)
            .chain(operators)
            .chain(subscribers)
            .chain(sessions.into_iter().map(Record::Session))
            .chain(tokens)
            .collect()
    }
}
