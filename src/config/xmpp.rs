//! `[xmpp]`: the link to the server.

use std::time::Duration;

use super::{
    Secret,
    reader::{self, Given, Key, Reader, Taken},
    secret,
};
use crate::domain::{Name, WhoMayFollow};

/// `[xmpp]`.
#[derive(Debug, Clone)]
pub struct Xmpp {
    /// `host:port` of the server's component listener.
    pub server: String,
    /// The domain of our component: of the queues and the watcher.
    pub domain: String,
    /// The domain of users who are made without a JID.
    pub user_domain: String,
    /// What we share with the server.
    pub secret: Secret,
    /// The localpart of the JID that takes in the presence of all operators.
    pub watcher: Name,
    /// Who may follow a queue's presence.
    pub who_may_subscribe: WhoMayFollow,
    /// The most followers of all queues together.
    pub max_subscribers: u32,
    /// The most followers of one queue.
    pub max_subscribers_per_queue: u32,
    /// How long the server may be silent before it is pinged.
    pub ping_after: Duration,
    /// How long the answer may take before the link is given up.
    pub ping_timeout: Duration,
    /// The pause before the next attempt after a first failure.
    pub retry_after: Duration,
    /// The longest such pause.
    pub retry_most: Duration,
    /// How often it is made sure that nobody else serves the domain; zero: never.
    pub rival_check: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// For how long what was published is kept after the link was lost.
    pub link_grace: Duration,
    /// Probes and subscription requests a second.
    pub sweep_rate: u32,
    /// How long late answers to the last probes are waited for.
    pub sweep_quiet: Duration,
    /// How long until a user who has not approved our subscription is asked again.
    pub ask_again: Duration,
}

/// The name of the credential that is the secret where the settings name none.
const CREDENTIAL: &str = "xmpp-secret";

/// Within this time a link that is dead has to be found out: what was sent before is taken for arrived a little later.
const DEAD_WITHIN: Duration = Duration::from_secs(110);

