//! Texts that must not be seen.

use std::{fmt, path::Path};

use serde::Deserialize;

use super::reader::{self, Key, Reader};

/// A secret: it is read on purpose only, and never shows in logs or errors.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The secret that `key` sets, or the file that `file` names; `what` it is, for messages, which show nothing of it. `None`
/// where neither is set, and where something is wrong.
pub(super) fn read(keys: &mut Reader, key: &Key, file: &Key, what: &str) -> Option<Secret> {
    let both = keys.is_set(key) && keys.is_set(file);
    // What was set must not be shown.
    let wanted = |_| "has to be a text in quotes that is not empty".to_owned();
    let secret = keys.take(key, |value| match reader::text(value).map_err(wanted)? {
        example if example == "change me" => Err("is still the one of the example".to_owned()),
        secret => Ok(Secret::new(secret)),
    });
    let from_file = keys.take(file, |value| reader::path(value).and_then(|path| read_file(&path, what)));
    if both {
        keys.problem(key, format!("is set together with {}: set only one of them", file.path));
    }
    secret.or(from_file)
}

fn read_file(path: &Path, what: &str) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("could not read the {what} from {}: {error}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    match secret {
        "" => Err(format!("{} is empty, where the {what} is wanted", path.display())),
        _ => Ok(Secret::new(secret.to_owned())),
    }
}
