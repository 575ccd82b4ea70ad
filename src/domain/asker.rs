//! What somebody may see who speaks to us from a chat client.

use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
};

use super::{Account, AccountId, BareJid, Desk, OperatorView, QueueId, QueueView, UserId, UserView, WhoMayFollow};

/// Somebody who speaks to us over XMPP, and what they may see: the queues that they may follow ([`WhoMayFollow`]), those
/// that they staff, and those of the accounts that they are an admin of.
#[derive(Debug, Clone)]
pub struct Asker<'a> {
    desk: &'a Desk,
    /// `None`: a server or a component, which is nobody's user.
    jid: Option<BareJid>,
    domain: &'a str,
    user: Option<UserId>,
}

impl Desk {
    /// Whether a JID is linked to an account.
    #[must_use]
    pub fn is_admin(&self, jid: &BareJid, account: AccountId) -> bool {
        self.admins.get(jid).is_some_and(|accounts| accounts.contains(&account))
    }

    /// Somebody with the address `jid`, or a server's `domain` where there is none.
    #[must_use]
    pub fn asker<'a>(&'a self, jid: Option<BareJid>, domain: &'a str) -> Asker<'a> {
        let user = jid.as_ref().and_then(|jid| self.user_at(jid));
        Asker { desk: self, jid, domain, user }
    }

    /// Whether somebody may follow any queue, whatever else they are.
    fn all_may_follow(&self, domain: &str) -> bool {
        match self.policy.who_may_follow {
            WhoMayFollow::Anyone => true,
            WhoMayFollow::UserDomain => domain == &*self.policy.user_domain,
            WhoMayFollow::Operators => false,
        }
    }

    /// Whether somebody may follow a queue, or does.
    pub(super) fn may_follow(&self, queue: QueueId, jid: &BareJid) -> bool {
        let follows = || self.queues.get(&queue).is_some_and(|state| state.subscribers.contains_key(jid));
        let staffs = || self.user_at(jid).is_some_and(|id| self.people[&id].enabled_on(queue).is_some());
        self.all_may_follow(jid.domain()) || staffs() || follows()
    }
}

impl<'a> Asker<'a> {
    /// Their bare address; `None` for a server.
    #[must_use]
    pub const fn jid(&self) -> Option<&BareJid> {
        self.jid.as_ref()
    }

    /// The user that they are.
    #[must_use]
    pub fn user(&self) -> Option<UserView<'a>> {
        let id = self.user?;
        self.desk.books(self.desk.people.get(&id)?.account).user(id)
    }

    /// The assignments of the user that they are, by the number of the queue.
    pub fn assignments(&self) -> impl Iterator<Item = OperatorView<'a>> + use<'a> {
        let (desk, user) = (self.desk, self.user);
        let person = user.and_then(|id| Some((id, desk.people.get(&id)?)));
        person.into_iter().flat_map(move |(id, person)| {
            let books = desk.books(person.account);
            person.staffs.iter().filter_map(move |staffs| books.operator(staffs.queue, id))
        })
    }

    /// The accounts that they are an admin of, by number.
    pub fn accounts(&self) -> impl Iterator<Item = &'a Account> + use<'a> {
        let desk = self.desk;
        let accounts = self.jid.as_ref().and_then(|jid| desk.admins.get(jid));
        accounts.into_iter().flatten().filter_map(move |id| desk.account(*id))
    }

    /// Whether they are an admin of the account that has this queue.
    #[must_use]
    pub fn is_admin_of(&self, queue: QueueView<'_>) -> bool {
        self.jid.as_ref().is_some_and(|jid| self.desk.is_admin(jid, queue.queue.account))
    }

    /// Whether they may know who staffs a queue and why not: its operators and the admins of its account may.
    #[must_use]
    pub fn is_colleague_on(&self, queue: QueueView<'_>) -> bool {
        self.is_admin_of(queue) || self.staffs(queue.queue.id)
    }

    fn staffs(&self, queue: QueueId) -> bool {
        let person = self.user.and_then(|id| self.desk.people.get(&id));
        person.is_some_and(|person| person.enabled_on(queue).is_some())
    }

    /// Whether they may know that a queue is there.
    #[must_use]
    pub fn may_see(&self, queue: QueueView<'_>) -> bool {
        let may_follow = || self.jid.as_ref().is_some_and(|jid| self.desk.may_follow(queue.queue.id, jid));
        self.desk.all_may_follow(self.domain) || self.is_admin_of(queue) || may_follow()
    }

    /// The queues that they may see, by number. Who may see one only because they follow it since other rules held does
    /// not find it here: nobody is searched among the followers of every queue.
    #[must_use]
    pub fn queues(&self) -> Queues<'a> {
        let few = if self.desk.all_may_follow(self.domain) {
            None
        } else {
            let own = self.user.and_then(|id| self.desk.people.get(&id));
            let own = own.into_iter().flat_map(|person| &person.staffs).map(|staffs| staffs.queue);
            let managed = self.accounts().filter_map(|account| self.desk.accounts.get(&account.id));
            Some(own.chain(managed.flat_map(|state| state.queues.iter().copied())).collect())
        };
        Queues { desk: self.desk, few }
    }
}

/// The queues that somebody may see.
#[derive(Debug)]
pub struct Queues<'a> {
    desk: &'a Desk,
    /// `None`: all there are.
    few: Option<BTreeSet<QueueId>>,
}

impl<'a> Queues<'a> {
    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.few.as_ref().map_or(self.desk.queues.len(), BTreeSet::len)
    }

    /// The first `most` whose number is above `after`.
    #[must_use]
    pub fn after(&self, after: Option<QueueId>, most: usize) -> Vec<QueueView<'a>> {
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        match &self.few {
            None => self.views(self.desk.queues.range(range).map(|(id, _)| *id).take(most)),
            Some(few) => self.views(few.range(range).copied().take(most)),
        }
    }

    /// The last `most` whose number is below `before`, in the same order.
    #[must_use]
    pub fn before(&self, before: Option<QueueId>, most: usize) -> Vec<QueueView<'a>> {
        let range = (Unbounded, before.map_or(Unbounded, Excluded));
        let mut views = match &self.few {
            None => self.views(self.desk.queues.range(range).rev().map(|(id, _)| *id).take(most)),
            Some(few) => self.views(few.range(range).rev().copied().take(most)),
        };
        views.reverse();
        views
    }

    fn views(&self, ids: impl Iterator<Item = QueueId>) -> Vec<QueueView<'a>> {
        ids.filter_map(|id| self.desk.queue_view(id)).collect()
    }
}