const SERVER: Key = Key {
    path: "xmpp.server",
    value: Given::Default("\"127.0.0.1:5347\""),
    taken: Taken::AtStart,
    doc: "Host and port of the XMPP server's component listener (XEP-0114). The stream is not encrypted: keep it on this \
          machine, or in a tunnel.",
};
const DOMAIN: Key = Key {
    path: "xmpp.domain",
    value: Given::Required(r#""queues.example.org""#),
    taken: Taken::AtStart,
    doc: "The domain of the component, as the XMPP server's configuration names it: queues have JIDs on it, such as \
          law@queues.example.org.",
};
const USER_DOMAIN: Key = Key {
    path: "xmpp.user_domain",
    value: Given::Required(r#""example.org""#),
    taken: Taken::AtStart,
    doc: "The domain of the people: a user who is made without a JID has their name on it, such as ann@example.org.",
};
const SECRET: Key = Key {
    path: "xmpp.secret",
    value: Given::Required(r#""change me""#),
    taken: Taken::AtStart,
    doc: "The secret that the XMPP server's configuration names for the component. Set this or secret_file.",
};
const SECRET_FILE: Key = Key {
    path: "xmpp.secret_file",
    value: Given::Optional(r#""/etc/rosterd/xmpp-secret""#),
    taken: Taken::AtStart,
    doc: "A file that holds the secret and nothing else. Set this or secret. A systemd credential (LoadCredential=) with the \
          name of the file is read in its place, as with every key that ends with _file; where neither is set, the \
          credential xmpp-secret.",
};
const WATCHER: Key = Key {
    path: "xmpp.watcher",
    value: Given::Default("\"staffing\""),
    taken: Taken::AtStart,
    doc: "The part before the @ of the one JID that asks operators to see their presence. No queue can have this name.",
};
const WHO_MAY_SUBSCRIBE: Key = Key {
    path: "xmpp.who_may_subscribe",
    value: Given::Default("\"user_domain\""),
    taken: Taken::AtOnce,
    doc: "Who may follow the presence of queues: \"anyone\", everybody on the \"user_domain\", or the \"operators\" of each \
          queue. Who follows one already goes on. Who may follow a queue also finds it in service discovery, and sees the \
          names of those who answer there.",
};
const MAX_SUBSCRIBERS: Key = Key {
    path: "xmpp.max_subscribers",
    value: Given::Default("1000000"),
    taken: Taken::AtOnce,
    doc: "How many followers all queues may have together: each takes about 200 bytes of memory, and as many of disk. Who \
          comes after that is refused; who follows already goes on.",
};
const MAX_SUBSCRIBERS_PER_QUEUE: Key = Key {
    path: "xmpp.max_subscribers_per_queue",
    value: Given::Default("200000"),
    taken: Taken::AtOnce,
    doc: "How many followers one queue may have.",
};
const PING_AFTER: Key = Key {
    path: "xmpp.ping_after",
    value: Given::Default("\"30s\""),
    taken: Taken::AtStart,
    doc: "How long the server may be silent before it is asked whether it is there.",
};
const PING_TIMEOUT: Key = Key {
    path: "xmpp.ping_timeout",
    value: Given::Default("\"10s\""),
    taken: Taken::AtStart,
    doc: "How long the server may take to answer that before the link is given up and made anew.",
};
const RETRY_AFTER: Key = Key {
    path: "xmpp.retry_after",
    value: Given::Default("\"1s\""),
    taken: Taken::AtStart,
    doc: "How long to wait before the link is made anew after it was lost. It doubles with every failure, up to retry_most; a \
          part of it is left to chance.",
};
const RETRY_MOST: Key = Key {
    path: "xmpp.retry_most",
    value: Given::Default("\"1min\""),
    taken: Taken::AtStart,
    doc: "The longest such wait, which is also the one where somebody else is connected as the same domain.",
};
const RIVAL_CHECK: Key = Key {
    path: "xmpp.rival_check",
    value: Given::Default("\"5min\""),
    taken: Taken::AtStart,
    doc: "How often it is made sure that no other daemon is connected as the same domain, which ejabberd allows. It is also \
          done at the start of every link, before anything is told. \"0s\": not at all, for a server that passes on no \
          messages between addresses of a component.",
};
const CONNECT_TIMEOUT: Key = Key {
    path: "xmpp.connect_timeout",
    value: Given::Default("\"10s\""),
    taken: Taken::AtStart,
    doc: "How long connecting and the handshake may take, each.",
};
const LINK_GRACE: Key = Key {
    path: "xmpp.link_grace",
    value: Given::Default("\"20s\""),
    taken: Taken::AtOnce,
    doc: "For how long queues are shown as they were after the link was lost, while it is made anew and everybody is asked \
          for their presence; then as \"unavailable\" until somebody is heard. Who was not heard yet takes no work. \"0s\": \
          not at all. An hour at the most.",
};
const SWEEP_RATE: Key = Key {
    path: "xmpp.sweep_rate",
    value: Given::Default("1500"),
    taken: Taken::AtOnce,
    doc: "How many users are asked for their presence in a second after the link came up, at the most.",
};
const SWEEP_QUIET: Key = Key {
    path: "xmpp.sweep_quiet",
    value: Given::Default("\"1s\""),
    taken: Taken::AtOnce,
    doc: "How long late answers are waited for after that, before who is silent counts as offline.",
};
const ASK_AGAIN: Key = Key {
    path: "xmpp.ask_again",
    value: Given::Default("\"1day\""),
    taken: Taken::AtOnce,
    doc: "How long until a user who has not approved the watcher's subscription is asked again, at the earliest.",
};

pub(super) const KEYS: &[Key] = &[
    SERVER,
    DOMAIN,
    USER_DOMAIN,
    SECRET,
    SECRET_FILE,
    WATCHER,
    WHO_MAY_SUBSCRIBE,
    MAX_SUBSCRIBERS,
    MAX_SUBSCRIBERS_PER_QUEUE,
    PING_AFTER,
    PING_TIMEOUT,
    RETRY_AFTER,
    RETRY_MOST,
    RIVAL_CHECK,
    CONNECT_TIMEOUT,
    LINK_GRACE,
    SWEEP_RATE,
    SWEEP_QUIET,
    ASK_AGAIN,
];

impl Xmpp {
    /// Takes over what need not wait for a restart.
    pub(super) fn take_over(&mut self, new: &Self) {
        let old = self.clone();
        *self = Self {
            who_may_subscribe: new.who_may_subscribe,
            max_subscribers: new.max_subscribers,
            max_subscribers_per_queue: new.max_subscribers_per_queue,
            link_grace: new.link_grace,
            sweep_rate: new.sweep_rate,
            sweep_quiet: new.sweep_quiet,
            ask_again: new.ask_again,
            ..old
        };
    }

    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        let server = keys.take(&SERVER, server);
        let domain = keys.need(&DOMAIN, domain);
        let user_domain = keys.need(&USER_DOMAIN, self::domain);
        if domain.is_some() && domain == user_domain {
            keys.problem(&DOMAIN, "is the users' domain too: the component needs a domain of its own");
        }
        let secret = read_secret(keys);
        let watcher = keys.take(&WATCHER, |value| {
            let name = reader::text(value)?;
            Name::parse(&name, Name::QUEUE_MOST).map_err(|error| error.to_string())
        });
        let who_may_subscribe = keys.take(&WHO_MAY_SUBSCRIBE, reader::choice(&WhoMayFollow::ALL, WhoMayFollow::as_str));
        let max_subscribers = keys.take(&MAX_SUBSCRIBERS, reader::number);
        let max_subscribers_per_queue = keys.take(&MAX_SUBSCRIBERS_PER_QUEUE, reader::number);
        let ping_after = keys.take(&PING_AFTER, reader::some_time);
        let ping_timeout = keys.take(&PING_TIMEOUT, reader::some_time);
        if let (Some(after), Some(timeout)) = (ping_after, ping_timeout)
            && after + timeout > DEAD_WITHIN
        {
            keys.problem(&PING_AFTER, format!("is too long: together with ping_timeout {DEAD_WITHIN:?} at the most"));
        }
        let retry_after = keys.take(&RETRY_AFTER, reader::some_time);
        let retry_most = keys.take(&RETRY_MOST, reader::some_time);
        if let (Some(after), Some(most)) = (retry_after, retry_most)
            && after > most
        {
            keys.problem(&RETRY_AFTER, "is longer than retry_most");
        }
        let rival_check = keys.take(&RIVAL_CHECK, reader::duration);
        let connect_timeout = keys.take(&CONNECT_TIMEOUT, reader::some_time);
        let link_grace = keys.take(&LINK_GRACE, reader::an_hour_at_most);
        let sweep_rate = keys.take(&SWEEP_RATE, reader::number);
        let sweep_quiet = keys.take(&SWEEP_QUIET, reader::duration);
        let ask_again = keys.take(&ASK_AGAIN, reader::duration);
        Some(Self {
            server: server?,
            domain: domain?,
            user_domain: user_domain?,
            secret: secret?,
            watcher: watcher?,
            who_may_subscribe: who_may_subscribe?,
            max_subscribers: max_subscribers?,
            max_subscribers_per_queue: max_subscribers_per_queue?,
            ping_after: ping_after?,
            ping_timeout: ping_timeout?,
            retry_after: retry_after?,
            retry_most: retry_most?,
            rival_check: rival_check?,
            connect_timeout: connect_timeout?,
            link_grace: link_grace?,
            sweep_rate: sweep_rate?,
            sweep_quiet: sweep_quiet?,
            ask_again: ask_again?,
        })
    }
}

fn server(value: ::config::Value) -> Result<String, String> {
    let server = reader::text(value)?;
    let (host, port) = server.rsplit_once(':').unwrap_or((&server, ""));
    if host.is_empty() || port.parse::<u16>().map_or(true, |port| port == 0) {
        return Err(format!("{server:?} is not a host and a port, such as \"127.0.0.1:5347\""));
    }
    Ok(server)
}

fn domain(value: ::config::Value) -> Result<String, String> {
    let domain = reader::text(value)?;
    match jid::DomainPart::new(&domain) {
        Ok(prepared) if !domain.contains(['@', '/', ' ', ':']) => Ok(prepared.as_str().to_owned()),
        _ => Err(format!("{domain:?} is not a domain, such as \"example.org\"")),
    }
}

/// What is named counts; where nothing is, the credential that systemd hands over.
fn read_secret(keys: &mut Reader) -> Option<Secret> {
    const WHAT: &str = "component secret";
    if keys.is_set(&SECRET) || keys.is_set(&SECRET_FILE) {
        return secret::read(keys, &SECRET, &SECRET_FILE, WHAT);
    }
    let handed_over = secret::read_credential(keys, &SECRET, CREDENTIAL, WHAT);
    if handed_over.is_none() {
        keys.problem(&SECRET, "has to be set, or secret_file: the secret that the XMPP server knows the component by");
    }
    handed_over?.ok()
}
