//! `[log]`: what is logged, and how.

use std::fmt;

use tracing_subscriber::filter::{Directive, LevelFilter};

use super::reader::{self, Given, Key, Reader, Taken};

/// The most bytes of [`Directives`].
const MOST: usize = 1_024;

/// `[log]`.
#[derive(Debug, Clone)]
pub struct Log {
    /// What is logged.
    pub level: Directives,
    /// How it looks.
    pub format: Format,
}

/// Which lines are logged: a level, or levels by module, in the syntax of tracing's `EnvFilter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives(String);

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

const LEVEL: Key = Key {
    path: "log.level",
    value: Given::Default("\"info\""),
    taken: Taken::AtOnce,
    doc: "How much is logged: off, error, warn, info, debug or trace; or levels by module, such as \
          \"info,rosterd::xmpp=debug\". `rosterd log-level` changes it while the daemon runs.",
};
const FORMAT: Key = Key {
    path: "log.format",
    value: Given::Default("\"text\""),
    taken: Taken::AtStart,
    doc: "How log lines look: \"text\" or \"json\".",
};

pub(super) const KEYS: &[Key] = &[LEVEL, FORMAT];

impl Log {
    /// Takes over what need not wait for a restart.
    pub(super) fn take_over(&mut self, new: &Self) {
        self.level.clone_from(&new.level);
    }

    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        let level = keys.take(&LEVEL, |value| Directives::parse(&reader::text(value)?));
        let names = |format| match format {
            Format::Text => "text",
            Format::Json => "json",
        };
        let format = keys.take(&FORMAT, reader::choice(&[Format::Text, Format::Json], names));
        Some(Self { level: level?, format: format? })
    }
}

impl Directives {
    /// Reads levels, with commas between them. Where none stands alone, what is not named stays at `info`.
    ///
    /// # Errors
    /// Which part is wrong, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MOST {
            return Err(format!("it is longer than {MOST} bytes"));
        }
        let mut parts: Vec<_> = text.split(',').map(str::trim).collect();
        parts.iter().try_for_each(|part| check(part).map_err(|why| format!("{part:?} is wrong: {why}")))?;
        if parts.iter().all(|part| part.contains('=')) {
            parts.insert(0, "info");
        }
        Ok(Self(parts.join(",")))
    }

    /// As it was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Directives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(part: &str) -> Result<(), String> {
    const LEVELS: &str = "off, error, warn, info, debug or trace";
    let (module, level) = part.rsplit_once('=').map_or((None, part), |(module, level)| (Some(module), level));
    if level.parse::<LevelFilter>().is_err() || level.is_empty() {
        return Err(format!("{level:?} is not a level: {LEVELS}"));
    }
    match module {
        None => Ok(()),
        Some("") => Err("a module such as rosterd::xmpp is wanted before the \"=\"".to_owned()),
        Some(module) if module.contains(char::is_whitespace) => Err(format!("{module:?} is not a module")),
        // What else the syntax has, such as the name of a span, is for those who know it.
        Some(_) => part.parse::<Directive>().map(drop).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        let check = |text: &str, expected: &str| assert_eq!(Directives::parse(text).unwrap().as_str(), expected);
        check("info", "info");
        check("WARN", "WARN");
        check("off", "off");
        check(" info , rosterd::xmpp=debug", "info,rosterd::xmpp=debug");
        check("rosterd::http=trace", "info,rosterd::http=trace");
        check("rosterd[link]=debug,warn", "rosterd[link]=debug,warn");
    }

    #[test]
    fn what_is_no_level() {
        let check = |text: &str, expected: &str| {
            let error = Directives::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("", r#""" is wrong: "" is not a level"#);
        check("loud", r#""loud" is wrong: "loud" is not a level: off, error"#);
        check("info,rosterd::xmpp", r#""rosterd::xmpp" is wrong"#);
        check("info,,debug", r#""" is wrong"#);
        check("info,rosterd::xmpp=loud", r#""rosterd::xmpp=loud" is wrong: "loud" is not a level"#);
        check("info,=debug", r#""=debug" is wrong: a module"#);
        check("a b=debug", r#""a b" is not a module"#);
        check("rosterd[link=debug", "is wrong");
        check(&"info,".repeat(300), "longer than");
    }
}
