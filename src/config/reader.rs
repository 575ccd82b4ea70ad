//! Takes keys out of what was set, one by one, and remembers all that is wrong with them.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use ::config::{Map, Value, ValueKind};

use super::{
    Problem, Secret,
    reload::{Value as Kept, Values},
};

/// A key that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// `section.key`.
    pub path: &'static str,
    /// What it is when it is not set.
    pub value: Given,
    /// When another value of it counts.
    pub taken: Taken,
    /// What it is for, with its unit.
    pub doc: &'static str,
}

/// When another value of a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// From when the settings are read anew.
    AtOnce,
    /// From the next start of the daemon.
    AtStart,
}

impl Key {
    /// What it is for, and what it takes to change it.
    #[must_use]
    pub fn description(&self) -> String {
        match self.taken {
            Taken::AtOnce => self.doc.to_owned(),
            Taken::AtStart => format!("{} Needs a restart.", self.doc),
        }
    }
}

/// What a key is when it is not set; each text is as it would stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It is this.
    Default(&'static str),
    /// It has to be set, for example to this.
    Required(&'static str),
    /// It may be left out, or be set, for example to this.
    Optional(&'static str),
}

/// What was set and was not taken yet, by `section.key`.
pub(super) struct Reader {
    set: BTreeMap<String, Value>,
    problems: Vec<Problem>,
    values: Values,
    secrets: Secrets,
}

/// What is done about files that hold secrets.
#[derive(Debug, Clone)]
pub(super) enum Secrets {
    /// They are read; those that systemd hands over stand in this folder, where there is one.
    Read(Option<PathBuf>),
    /// They are left alone: only root or the daemon may read them, and a command does its work without.
    LeftAlone,
}

impl Reader {
    /// Of all that was `set`.
    pub(super) fn new(set: Map<String, Value>, secrets: Secrets) -> Self {
        let mut reader = Self { set: BTreeMap::new(), problems: Vec::new(), values: Values::default(), secrets };
        for (section, value) in set {
            let origin = value.origin().map(str::to_owned);
            let is_known = super::keys().any(|key| key.path.split('.').next() == Some(&section));
            if let ValueKind::Table(keys) = value.kind {
                if keys.is_empty() && !is_known {
                    let what = "there is no such section".to_owned();
                    reader.problems.push(Problem { key: format!("[{section}]"), origin, what });
                }
                reader.set_all(&section, keys);
            } else {
                let what = "is no section: keys stand under a [section]".to_owned();
                reader.problems.push(Problem { key: section, origin, what });
            }
        }
        reader
    }

    /// Takes in a section, and the sections within it.
    fn set_all(&mut self, section: &str, keys: Map<String, Value>) {
        for (key, value) in keys {
            let path = format!("{section}.{key}");
            if let ValueKind::Table(keys) = value.kind {
                self.set_all(&path, keys);
            } else {
                self.set.insert(path, value);
            }
        }
    }

    /// The key's value, or its default, as `parse` understands it; `None` when it is not set and has no default, and when
    /// it is wrong, which is remembered.
    pub(super) fn take<T: fmt::Debug>(
        &mut self,
        key: &Key,
        parse: impl FnOnce(Value) -> Result<T, String>,
    ) -> Option<T> {
        let mut text = String::new();
        let parsed = self.take_secret(key, |value| {
            text = shown(&value);
            parse(value)
        })?;
        self.values.set(key, Kept::Shown { text, meaning: format!("{parsed:?}") });
        Some(parsed)
    }

    /// The same, where the value must not be seen.
    pub(super) fn take_secret<T>(&mut self, key: &Key, parse: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        let set = self.set.remove(key.path);
        let origin = set.as_ref().and_then(|value| value.origin().map(str::to_owned));
        let value = match (set, key.value) {
            (Some(value), _) => value,
            (None, Given::Default(text)) => default(text),
            (None, Given::Required(_) | Given::Optional(_)) => return None,
        };
        match parse(value) {
            Ok(parsed) => Some(parsed),
            Err(what) => {
                self.problems.push(Problem { key: key.path.to_owned(), origin, what });
                None
            }
        }
    }

    /// Remembers a secret as what `key` is, wherever it was found.
    pub(super) fn note_secret(&mut self, key: &Key, secret: &Secret) {
        self.values.set(key, Kept::Secret(secret.clone()));
    }

    /// What is done about files that hold secrets.
    pub(super) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// As [`Reader::take`], where the key has to be set.
    pub(super) fn need<T: fmt::Debug>(
        &mut self,
        key: &Key,
        parse: impl FnOnce(Value) -> Result<T, String>,
    ) -> Option<T> {
        if !self.is_set(key) {
            self.problem(key, format!("has to be set: {}", key.doc));
            return None;
        }
        self.take(key, parse)
    }

    pub(super) fn is_set(&self, key: &Key) -> bool {
        self.set.contains_key(key.path)
    }

    pub(super) fn problem(&mut self, key: &Key, what: impl Into<String>) {
        self.problems.push(Problem { key: key.path.to_owned(), origin: None, what: what.into() });
    }

    /// What every key is that was taken, and everything that was wrong, keys that nobody took included.
    pub(super) fn finish(mut self) -> (Values, Vec<Problem>) {
        for (key, value) in self.set {
            let near = super::keys().map(|known| known.path).max_by_key(|known| likeness(known, &key));
            let hint = near.filter(|known| likeness(known, &key) > 0).map(|known| format!(", did you mean {known}?"));
            let what = format!("there is no such key{}", hint.unwrap_or_default());
            self.problems.push(Problem { key, origin: value.origin().map(str::to_owned), what });
        }
        self.problems.sort();
        (self.values, self.problems)
    }
}

/// A value as people read it.
fn shown(value: &Value) -> String {
    if let ValueKind::Array(values) = &value.kind {
        return format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", "));
    }
    let text = value.to_string();
    if text.is_empty() { "\"\"".to_owned() } else { text }
}

