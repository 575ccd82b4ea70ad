//! Names and numbers of things, parsed at the door so that nothing further in has to doubt them.

use std::{fmt, num::NonZeroU32};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// The id with this number; `None` for 0.
            #[must_use]
            pub const fn new(number: u32) -> Option<Self> {
                match NonZeroU32::new(number) {
                    Some(number) => Some(Self(number)),
                    None => None,
                }
            }

            /// The number: positive, never used again for anything else.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Number of an account.
    AccountId
);
id!(
    /// Number of a user.
    UserId
);
id!(
    /// Number of a queue.
    QueueId
);

/// The name of a queue, a user or an account: a lower-case XMPP localpart (RFC 7622 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameError {
    /// Nothing was given.
    Empty,
    /// More characters than allowed.
    TooLong {
        /// The most characters allowed.
        most: usize,
    },
    /// A character that no localpart may have.
    Illegal(char),
    /// XMPP's own preparation of localparts refuses it.
    NotALocalpart,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name is empty"),
            Self::TooLong { most } => write!(f, "the name is longer than {most} characters"),
            Self::Illegal(c) => {
                f.write_str("the name contains ")?;
                match c {
                    ' ' => f.write_str("a space")?,
                    '"' => f.write_str("a quotation mark")?,
                    '\'' => f.write_str("an apostrophe")?,
                    '\\' => f.write_str("a backslash")?,
                    c if c.is_control() || c.is_whitespace() => write!(f, "the character U+{:04X}", u32::from(*c))?,
                    c => write!(f, "'{c}'")?,
                }
                f.write_str(", which is not allowed")
            }
            Self::NotALocalpart => f.write_str("the name can not be the first part of an XMPP address"),
        }
    }
}

impl Name {
    /// The most characters in the name of a queue or an account.
    pub const QUEUE_MOST: usize = 60;
    /// The most characters in the name of a user.
    pub const USER_MOST: usize = 40;

    /// Takes a name of at most `most` characters; upper case becomes lower case.
    ///
    /// # Errors
    /// What is wrong with it, down to the character.
    pub fn parse(text: &str, most: usize) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().count() > most {
            return Err(NameError::TooLong { most });
        }
        let illegal = |c: &char| c.is_whitespace() || c.is_control() || "\"&'/:<>@\\".contains(*c);
        let prepare = |text: &str| {
            if let Some(c) = text.chars().find(illegal) {
                return Err(NameError::Illegal(c));
            }
            let prepared = jid::NodePart::new(text).map_err(|_| NameError::NotALocalpart)?;
            Ok(prepared.as_str().to_owned())
        };
        let prepared = prepare(text)?;
        // What becomes something else again when it is prepared again is another name for every server on the way.
        if prepare(&prepared)? != prepared {
            return Err(NameError::NotALocalpart);
        }
        if prepared.chars().count() > most {
            return Err(NameError::TooLong { most });
        }
        Ok(Self(prepared.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn prepared(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An XMPP address without a resource, prepared (RFC 7622): `ann@example.org`. Only followers may have none before the `@`:
/// servers and gateways.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BareJid(Box<str>);

impl BareJid {
    /// Takes an address of the form `name@domain`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let jid = Self::of_follower(text)?;
        if jid.localpart().is_empty() {
            return Err(format!("{text:?} has no part before an `@`"));
        }
        Ok(jid)
    }

    /// Takes an address of the form `name@domain` or `domain`: whoever may follow a queue.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn of_follower(text: &str) -> Result<Self, String> {
        let parsed = jid::Jid::new(text).map_err(|error| format!("{text:?} is not an XMPP address: {error}"))?;
        if parsed.resource().is_some() {
            return Err(format!("{text:?} has a resource: only the part before `/` is wanted"));
        }
        // What becomes something else again when it is prepared again is another address for every server on the way.
        if jid::Jid::new(parsed.as_str()).map_or(true, |again| again != parsed) {
            return Err(format!("{text:?} is an XMPP address that servers write in different ways"));
        }
        Ok(Self(parsed.as_str().into()))
    }

    /// The address `name@domain`, of parts that are known to be good.
    #[must_use]
    pub fn of(name: &Name, domain: &str) -> Self {
        Self(format!("{name}@{domain}").into())
    }

    /// An address that is prepared already: it came out of [`BareJid::parse`] or of a parser of stanzas.
    #[must_use]
    pub fn prepared(text: &str) -> Self {
        Self(text.into())
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`; nothing where there is none.
    #[must_use]
    pub fn localpart(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }

    /// What stands after the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or(&*self.0, |(_, domain)| domain)
    }
}

impl fmt::Display for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |text: &str| Name::parse(text, 8).map(|name| name.as_str().to_owned()).map_err(|e| e.to_string());
        assert_eq!(check("law"), Ok("law".into()));
        assert_eq!(check("Law"), Ok("law".into()));
        assert_eq!(check("bücher"), Ok("bücher".into()));
        assert_eq!(check(""), Err("the name is empty".into()));
        assert_eq!(check("123456789"), Err("the name is longer than 8 characters".into()));
        for (c, called) in [
            (' ', "a space"),
            ('"', "a quotation mark"),
            ('&', "'&'"),
            ('\'', "an apostrophe"),
            ('/', "'/'"),
            (':', "':'"),
            ('<', "'<'"),
            ('>', "'>'"),
            ('@', "'@'"),
            ('\\', "a backslash"),
            ('\0', "the character U+0000"),
            ('\n', "the character U+000A"),
            ('\u{a0}', "the character U+00A0"),
        ] {
            assert_eq!(check(&format!("a{c}")), Err(format!("the name contains {called}, which is not allowed")));
        }
        // Each of these becomes one thing when it is prepared once, and another when it is prepared again.
        for unstable in ["\u{1d2c}nn", "\u{3f9}igma", "a\u{ff3c}b", "a\u{fe68}b", "s\u{1d40}affing"] {
            assert!(check(unstable).is_err(), "{unstable}");
        }
    }

    #[test]
    fn bare_jids() {
        let check = |text: &str| BareJid::parse(text).map(|jid| jid.to_string());
        assert_eq!(check("Ann@Example.org"), Ok("ann@example.org".into()));
        assert!(check("example.org").unwrap_err().contains("no part before"));
        assert!(check("ann@example.org/desk").unwrap_err().contains("has a resource"));
        assert!(check("@").is_err());
        assert!(check("\u{1d2c}nn@example.org").unwrap_err().contains("different ways"));
        let jid = BareJid::parse("ann@example.org").unwrap();
        assert_eq!((jid.localpart(), jid.domain()), ("ann", "example.org"));
        let server = BareJid::of_follower("Wall.example.org").unwrap();
        assert_eq!((server.localpart(), server.domain()), ("", "wall.example.org"));
        assert_eq!(BareJid::of_follower("ann@example.org"), Ok(jid));
        assert!(BareJid::of_follower("example.org/x").is_err() && BareJid::of_follower("@example.org").is_err());
    }
}
