//! `[log]`: what is logged, and how.

use tracing_subscriber::filter::LevelFilter;

use super::reader::{self, Given, Key, Reader, Taken};

/// `[log]`.
#[derive(Debug, Clone)]
pub struct Log {
    /// What is logged, in the syntax of tracing's `EnvFilter`.
    pub level: String,
    /// How it looks.
    pub format: Format,
}

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
    doc: "How much is logged: error, warn, info, debug or trace; or levels by module, such as \"info,rosterd::xmpp=debug\".",
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
        let level = keys.take(&LEVEL, |value| {
            let level = reader::text(value)?;
            // A word alone would also be taken for the name of a module.
            let is_level = |word: &str| word.contains('=') || word.trim().parse::<LevelFilter>().is_ok();
            match tracing_subscriber::EnvFilter::try_new(&level) {
                Ok(_) if level.split(',').all(is_level) => Ok(level),
                _ => Err(format!("{level:?} is not a level: error, warn, info, debug or trace")),
            }
        });
        let names = |format| match format {
            Format::Text => "text",
            Format::Json => "json",
        };
        let format = keys.take(&FORMAT, reader::choice(&[Format::Text, Format::Json], names));
        Some(Self { level: level?, format: format? })
    }
}
