//! From the shows of a queue's enabled operators to the queue's show, and the reasons for every verdict.

use std::fmt;

use super::{Precedence, Show, shown::Counted};

/// Why a user, an operator or a queue has the show that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// There is no link to the XMPP server, so nothing is known of anybody.
    LinkDown,
    /// Not heard yet since the link came up, and the sweep still runs.
    Unknown,
    /// Not heard since the link came up, though asked: offline, or has not approved our subscription.
    Silent,
    /// Asked to let us see their presence, and has not said yes.
    NotApproved,
    /// Does not let us see their presence (any more).
    Refused,
    /// Their server says that no resource is online.
    Offline,
    /// They went a short while ago: their last show is shown for a little longer, but they take no work.
    Lingering,
    /// The link was lost a short while ago: what was shown before is shown until everybody is heard anew, or for a little
    /// longer.
    Held,
    /// A resource that did not answer does not count.
    Stale,
    /// A resource said something that could not be read, so it does not count.
    Unreadable,
    /// A resource with a negative priority does not count.
    NegativePriority,
    /// The best that counts says this.
    Show(Show),
    /// The operator is suspended on this queue.
    Suspended,
    /// Nobody is assigned to the queue.
    NoOperators,
    /// People are assigned, but all of them are suspended.
    NoneEnabled,
    /// People are enabled, but none of them is online.
    NoneOnline,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 21] = [
        Self::LinkDown,
        Self::Unknown,
        Self::Silent,
        Self::NotApproved,
        Self::Refused,
        Self::Offline,
        Self::Lingering,
        Self::Held,
        Self::Stale,
        Self::Unreadable,
        Self::NegativePriority,
        Self::Show(Show::Chat),
        Self::Show(Show::Available),
        Self::Show(Show::Dnd),
        Self::Show(Show::Away),
        Self::Show(Show::Xa),
        Self::Show(Show::Unavailable),
        Self::Suspended,
        Self::NoOperators,
        Self::NoneEnabled,
        Self::NoneOnline,
    ];

    /// The reason of this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The name of the reason, as every wire has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinkDown => "link-down",
            Self::Unknown => "unknown",
            Self::Silent => "silent",
            Self::NotApproved => "not-approved",
            Self::Refused => "refused",
            Self::Offline => "offline",
            Self::Lingering => "lingering",
            Self::Held => "held",
            Self::Stale => "stale",
            Self::Unreadable => "unreadable",
            Self::NegativePriority => "negative-priority",
            Self::Show(Show::Chat) => "show-chat",
            Self::Show(Show::Available) => "show-available",
            Self::Show(Show::Dnd) => "show-dnd",
            Self::Show(Show::Away) => "show-away",
            Self::Show(Show::Xa) => "show-xa",
            Self::Show(Show::Unavailable) => "show-unavailable",
            Self::Suspended => "suspended",
            Self::NoOperators => "no-operators",
            Self::NoneEnabled => "none-enabled",
            Self::NoneOnline => "none-online",
        }
    }
}

/// What is told of a queue: all that its presence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The queue's show.
    pub show: Show,
    /// How many enabled operators take new work now.
    pub ready: u32,
    /// How many operators are enabled.
    pub enabled: u32,
    /// The queue is not there, or rosterd is not: nothing is said of its operators.
    pub closed: bool,
}

impl Published {
    /// What is told when nobody is there to tell the truth: before a stop, or of a queue that is gone.
    pub const CLOSED: Self = Self { show: Show::Unavailable, ready: 0, enabled: 0, closed: true };
    /// What a queue without operators publishes.
    pub const EMPTY: Self = Self { closed: false, ..Self::CLOSED };
}

/// The status sentence.
impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.closed {
            return f.write_str("Closed");
        }
        match (self.enabled, self.ready) {
            (0, _) => f.write_str("No operator is enabled"),
            (1, 1) => f.write_str("The one operator takes work now"),
            (1, _) => f.write_str("The one operator takes no work now"),
            (enabled, 0) => write!(f, "None of {enabled} operators takes work now"),
            (enabled, 1) => write!(f, "1 of {enabled} operators takes work now"),
            (enabled, ready) => write!(f, "{ready} of {enabled} operators take work now"),
        }
    }
}

/// Of how many enabled operators each show is shown, and how many of them are seen to take work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    shown: [u32; 6],
    ready: u32,
}

impl Counts {
    pub(super) fn add(&mut self, operator: Counted) {
        self.shown[operator.shown.index()] += 1;
        self.ready += u32::from(operator.is_ready);
    }

    pub(super) fn remove(&mut self, operator: Counted) {
        let less = |count: &mut u32, by| {
            *count = count.checked_sub(by).expect("every operator counted is removed once");
        };
        less(&mut self.shown[operator.shown.index()], 1);
        less(&mut self.ready, u32::from(operator.is_ready));
    }

    fn enabled(&self) -> u32 {
        self.shown.iter().sum()
    }

    /// The verdict on a queue with these enabled operators out of `assigned`, and through `note` the reasons.
    pub(crate) fn verdict(&self, assigned: usize, precedence: &Precedence, mut note: impl FnMut(Reason)) -> Published {
        let best = precedence.order().into_iter().find(|show| self.shown[show.index()] > 0);
        match best {
            None if assigned == 0 => note(Reason::NoOperators),
            None => note(Reason::NoneEnabled),
            Some(Show::Unavailable) => note(Reason::NoneOnline),
            Some(show) => note(Reason::Show(show)),
        }
        Published { show: best.unwrap_or(Show::Unavailable), ready: self.ready, enabled: self.enabled(), closed: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `chat...` is of somebody who lingers.
    fn verdict(shows: &str, assigned: usize) -> (Published, Vec<&'static str>) {
        let mut counts = Counts::default();
        for word in shows.split_whitespace() {
            let show = Show::from_word(word.trim_end_matches("...")).unwrap();
            counts.add(Counted { shown: show, is_ready: show.takes_work() && !word.ends_with("...") });
        }
        let mut reasons = Vec::new();
        let published = counts.verdict(assigned, &Precedence::default(), |reason| reasons.push(reason.as_str()));
        (published, reasons)
    }

    #[test]
    fn verdicts() {
        let check = |shows: &str, assigned, show: &str, sentence: &str, reason: &str| {
            let (published, reasons) = verdict(shows, assigned);
            assert_eq!(published.show.as_str(), show, "{shows}");
            assert_eq!(published.to_string(), sentence, "{shows}");
            assert_eq!(reasons, [reason], "{shows}");
        };
        check("", 0, "unavailable", "No operator is enabled", "no-operators");
        check("", 2, "unavailable", "No operator is enabled", "none-enabled");
        check("unavailable", 1, "unavailable", "The one operator takes no work now", "none-online");
        check("chat", 1, "chat", "The one operator takes work now", "show-chat");
        check("away dnd", 2, "dnd", "None of 2 operators takes work now", "show-dnd");
        check("away chat xa", 3, "chat", "1 of 3 operators takes work now", "show-chat");
        check("away chat... chat", 3, "chat", "1 of 3 operators takes work now", "show-chat");
        check("away chat...", 2, "chat", "None of 2 operators takes work now", "show-chat");
        check("away available chat", 3, "chat", "2 of 3 operators take work now", "show-chat");
    }
}
