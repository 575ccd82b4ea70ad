//! What is to be done, and what has happened: the closed lists.

use super::{BareJid, Grants, Name, Published, QueueId, RosterWrite, Show, UserId};

/// A stanza to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask for a user's current presence, from the watcher.
    Probe {
        /// Whose.
        user: BareJid,
    },
    /// Ask a resource whether it is there (XEP-0199), from the watcher.
    Ping {
        /// Whose.
        user: BareJid,
        /// Which.
        resource: Box<str>,
    },
    /// Ask to see a user's presence from now on, from the watcher: `subscribe`.
    Ask {
        /// Whose.
        user: BareJid,
    },
    /// See a user's presence no longer: `unsubscribe`.
    Leave {
        /// Whose.
        user: BareJid,
    },
    /// Write an entry into a user's roster: through the server (XEP-0356), or through whoever else may.
    Roster(RosterWrite),
    /// Ping the server: its answer comes after the answers to all probes before it.
    Mark,
    /// Tell somebody that they may follow a queue: `subscribed`.
    Approve {
        /// The queue.
        queue: Name,
        /// Who.
        to: BareJid,
    },
    /// Tell somebody that they do not follow this JID of ours: `unsubscribed`.
    Deny {
        /// The localpart of our JID.
        from: Name,
        /// Who.
        to: BareJid,
        /// Since it has as many followers as it may have.
        full: bool,
    },
    /// Tell a follower of a queue its presence.
    Tell {
        /// The queue.
        queue: Name,
        /// Who.
        to: BareJid,
        /// What.
        published: Published,
    },
}

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A queue's show.
    Queue {
        /// Which.
        id: QueueId,
        /// Its name.
        name: Name,
        /// Its show before.
        from: Show,
        /// What is published of it now.
        now: Published,
    },
    /// How many of a queue's operators take work, or are enabled, where its show stays the same.
    Counts {
        /// Which.
        id: QueueId,
        /// What is published of it now.
        now: Published,
    },
    /// A user's show, as it is published; not said of each when the link is lost.
    User {
        /// Which.
        id: UserId,
        /// Their show before.
        from: Show,
        /// Their show now.
        to: Show,
    },
    /// What the users' server lets us do on this link, where people are onboarded that way: it has had its time to say so.
    Granted(Grants),
    /// The sweep is over: everybody has been heard, or was given time to answer.
    Swept {
        /// How many users were asked.
        asked: usize,
        /// How many of them were heard.
        heard: usize,
        /// `false`: the server did not answer the ping that followed the last probe.
        in_time: bool,
    },
}
