//! Who has which name, and which JID. The indices hold numbers only: the texts that they go by stand in the things
//! themselves, of which there may be a million.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
};

use hashbrown::HashTable;

use super::{
    Account, BareJid, Desk, Name, Queue, QueueId, UserId,
    desk::{Person, QueueState},
};

#[derive(Debug, Default)]
pub(super) struct Index {
    /// The numbers of queues and users, by name: they share one name space and one row of numbers.
    names: HashTable<u32>,
    jids: HashTable<UserId>,
    hasher: RandomState,
}

impl Desk {
    fn name_of<'a>(
        people: &'a BTreeMap<UserId, Box<Person>>,
        queues: &'a BTreeMap<QueueId, QueueState>,
        id: u32,
    ) -> &'a str {
        let user = UserId::new(id).and_then(|id| people.get(&id)).map(|person| person.name());
        let queue = || QueueId::new(id).and_then(|id| queues.get(&id)).map(|state| state.queue.name.as_str());
        user.or_else(queue).expect("a name is indexed while its owner is there")
    }

    pub(super) fn index_name(&mut self, id: u32) {
        let Self { people, queues, index: Index { hasher, names, .. }, .. } = self;
        let hash = |id: &u32| hasher.hash_one(Self::name_of(people, queues, *id));
        names.insert_unique(hash(&id), id, hash);
    }

    pub(super) fn unindex_name(&mut self, name: &Name, id: u32) {
        let Index { hasher, names, .. } = &mut self.index;
        if let Ok(entry) = names.find_entry(hasher.hash_one(name.as_str()), |it| *it == id) {
            entry.remove();
        }
    }

    pub(super) fn index_user(&mut self, id: UserId) {
        self.index_name(id.get());
        let Self { people, index: Index { hasher, jids, .. }, .. } = self;
        let hash = |id: &UserId| hasher.hash_one(people[id].jid.as_str());
        jids.insert_unique(hash(&id), id, hash);
    }

    pub(super) fn unindex_user(&mut self, id: UserId) {
        let person = &self.people[&id];
        let name = Name::prepared(person.name());
        let Index { hasher, jids, .. } = &mut self.index;
        if let Ok(entry) = jids.find_entry(hasher.hash_one(person.jid.as_str()), |it| *it == id) {
            entry.remove();
        }
        self.unindex_name(&name, id.get());
    }

    /// The number of the queue or the user with this name.
    pub(super) fn holder(&self, name: &str) -> Option<u32> {
        let is = |id: &u32| Self::name_of(&self.people, &self.queues, *id) == name;
        self.index.names.find(self.index.hasher.hash_one(name), is).copied()
    }

    /// Whether a queue, a user or the watcher has this name.
    #[must_use]
    pub fn is_name_taken(&self, name: &Name) -> bool {
        *name == self.policy.watcher || self.holder(name.as_str()).is_some()
    }

    /// The user with this JID.
    #[must_use]
    pub fn user_at(&self, jid: &BareJid) -> Option<UserId> {
        let Index { hasher, jids, .. } = &self.index;
        jids.find(hasher.hash_one(jid.as_str()), |id| self.people[id].jid == *jid).copied()
    }

    /// The queue with this name.
    #[must_use]
    pub fn queue_named(&self, name: &Name) -> Option<&Queue> {
        let id = QueueId::new(self.holder(name.as_str())?)?;
        self.queues.get(&id).map(|state| &state.queue)
    }

    /// The account with this name. There are few accounts, and names are looked up at login only.
    #[must_use]
    pub fn account_named(&self, name: &Name) -> Option<&Account> {
        self.accounts.values().map(|state| &state.account).find(|account| account.name == *name)
    }
}
