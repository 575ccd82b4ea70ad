//! How everything is, for `rosterd status`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    clock,
    domain::{Desk, LinkPhase, OperatorView, QueueView, Reason},
    engine::Handle,
};

/// How everything is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The version of the daemon.
    pub version: String,
    /// How the link is.
    pub link: Link,
    /// Since when it is so (RFC 3339).
    #[serde(default)]
    pub link_since: Option<String>,
    /// How operators are brought to let us see them.
    pub onboarding: Onboarding,
    /// Why nothing can be stored any more, if that is so.
    pub store_failure: Option<String>,
    /// Every queue of every account, by number.
    pub queues: Vec<QueueStatus>,
    /// Things that should not happen.
    pub tally: TallyStatus,
    /// How many tasks the daemon has at work. It is about the same whenever the same goes on; one that grows is a leak.
    pub tasks: usize,
}

/// How operators are brought to let us see them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Onboarding {
    /// How they are to be: `[xmpp.onboarding] method`.
    pub method: String,
    /// How they are at the moment, which is `subscribe` where the server does not let us; `null` while that is not known.
    pub in_use: Option<String>,
}

/// How the link to the XMPP server is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Link {
    /// It is not there.
    Down {
        /// Why.
        why: Option<String>,
        /// In how many seconds it is tried again; `null` while it is being tried.
        #[serde(default)]
        next_try_in: Option<u64>,
    },
    /// It is there, and everybody is being asked.
    Sweeping {
        /// How many have been asked.
        done: usize,
        /// How many are to be asked.
        total: usize,
    },
    /// It is there, and what is shown is true.
    Up,
}

/// A queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its JID.
    pub jid: String,
    /// The name of the account that owns it.
    pub account: String,
    /// Its show.
    pub show: String,
    /// Its status sentence.
    pub status: String,
    /// Why it has this show.
    pub reasons: Vec<String>,
    /// How many enabled operators take work now.
    pub ready: u32,
    /// How many operators are enabled.
    pub enabled: u32,
    /// Everybody who is assigned.
    pub operators: Vec<OperatorStatus>,
}

/// An operator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperatorStatus {
    /// The number of the user.
    pub id: u32,
    /// The name of the user.
    pub name: String,
    /// The JID of the user.
    pub jid: String,
    /// The show of the user.
    pub show: String,
    /// The status text of the client that speaks for them.
    pub status: Option<String>,
    /// `false`: suspended.
    pub enabled: bool,
    /// Why they count as they do.
    pub reasons: Vec<String>,
    /// Why they are suspended, in the words of whoever did it.
    #[serde(default)]
    pub suspended_because: Option<String>,
    /// When they are enabled again, where somebody said so (RFC 3339).
    #[serde(default)]
    pub suspended_until: Option<String>,
    /// Their connected clients.
    pub resources: Vec<ResourceStatus>,
}

/// A connected client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResourceStatus {
    /// Its name.
    pub name: String,
    /// What it says.
    pub show: String,
    /// Its priority.
    pub priority: i8,
    /// It did not answer a ping, so it does not count.
    pub stale: bool,
    /// What it said last could not be read, so it does not count; its show and priority say nothing.
    pub unreadable: bool,
}

/// Things that should not happen, counted since the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TallyStatus {
    /// Presences with an unknown `<show/>`, taken for `available`.
    pub unknown_shows: u64,
    /// Clients that did not answer a ping.
    pub stale: u64,
    /// Presences from people who are not assigned to anything.
    pub strangers: u64,
    /// Stanzas that could not be read, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// How everything is now.
#[must_use]
pub fn status(handle: &Handle) -> Status {
    let store_failure =
        handle.failure().or_else(|| handle.shortage()).map(|failure| crate::telemetry::chain(&*failure));
    let tasks = tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
    let next_try_in = handle.next_try().map(|at| at.0.saturating_sub(handle.clock().now().0));
    handle.read(|desk| Status {
        tasks,
        link_since: Some(clock::write(handle.link_since())),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        link: match desk.link() {
            LinkPhase::Down => Link::Down { why: desk.link_trouble().map(str::to_owned), next_try_in },
            LinkPhase::Sweeping { done, total } => Link::Sweeping { done, total },
            LinkPhase::Up => Link::Up,
        },
        onboarding: Onboarding {
            method: desk.policy().onboarding.as_str().to_owned(),
            in_use: desk.onboards_by().map(|method| method.as_str().to_owned()),
        },
        store_failure,
        queues: desk.queues().map(|queue| queue_status(desk, queue)).collect(),
        tally: TallyStatus {
            unknown_shows: desk.tally().unknown_shows,
            stale: desk.tally().stale,
            strangers: desk.tally().strangers,
            dropped: desk.tally().dropped.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
        },
    })
}

fn queue_status(desk: &Desk, QueueView { queue, published }: QueueView<'_>) -> QueueStatus {
    let operators = desk.books(queue.account).operators(queue.id).into_iter().flatten();
    QueueStatus {
        id: queue.id.get(),
        name: queue.name.to_string(),
        jid: format!("{}@{}", queue.name, desk.policy().domain),
        account: desk.account(queue.account).map_or_else(String::new, |account| account.name.to_string()),
        show: published.show.to_string(),
        status: published.to_string(),
        reasons: words(desk.why_queue(queue.id)),
        ready: published.ready,
        enabled: published.enabled,
        operators: operators.map(|operator| operator_status(desk, &operator)).collect(),
    }
}

fn operator_status(desk: &Desk, operator: &OperatorView<'_>) -> OperatorStatus {
    let user = &operator.user;
    OperatorStatus {
        id: user.id.get(),
        name: user.name.to_owned(),
        jid: user.jid.to_string(),
        show: user.show.to_string(),
        status: user.status.map(str::to_owned),
        enabled: operator.enabled,
        reasons: words(desk.why_operator(operator.queue.queue.id, user.id)),
        suspended_because: operator.cause.map(ToString::to_string),
        suspended_until: operator.until.map(clock::write),
        resources: desk
            .resources(user.id)
            .map(|it| ResourceStatus {
                name: it.name.to_owned(),
                show: it.show.to_string(),
                priority: it.priority,
                stale: it.stale,
                unreadable: it.unreadable,
            })
            .collect(),
    }
}

fn words(reasons: Vec<Reason>) -> Vec<String> {
    reasons.into_iter().map(|reason| reason.as_str().to_owned()).collect()
}
