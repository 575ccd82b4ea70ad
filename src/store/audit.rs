//! The audit log as it is kept: a range of keys of its own, which is not read at start.
//!
//! A key is a byte above those of all records, and the number of the entry; a value is sealed like that of a record. Numbers
//! are never given twice; there are gaps where entries made room (`ledger.rs`).

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{StoreError, record, snapshot::Snapshot};
use crate::domain::{AccountId, BareJid, By, Name, Noted, Thing, UnixTime, Who};

/// What the log holds at the most, where nothing else is said. An entry takes about 400 bytes on disk, and 16 KiB at the most.
pub const MOST: u64 = 1_000_000;

/// Reads what is on disk, from whichever thread.
pub trait Trail: Send + Sync + std::fmt::Debug {
    /// The newest entries whose number is below `before`, with their numbers, newest first: `most` of them where there are
    /// so many. Only what is on disk is seen.
    ///
    /// # Errors
    /// What is damaged.
    fn before(&self, before: Option<u64>, most: usize) -> Result<Vec<(u64, Noted)>, StoreError>;

    /// When the oldest entry was made.
    fn oldest(&self) -> Option<UnixTime>;

    /// Everything that is kept at this moment, with the audit log or without it.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] when there are too many of these already.
    fn snapshot(self: Arc<Self>, with_audit: bool) -> Result<Box<dyn Snapshot>, StoreError>;
}

/// Which numbers there may be: from the first to before the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) next: u64,
}

/// Before the audit log there are the records.
pub(super) const START: [u8; 1] = [0x80];
/// Where its entries end.
pub(super) const END: [u8; 1] = [0x81];

