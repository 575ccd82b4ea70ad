//! The stored form stays what it is, and what can not be read is refused.
#![cfg(test)]

use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
};

use super::*;

#[test]
fn every_kind_comes_back() {
    for record in one_of_each() {
        let key = write_key(&record.key());
        assert_eq!(read_key(&key), Some(record.key()));
        assert_eq!(KINDS[kind(&record.key())], KINDS[usize::from(key[0]) - 1]);
        assert_eq!(read(&key, &write_value(&record)), Ok(record));
    }
}

#[test]
fn the_stored_form_stays_what_it_was() {
    let lines: Vec<String> = one_of_each()
        .iter()
        .map(|record| {
            let value = write_value(record);
            format!("{} {} {}", to_hex(&write_key(&record.key())), to_hex(&value[..HEAD]), text(&value[HEAD..]))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_earlier_versions_wrote_is_read() {
    for (version, expected) in [(1, one_of_each_in_version_1()), (2, one_of_each_in_version_2())] {
        let owners = &mut Owners::new();
        let found: Vec<_> =
            of_version(version).iter().map(|(key, value)| super::read(key, value, owners).unwrap()).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn the_version_map_says_what_there_is() {
    for (at, Form { kind, changed_in, how }) in FORMS.iter().enumerate() {
        assert!(changed_in.is_sorted() && (OLDEST..=VERSION).contains(changed_in.last().unwrap()), "{kind}");
        let told: Vec<u8> = how.split("; ").filter_map(|change| change.split(':').next()?.parse().ok()).collect();
        assert_eq!(told, changed_in[1..], "{kind}: each change is told");
        // What is written of the kind is read in every version since its shape is this one, and refused before it came.
        let record = &one_of_each()[at];
        let (key, mut value) = (write_key(&record.key()), write_value(record));
        assert_eq!(super::kind(&record.key()), at);
        for version in 0..=VERSION + 1 {
            value[0] = version;
            let is_read = (changed_in[0]..=VERSION).contains(&version);
            assert_eq!(read(&key, &value).is_ok(), is_read, "{kind} of version {version}");
        }
    }
}

#[test]
fn a_session_of_version_2_is_nobodys_without_its_account() {
    let (key, value) = of_version(2).pop().unwrap();
    assert_eq!(read(&key, &value).unwrap_err().to_string(), "session a5a5a5a5: there is no account 1");
}

/// Reads one record alone.
fn read(key: &[u8], value: &[u8]) -> Result<Record, Unreadable> {
    super::read(key, value, &mut Owners::new())
}

#[test]
fn what_is_damaged_is_named() {
    let record = &one_of_each()[2];
    let (key, good) = (write_key(&record.key()), write_value(record));
    let check = |value: &[u8], what: &str| {
        assert_eq!(read(&key, value).unwrap_err().to_string(), format!("user 3: {what}"));
    };
    for at in 1..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        check(&bad, "its checksum does not match");
    }
    let mut later = good.clone();
    later[0] = 9;
    check(&later, "it is of version 9, and this rosterd reads versions 1 to 3");
    check(&good[..4], "there is too little of it");
    check(&seal(&key, &Shape::NextId(7)), "what is kept there belongs elsewhere");
    let zero = Shape::Operator { queue: 0, user: 1, enabled: true, suspended: None };
    check(&seal(&key, &zero), "a queue has the number 0");
    let both = SuspensionShape { reason: Some("x".into()), until: None };
    let both = Shape::Operator { queue: 1, user: 1, enabled: true, suspended: Some(both) };
    check(&seal(&key, &both), "an operator is enabled and suspended");
    check(&seal(&key, &7), "expected value (column 1)");
}

#[test]
fn a_value_under_another_key_is_refused() {
    let [.., first, second] = &one_of_each()[..] else { unreachable!() };
    let wrong = read(&write_key(&first.key()), &write_value(second));
    assert!(wrong.unwrap_err().what.contains("checksum"));
}

proptest! {
    #[test]
    fn bytes_are_ordered_as_keys(a in any_record(), b in any_record()) {
        let (a, b) = (a.key(), b.key());
        prop_assert_eq!(write_key(&a).cmp(&write_key(&b)), a.cmp(&b));
    }

    #[test]
    fn any_record_comes_back(record in any_record()) {
        let key = write_key(&record.key());
        prop_assert_eq!(read(&key, &write_value(&record)), Ok(record));
    }

    #[test]
    fn any_write_comes_back(record in any_record(), delete: bool) {
        let write = if delete { Write::Delete(record.key()) } else { Write::Put(record) };
        let line = serde_json::to_vec(&WriteShape::from(&write)).unwrap();
        let shape: WriteShape = serde_json::from_slice(&line).unwrap();
        prop_assert_eq!(shape.into_write(&mut Owners::new()), Ok(write));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(key in vec(any::<u8>(), 0..40), value in vec(any::<u8>(), 0..40)) {
        prop_assert!(read(&key, &value).is_err());
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

pub(in super::super) fn one_of_each() -> Vec<Record> {
    let (account, user, queue) = (AccountId::new(1).unwrap(), UserId::new(3).unwrap(), QueueId::new(2).unwrap());
    let name = |text| Name::parse(text, Name::USER_MOST).unwrap();
    let jid = |text| BareJid::parse(text).unwrap();
    let cause = |text| Cause::parse(text).unwrap();
    vec![
        Record::NextId(4),
        Record::Account(Account {
            logins: [
                (name("desk"), Login { role: Role::Owner, password_hash: "$argon2id$x".into() }),
                (name("kim"), Login { role: Role::Viewer, password_hash: "$argon2id$y".into() }),
            ]
            .into(),
            ..Account::owned(account, name("desk"), "".into()).with_admins([jid("sue@example.org")])
        }),
        Record::User(User {
            id: user,
            account,
            name: name("ann"),
            jid: jid("ann@example.org"),
            email: Some("ann@\"example\".org".into()),
        }),
        Record::Queue(Queue {
            id: queue,
            account,
            name: name("bücher"),
            email: None,
            avatar: Some("https://example.org/a.png".into()),
            transcripts: true,
        }),
        Record::Operator(Operator {
            queue,
            user,
            suspended: Some(Suspension { cause: Some(cause("lunch")), until: Some(UnixTime(1_800_000_000)) }),
        }),
        Record::Subscriber(Subscriber { queue, jid: jid("bob@example.org") }),
        Record::Session(Session {
            token: TokenHash([0xa5; 32]),
            account,
            login: name("kim"),
            created: UnixTime(1_700_000_000),
            used: UnixTime(u64::MAX),
            from: Some("2001:db8::7".parse().unwrap()),
        }),
        Record::Token(Token {
            hash: TokenHash([0x5a; 32]),
            account,
            name: name("wallboard"),
            role: Role::Supervisor,
            created: UnixTime(1_700_000_001),
            expires: Some(UnixTime(1_800_000_000)),
            used: Some(UnixTime(1_700_003_600)),
        }),
    ]
}

/// The same, as far as version 2 could say it.
pub(in super::super) fn one_of_each_in_version_2() -> Vec<Record> {
    let mut records = one_of_each();
    records.retain(|record| !matches!(record, Record::Token(_)));
    for record in &mut records {
        if let Record::Account(account) = record {
            account.logins.retain(|_, login| login.role == Role::Owner);
        }
        if let Record::Session(session) = record {
            (session.login, session.from) = (Name::parse("desk", Name::USER_MOST).unwrap(), None);
        }
        if let Record::Operator(Operator { suspended: Some(suspension), .. }) = record {
            suspension.until = None;
        }
    }
    records
}

/// The same, as far as version 1 could say it.
pub(in super::super) fn one_of_each_in_version_1() -> Vec<Record> {
    let mut records = one_of_each_in_version_2();
    for record in &mut records {
        if let Record::Account(account) = record {
            account.admins.clear();
        }
        if let Record::Operator(operator) = record {
            operator.suspended = Some(Suspension::default());
        }
    }
    records
}

/// What an earlier version wrote: keys and values, byte by byte.
pub(in super::super) fn of_version(version: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
    let lines = match version {
        1 => include_str!("../version1/records.txt"),
        _ => include_str!("../version2/records.txt"),
    };
    let parts = lines.lines().map(|line| {
        let [key, head, json] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (from_hex(key).unwrap(), [from_hex(head).unwrap(), json.as_bytes().to_vec()].concat())
    });
    parts.collect()
}

pub(in super::super) fn any_record() -> impl Strategy<Value = Record> {
    let id = || prop_oneof![1..20_u32, 1..=u32::MAX];
    let name = || "[a-zß]{1,8}".prop_map(|text| Name::parse(&text, Name::USER_MOST).unwrap());
    let jid = || "[a-z]{1,8}@[a-z]{1,8}\\.org".prop_map(|text| BareJid::parse(&text).unwrap());
    let free = || option::of(any::<String>().prop_map(Box::<str>::from));
    let role = || prop::sample::select(Role::ALL.to_vec());
    let login = || (role(), any::<String>()).prop_map(|(role, hash)| Login { role, password_hash: hash.into() });
    let account = |id| AccountId::new(id).unwrap();
    let user = |id| UserId::new(id).unwrap();
    let queue = |id| QueueId::new(id).unwrap();
    prop_oneof![
        any::<u32>().prop_map(Record::NextId),
        (id(), name(), btree_set(jid(), 0..3), btree_map(name(), login(), 0..4)).prop_map(
            move |(id, name, admins, logins)| { Record::Account(Account { id: account(id), name, admins, logins }) }
        ),
        (id(), id(), name(), jid(), free()).prop_map(move |(id, of, name, jid, email)| {
            Record::User(User { id: user(id), account: account(of), name, jid, email })
        }),
        (id(), id(), name(), free(), free(), any::<bool>()).prop_map(
            move |(id, of, name, email, avatar, transcripts)| {
                let (id, account) = (queue(id), account(of));
                Record::Queue(Queue { id, account, name, email, avatar, transcripts })
            }
        ),
        (id(), id(), option::of((option::of("[a-z&<é]{1,200}"), option::of(any::<u64>())))).prop_map(
            move |(at, who, suspended)| {
                let suspended = suspended.map(|(cause, until)| Suspension {
                    cause: cause.map(|cause| Cause::parse(&cause).unwrap()),
                    until: until.map(UnixTime),
                });
                Record::Operator(Operator { queue: queue(at), user: user(who), suspended })
            }
        ),
        (id(), jid()).prop_map(move |(of, jid)| Record::Subscriber(Subscriber { queue: queue(of), jid })),
        (any::<[u8; 32]>(), id(), name(), any::<(u64, u64)>(), any::<Option<IpAddr>>()).prop_map(
            move |(token, of, login, (created, used), from)| {
                let (token, account) = (TokenHash(token), account(of));
                let created = UnixTime(created);
                Record::Session(Session { token, account, login, created, used: UnixTime(used), from })
            }
        ),
        (any::<[u8; 32]>(), id(), name(), role(), any::<(u64, Option<u64>, Option<u64>)>()).prop_map(
            move |(hash, of, name, role, (created, expires, used))| {
                let (hash, account, created) = (TokenHash(hash), account(of), UnixTime(created));
                let expires = expires.map(UnixTime);
                Record::Token(Token { hash, account, name, role, created, expires, used: used.map(UnixTime) })
            }
        ),
    ]
}
