//! From records that were kept to a desk.

use std::{fmt, time::Instant};

use super::{Desk, Key, Policy, Record};

/// A record that does not fit the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inconsistent {
    /// Which.
    pub key: Key,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Inconsistent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.key, self.what)
    }
}

impl std::error::Error for Inconsistent {}

impl Desk {
    /// A desk with everything that was kept, in the order of the keys.
    ///
    /// # Errors
    /// The first record that names something that is not there, or that is there twice.
    pub fn restore(
        policy: Policy,
        records: impl IntoIterator<Item = Record>,
        now: Instant,
    ) -> Result<Self, Inconsistent> {
        let mut desk = Self::new(policy, now);
        let mut events = Vec::new();
        for record in records {
            desk.fits(&record).map_err(|what| Inconsistent { key: record.key(), what })?;
            desk.put(record, &mut events);
        }
        // Followers stay to be approved: whether they were told so before the last stop, nobody knows. Who is assigned is
        // asked for their presence by the first sweep.
        desk.outbox.forget_asks();
        Ok(desk)
    }

    /// Of records in the order of their keys those that make a good desk, and what is wrong with the others: what names one
    /// that is gone goes too. Where it is not known which number is the next, it is one behind all that are there.
    #[must_use]
    pub fn what_fits(policy: Policy, records: Vec<Record>, now: Instant) -> (Vec<Record>, Vec<Inconsistent>) {
        let (mut desk, mut events) = (Self::new(policy, now), Vec::new());
        let (mut fit, mut unfit) = (Vec::new(), Vec::new());
        let next = match records.first() {
            Some(Record::NextId(_)) | None => None,
            Some(_) => Some(Record::NextId(records.iter().map(Record::highest).max().unwrap_or_default() + 1)),
        };
        for record in next.into_iter().chain(records) {
            match desk.fits(&record) {
                Ok(()) => {
                    fit.push(record.clone());
                    desk.put(record, &mut events);
                }
                Err(what) => unfit.push(Inconsistent { key: record.key(), what }),
            }
        }
        (fit, unfit)
    }

    /// Whether a desk with these records would be a good one.
    pub(super) fn tried_with(&self, records: &[Record]) -> Result<(), Inconsistent> {
        Self::restore(self.policy.clone(), records.iter().cloned(), self.began).map(|_| ())
    }

    fn fits(&self, record: &Record) -> Result<(), String> {
        let account = |id| self.accounts.contains_key(&id).then_some(()).ok_or(format!("there is no account {id}"));
        let queue = |id| self.queues.contains_key(&id).then_some(()).ok_or(format!("there is no queue {id}"));
        match record {
            Record::NextId(_) => Ok(()),
            Record::Account(it) => {
                if let Some(other) = self.account_named(&it.name) {
                    return Err(format!("account {} has the name {} too", other.id, it.name));
                }
                if let Some(name) = it.logins.keys().find(|name| self.logins.contains_key(*name)) {
                    return Err(format!("the login {name} is there twice"));
                }
                self.fits_id(it.id.get())
            }
            Record::User(it) => {
                account(it.account)?;
                self.fits_id(it.id.get())?;
                self.fits_name(&it.name)?;
                match self.user_at(&it.jid) {
                    Some(other) => Err(format!("user {other} has the JID {} too", it.jid)),
                    None => Ok(()),
                }
            }
            Record::Queue(it) => {
                account(it.account)?;
                self.fits_id(it.id.get())?;
                if super::UserId::new(it.id.get()).is_some_and(|id| self.people.contains_key(&id)) {
                    return Err(format!("user {} has this number too", it.id));
                }
                self.fits_name(&it.name)
            }
            Record::Operator(it) => {
                queue(it.queue)?;
                let person = self.people.get(&it.user).ok_or(format!("there is no user {}", it.user))?;
                let owner = self.queues[&it.queue].queue.account;
                (person.account == owner).then_some(()).ok_or("the user and the queue have different owners".to_owned())
            }
            Record::Subscriber(it) => queue(it.queue),
            Record::Session(it) => match self.login(&it.login) {
                Some((account, _)) if account.id == it.account => Ok(()),
                _ => Err(format!("account {} has no login {}", it.account, it.login)),
            },
            Record::Token(it) => {
                account(it.account)?;
                let is_twice = self.token_hashes.contains_key(&it.hash);
                if is_twice { Err("another token has the same hash".to_owned()) } else { Ok(()) }
            }
        }
    }

    fn fits_id(&self, id: u32) -> Result<(), String> {
        if id < self.next_id { Ok(()) } else { Err(format!("the next number to give is {}", self.next_id)) }
    }

    fn fits_name(&self, name: &super::Name) -> Result<(), String> {
        // The watcher's name is a setting, which may have come to clash with what was kept before it was set.
        match self.is_name_taken(name) {
            true if *name == self.policy.watcher => Err(format!("{name} is the name of the watcher ([xmpp] watcher)")),
            true => Err(format!("the name {name} is there twice")),
            false => Ok(()),
        }
    }
}
