//! Who staffs what.

use std::fmt;

use super::{QueueId, Suspension, UserId};

/// One user assigned to one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The queue.
    pub queue: QueueId,
    /// The user.
    pub user: UserId,
    /// Suspended, which counts for nothing whatever the user's presence; `None`: enabled.
    pub suspended: Option<Suspension>,
}

/// Why somebody is suspended, in the words of whoever did it: one line of text that every wire can carry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause(Box<str>);

impl Cause {
    /// The most characters.
    pub const MOST: usize = 200;

    /// Takes a text; blanks at both ends are left out.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the reason is empty".to_owned());
        }
        if text.chars().count() > Self::MOST {
            return Err(format!("the reason is longer than {} characters", Self::MOST));
        }
        match text.chars().find(|c| is_no_text(*c)) {
            Some(c) => Err(format!("the reason contains {c:?}, which is not allowed")),
            None => Ok(Self(text.into())),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A text that came out of [`Cause::parse`].
    pub(crate) fn prepared(text: &str) -> Self {
        Self(text.into())
    }
}

/// What breaks a line, turns the direction of what stands beside it, or can not be said in XML 1.0.
fn is_no_text(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{fffe}' | '\u{ffff}')
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes() {
        let check = |text: &str| Cause::parse(text).map(|cause| cause.to_string());
        assert_eq!(check(" lunch, back at 2 "), Ok("lunch, back at 2".into()));
        assert_eq!(check("<b>ü & 🍜</b>"), Ok("<b>ü & 🍜</b>".into()));
        assert_eq!(check(&"ü".repeat(200)), Ok("ü".repeat(200)));
        assert_eq!(check(&"ü".repeat(201)), Err("the reason is longer than 200 characters".into()));
        assert_eq!(check(" \t"), Err("the reason is empty".into()));
        for c in "\n\r\t\0\u{7f}\u{85}\u{2028}\u{202e}\u{2066}\u{fffe}\u{ffff}".chars() {
            assert_eq!(check(&format!("a{c}b")), Err(format!("the reason contains {c:?}, which is not allowed")));
        }
    }
}
