//! What the desk knows: read when somebody asks, and kept by nobody else.

use prometheus::proto::MetricFamily;

use super::family::{Family, sample, size};
use crate::domain::{Census, LinkPhase, Name, Published, Show, Tally, Totals};

const LINK: Family = Family::gauge(
    "rosterd_link_state",
    "1 for the state that the link to the XMPP server is in, 0 for the others.",
    &["state"],
);
const DROPPED: Family = Family::counter(
    "rosterd_stanzas_dropped_total",
    "Stanzas that were passed over since they could not be read, or answered, by reason.",
    &["reason"],
);
const UNKNOWN_SHOWS: Family = Family::counter(
    "rosterd_presences_unknown_show_total",
    "Presences with a <show/> that is not one of the known words, taken for available.",
    &[],
);
const STRANGERS: Family =
    Family::counter("rosterd_presences_stranger_total", "Presences of people who are not assigned to anything.", &[]);
const WENT_STALE: Family =
    Family::counter("rosterd_resources_stale_total", "How often a resource did not answer a ping.", &[]);
const RESOURCES: Family = Family::gauge(
    "rosterd_resources",
    "Connected clients of users: heard, stale (it did not answer a ping), or unreadable (what it said last was).",
    &["state"],
);
const USERS: Family = Family::gauge("rosterd_users", "Users, by what is shown of them.", &["show"]);
const QUEUES: Family = Family::gauge("rosterd_queues", "Queues, by their show.", &["show"]);
const UNSTAFFED: Family =
    Family::gauge("rosterd_queues_unstaffed", "Queues on which somebody is enabled and nobody takes work.", &[]);
const OPERATORS: Family = Family::gauge("rosterd_operators", "Assignments of users to queues.", &["state"]);
const ACCOUNTS: Family = Family::gauge("rosterd_accounts", "Accounts, which own queues and users.", &[]);
const FOLLOWERS: Family = Family::gauge("rosterd_followers", "Who follows a queue, once for each queue.", &[]);
const SESSIONS: Family =
    Family::gauge("rosterd_sessions", "Sessions of the API; some may be over, and not cleared away yet.", &[]);
const TOKENS: Family = Family::gauge("rosterd_tokens", "Tokens of the API.", &[]);
const BACKLOG: Family = Family::gauge(
    "rosterd_engine_backlog",
    "Pieces of work that wait until the link has room: a queue to be told of is one, however many follow it.",
    &[],
);
const INBOX: Family = Family::gauge(
    "rosterd_engine_inbox_depth",
    "What waits for the engine: facts from the link (4096 at the most), and edits (1024).",
    &["kind"],
);
const STORE_FAILED: Family = Family::gauge(
    "rosterd_store_failed",
    "1 if the store has failed, or refused the last change for want of room.",
    &[],
);
const READY: Family = Family::gauge(
    "rosterd_queue_ready_operators",
    "Operators of a queue who take work now; of the queues in [metrics] queues.",
    &["queue"],
);
const ENABLED: Family = Family::gauge(
    "rosterd_queue_enabled_operators",
    "Operators of a queue who are enabled; of the queues in [metrics] queues.",
    &["queue"],
);

pub(super) const FAMILIES: [Family; 19] = [
    LINK,
    DROPPED,
    UNKNOWN_SHOWS,
    STRANGERS,
    WENT_STALE,
    RESOURCES,
    USERS,
    QUEUES,
    UNSTAFFED,
    OPERATORS,
    ACCOUNTS,
    FOLLOWERS,
    SESSIONS,
    TOKENS,
    BACKLOG,
    INBOX,
    STORE_FAILED,
    READY,
    ENABLED,
];

/// What the desk knows, and what waits for the engine.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How the link is.
    pub link: LinkPhase,
    /// What should not happen.
    pub tally: Tally,
    /// What is known without counting.
    pub totals: Totals,
    /// What has been counted.
    pub census: Census,
    /// The queues that are told of each for itself.
    pub queues: Vec<(Name, Published)>,
    /// Facts that wait.
    pub facts: usize,
    /// Edits that wait.
    pub edits: usize,
    /// The store takes nothing.
    pub store_failed: bool,
}

impl Figures {
    pub(super) fn families(&self) -> impl Iterator<Item = MetricFamily> {
        let one = |family: &Family, count: f64| family.now([([], count)]);
        let (census, totals, tally) = (&self.census, &self.totals, &self.tally);
        let by_show = |family: &Family, counts: [usize; Show::ALL.len()]| {
            family.now(Show::ALL.iter().zip(counts).map(|(show, count)| ([show.as_str()], size(count))))
        };
        let resources = [("heard", census.resources), ("stale", census.stale), ("unreadable", census.unreadable)];
        let operators = [("enabled", census.enabled), ("suspended", census.suspended)];
        let each = |family: &Family, all: &[(&str, usize)]| {
            family.now(all.iter().map(|(name, count)| ([*name], size(*count))))
        };
        let of_queue = |family: &Family, count: fn(&Published) -> u32| {
            family.now(self.queues.iter().map(|(name, published)| ([name.as_str()], f64::from(count(published)))))
        };
        let found = [
            self.link(),
            DROPPED.now(tally.dropped.iter().map(|(reason, count)| ([*reason], sample(*count)))),
            one(&UNKNOWN_SHOWS, sample(tally.unknown_shows)),
            one(&STRANGERS, sample(tally.strangers)),
            one(&WENT_STALE, sample(tally.stale)),
            each(&RESOURCES, &resources),
            by_show(&USERS, census.users),
            by_show(&QUEUES, census.queues),
            one(&UNSTAFFED, size(census.unstaffed)),
            each(&OPERATORS, &operators),
            one(&ACCOUNTS, size(totals.accounts)),
            one(&FOLLOWERS, size(totals.followers)),
            one(&SESSIONS, size(totals.sessions)),
            one(&TOKENS, size(totals.tokens)),
            one(&BACKLOG, size(totals.backlog)),
            each(&INBOX, &[("facts", self.facts), ("edits", self.edits)]),
            one(&STORE_FAILED, f64::from(u8::from(self.store_failed))),
            of_queue(&READY, |published| published.ready),
            of_queue(&ENABLED, |published| published.enabled),
        ];
        found.into_iter().flatten()
    }

    fn link(&self) -> Option<MetricFamily> {
        let is_in = |state: &str| {
            let now = match self.link {
                LinkPhase::Down => "down",
                LinkPhase::Sweeping { .. } => "sweeping",
                LinkPhase::Up => "up",
            };
            f64::from(u8::from(state == now))
        };
        LINK.now(["down", "sweeping", "up"].iter().map(|state| ([*state], is_in(state))))
    }
}
