//! What something looks like now, as a number: whoever read it can say which state of it they change.
//!
//! A version is a hash of what people decided of a thing. It differs when that differs (but for one chance in 2^64), is the
//! same again when that is the same again, is kept nowhere, and so is the same after a restart and costs no edit a write.
//! That of the operators of a queue is kept up with each of them, so that it costs the same however many there are.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{Change, Desk, Key, QueueId, Record, Suspension, UserId, Write};

/// The version of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

impl Version {
    /// The version that is written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_good = text.len() == 16 && text.bytes().all(is_hex);
        is_good.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn hash(what: impl Hash) -> u64 {
    // Without a key: it is to be the same tomorrow. Who makes two states of their own that collide cheats nobody else.
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The sum of the hashes of a queue's operators, in whichever order they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Roll(u64);

impl Roll {
    fn row(user: UserId, enabled: bool, suspension: Option<&Suspension>) -> u64 {
        hash((user, enabled, suspension))
    }

    pub(super) fn add(&mut self, user: UserId, enabled: bool, suspension: Option<&Suspension>) {
        self.0 = self.0.wrapping_add(Self::row(user, enabled, suspension));
    }

    pub(super) fn remove(&mut self, user: UserId, enabled: bool, suspension: Option<&Suspension>) {
        self.0 = self.0.wrapping_sub(Self::row(user, enabled, suspension));
    }
}

impl Desk {
    /// The version of who staffs a queue, and how.
    #[must_use]
    pub fn operators_version(&self, queue: QueueId) -> Option<Version> {
        self.operators_version_after(queue, &Change::new())
    }

    /// The same, as it will be when this change of operators of the queue, each once, is committed and nothing else.
    pub(super) fn operators_version_after(&self, queue: QueueId, change: &Change) -> Option<Version> {
        let mut roll = self.queues.get(&queue)?.roll;
        for write in change {
            let (user, will_be) = match write {
                Write::Put(Record::Operator(operator)) => (operator.user, Some(operator.suspended.as_ref())),
                Write::Delete(Key::Operator(_, user)) => (*user, None),
                Write::Put(_) | Write::Delete(_) | Write::Note(_) | Write::Forget(_) => continue,
            };
            if let Some(enabled) = self.people.get(&user).and_then(|person| person.enabled_on(queue)) {
                roll.remove(user, enabled, self.suspension(queue, user));
            }
            if let Some(suspended) = will_be {
                // Of a suspension of which nothing is known nothing is kept.
                roll.add(user, suspended.is_none(), suspended.filter(|it| **it != Suspension::default()));
            }
        }
        Some(Version(hash((queue, roll.0))))
    }

    /// The version of a queue's own fields.
    #[must_use]
    pub fn queue_version(&self, queue: QueueId) -> Option<Version> {
        let queue = &self.queues.get(&queue)?.queue;
        Some(Version(hash((queue.id, queue.name.as_str(), &queue.email, &queue.avatar, queue.transcripts))))
    }

    /// The version of a user's own fields.
    #[must_use]
    pub fn user_version(&self, user: UserId) -> Option<Version> {
        let person = self.people.get(&user)?;
        Some(Version(hash((user, person.name(), &person.jid, &person.email))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_and_read() {
        for version in [Version(0), Version(0x1234_5678_9abc_def0), Version(u64::MAX)] {
            assert_eq!(Version::parse(&version.to_string()), Some(version));
        }
        for bad in ["", "0", "00000000000000000", "000000000000000G", "00000000000000AB", "+000000000000001"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }
}
