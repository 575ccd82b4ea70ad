//! The six words of availability, their order, and how several become one.

use std::fmt;

/// How available somebody is: the `<show/>` of RFC 6121 section 4.7.2.1, with its absence and its opposite named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Show {
    /// Wants to chat.
    Chat,
    /// Online, no `<show/>` sent.
    Available,
    /// Do not disturb.
    Dnd,
    /// Away for a short while.
    Away,
    /// Extended away.
    Xa,
    /// Offline, or not known to be anything else.
    Unavailable,
}

impl Show {
    /// Every show, in the default order of precedence.
    pub const ALL: [Self; 6] = [Self::Chat, Self::Available, Self::Dnd, Self::Away, Self::Xa, Self::Unavailable];

    /// The one word used on every wire: `chat`, `available`, `dnd`, `away`, `xa` or `unavailable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Available => "available",
            Self::Dnd => "dnd",
            Self::Away => "away",
            Self::Xa => "xa",
            Self::Unavailable => "unavailable",
        }
    }

    /// The show that `word` names, if any.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|show| show.as_str() == word)
    }

    /// Whether somebody with this show is given new work.
    #[must_use]
    pub const fn takes_work(self) -> bool {
        match self {
            Self::Chat | Self::Available => true,
            Self::Dnd | Self::Away | Self::Xa | Self::Unavailable => false,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The order of shows, best first. `unavailable` is always last: nobody is worse than not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precedence {
    order: [Show; 6],
    rank: [u8; 6],
}

impl Precedence {
    /// Takes the six shows, best first.
    ///
    /// # Errors
    /// A sentence that says what is wrong when a show is missing or named twice, or `unavailable` is not last.
    pub fn new(words: &[Show]) -> Result<Self, String> {
        let mut rank = [u8::MAX; 6];
        for (at, show) in (0_u8..).zip(words) {
            if rank[show.index()] != u8::MAX {
                return Err(format!("`{show}` is named twice"));
            }
            rank[show.index()] = at;
        }
        if let Some(missing) = Show::ALL.into_iter().find(|show| rank[show.index()] == u8::MAX) {
            return Err(format!("`{missing}` is missing: all six shows are needed, best first"));
        }
        let order: [Show; 6] = words.try_into().map_err(|_| "exactly six shows are needed".to_owned())?;
        if order[5] != Show::Unavailable {
            return Err("`unavailable` must come last".to_owned());
        }
        Ok(Self { order, rank })
    }

    /// The shows, best first.
    #[must_use]
    pub const fn order(&self) -> [Show; 6] {
        self.order
    }

    /// The place of `show` in the order: 0 is the best.
    #[must_use]
    pub const fn rank(&self, show: Show) -> u8 {
        self.rank[show.index()]
    }
}

impl Default for Precedence {
    fn default() -> Self {
        Self { order: Show::ALL, rank: [0, 1, 2, 3, 4, 5] }
    }
}

/// How the shows of several resources of one user become the user's show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Merge {
    /// The best show in the order of precedence.
    #[default]
    MostAvailable,
    /// The resource with the highest priority, the newest on a tie (RFC 6121 section 8.5.2.1.1).
    HighestPriority,
    /// The worst show in the order of precedence.
    LeastAvailable,
}

impl Merge {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::MostAvailable, Self::HighestPriority, Self::LeastAvailable];

    /// The word used in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MostAvailable => "most-available",
            Self::HighestPriority => "highest-priority",
            Self::LeastAvailable => "least-available",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        for show in Show::ALL {
            assert_eq!(Show::from_word(show.as_str()), Some(show));
        }
        assert_eq!(Show::from_word("online"), None);
    }

    #[test]
    fn a_precedence_needs_all_six_and_unavailable_last() {
        let check = |words: &[Show]| Precedence::new(words).map(|_| ()).unwrap_err();
        assert!(check(&Show::ALL[..5]).contains("`unavailable` is missing"));
        assert!(check(&[Show::Chat, Show::Chat]).contains("named twice"));
        let mut turned = Show::ALL;
        turned.reverse();
        assert!(check(&turned).contains("must come last"));
        assert_eq!(Precedence::new(&Show::ALL).unwrap(), Precedence::default());
    }
}
