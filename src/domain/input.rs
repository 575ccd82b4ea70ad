//! Facts that come in from the XMPP link: the closed list.

use super::{BareJid, Grants, Name, Show, WriteFailure};

/// What an available presence said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The show; a word that is not one of ours is [`Show::Available`].
    pub show: Show,
    /// The priority (RFC 6121 section 4.7.2.3).
    pub priority: i8,
    /// The status text, cut to a sane length.
    pub status: Option<Box<str>>,
    /// `false` when the show's word was not one of ours.
    pub known_show: bool,
}

/// Something that happened on the link, in the order in which it happened: after a [`Input::LinkDown`] there is nothing
/// of the link that went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The component's stream is open. Nothing seen before counts any more.
    LinkUp,
    /// The same, but whether all that is meant for us reaches us is still being found out: everybody is asked, and nothing
    /// that they answer counts before [`Input::TrialPassed`].
    LinkOnTrial,
    /// What is meant for us reaches us: the link counts.
    TrialPassed,
    /// The stream is gone, or could not be opened. Nothing seen before counts any more.
    LinkDown {
        /// In words for an administrator.
        why: String,
    },
    /// A resource is available.
    Seen {
        /// Whose.
        user: BareJid,
        /// Which.
        resource: Box<str>,
        /// What it said.
        seen: Seen,
    },
    /// A resource is available, and what it said could not be read: what it said before is not true any more.
    Unread {
        /// Whose.
        user: BareJid,
        /// Which.
        resource: Box<str>,
    },
    /// A resource is gone, or all of a user's resources are.
    Gone {
        /// Whose.
        user: BareJid,
        /// Which; `None` for all.
        resource: Option<Box<str>>,
    },
    /// The users' server says what a resource of one of its users is, as it does of all of them where we have that privilege
    /// (XEP-0356 section 7).
    Relayed {
        /// Whose.
        user: BareJid,
        /// Which.
        resource: Box<str>,
        /// What it said; `None` when it is gone.
        seen: Option<Seen>,
    },
    /// The same, of a resource that is available, and what it said could not be read: what it said before is not true any
    /// more. Nobody can be asked whom we may not have in their roster.
    UnreadRelayed {
        /// Whose.
        user: BareJid,
        /// Which.
        resource: Box<str>,
    },
    /// The users' server says what it lets us do: all of it. Nobody else has a say in this.
    Granted(Grants),
    /// An entry was written into a roster, or could not be.
    Written {
        /// Whose roster.
        user: BareJid,
        /// The localpart of our JID.
        contact: Name,
        /// What became of it.
        result: Result<(), WriteFailure>,
    },
    /// A user's server says that we may see their presence: `subscribed`.
    Approved {
        /// Whose.
        user: BareJid,
    },
    /// A user does not let us see their presence (any more): `unsubscribed`.
    Refused {
        /// Whose.
        user: BareJid,
    },
    /// A resource has answered a ping, be it that it knows none.
    Alive {
        /// Whose.
        user: BareJid,
        /// Which.
        resource: Box<str>,
    },
    /// A ping was answered with an error that a server gives for a resource that is gone, and some clients for any ping.
    Doubted {
        /// Whose.
        user: BareJid,
        /// Which.
        resource: Box<str>,
    },
    /// Somebody wants to subscribe to the watcher, who publishes nothing.
    Knocked {
        /// Who.
        from: BareJid,
    },
    /// Somebody asks what a queue's presence is: `probe`.
    Probed {
        /// The localpart that was asked.
        queue: Name,
        /// Who asks.
        from: BareJid,
    },
    /// The server answered the ping that followed the last probe.
    SweepAnswered,
    /// A stanza was dropped because it could not be read.
    Dropped {
        /// Why, in a word.
        reason: &'static str,
    },
    /// The daemon stops: every queue is closed for those who follow it.
    Closing,
}

impl Input {
    /// Whether it has come through the link, so that the server is there.
    pub(super) const fn is_of_server(&self) -> bool {
        match self {
            Self::Seen { .. }
            | Self::Unread { .. }
            | Self::Gone { .. }
            | Self::Relayed { .. }
            | Self::UnreadRelayed { .. }
            | Self::Granted(_)
            | Self::Approved { .. }
            | Self::Refused { .. }
            | Self::Alive { .. }
            | Self::Doubted { .. }
            | Self::Knocked { .. }
            | Self::Probed { .. }
            | Self::SweepAnswered
            | Self::Dropped { .. } => true,
            // What is written beside the link says nothing of it.
            Self::LinkUp
            | Self::LinkOnTrial
            | Self::TrialPassed
            | Self::LinkDown { .. }
            | Self::Written { .. }
            | Self::Closing => false,
        }
    }
}
