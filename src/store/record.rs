//! The form in which records lie on disk and stand on a line of an export. The domain knows nothing of it.
//!
//! A key is one byte for its kind and its parts in big-endian order, so that the order of the bytes is the order of the
//! [`Key`]s. A value is a version byte, a CRC-32 over the key and the payload (little-endian), and the payload in JSON.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    fmt::{Display, Write as _},
    net::IpAddr,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::audit::NotedShape;
use crate::domain::{
    Account, AccountId, BareJid, Cause, Key, Login, Name, Operator, Queue, QueueId, Record, Role, Session, Subscriber,
    Suspension, Token, TokenHash, UnixTime, User, UserId, Write,
};

/// The version of the stored form that is written: of every record, of the entries of the audit log, of the store's counts, and
/// of exports and backups. Those before it are read too, as [`FORMS`] says.
pub const VERSION: u8 = 3;
/// The first version that is read.
pub(super) const OLDEST: u8 = 1;

/// What kinds of records there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What it is called.
    pub kind: &'static str,
    /// The versions in which its shape became another: each is read, in its own shape, until the next. The first is the
    /// one with which the kind came.
    pub changed_in: &'static [u8],
    /// What became another.
    pub how: &'static str,
}

/// The version map, in the order of the keys.
///
/// A record is read in the form of the version that it says, and written in that of [`VERSION`] when it is written next: a store
/// is not rewritten as a whole, so nothing can break off in the middle of an upgrade, and one store may hold records of all versions.
/// The counts are written with every commit, so they say by their version whether a later rosterd has been at work: then
/// the store is refused, and left alone.
///
/// To change a shape, which makes version 4:
///
/// 1. Keep what there is: copy the files of the newest folder `src/store/versionN` to `src/store/version3` as this program writes
///    them (the snapshots of `record/tests.rs` and `dump.rs` hold both), and add `one_of_each_in_version_3` and its lines where version 2
///    has them: in `record/tests.rs`, `dump.rs`, `sled/tests.rs` and `sled/restore/tests.rs`.
/// 2. Set [`VERSION`], and note here what became another, and in which kind.
/// 3. Change `Shape`: a new field is optional when it is read (`#[serde(default)]`), and one that goes is read still, and never
///    written. What a value of an earlier version means now is decided in `Shape::into_record`, and nowhere else.
/// 4. A kind that is new takes the next number for its key, and a line at the end here: counts of earlier stores have none of it.
/// 5. Write in the change log that there is no way back but a backup: an earlier rosterd refuses the store from the first commit on.
pub const FORMS: [Form; 8] = [
    Form { kind: "next number", changed_in: &[1], how: "" },
    Form {
        kind: "account",
        changed_in: &[1, 2, 3],
        how: "2: admins; 3: logins with roles, where there was one password",
    },
    Form { kind: "user", changed_in: &[1], how: "" },
    Form { kind: "queue", changed_in: &[1], how: "" },
    Form { kind: "operator", changed_in: &[1, 2], how: "2: why suspended, and until when" },
    Form { kind: "subscriber", changed_in: &[1], how: "" },
    Form { kind: "session", changed_in: &[1, 3], how: "3: whose login, where it was the account's" },
    Form { kind: "token", changed_in: &[3], how: "" },
];

/// What the kinds of records are called, in the order of their keys.
pub const KINDS: [&str; 8] = {
    let (mut kinds, mut at) = ([""; 8], 0);
    while at < kinds.len() {
        kinds[at] = FORMS[at].kind;
        at += 1;
    }
    kinds
};

/// Where users begin: before them there are accounts.
pub(super) const USERS: [u8; 1] = [3];

/// Bytes before the payload of a value.
const HEAD: usize = 5;

/// What is stored can not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct Unreadable {
    /// What is kept there, in words.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

impl Unreadable {
    /// The error for what is kept under `key`.
    #[must_use]
    pub fn new(key: &[u8], what: impl Into<String>) -> Self {
        Self { key: describe(key), what: what.into() }
    }
}

