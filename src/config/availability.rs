//! `[availability]`: how shows are weighed.

use super::reader::{self, Given, Key, Reader, Taken};
use crate::domain::{self, Show};

/// `[availability]`.
#[derive(Debug, Clone)]
pub struct Availability {
    /// The shows, best first.
    pub precedence: domain::Precedence,
    /// How several resources of one user become one show.
    pub merge: domain::Merge,
}

const PRECEDENCE: Key = Key {
    path: "availability.precedence",
    value: Given::Default(r#"["chat", "available", "dnd", "away", "xa", "unavailable"]"#),
    taken: Taken::AtOnce,
    doc: "The six shows, best first: a queue has the best show among its enabled operators.",
};
const MERGE: Key = Key {
    path: "availability.merge",
    value: Given::Default("\"most-available\""),
    taken: Taken::AtOnce,
    doc: "Which show counts when a user has several clients: \"most-available\" (the best), \"highest-priority\" (of the \
          client with the highest priority, the newest on a tie) or \"least-available\" (the worst).",
};

pub(super) const KEYS: &[Key] = &[PRECEDENCE, MERGE];

impl Availability {
    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        let precedence = keys.take(&PRECEDENCE, |value| {
            let show = |word: String| Show::from_word(&word).ok_or(format!("{word:?} is not a show"));
            let shows: Vec<_> = reader::words(value)?.into_iter().map(show).collect::<Result<_, _>>()?;
            domain::Precedence::new(&shows)
        });
        let merge = keys.take(&MERGE, reader::choice(&domain::Merge::ALL, domain::Merge::as_str));
        Some(Self { precedence: precedence?, merge: merge? })
    }
}
