//! Texts that must not be seen.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::reader::{self, Key, Reader, Secrets};

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

    /// In the place of one that was left alone.
    pub(super) const fn left_alone() -> Self {
        Self(String::new())
    }

    /// The secret itself; empty where the settings were read without secrets.
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

/// The secret that `key` sets, or the file that `file` names; `what` it is, for messages, which show nothing of it. Where
/// systemd hands over a credential with the name of that file (`LoadCredential=`), it is read in its place: a file that only
/// root can read serves the daemon so. `None` where neither is set, and where something is wrong.
pub(super) fn read(keys: &mut Reader, key: &Key, file: &Key, what: &str) -> Option<Secret> {
    let both = keys.is_set(key) && keys.is_set(file);
    // What was set must not be shown.
    let wanted = |_| "has to be a text in quotes that is not empty".to_owned();
    let secret = keys.take_secret(key, |value| match reader::text(value).map_err(wanted)? {
        example if example == "change me" => Err("is still the one of the example".to_owned()),
        secret => Ok(Secret::new(secret)),
    });
    let secrets = keys.secrets().clone();
    let mut from_file = None;
    keys.take(file, |value| {
        let path = reader::path(value)?;
        from_file = Some(match secrets {
            Secrets::LeftAlone => Secret::left_alone(),
            Secrets::Read(credentials) => {
                read_file(handed_over(&path, credentials.as_deref()).as_deref().unwrap_or(&path), &path, what)?
            }
        });
        Ok(path)
    });
    if both {
        keys.problem(key, format!("is set together with {}: set only one of them", file.path));
    }
    let found = secret.or(from_file)?;
    keys.note_secret(key, &found);
    Some(found)
}

/// The secret that systemd hands over as the credential `name`, where it does or where nobody wants to know. A problem with
/// it is one of `key`.
pub(super) fn read_credential(keys: &mut Reader, key: &Key, name: &str, what: &str) -> Option<Result<Secret, ()>> {
    let path = match keys.secrets() {
        Secrets::LeftAlone => return Some(Ok(Secret::left_alone())),
        Secrets::Read(credentials) => handed_over(Path::new(name), credentials.as_deref())?,
    };
    let read = read_file(&path, &path, what).map_err(|problem| keys.problem(key, problem));
    if let Ok(secret) = &read {
        keys.note_secret(key, secret);
    }
    Some(read)
}

/// The credential with the name of this file, where there is one.
fn handed_over(path: &Path, credentials: Option<&Path>) -> Option<PathBuf> {
    let credential = credentials?.join(path.file_name()?);
    credential.exists().then_some(credential)
}

/// The secret in the file `path`, which may be systemd's copy of the one that is `named` in the configuration.
fn read_file(path: &Path, named: &Path, what: &str) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("could not read the {what} from {}: {error}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        let path = named.display();
        return Err(format!("{path} is empty: write the {what} into it, as the XMPP server's configuration has it"));
    }
    Ok(Secret::new(secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use crate::config::{Problems, Secrets, Settings, parse_with};

    const LEAST: &str = "[xmpp]\ndomain = 'queues.example.org'\nuser_domain = 'example.org'\n";

    /// A folder of credentials, and one of an administrator's files.
    fn folders(files: &[(&str, &str)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for name in ["credentials", "etc"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn read(folder: &TempDir, text: &str) -> Result<Settings, String> {
        let text = format!("{LEAST}{text}").replace("/etc", &folder.path().join("etc").display().to_string());
        let secrets = Secrets::Read(Some(folder.path().join("credentials")));
        parse_with(&text, secrets).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_command_leaves_files_with_secrets_alone() {
        let read = |text: &str| parse_with(&format!("{LEAST}{text}"), Secrets::LeftAlone);
        let named = "secret_file = '/nonexistent/secret'\n[xmpp.onboarding]\nmethod = 'ejabberd-api'\n\
                     api_url = 'http://h'\napi_token_file = '/nonexistent/token'\n[http]\n\
                     tls_cert = '/nonexistent/cert'\ntls_key = '/nonexistent/key'";
        assert_eq!(read(named).unwrap().xmpp.secret.reveal(), "");
        read("").expect("systemd may have one for the daemon");
        let problems = |text: &str| read(text).map_err(|Problems(all)| all.into_iter().map(|it| it.key).collect());
        let check = |text: &str, keys: &[&str]| {
            let found: Vec<String> = problems(text).unwrap_err();
            assert_eq!(found, keys, "{text}");
        };
        check("secret = 5\nsecret_file = '/x'", &["xmpp.secret", "xmpp.secret"]);
        check("secret_file = 5\nsecret_fiel = '/x'", &["xmpp.secret_fiel", "xmpp.secret_file"]);
    }

    #[test]
    fn a_credential_goes_before_the_file_of_its_name() {
        let check = |files: &[(&str, &str)], text: &str, expected: &str| {
            let settings = read(&folders(files), text).unwrap();
            assert_eq!(settings.xmpp.secret.reveal(), expected, "{files:?} {text}");
        };
        let (file, credential) = (("etc/xmpp-secret", "of the file\n"), ("credentials/xmpp-secret", "handed over\r\n"));
        let named = "secret_file = '/etc/xmpp-secret'";
        check(&[file], named, "of the file");
        check(&[file, credential], named, "handed over");
        // Only root may read the file itself.
        check(&[credential], named, "handed over");
        check(&[file, ("credentials/other", "x")], named, "of the file");
        // It has to be named nowhere, but what is named counts.
        check(&[credential], "", "handed over");
        check(&[credential], "secret = 'in place'", "in place");
        check(&[credential, ("etc/other", "of another file")], "secret_file = '/etc/other'", "of another file");
        let api = "secret = 'x'\n[xmpp.onboarding]\nmethod = 'ejabberd-api'\napi_url = 'https://h/api'\n\
                   api_token_file = '/etc/api-token'";
        let settings = read(&folders(&[("credentials/api-token", "a token")]), api).unwrap();
        let Some(crate::config::ApiLogin::Token(token)) = settings.onboarding.api.map(|api| api.login) else {
            panic!()
        };
        assert_eq!(token.reveal(), "a token");
    }

    #[test]
    fn what_is_wrong_with_a_file_says_what_to_do() {
        let check = |files: &[(&str, &str)], text: &str, expected: &str| {
            let problems = read(&folders(files), text).unwrap_err();
            assert!(problems.contains(expected), "{problems}");
            assert!(problems.starts_with("1 problem "), "{problems}");
        };
        let named = "secret_file = '/etc/xmpp-secret'";
        let empty =
            "/xmpp-secret is empty: write the component secret into it, as the XMPP server's configuration has it";
        check(&[("etc/xmpp-secret", "\n")], named, &format!("/etc{empty}"));
        check(&[("etc/xmpp-secret", "x"), ("credentials/xmpp-secret", "")], named, &format!("/etc{empty}"));
        check(&[("credentials/xmpp-secret", "")], "", "xmpp.secret: ");
        check(&[("credentials/xmpp-secret", "")], "", empty);
        check(&[], named, "could not read the component secret from");
        check(&[("credentials/other", "x")], "", "xmpp.secret: has to be set, or secret_file");
    }
}
