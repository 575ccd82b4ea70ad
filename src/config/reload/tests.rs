//! Each key with another value, and what becomes of it.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::config::parse;

const A_FILE: &str = concat!("'", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml'");

/// What is set, so that every key can be changed alone.
const BASE: [(&str, &str); 11] = [
    ("xmpp.domain", "'queues.example.org'"),
    ("xmpp.user_domain", "'example.org'"),
    ("xmpp.secret", "'s3cr3t'"),
    ("xmpp.onboarding.method", "'ejabberd-api'"),
    ("xmpp.onboarding.roster_group", "'Queues'"),
    ("xmpp.onboarding.api_url", "'https://h/api'"),
    ("xmpp.onboarding.api_user", "'rosterd@example.org'"),
    ("xmpp.onboarding.api_password", "'s3cr3t'"),
    ("http.tls_cert", "'/dev/null'"),
    ("http.tls_key", "'/dev/null'"),
    ("xmpp.retry_most", "'2min'"),
];

/// Another value of each key, and what can not be set beside it.
const OTHERS: &[(&str, &str, &[&str])] = &[
    ("xmpp.server", "'127.0.0.1:5'", &[]),
    ("xmpp.domain", "'other.example.org'", &[]),
    ("xmpp.user_domain", "'example.com'", &[]),
    ("xmpp.secret", "'an0ther'", &[]),
    ("xmpp.secret_file", A_FILE, &["xmpp.secret"]),
    ("xmpp.watcher", "'other'", &[]),
    ("xmpp.who_may_subscribe", "'anyone'", &[]),
    ("xmpp.max_subscribers", "7", &[]),
    ("xmpp.max_subscribers_per_queue", "7", &[]),
    ("xmpp.ping_after", "'31s'", &[]),
    ("xmpp.ping_timeout", "'11s'", &[]),
    ("xmpp.retry_after", "'2s'", &[]),
    ("xmpp.retry_most", "'3min'", &[]),
    ("xmpp.rival_check", "'6min'", &[]),
    ("xmpp.connect_timeout", "'11s'", &[]),
    ("xmpp.link_grace", "'21s'", &[]),
    ("xmpp.sweep_rate", "7", &[]),
    ("xmpp.sweep_quiet", "'2s'", &[]),
    ("xmpp.ask_again", "'2days'", &[]),
    ("xmpp.onboarding.method", "'privilege'", &[]),
    ("xmpp.onboarding.roster_group", "'Others'", &[]),
    ("xmpp.onboarding.api_url", "'https://other/api'", &[]),
    ("xmpp.onboarding.api_user", "'other@example.org'", &[]),
    ("xmpp.onboarding.api_password", "'an0ther'", &[]),
    ("xmpp.onboarding.api_password_file", A_FILE, &["xmpp.onboarding.api_password"]),
    ("xmpp.onboarding.api_token", "'an0ther'", &["xmpp.onboarding.api_user", "xmpp.onboarding.api_password"]),
    ("xmpp.onboarding.api_token_file", A_FILE, &["xmpp.onboarding.api_user", "xmpp.onboarding.api_password"]),
    ("xmpp.onboarding.api_ca", "'/dev/zero'", &[]),
    ("http.listen", "'127.0.0.1:1'", &[]),
    ("http.public_listen", "'127.0.0.1:1'", &[]),
    ("http.metrics_listen", "'127.0.0.1:1'", &[]),
    ("http.tls_cert", "'/dev/zero'", &[]),
    ("http.tls_key", "'/dev/zero'", &[]),
    ("http.presence_cap", "false", &[]),
    ("http.presence_of_users", "true", &[]),
    ("http.session_idle", "'1day'", &[]),
    ("http.session_max", "'0s'", &[]),
    ("http.basic_cache", "'1min'", &[]),
    ("http.attempts_per_address", "7", &[]),
    ("http.attempts_per_name", "7", &[]),
    ("http.attempt_every", "'7s'", &[]),
    ("http.trusted_proxies", "['10.0.0.0/8']", &[]),
    ("http.proxy_header", "'forwarded'", &[]),
    ("http.request_timeout", "'7s'", &[]),
    ("http.max_connections", "7", &[]),
    ("http.max_connections_per_address", "7", &[]),
    ("http.hsts", "'0s'", &[]),
    ("store.path", "'/other'", &[]),
    ("store.min_free", "'1MiB'", &[]),
    ("admin.socket", "'/other'", &[]),
    ("audit.keep", "'1day'", &[]),
    ("audit.max_entries", "7", &[]),
    ("metrics.queues", "['law']", &[]),
    ("presence.ping_after", "'0s'", &[]),
    ("presence.ping_timeout", "'7s'", &[]),
    ("presence.linger", "'7s'", &[]),
    ("availability.precedence", "['available', 'chat', 'dnd', 'away', 'xa', 'unavailable']", &[]),
    ("availability.merge", "'highest-priority'", &[]),
    ("log.level", "'debug'", &[]),
    ("log.format", "'json'", &[]),
];

/// Every key there is, with the settings as they are at first, and where that key alone is another one.
pub(crate) fn changes() -> Vec<(&'static Key, Settings, Settings)> {
    let known: BTreeSet<_> = keys().map(|key| key.path).collect();
    let listed: BTreeSet<_> = OTHERS.iter().map(|(key, ..)| *key).collect();
    assert_eq!(known, listed, "each key needs another value here");
    let base = BTreeMap::from(BASE);
    let read = |set: &BTreeMap<&str, &str>| {
        let section = |key: &str| key.rsplit_once('.').unwrap().0.to_owned();
        let sections: BTreeSet<_> = set.keys().map(|key| section(key)).collect();
        let lines_of = |wanted: &str| {
            let lines = set.iter().filter(|(key, _)| section(key) == wanted);
            let lines = lines.map(|(key, value)| format!("{} = {value}", key.rsplit_once('.').unwrap().1));
            lines.collect::<Vec<_>>().join("\n")
        };
        let text: Vec<_> = sections.iter().map(|section| format!("[{section}]\n{}\n", lines_of(section))).collect();
        let text = text.concat();
        parse(&text).unwrap_or_else(|problems| panic!("{text}: {problems}"))
    };
    let change = |(path, other, without): &(&'static str, &'static str, &[&str])| {
        let mut set = base.clone();
        set.retain(|key, _| !without.contains(key));
        set.insert(path, other);
        let key = keys().find(|key| key.path == *path).unwrap();
        (key, read(&base), read(&set))
    };
    OTHERS.iter().map(change).collect()
}

/// All that is set, but for what is written down to be compared; of secrets that there are some.
fn all(settings: &Settings) -> String {
    format!("{:?}", Settings { values: Values::default(), ..settings.clone() })
}

#[test]
fn each_key_is_taken_over_or_waits_as_it_says() {
    for (key, old, new) in changes() {
        let mut running = old.clone();
        let Reloaded { taken, waiting } = running.take_over(new.clone());
        let named = |changes: &[Change]| changes.iter().any(|change| change.key == key.path);
        assert_eq!(
            (named(&taken), named(&waiting)),
            (key.taken == Taken::AtOnce, key.taken == Taken::AtStart),
            "{key:?}"
        );
        match key.taken {
            Taken::AtOnce => {
                assert_eq!(all(&running), all(&new), "{}", key.path);
                assert_ne!(all(&running), all(&old), "{}", key.path);
                assert_eq!(running.take_over(new), Reloaded::default(), "{} is told once", key.path);
            }
            Taken::AtStart => {
                assert_eq!(all(&running), all(&old), "{}", key.path);
                assert_eq!(running.xmpp.secret, old.xmpp.secret);
                assert_eq!(running.take_over(new).waiting, waiting, "{} is told until there is a restart", key.path);
                assert_eq!(running.take_over(old), Reloaded::default(), "{} was taken back", key.path);
            }
        }
    }
}

#[test]
fn no_secret_is_told() {
    let told: Vec<_> = changes()
        .into_iter()
        .filter(|(key, ..)| ["secret", "password", "token"].iter().any(|word| key.path.contains(word)))
        .map(|(_, mut old, new)| format!("{:?}", old.take_over(new)))
        .collect();
    assert_eq!(told.len(), 6);
    for told in told {
        assert!(told.contains("secret)") && !told.contains("s3cr3t") && !told.contains("an0ther"), "{told}");
    }
}

#[test]
fn a_change_is_told_as_it_was_written() {
    let least = "[xmpp]\ndomain = 'queues.example.org'\nuser_domain = 'example.org'\nsecret = 'x'\n";
    let settings = |text: &str| parse(&format!("{least}{text}")).unwrap();
    let mut running = settings("[log]\nlevel = 'info'\n");
    let new = settings(
        "link_grace = '1min'\nserver = '[::1]:5347'\n[http]\npublic_listen = '127.0.0.1:8080'\n\
         [availability]\nprecedence = ['available', 'chat', 'dnd', 'away', 'xa', 'unavailable']\n",
    );
    let Reloaded { taken, waiting } = running.take_over(new);
    let lines = |changes: Vec<Change>| changes.iter().map(Change::to_string).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(lines(taken), @r"
    xmpp.link_grace: 20s -> 1min
    availability.precedence: [chat, available, dnd, away, xa, unavailable] -> [available, chat, dnd, away, xa, unavailable]
    ");
    insta::assert_snapshot!(lines(waiting), @r"
    xmpp.server: 127.0.0.1:5347 -> [::1]:5347
    http.public_listen: (not set) -> 127.0.0.1:8080
    ");
    let same = settings(
        "link_grace = '60s'\n[availability]\nprecedence = ['available', 'chat', 'dnd', 'away', 'xa', 'unavailable']\n",
    );
    assert_eq!(running.take_over(same).taken, [], "what means the same is the same");
}
