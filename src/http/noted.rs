//! An entry of the audit log, as it is shown.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    clock,
    domain::{AccountId, Noted, UnixTime},
    engine::Page,
};

/// Who did what, when, and to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Noted)]
pub struct NotedBody {
    /// Its number.
    pub number: u64,
    /// When.
    #[schema(format = DateTime)]
    pub time: String,
    /// Who.
    pub by: WhoBody,
    /// A word that stays: `operator.suspend`.
    pub what: String,
    /// The number of the account whose things it is about.
    pub account: Option<u32>,
    /// What it is about.
    pub on: Vec<ThingBody>,
    /// What has changed, as it was.
    pub before: BTreeMap<String, String>,
    /// The same, as it was from then on.
    pub after: BTreeMap<String, String>,
}

/// Who did something, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Who)]
pub struct WhoBody {
    /// `login`, `token`, `jid`, `local` (whoever runs a command on the machine) or `rosterd`.
    pub kind: String,
    /// Their name, JID or number.
    pub name: String,
    /// Their address, where they came over HTTPS.
    #[schema(value_type = Option<String>)]
    pub from: Option<IpAddr>,
}

/// Something that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Thing)]
pub struct ThingBody {
    /// `account`, `login`, `token`, `admin`, `queue` or `user`.
    pub kind: String,
    /// Its number, where it has one.
    pub id: Option<u32>,
    /// Its name at the time.
    pub name: String,
}

/// Some entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditPage)]
pub struct PageBody {
    /// The entries.
    pub entries: Vec<NotedBody>,
    /// What to ask for the next page with; nothing after the last one.
    pub next: Option<u64>,
}

impl From<(u64, Noted)> for NotedBody {
    fn from((number, noted): (u64, Noted)) -> Self {
        let Noted { at, by, what, account, on, before, after } = noted;
        let fields = |fields: Vec<(Box<str>, Box<str>)>| {
            fields.into_iter().map(|(name, value)| (name.to_string(), shown(&name, value))).collect()
        };
        Self {
            number,
            time: clock::write(at),
            by: WhoBody { kind: by.who.kind().to_owned(), name: by.who.short_name(), from: by.from },
            what: what.into_string(),
            account: account.map(AccountId::get),
            on: on
                .into_iter()
                .map(|it| ThingBody { kind: it.kind.into_string(), id: it.id, name: it.name.into_string() })
                .collect(),
            before: fields(before),
            after: fields(after),
        }
    }
}

/// A field's value, for people: moments are kept as seconds since 1970.
fn shown(name: &str, value: Box<str>) -> String {
    let is_moment = matches!(name, "until" | "expires");
    let moment = value.parse().ok().filter(|_| is_moment).map(UnixTime);
    moment.map_or_else(|| value.into_string(), clock::write)
}

impl From<Page> for PageBody {
    fn from(page: Page) -> Self {
        Self { entries: page.entries.into_iter().map(NotedBody::from).collect(), next: page.next }
    }
}
