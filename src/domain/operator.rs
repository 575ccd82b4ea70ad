//! Who staffs what.

use super::{QueueId, UserId};

/// One user assigned to one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// The queue.
    pub queue: QueueId,
    /// The user.
    pub user: UserId,
    /// `false`: suspended, which counts for nothing whatever the user's presence.
    pub enabled: bool,
}
