//! Something of ours that is there, as far as who asks may know.

use super::ours::Target;
use crate::domain::{Asker, Desk, QueueView};

/// What of ours somebody speaks to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// The component itself.
    Component,
    /// The watcher.
    Watcher,
    /// A queue that they may see.
    Queue(QueueView<'a>),
}

impl<'a> Place<'a> {
    /// What is at an address; `None` when that is nothing, or nothing that they may know of.
    pub(super) fn find(desk: &'a Desk, asker: &Asker<'_>, target: &Target) -> Option<Self> {
        match target {
            Target::Component => Some(Self::Component),
            Target::Watcher => Some(Self::Watcher),
            Target::Queue(name) => desk.queue_by_name(name).filter(|queue| asker.may_see(*queue)).map(Self::Queue),
            Target::Nothing => None,
        }
    }
}