/// How many letters the ends of two keys share, if they are near enough to be a slip.
fn likeness(known: &str, key: &str) -> usize {
    let (known_section, known_key) = known.split_once('.').unwrap_or(("", known));
    let (section, key) = key.split_once('.').unwrap_or(("", key));
    if known_key == key {
        return key.len() + 1;
    }
    let start = known_key.chars().zip(key.chars()).take_while(|(a, b)| a == b).count();
    if section == known_section && start >= 3 { start } else { 0 }
}

/// The value of a default, which is written as it would be in the file.
fn default(text: &'static str) -> Value {
    let file = ::config::File::from_str(&format!("it = {text}"), ::config::FileFormat::Toml);
    let mut parsed = ::config::Source::collect(&file).expect("a default is TOML, which a test sees to");
    parsed.remove("it").expect("it was just set")
}

pub(super) fn text(value: Value) -> Result<String, String> {
    let ValueKind::String(text) = value.kind else {
        return Err(format!("is {value}, where a text in quotes is wanted"));
    };
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text) }
}

pub(super) fn parsed<T: std::str::FromStr>(what: &'static str) -> impl FnOnce(Value) -> Result<T, String> {
    move |value| text(value).and_then(|text| text.parse().map_err(|_| format!("{text:?} is not {what}")))
}

pub(super) fn address(value: Value) -> Result<SocketAddr, String> {
    parsed("an address and port, such as \"127.0.0.1:8443\" or \"[::1]:8443\"")(value)
}

pub(super) fn path(value: Value) -> Result<PathBuf, String> {
    text(value).map(PathBuf::from)
}

pub(super) fn flag(value: Value) -> Result<bool, String> {
    let shown = value.to_string();
    value.into_bool().map_err(|_| format!("is {shown}, where true or false is wanted"))
}

pub(super) fn number(value: Value) -> Result<u32, String> {
    let shown = value.to_string();
    let number = value.into_uint().ok().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
    number.ok_or_else(|| format!("is {shown}, where a whole number from 1 is wanted"))
}

/// The longest that anything may take.
const CENTURY: Duration = Duration::from_hours(100 * 24 * 366);

#[expect(clippy::needless_pass_by_value, reason = "every reader of a value takes it whole")]
pub(super) fn duration(value: Value) -> Result<Duration, String> {
    let text = value.to_string();
    let wanted = || format!("is {text}, where a length of time is wanted, such as \"20s\" or \"2min\"");
    let length = humantime::parse_duration(&text).map_err(|_| wanted())?;
    // A moment so far away has to be one still.
    if length > CENTURY { Err("is too long: \"100years\" at the most".to_owned()) } else { Ok(length) }
}

/// As [`duration`], but not nothing.
pub(super) fn some_time(value: Value) -> Result<Duration, String> {
    let length = duration(value)?;
    if length.is_zero() { Err("has to be longer than nothing".to_owned()) } else { Ok(length) }
}

/// As [`duration`], for how long something may be shown that is not seen.
pub(super) fn an_hour_at_most(value: Value) -> Result<Duration, String> {
    let length = duration(value)?;
    if length > Duration::from_hours(1) { Err("is too long: \"1h\" at the most".to_owned()) } else { Ok(length) }
}

#[expect(clippy::needless_pass_by_value, reason = "every reader of a value takes it whole")]
pub(super) fn size(value: Value) -> Result<u64, String> {
    let text = value.to_string();
    let parsed: Result<bytesize::ByteSize, _> = text.parse();
    parsed.map(|size| size.as_u64()).map_err(|_| format!("is {text}, where a size is wanted, such as \"64MiB\""))
}

/// One of these words.
pub(super) fn choice<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> impl FnOnce(Value) -> Result<T, String> {
    move |value| {
        let word = text(value)?;
        let found = all.iter().copied().find(|it| name(*it) == word);
        found.ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|it| name(*it)).collect();
            format!("is {word:?}, where one of these is wanted: {}", names.join(", "))
        })
    }
}

/// A list of words: an array in the file, separated by commas in the environment.
pub(super) fn words(value: Value) -> Result<Vec<String>, String> {
    if let ValueKind::String(line) = value.kind {
        return Ok(line.split(',').map(|word| word.trim().to_owned()).collect());
    }
    let wanted = format!("is {value}, where a list is wanted, such as [\"chat\", \"away\"]");
    value.into_array().map_err(|_| wanted)?.into_iter().map(text).collect()
}