/// Where the record with this key is kept. `write_key(a) < write_key(b)` whenever `a < b`.
#[must_use]
pub fn write_key(key: &Key) -> Vec<u8> {
    let mut bytes = vec![prefix(key)];
    match key {
        Key::NextId => {}
        Key::Account(id) => bytes.extend(id.get().to_be_bytes()),
        Key::User(id) => bytes.extend(id.get().to_be_bytes()),
        Key::Queue(id) => bytes.extend(id.get().to_be_bytes()),
        Key::Operator(queue, user) => {
            bytes.extend(queue.get().to_be_bytes());
            bytes.extend(user.get().to_be_bytes());
        }
        Key::Subscriber(queue, jid) => {
            bytes.extend(queue.get().to_be_bytes());
            bytes.extend(jid.as_str().as_bytes());
        }
        Key::Session(token) => bytes.extend(token.0),
        Key::Token(account, name) => {
            bytes.extend(account.get().to_be_bytes());
            bytes.extend(name.as_str().as_bytes());
        }
    }
    bytes
}

/// The key that these bytes stand for; `None` when there is none.
#[must_use]
pub fn read_key(bytes: &[u8]) -> Option<Key> {
    let number = |part: &[u8]| Some(u32::from_be_bytes(part.try_into().ok()?));
    let (kind, rest) = bytes.split_first()?;
    match kind {
        1 => rest.is_empty().then_some(Key::NextId),
        2 => Some(Key::Account(AccountId::new(number(rest)?)?)),
        3 => Some(Key::User(UserId::new(number(rest)?)?)),
        4 => Some(Key::Queue(QueueId::new(number(rest)?)?)),
        5 => {
            let (queue, user) = rest.split_at_checked(4)?;
            Some(Key::Operator(QueueId::new(number(queue)?)?, UserId::new(number(user)?)?))
        }
        6 => {
            let (queue, jid) = rest.split_at_checked(4)?;
            Some(Key::Subscriber(QueueId::new(number(queue)?)?, BareJid::prepared(str::from_utf8(jid).ok()?)))
        }
        7 => Some(Key::Session(TokenHash(rest.try_into().ok()?))),
        8 => {
            let (account, name) = rest.split_at_checked(4)?;
            Some(Key::Token(AccountId::new(number(account)?)?, Name::prepared(str::from_utf8(name).ok()?)))
        }
        _ => None,
    }
}

/// The place of a key's kind in [`KINDS`].
#[must_use]
pub fn kind(key: &Key) -> usize {
    usize::from(prefix(key)) - 1
}

/// What is kept for a record.
#[must_use]
pub fn write_value(record: &Record) -> Vec<u8> {
    seal(&write_key(&record.key()), &Shape::from(record))
}

/// The names of the accounts that were read: a session of version 2 is that of its account's only login.
pub type Owners = BTreeMap<AccountId, Name>;

/// Reads back what [`write_key`] and [`write_value`] made. An account is to be read before its sessions.
///
/// # Errors
/// Which record, and what is wrong with it.
pub fn read(key: &[u8], value: &[u8], owners: &mut Owners) -> Result<Record, Unreadable> {
    let unreadable = |what| Unreadable::new(key, what);
    if let (Some(found), Some(version)) = (read_key(key), value.first()) {
        let Form { kind, changed_in, .. } = FORMS[kind(&found)];
        let first = changed_in.first().copied().unwrap_or(OLDEST);
        if (OLDEST..first).contains(version) {
            return Err(unreadable(format!("it is of version {version}, and a {kind} is not before version {first}")));
        }
    }
    let shape: Shape = open(key, value).map_err(unreadable)?;
    let record = shape.into_record(owners).map_err(unreadable)?;
    if write_key(&record.key()) != key {
        return Err(unreadable("what is kept there belongs elsewhere".to_owned()));
    }
    Ok(record)
}

/// A value with its version and its checksum.
pub(super) fn seal(key: &[u8], payload: &impl Serialize) -> Vec<u8> {
    let mut value = vec![VERSION, 0, 0, 0, 0];
    serde_json::to_writer(&mut value, payload).expect("a shape has no map, and a Vec takes all bytes");
    let sum = checksum(key, &value[HEAD..]);
    value[1..HEAD].copy_from_slice(&sum.to_le_bytes());
    value
}

