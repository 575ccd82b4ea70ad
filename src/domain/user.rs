//! People with a JID.

use super::{AccountId, BareJid, Name, UserId};

/// A person that an account can assign to its queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their number.
    pub id: UserId,
    /// Whose they are.
    pub account: AccountId,
    /// Their name, one of a kind among the users and queues of the deployment.
    pub name: Name,
    /// Where their presence comes from; no two users share one.
    pub jid: BareJid,
    /// Kept for the account, not used by us.
    pub email: Option<Box<str>>,
}
