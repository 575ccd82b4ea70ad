//! Which addresses are ours.

use jid::Jid;

use crate::domain::{BareJid, Name};

/// What of ours somebody speaks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The component itself.
    Component,
    /// The watcher.
    Watcher,
    /// What would be the address of a queue.
    Queue(Name),
    /// An address that nothing of ours can have.
    Nothing,
}

/// The addresses of one component.
#[derive(Debug, Clone)]
pub(super) struct Ours {
    pub(super) domain: Box<str>,
    pub(super) user_domain: Box<str>,
    pub(super) watcher: Name,
}

impl Ours {
    /// The address of the watcher or of a queue.
    pub(super) fn at(&self, name: &Name) -> BareJid {
        BareJid::of(name, &self.domain)
    }

    /// Whether an address is on our domain.
    pub(super) fn is_ours(&self, jid: &Jid) -> bool {
        jid.domain().as_str() == &*self.domain
    }

    /// Nothing of ours has resources.
    pub(super) fn target(&self, to: &Jid) -> Target {
        if !self.is_ours(to) || to.resource().is_some() {
            return Target::Nothing;
        }
        match to.node() {
            None => Target::Component,
            Some(local) if local.as_str() == self.watcher.as_str() => Target::Watcher,
            Some(local) => Name::parse(local.as_str(), Name::QUEUE_MOST).map_or(Target::Nothing, Target::Queue),
        }
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            domain: "queues.localhost".into(),
            user_domain: "localhost".into(),
            watcher: Name::parse("staffing", 60).unwrap(),
        }
    }
}