/// The payload of a value that [`seal`] made.
pub(super) fn open<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, String> {
    let (head, payload) = value.split_first_chunk::<HEAD>().ok_or("there is too little of it")?;
    let [version, sum @ ..] = *head;
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(format!("it is of version {version}, and this rosterd reads versions {OLDEST} to {VERSION}"));
    }
    if u32::from_le_bytes(sum) != checksum(key, payload) {
        return Err("its checksum does not match".to_owned());
    }
    serde_json::from_slice(payload).map_err(|error| plain(&error))
}

/// The version of a value that a later rosterd wrote, and that is whole.
pub(super) fn later_version(key: &[u8], value: &[u8]) -> Option<u8> {
    let ([version, sum @ ..], payload) = value.split_first_chunk::<HEAD>()?;
    let is_whole = u32::from_le_bytes(*sum) == checksum(key, payload);
    (*version > VERSION && is_whole).then_some(*version)
}

/// What a JSON error says, without the line that it counts for itself.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
    format!("{what} (column {})", error.column())
}

fn checksum(key: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(payload);
    hasher.finalize()
}

const fn prefix(key: &Key) -> u8 {
    match key {
        Key::NextId => 1,
        Key::Account(_) => 2,
        Key::User(_) => 3,
        Key::Queue(_) => 4,
        Key::Operator(..) => 5,
        Key::Subscriber(..) => 6,
        Key::Session(_) => 7,
        Key::Token(..) => 8,
    }
}

/// What is kept under these bytes, for a person.
fn describe(key: &[u8]) -> String {
    match read_key(key) {
        Some(Key::NextId) => "the next number".to_owned(),
        Some(Key::Account(id)) => format!("account {id}"),
        Some(Key::User(id)) => format!("user {id}"),
        Some(Key::Queue(id)) => format!("queue {id}"),
        Some(Key::Operator(queue, user)) => format!("operator {user} of queue {queue}"),
        Some(Key::Subscriber(queue, jid)) => format!("subscriber {jid} of queue {queue}"),
        // The start is enough to tell sessions apart.
        Some(Key::Session(token)) => format!("session {}", to_hex(&token.0[..4])),
        Some(Key::Token(account, name)) => format!("token {name} of account {account}"),
        None => format!("the unknown key {}", to_hex(key)),
    }
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// A record as it is written. A field is never added, dropped or given another meaning without another [`VERSION`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Shape<'a> {
    NextId(u32),
    Account {
        id: u32,
        name: Cow<'a, str>,
        /// Up to version 2: that of the only login.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_hash: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        admins: Vec<Cow<'a, str>>,
        #[serde(default)]
        logins: Vec<LoginShape<'a>>,
    },
    User {
        id: u32,
        account: u32,
        name: Cow<'a, str>,
        jid: Cow<'a, str>,
        email: Option<Cow<'a, str>>,
    },
    Queue {
        id: u32,
        account: u32,
        name: Cow<'a, str>,
        email: Option<Cow<'a, str>>,
        avatar: Option<Cow<'a, str>>,
        transcripts: bool,
    },
    Operator {
        queue: u32,
        user: u32,
        enabled: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suspended: Option<SuspensionShape<'a>>,
    },
    Subscriber {
        queue: u32,
        jid: Cow<'a, str>,
    },
    Session {
        token: Cow<'a, str>,
        account: u32,
        /// Not there up to version 2.
        #[serde(default)]
        login: Option<Cow<'a, str>>,
        created: u64,
        used: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<IpAddr>,
    },
    Token {
        hash: Cow<'a, str>,
        account: u32,
        name: Cow<'a, str>,
        role: Cow<'a, str>,
        created: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used: Option<u64>,
    },
}

/// Somebody who may log in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginShape<'a> {
    name: Cow<'a, str>,
    role: Cow<'a, str>,
    password_hash: Cow<'a, str>,
}

/// What is known of a suspension, where anything is. Further fields have their place here.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) struct SuspensionShape<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    /// Seconds since 1970-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

