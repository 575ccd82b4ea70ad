//! What a running daemon takes over of settings that have changed, and what waits for its next start. Each [`Key`] says which
//! of the two it is.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    Secret, Settings, keys,
    reader::{Key, Taken},
};

/// What a key is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// As it may be seen.
    Shown {
        /// As it was written.
        text: String,
        /// As it was understood: what is the same written in another way is the same.
        meaning: String,
    },
    /// It must not be seen.
    Secret(Secret),
}

impl Value {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Shown { meaning, .. }, Self::Shown { meaning: other, .. }) => meaning == other,
            (Self::Secret(secret), Self::Secret(other)) => secret == other,
            (Self::Shown { .. }, Self::Secret(_)) | (Self::Secret(_), Self::Shown { .. }) => false,
        }
    }
}

/// What each key is that is set or has a default.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(BTreeMap<&'static str, Value>);

impl Values {
    pub(super) fn set(&mut self, key: &Key, value: Value) {
        self.0.insert(key.path, value);
    }

    fn change(&self, new: &Self, key: &Key) -> Option<Change> {
        let (from, to) = (self.0.get(key.path), new.0.get(key.path));
        let is_same = match (from, to) {
            (Some(from), Some(to)) => from.is(to),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let shown = |value: Option<&Value>, secret: &str| match value {
            None => "(not set)".to_owned(),
            Some(Value::Shown { text, .. }) => text.clone(),
            Some(Value::Secret(_)) => secret.to_owned(),
        };
        let change = || {
            let another = if from.is_some() { "(another secret)" } else { "(a secret)" };
            Change { key: key.path.to_owned(), from: shown(from, "(a secret)"), to: shown(to, another) }
        };
        (!is_same).then(change)
    }

    fn take_over(&mut self, mut new: Self) {
        for key in keys().filter(|key| key.taken == Taken::AtOnce) {
            match new.0.remove(key.path) {
                Some(value) => self.set(key, value),
                None => drop(self.0.remove(key.path)),
            }
        }
    }
}

/// A key that is something else than before, as it may be seen: of a secret it is told that there is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `section.key`.
    pub key: String,
    /// What it was.
    pub from: String,
    /// What it is.
    pub to: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, from, to } = self;
        write!(f, "{key}: {from} -> {to}")
    }
}

/// What became of settings that were read anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What was taken over.
    pub taken: Vec<Change>,
    /// What needs a restart. It is told each time until there was one.
    pub waiting: Vec<Change>,
}

impl Settings {
    /// Takes over from `new` what a running daemon can; the rest stays as it is.
    pub fn take_over(&mut self, new: Self) -> Reloaded {
        let mut reloaded = Reloaded::default();
        for key in keys() {
            let change = self.values.change(&new.values, key);
            match key.taken {
                Taken::AtOnce => reloaded.taken.extend(change),
                Taken::AtStart => reloaded.waiting.extend(change),
            }
        }
        // Of `[xmpp.onboarding]`, `[admin]` and `[metrics]` nothing is.
        let Self { xmpp, onboarding: _, http, store, admin: _, audit, presence, availability, log, metrics: _, values } =
            new;
        self.xmpp.take_over(&xmpp);
        self.http.take_over(&http);
        self.store.take_over(&store);
        self.log.take_over(&log);
        (self.audit, self.presence, self.availability) = (audit, presence, availability);
        self.values.take_over(values);
        reloaded
    }
}

pub(crate) mod tests;