/// Where an entry is kept.
pub(super) fn key(number: u64) -> [u8; 9] {
    let mut key = [START[0]; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The number of the entry that is kept there.
pub(super) fn number(key: &[u8]) -> Option<u64> {
    let [0x80, number @ ..] = key else { return None };
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

/// What is kept of an entry.
pub(super) fn write(number: u64, noted: &Noted) -> Vec<u8> {
    record::seal(&key(number), &NotedShape::from(noted))
}

/// Reads back what [`write`] made.
pub(super) fn read(number: u64, value: &[u8]) -> Result<Noted, String> {
    let shape: NotedShape = record::open(&key(number), value)?;
    shape.try_into()
}

/// An entry as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotedShape<'a> {
    at: u64,
    by: WhoShape<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    what: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    on: Vec<(Cow<'a, str>, Option<u32>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    after: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WhoShape<'a> {
    Rosterd,
    Local(u32),
    Jid(Cow<'a, str>),
    Login(u32, Cow<'a, str>),
    Token(u32, Cow<'a, str>),
}

impl<'a> From<&'a Noted> for NotedShape<'a> {
    fn from(noted: &'a Noted) -> Self {
        fn fields(fields: &[(Box<str>, Box<str>)]) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
            fields.iter().map(|(name, value)| ((&**name).into(), (&**value).into())).collect()
        }
        let by = match &noted.by.who {
            Who::Daemon => WhoShape::Rosterd,
            Who::Local(uid) => WhoShape::Local(*uid),
            Who::Jid(jid) => WhoShape::Jid(jid.as_str().into()),
            Who::Login { account, name } => WhoShape::Login(account.get(), name.as_str().into()),
            Who::Token { account, name } => WhoShape::Token(account.get(), name.as_str().into()),
        };
        Self {
            at: noted.at.0,
            by,
            from: noted.by.from,
            what: (&*noted.what).into(),
            account: noted.account.map(AccountId::get),
            on: noted.on.iter().map(|it| ((&*it.kind).into(), it.id, (&*it.name).into())).collect(),
            before: fields(&noted.before),
            after: fields(&noted.after),
        }
    }
}

impl TryFrom<NotedShape<'_>> for Noted {
    type Error = String;

    fn try_from(shape: NotedShape<'_>) -> Result<Self, String> {
        fn owned(text: Cow<'_, str>) -> Box<str> {
            text.into_owned().into()
        }
        let account = |id| AccountId::new(id).ok_or("an account has the number 0");
        let who = match shape.by {
            WhoShape::Rosterd => Who::Daemon,
            WhoShape::Local(uid) => Who::Local(uid),
            WhoShape::Jid(jid) => Who::Jid(BareJid::prepared(&jid)),
            WhoShape::Login(id, name) => Who::Login { account: account(id)?, name: Name::prepared(&name) },
            WhoShape::Token(id, name) => Who::Token { account: account(id)?, name: Name::prepared(&name) },
        };
        let fields = |fields: Vec<(Cow<'_, str>, Cow<'_, str>)>| {
            fields.into_iter().map(|(name, value)| (owned(name), owned(value))).collect()
        };
        let thing = |(kind, id, name)| Thing { kind: owned(kind), id, name: owned(name) };
        Ok(Self {
            at: UnixTime(shape.at),
            by: By { who, from: shape.from },
            what: owned(shape.what),
            account: shape.account.map(account).transpose()?,
            on: shape.on.into_iter().map(thing).collect(),
            before: fields(shape.before),
            after: fields(shape.after),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Entries by whoever there may be.
    pub(in super::super) fn notes() -> Vec<Noted> {
        let (account, name) = (AccountId::new(1).unwrap(), Name::parse("kim", Name::USER_MOST).unwrap());
        let everybody = [
            Who::Daemon,
            Who::Local(0),
            Who::Jid(BareJid::parse("sue@example.org").unwrap()),
            Who::Login { account, name: name.clone() },
            Who::Token { account, name },
        ];
        let field = |name: &str, value: &str| (name.into(), value.into());
        let noted = |(at, who): (usize, Who)| Noted {
            at: UnixTime(1_700_000_000 + at as u64),
            by: By { who, from: (at > 2).then(|| "2001:db8::7".parse().unwrap()) },
            what: "operator.suspend".into(),
            account: (at > 0).then_some(account),
            on: vec![Thing { kind: "queue".into(), id: Some(3), name: "law".into() }],
            before: vec![field("enabled", "true")],
            after: vec![field("enabled", "false"), field("reason", "lunch")],
        };
        everybody.into_iter().enumerate().map(noted).collect()
    }

    #[test]
    fn the_stored_form_stays_what_it_was() {
        let lines: Vec<_> = (7..)
            .zip(notes())
            .map(|(number, noted)| {
                let value = write(number, &noted);
                assert_eq!(read(number, &value), Ok(noted));
                assert!(read(number + 1, &value).is_err(), "what belongs elsewhere is not read");
                String::from_utf8(value[5..].to_vec()).unwrap()
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"at":1700000000,"by":"rosterd","what":"operator.suspend","on":[["queue",3,"law"]],"before":[["enabled","true"]],"after":[["enabled","false"],["reason","lunch"]]}
        {"at":1700000001,"by":{"local":0},"what":"operator.suspend","account":1,"on":[["queue",3,"law"]],"before":[["enabled","true"]],"after":[["enabled","false"],["reason","lunch"]]}
        {"at":1700000002,"by":{"jid":"sue@example.org"},"what":"operator.suspend","account":1,"on":[["queue",3,"law"]],"before":[["enabled","true"]],"after":[["enabled","false"],["reason","lunch"]]}
        {"at":1700000003,"by":{"login":[1,"kim"]},"from":"2001:db8::7","what":"operator.suspend","account":1,"on":[["queue",3,"law"]],"before":[["enabled","true"]],"after":[["enabled","false"],["reason","lunch"]]}
        {"at":1700000004,"by":{"token":[1,"kim"]},"from":"2001:db8::7","what":"operator.suspend","account":1,"on":[["queue",3,"law"]],"before":[["enabled","true"]],"after":[["enabled","false"],["reason","lunch"]]}
        "#);
        assert_eq!(key(258), [0x80, 0, 0, 0, 0, 0, 0, 1, 2]);
    }
}
