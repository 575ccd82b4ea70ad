//! Intent as it is kept: the closed list of what a store holds.

use super::{
    Account, AccountId, BareJid, Name, Noted, Operator, Queue, QueueId, Session, Subscriber, Token, TokenHash,
    UnixTime, User, UserId,
};

/// One thing that people decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The next number to be given to an account, user or queue: numbers are never given twice.
    NextId(u32),
    /// An account.
    Account(Account),
    /// A user.
    User(User),
    /// A queue.
    Queue(Queue),
    /// An assignment.
    Operator(Operator),
    /// A follower of a queue.
    Subscriber(Subscriber),
    /// Somebody who is logged in.
    Session(Session),
    /// A token of an account.
    Token(Token),
}

/// What a record is found by. Their order is the order in which records can be read back: nothing names a later kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Of [`Record::NextId`]: there is one.
    NextId,
    /// Of an account.
    Account(AccountId),
    /// Of a user.
    User(UserId),
    /// Of a queue.
    Queue(QueueId),
    /// Of an assignment.
    Operator(QueueId, UserId),
    /// Of a follower of a queue.
    Subscriber(QueueId, BareJid),
    /// Of somebody who is logged in.
    Session(TokenHash),
    /// Of a token of an account.
    Token(AccountId, Name),
}

/// One step of a change. The steps of one change are kept all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Keep this, in place of what had its key.
    Put(Record),
    /// Keep nothing under this key.
    Delete(Key),
    /// Keep in the audit log what somebody did, behind everything that was kept there before.
    Note(Box<Noted>),
    /// Forget some of what was kept in the audit log before then, the oldest first.
    Forget(UnixTime),
}

impl Record {
    /// The highest number that it has or names.
    pub(super) fn highest(&self) -> u32 {
        match self {
            Self::NextId(next) => next.saturating_sub(1),
            Self::Account(it) => it.id.get(),
            Self::User(it) => it.id.get(),
            Self::Queue(it) => it.id.get(),
            Self::Operator(it) => it.queue.get().max(it.user.get()),
            Self::Subscriber(it) => it.queue.get(),
            Self::Session(it) => it.account.get(),
            Self::Token(it) => it.account.get(),
        }
    }

    /// What it is found by.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::NextId(_) => Key::NextId,
            Self::Account(account) => Key::Account(account.id),
            Self::User(user) => Key::User(user.id),
            Self::Queue(queue) => Key::Queue(queue.id),
            Self::Operator(operator) => Key::Operator(operator.queue, operator.user),
            Self::Subscriber(subscriber) => Key::Subscriber(subscriber.queue, subscriber.jid.clone()),
            Self::Session(session) => Key::Session(session.token),
            Self::Token(token) => Key::Token(token.account, token.name.clone()),
        }
    }
}
