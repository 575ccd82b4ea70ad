//! Which commands there are, and for whom.

use super::{Fault, Place, manage::Task};
use crate::domain::Asker;

/// Every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::xmpp) enum Command {
    MyQueues,
    SuspendMe,
    ResumeMe,
    WhoIsOn,
    /// For the admins of an account.
    Manage(Task),
}

impl Command {
    const ALL: [Self; 8] = [
        Self::MyQueues,
        Self::SuspendMe,
        Self::ResumeMe,
        Self::WhoIsOn,
        Self::Manage(Task::Assign),
        Self::Manage(Task::Unassign),
        Self::Manage(Task::Suspend),
        Self::Manage(Task::Resume),
    ];

    /// Its node, which stays what it is: people write scripts.
    pub(in crate::xmpp) const fn node(self) -> &'static str {
        match self {
            Self::MyQueues => "my-queues",
            Self::SuspendMe => "suspend-me",
            Self::ResumeMe => "resume-me",
            Self::WhoIsOn => "who-is-on",
            Self::Manage(task) => task.node(),
        }
    }

    /// What it is called in a menu.
    pub(in crate::xmpp) const fn label(self) -> &'static str {
        match self {
            Self::MyQueues => "My queues",
            Self::SuspendMe => "Suspend me",
            Self::ResumeMe => "Resume me",
            Self::WhoIsOn => "Who is on",
            Self::Manage(task) => task.label(),
        }
    }

    fn is_for(self, place: Place<'_>, asker: &Asker<'_>) -> bool {
        match (self, place) {
            (_, Place::Watcher) => false,
            (Self::MyQueues, Place::Component | Place::Queue(_)) => asker.user().is_some(),
            (Self::SuspendMe | Self::ResumeMe, Place::Component) => asker.assignments().next().is_some(),
            (Self::SuspendMe | Self::ResumeMe, Place::Queue(queue)) => {
                asker.assignments().any(|operator| operator.queue.queue.id == queue.queue.id)
            }
            (Self::WhoIsOn, Place::Component) => asker.queues().count() > 0,
            (Self::WhoIsOn, Place::Queue(_)) => true,
            (Self::Manage(_), Place::Component) => asker.accounts().next().is_some(),
            (Self::Manage(_), Place::Queue(queue)) => asker.is_admin_of(queue),
        }
    }

    /// The command with this node, if it is for them there.
    pub(in crate::xmpp) fn find(node: &str, place: Place<'_>, asker: &Asker<'_>) -> Result<Self, Fault> {
        let found = Self::ALL.into_iter().find(|command| command.node() == node).ok_or(Fault::NoSuchCommand)?;
        if found.is_for(place, asker) { Ok(found) } else { Err(Fault::Forbidden) }
    }

    /// All that are for them there.
    pub(in crate::xmpp) fn list(place: Place<'_>, asker: &Asker<'_>) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |command| command.is_for(place, asker))
    }
}