/// A step of a change as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WriteShape<'a> {
    Put(Shape<'a>),
    /// The bytes of the key, in hexadecimal digits.
    Delete(Cow<'a, str>),
    Note(Box<NotedShape<'a>>),
    Forget(u64),
}

impl<'a> From<&'a Record> for Shape<'a> {
    fn from(record: &'a Record) -> Self {
        match record {
            Record::NextId(next) => Self::NextId(*next),
            Record::Account(it) => Self::Account {
                id: it.id.get(),
                name: it.name.as_str().into(),
                password_hash: None,
                admins: it.admins.iter().map(|jid| jid.as_str().into()).collect(),
                logins: it.logins.iter().map(LoginShape::from).collect(),
            },
            Record::User(it) => Self::User {
                id: it.id.get(),
                account: it.account.get(),
                name: it.name.as_str().into(),
                jid: it.jid.as_str().into(),
                email: it.email.as_deref().map(Cow::from),
            },
            Record::Queue(it) => Self::Queue {
                id: it.id.get(),
                account: it.account.get(),
                name: it.name.as_str().into(),
                email: it.email.as_deref().map(Cow::from),
                avatar: it.avatar.as_deref().map(Cow::from),
                transcripts: it.transcripts,
            },
            Record::Operator(it) => {
                let shape = |it: &'a Suspension| SuspensionShape {
                    reason: it.cause.as_ref().map(|cause| cause.as_str().into()),
                    until: it.until.map(|until| until.0),
                };
                let known = it.suspended.as_ref().filter(|it| **it != Suspension::default());
                let enabled = it.suspended.is_none();
                Self::Operator { queue: it.queue.get(), user: it.user.get(), enabled, suspended: known.map(shape) }
            }
            Record::Subscriber(it) => Self::Subscriber { queue: it.queue.get(), jid: it.jid.as_str().into() },
            Record::Session(it) => Self::Session {
                token: to_hex(&it.token.0).into(),
                account: it.account.get(),
                login: Some(it.login.as_str().into()),
                created: it.created.0,
                used: it.used.0,
                from: it.from,
            },
            Record::Token(it) => Self::Token {
                hash: to_hex(&it.hash.0).into(),
                account: it.account.get(),
                name: it.name.as_str().into(),
                role: it.role.as_str().into(),
                created: it.created.0,
                expires: it.expires.map(|at| at.0),
                used: it.used.map(|at| at.0),
            },
        }
    }
}

impl<'a> From<(&'a Name, &'a Login)> for LoginShape<'a> {
    fn from((name, login): (&'a Name, &'a Login)) -> Self {
        let (name, role) = (name.as_str().into(), login.role.as_str().into());
        Self { name, role, password_hash: (&*login.password_hash).into() }
    }
}

impl TryFrom<LoginShape<'_>> for (Name, Login) {
    type Error = String;

    fn try_from(shape: LoginShape<'_>) -> Result<Self, String> {
        let (role, password_hash) = (role(&shape.role)?, shape.password_hash.into_owned().into());
        Ok((Name::prepared(&shape.name), Login { role, password_hash }))
    }
}

/// All of them; of what is there twice nobody knows which one counts.
fn once_each<K: Ord + Display, V>(
    pairs: impl IntoIterator<Item = (K, V)>,
    what: &str,
    is_there: &str,
) -> Result<BTreeMap<K, V>, String> {
    let mut all = BTreeMap::new();
    for (key, value) in pairs {
        match all.entry(key) {
            Entry::Vacant(entry) => drop(entry.insert(value)),
            Entry::Occupied(entry) => return Err(format!("{what} {} {is_there} twice", entry.key())),
        }
    }
    Ok(all)
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("there is no role {text:?}"))
}

fn token_hash(text: &str) -> Result<TokenHash, String> {
    let bytes = from_hex(text).and_then(|bytes| bytes.try_into().ok());
    Ok(TokenHash(bytes.ok_or("the token's hash is not 64 hexadecimal digits")?))
}

