//! The configuration, and who else may read what should be secret.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::finding::Finding;
use crate::{
    config::{self, Problems, Settings},
    http::own_certificate,
};

/// Everything that is wrong with the configuration. Without it nothing else can be looked at.
pub(super) fn wrong(problems: &Problems) -> Vec<Finding> {
    let to_do = "mend it, and run this again: without it nothing else can be looked at";
    problems.0.iter().map(|problem| Finding::problem("config", problem, to_do)).collect()
}

/// What is wrong with secrets, where everything else is good. That a file may be read by root alone is as it should be.
pub(super) fn unread(problems: &Problems) -> Vec<Finding> {
    let refused = rustix::io::Errno::ACCESS.to_string();
    let finding = |problem: &config::Problem| {
        if problem.what.contains(&refused) {
            let to_do = "run this as root to have it looked at, too";
            return Finding::warning("config", problem, to_do);
        }
        Finding::problem("config", problem, "mend it: rosterd can not start without")
    };
    problems.0.iter().map(finding).collect()
}

/// Who may read the files that hold secrets, and the state folder.
pub(super) fn files(config: Option<&Path>, settings: &Settings) -> Vec<Finding> {
    let config = config.unwrap_or(Path::new(config::DEFAULT_PATH));
    let text = fs::read_to_string(config).unwrap_or_default();
    let mut secret: Vec<PathBuf> = named_files(&text);
    if holds_secret(&text) {
        secret.push(config.to_owned());
    }
    let [_, own_key] = own_certificate(&settings.store.path);
    secret.push(settings.http.tls_key.clone().unwrap_or(own_key));
    secret.push(settings.store.path.join("store"));
    let open: Vec<_> = secret.iter().filter(|path| is_open(path)).map(|path| path.display().to_string()).collect();
    if open.is_empty() {
        return vec![Finding::ok("permissions", "nobody else can read what should be secret")];
    }
    let finding = |path| {
        Finding::problem(
            "permissions",
            format!("everybody on this machine can read {path}"),
            format!("chmod o= {path}"),
        )
    };
    open.iter().map(finding).collect()
}

/// The keys that hold a secret themselves, or name a file that does.
const SECRETS: [&str; 3] = ["secret", "password", "token"];

/// Each `key = value` of a file in TOML, as far as that can be seen a line at a time.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.trim().rsplit('.').next().unwrap_or_default(), value.trim()))
}

fn holds_secret(text: &str) -> bool {
    lines(text).any(|(key, _)| SECRETS.iter().any(|secret| key == *secret || key == format!("api_{secret}")))
}

fn named_files(text: &str) -> Vec<PathBuf> {
    let is_file = |key: &str| key.strip_suffix("_file").is_some_and(|key| SECRETS.iter().any(|it| key.ends_with(it)));
    let path = |value: &str| Some(PathBuf::from(value.split(['"', '\'']).nth(1)?));
    lines(text).filter(|(key, _)| is_file(key)).filter_map(|(_, value)| path(value)).collect()
}

/// Whether people who are neither its owner nor in its group may read it, as far as its folders let them in.
fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_secrets_are() {
        assert!(holds_secret("[xmpp]\nsecret = \"x\"\n") && holds_secret("xmpp.secret='x'"));
        assert!(!holds_secret("# secret = 1\n[xmpp]\nsecret_file = \"/etc/rosterd/secret\"\n"));
        let named =
            named_files("secret_file = '/a'\n#token_file = \"/b\"\n  api_token_file = \"/c\" # it\ntls_key = '/d'");
        assert_eq!(named, [Path::new("/a"), Path::new("/c")]);
    }
}
