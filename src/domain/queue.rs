//! Entry points that people staff, and who follows their presence.

use super::{AccountId, BareJid, Name, QueueId};

/// An entry point with a JID on our component's domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its number.
    pub id: QueueId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name, the localpart of its JID, one of a kind among the users and queues of the deployment.
    pub name: Name,
    /// Kept for the account, not used by us.
    pub email: Option<Box<str>>,
    /// Kept for the account, not used by us.
    pub avatar: Option<Box<str>>,
    /// Kept for the account, not used by us.
    pub transcripts: bool,
}

/// Somebody who follows a queue's presence: a subscription of type `from` in the queue's roster (RFC 6121 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The queue that is followed.
    pub queue: QueueId,
    /// Who follows it.
    pub jid: BareJid,
}