impl Shape<'_> {
    /// The record. Accounts are remembered among `owners`.
    pub(super) fn into_record(self, owners: &mut Owners) -> Result<Record, String> {
        fn owned(text: Cow<'_, str>) -> Box<str> {
            text.into_owned().into()
        }
        let account = |id| AccountId::new(id).ok_or("an account has the number 0");
        let user = |id| UserId::new(id).ok_or("a user has the number 0");
        let queue = |id| QueueId::new(id).ok_or("a queue has the number 0");
        Ok(match self {
            Shape::NextId(next) => Record::NextId(next),
            Shape::Account { password_hash: Some(_), logins, .. } if !logins.is_empty() => {
                return Err("an account has logins and a password".to_owned());
            }
            Shape::Account { id, name, password_hash, admins, logins } => {
                let (id, name) = (account(id)?, Name::prepared(&name));
                owners.insert(id, name.clone());
                let jids = admins.iter().map(|jid| BareJid::prepared(jid));
                let admins = once_each(jids.map(|jid| (jid, ())), "the JID", "is linked")?.into_keys().collect();
                let logins =
                    logins.into_iter().map(TryInto::try_into).collect::<Result<Vec<(Name, Login)>, String>>()?;
                let logins = once_each(logins, "the login", "is there")?;
                Record::Account(match password_hash {
                    Some(hash) => Account { admins, ..Account::owned(id, name, owned(hash)) },
                    None => Account { id, name, admins, logins },
                })
            }
            Shape::User { id, account: of, name, jid, email } => Record::User(User {
                id: user(id)?,
                account: account(of)?,
                name: Name::prepared(&name),
                jid: BareJid::prepared(&jid),
                email: email.map(owned),
            }),
            Shape::Queue { id, account: of, name, email, avatar, transcripts } => Record::Queue(Queue {
                id: queue(id)?,
                account: account(of)?,
                name: Name::prepared(&name),
                email: email.map(owned),
                avatar: avatar.map(owned),
                transcripts,
            }),
            Shape::Operator { enabled: true, suspended: Some(_), .. } => {
                return Err("an operator is enabled and suspended".to_owned());
            }
            Shape::Operator { queue: at, user: who, enabled, suspended } => {
                let known = |it: SuspensionShape<'_>| Suspension {
                    cause: it.reason.map(|reason| Cause::prepared(&reason)),
                    until: it.until.map(UnixTime),
                };
                let suspended = (!enabled).then(|| suspended.map(known).unwrap_or_default());
                Record::Operator(Operator { queue: queue(at)?, user: user(who)?, suspended })
            }
            Shape::Subscriber { queue: of, jid } => {
                Record::Subscriber(Subscriber { queue: queue(of)?, jid: BareJid::prepared(&jid) })
            }
            Shape::Session { token, account: of, login, created, used, from } => {
                let of = account(of)?;
                let login = login.map(|login| Name::prepared(&login)).or_else(|| owners.get(&of).cloned());
                Record::Session(Session {
                    token: token_hash(&token)?,
                    account: of,
                    login: login.ok_or_else(|| format!("there is no account {of}"))?,
                    created: UnixTime(created),
                    used: UnixTime(used),
                    from,
                })
            }
            Shape::Token { hash, account: of, name, role: word, created, expires, used } => Record::Token(Token {
                hash: token_hash(&hash)?,
                account: account(of)?,
                name: Name::prepared(&name),
                role: role(&word)?,
                created: UnixTime(created),
                expires: expires.map(UnixTime),
                used: used.map(UnixTime),
            }),
        })
    }
}

impl<'a> From<&'a Write> for WriteShape<'a> {
    fn from(write: &'a Write) -> Self {
        match write {
            Write::Put(record) => Self::Put(record.into()),
            Write::Delete(key) => Self::Delete(to_hex(&write_key(key)).into()),
            Write::Note(noted) => Self::Note(Box::new((&**noted).into())),
            Write::Forget(before) => Self::Forget(before.0),
        }
    }
}

impl WriteShape<'_> {
    /// The step. Accounts are remembered among `owners`.
    pub(super) fn into_write(self, owners: &mut Owners) -> Result<Write, String> {
        match self {
            WriteShape::Note(noted) => Ok(Write::Note(Box::new((*noted).try_into()?))),
            WriteShape::Forget(before) => Ok(Write::Forget(UnixTime(before))),
            WriteShape::Put(record) => Ok(Write::Put(record.into_record(owners)?)),
            WriteShape::Delete(key) => {
                let key = from_hex(&key).and_then(|bytes| read_key(&bytes));
                Ok(Write::Delete(key.ok_or("it deletes what is no key")?))
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
