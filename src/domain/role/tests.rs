//! Every edit, and every role.
#![cfg(test)]

use std::time::Instant;

use super::*;
use crate::domain::{
    Account, Cause, Key, Login, Policy, Queue, QueueFields, QueueId, Record, Session, SuspensionFields, Token,
    TokenHash, User, UserFields, UserId, Wish, Write, login,
};

/// Account acme (1) with the logins acme (owner), sup (supervisor) and vic (viewer), a token for each role, the user ann (2)
/// and the queue law (3), which she staffs; account east (4) with its login east.
fn desk() -> Desk {
    let mut desk = Desk::new(Policy::new("queues.example.org", "example.org", name("staffing")), now());
    let mut acme = Account::owned(account(1), name("acme"), "x".into());
    for (login, role) in [("sup", Role::Supervisor), ("vic", Role::Viewer)] {
        acme.logins.insert(name(login), Login { role, password_hash: "x".into() });
    }
    let jid = BareJid::parse("ann@example.org").unwrap();
    let mut records = vec![
        Record::NextId(5),
        Record::Account(acme),
        Record::Account(Account::owned(account(4), name("east"), "x".into())),
        Record::User(User { id: ANN(), account: account(1), name: name("ann"), jid, email: None }),
        Record::Queue(Queue {
            id: LAW(),
            account: account(1),
            name: name("law"),
            email: None,
            avatar: None,
            transcripts: false,
        }),
        Record::Operator(crate::domain::Operator { queue: LAW(), user: ANN(), suspended: None }),
    ];
    records.extend(Role::ALL.map(|role| Record::Token(token(role, role as u8))));
    desk.commit(records.into_iter().map(Write::Put).collect());
    desk
}

#[expect(clippy::disallowed_methods, reason = "a test's time starts now")]
fn now() -> Instant {
    Instant::now()
}

#[expect(non_snake_case, reason = "a number that can not be a constant")]
fn ANN() -> UserId {
    UserId::new(2).unwrap()
}

#[expect(non_snake_case, reason = "a number that can not be a constant")]
fn LAW() -> QueueId {
    QueueId::new(3).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text, Name::QUEUE_MOST).unwrap()
}

fn account(id: u32) -> AccountId {
    AccountId::new(id).unwrap()
}

/// A token that is named like its role, and expires at 1000.
fn token(role: Role, byte: u8) -> Token {
    Token {
        hash: TokenHash([byte; 32]),
        account: account(1),
        name: name(role.as_str()),
        role,
        created: UnixTime(1),
        expires: Some(UnixTime(1_000)),
        used: None,
    }
}

fn login(of: u32, text: &str) -> Who {
    Who::Login { account: account(of), name: name(text) }
}

fn with_token(text: &str) -> Who {
    Who::Token { account: account(1), name: name(text) }
}

fn try_at(desk: &mut Desk, who: &Who, at: u64, edit: &Edit) -> Result<(), Refusal> {
    let plan = desk.plan(&who.clone().into(), UnixTime(at), edit)?;
    desk.commit(plan.change);
    Ok(())
}

fn edit(desk: &mut Desk, edit: &Edit) -> Result<(), Refusal> {
    try_at(desk, &Who::Daemon, 10, edit)
}

fn open(login: &str, byte: u8, at: u64) -> Edit {
    let (token, now) = (TokenHash([byte; 32]), UnixTime(at));
    Edit::OpenSession { login: name(login), password_hash: "x".into(), token, instead_of: vec![], from: None, now }
}

/// Every edit there is on account acme and what is its own, with the least role that may; `-`: none.
fn edits() -> Vec<(&'static str, Edit)> {
    let (account, queue, user) = (account(1), LAW(), ANN());
    let (acme, role, hash) = (|| name("acme"), Role::Viewer, TokenHash([99; 32]));
    let (by, now) = (BareJid::parse("ann@example.org").unwrap(), UnixTime(10));
    let jid = || BareJid::parse("sue@example.org").unwrap();
    let suspension = SuspensionFields::by_hand(Cause::parse("lunch").ok(), None);
    let staff = |staffing| Edit::Staff { account, queue, versions: None, staffing };
    vec![
        ("-", Edit::AddAccount { name: name("new"), password_hash: "x".into() }),
        ("-", Edit::RemoveAccount { name: acme(), with_all: true }),
        ("-", Edit::Import { records: vec![] }),
        ("-", Edit::Asked { by, user, queues: vec![queue], wish: Wish::Suspend(suspension) }),
        ("-", Edit::EndSuspension { queue, user, now }),
        ("-", Edit::Follow { queue: name("law"), jid: jid() }),
        ("-", Edit::Unfollow { queue: name("law"), jid: jid() }),
        ("owner", Edit::AddLogin { account: acme(), login: name("new"), role, password_hash: "x".into() }),
        ("owner", Edit::SetRole { login: name("vic"), role: Role::Supervisor }),
        ("owner", Edit::RemoveLogin { login: name("vic") }),
        ("owner", Edit::SetPassword { login: name("vic"), password_hash: "y".into() }),
        ("owner", Edit::CloseSessions { login: name("vic") }),
        ("owner", Edit::AddToken { account: acme(), name: name("new"), role, hash, now, expires: None }),
        ("owner", Edit::RevokeToken { account: acme(), name: name("viewer") }),
        ("owner", Edit::LinkAdmin { name: acme(), jid: jid() }),
        ("owner", Edit::UnlinkAdmin { name: acme(), jid: jid() }),
        ("owner", Edit::CreateQueue { account, name: name("tax"), fields: QueueFields::default() }),
        ("owner", Edit::UpdateQueue { account, queue, fields: QueueFields::default() }),
        ("owner", Edit::DeleteQueue { account, queue }),
        ("owner", Edit::CreateUser { account, name: name("bob"), fields: UserFields::default() }),
        ("owner", Edit::UpdateUser { account, user, fields: UserFields::default() }),
        ("owner", Edit::DeleteUser { account, user }),
        ("owner", Edit::Assign { account, queue, user }),
        ("owner", Edit::Unassign { account, queue, user }),
        (
            "supervisor",
            Edit::Enable { account, queue, user, enabled: Some(false), suspension: SuspensionFields::default() },
        ),
        ("supervisor", Edit::Enable { account, queue, user, enabled: None, suspension: SuspensionFields::default() }),
        ("owner", staff(Staffing::Exactly(vec![]))),
        ("supervisor", staff(Staffing::Change(vec![]))),
        ("viewer", Edit::Rehash { login: name("vic"), before: "x".into(), after: "y".into() }),
        ("viewer", open("vic", 7, 10)),
        ("viewer", Edit::TouchSession { token: hash, now }),
        ("viewer", Edit::CloseSession { token: hash }),
        ("viewer", Edit::TouchToken { account, name: name("viewer"), now }),
    ]
}

#[test]
fn each_edit_needs_its_role() {
    for (least, edit) in edits() {
        let needed = Role::parse(least);
        for (role, who) in [(Role::Viewer, "vic"), (Role::Supervisor, "sup"), (Role::Owner, "acme")] {
            for who in [login(1, who), with_token(role.as_str())] {
                let refusal = desk().plan(&who.clone().into(), UnixTime(10), &edit).err();
                match needed {
                    None => assert_eq!(refusal, Some(Refusal::NotAllowed), "{who}: {edit:?}"),
                    Some(needed) if role < needed => {
                        assert_eq!(refusal, Some(Refusal::NeedsRole { needed, role }), "{who}: {edit:?}");
                    }
                    Some(_) => {
                        let is_about_who =
                            matches!(refusal, Some(Refusal::NeedsRole { .. } | Refusal::NotAllowed | Refusal::Ended));
                        assert!(!is_about_who, "{who}: {edit:?}: {refusal:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_owner_owns_one_account() {
    let mut desk = desk();
    for (least, edit) in edits() {
        if least == "owner" || least == "supervisor" {
            let refusal = desk.plan(&login(4, "east").into(), UnixTime(10), &edit).err();
            assert_eq!(refusal, Some(Refusal::NotAllowed), "{edit:?}");
        }
    }
}

#[test]
fn what_they_are_now_counts() {
    let mut desk = desk();
    let suspend = Edit::Enable {
        account: account(1),
        queue: LAW(),
        user: ANN(),
        enabled: Some(false),
        suspension: SuspensionFields::default(),
    };
    try_at(&mut desk, &login(1, "sup"), 10, &suspend).unwrap();
    edit(&mut desk, &Edit::SetRole { login: name("sup"), role: Role::Viewer }).unwrap();
    let (needed, role) = (Role::Supervisor, Role::Viewer);
    assert_eq!(try_at(&mut desk, &login(1, "sup"), 10, &suspend), Err(Refusal::NeedsRole { needed, role }));
    edit(&mut desk, &Edit::RemoveLogin { login: name("sup") }).unwrap();
    assert_eq!(try_at(&mut desk, &login(1, "sup"), 10, &suspend), Err(Refusal::Ended));
    assert_eq!(try_at(&mut desk, &login(4, "acme"), 10, &suspend), Err(Refusal::Ended), "a login has one account");
    try_at(&mut desk, &with_token("supervisor"), 999, &suspend).unwrap();
    assert_eq!(try_at(&mut desk, &with_token("supervisor"), 1_000, &suspend), Err(Refusal::Ended), "it has expired");
    edit(&mut desk, &Edit::RevokeToken { account: name("acme"), name: name("supervisor") }).unwrap();
    assert_eq!(try_at(&mut desk, &with_token("supervisor"), 10, &suspend), Err(Refusal::Ended));
}

#[test]
fn what_somebody_may_do_is_not_changed_in_one_go_with_what_they_do() {
    let mut desk = desk();
    let suspend = Edit::Enable {
        account: account(1),
        queue: LAW(),
        user: ANN(),
        enabled: Some(false),
        suspension: SuspensionFields::default(),
    };
    for (who, change) in [
        (login(1, "sup"), Edit::SetRole { login: name("sup"), role: Role::Viewer }),
        (login(1, "sup"), Edit::RemoveLogin { login: name("sup") }),
        (with_token("supervisor"), Edit::RevokeToken { account: name("acme"), name: name("supervisor") }),
    ] {
        let mut claims = desk.plan(&Who::Daemon.into(), UnixTime(10), &change).unwrap().claims;
        let theirs = desk.plan(&who.into(), UnixTime(10), &suspend).unwrap().claims;
        assert!(claims.join(theirs).is_err(), "{change:?}");
    }
}

#[test]
fn from_a_chat_client_only_what_is_theirs() {
    let mut desk = desk();
    let ann = BareJid::parse("ann@example.org").unwrap();
    for (_, edit) in edits() {
        let may = desk.check_may(&Who::Jid(ann.clone()), UnixTime(10), &edit);
        let expected = if matches!(edit, Edit::Asked { .. }) { Ok(None) } else { Err(Refusal::NotAllowed) };
        assert_eq!(may, expected, "{edit:?}");
    }
    try_at(&mut desk, &Who::Jid(ann.clone()), 10, &Edit::Follow { queue: name("law"), jid: ann }).unwrap();
}

#[test]
fn an_account_keeps_an_owner() {
    let mut desk = desk();
    for change in
        [Edit::RemoveLogin { login: name("acme") }, Edit::SetRole { login: name("acme"), role: Role::Supervisor }]
    {
        assert_eq!(edit(&mut desk, &change), Err(Refusal::LastOwner));
    }
    edit(&mut desk, &Edit::SetRole { login: name("vic"), role: Role::Owner }).unwrap();
    edit(&mut desk, &Edit::RemoveLogin { login: name("acme") }).unwrap();
    assert_eq!(edit(&mut desk, &Edit::RemoveLogin { login: name("vic") }), Err(Refusal::LastOwner));
    let fields = QueueFields::default();
    let create = Edit::CreateQueue { account: account(1), name: name("tax"), fields };
    try_at(&mut desk, &login(1, "vic"), 10, &create).unwrap();
    edit(&mut desk, &Edit::RemoveAccount { name: name("acme"), with_all: true }).unwrap();
    assert!(desk.login(&name("vic")).is_none() && desk.token(&TokenHash([2; 32]), UnixTime(10)).is_none());
}

#[test]
fn logins_share_one_space_of_names() {
    let mut desk = desk();
    let add = |account: &str, login: &str| {
        let (account, login) = (name(account), name(login));
        Edit::AddLogin { account, login, role: Role::Viewer, password_hash: "x".into() }
    };
    assert_eq!(edit(&mut desk, &add("east", "vic")), Err(Refusal::LoginTaken(name("vic"))));
    assert_eq!(edit(&mut desk, &add("nobody", "new")), Err(Refusal::NoAccount));
    let account_of_that_name = Edit::AddAccount { name: name("vic"), password_hash: "x".into() };
    assert_eq!(edit(&mut desk, &account_of_that_name), Err(Refusal::LoginTaken(name("vic"))));
    edit(&mut desk, &Edit::RemoveLogin { login: name("vic") }).unwrap();
    edit(&mut desk, &add("east", "vic")).unwrap();
    assert_eq!(desk.login(&name("vic")).unwrap().0.id, account(4));
    // Nor are two made in one go.
    let mut claims = desk.plan(&Who::Daemon.into(), UnixTime(1), &add("acme", "new")).unwrap().claims;
    let other = desk.plan(&Who::Daemon.into(), UnixTime(1), &add("east", "new")).unwrap().claims;
    assert!(claims.join(other).is_err());
    for number in 2..login::LOGINS_MOST {
        edit(&mut desk, &add("acme", &format!("l{number}"))).unwrap();
    }
    let most = login::LOGINS_MOST;
    assert_eq!(edit(&mut desk, &add("acme", "one-more")), Err(Refusal::TooManyLogins { most }));
}

#[test]
fn tokens_are_named_and_bounded() {
    let mut desk = desk();
    let add = |text: &str, number: usize| {
        let mut hash = [200; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        let (hash, now, expires) = (TokenHash(hash), UnixTime(5), Some(UnixTime(50)));
        Edit::AddToken { account: name("acme"), name: name(text), role: Role::Viewer, hash, now, expires }
    };
    assert_eq!(edit(&mut desk, &add("owner", 0)), Err(Refusal::TokenTaken(name("owner"))));
    for number in 3..login::TOKENS_MOST {
        edit(&mut desk, &add(&format!("t{number}"), number)).unwrap();
    }
    let most = login::TOKENS_MOST;
    assert_eq!(edit(&mut desk, &add("one-more", 1)), Err(Refusal::TooManyTokens { most }));
    let Edit::AddToken { hash, .. } = add("t7", 7) else { unreachable!() };
    assert_eq!(desk.token(&hash, UnixTime(49)).unwrap().name, name("t7"));
    assert!(desk.token(&hash, UnixTime(50)).is_none());
    edit(&mut desk, &Edit::TouchToken { account: account(1), name: name("t7"), now: UnixTime(20) }).unwrap();
    assert_eq!(desk.token(&hash, UnixTime(49)).unwrap().used, Some(UnixTime(20)));
    let revoke = Edit::RevokeToken { account: name("acme"), name: name("t7") };
    edit(&mut desk, &revoke).unwrap();
    assert!(desk.token(&hash, UnixTime(49)).is_none());
    assert_eq!(edit(&mut desk, &revoke), Err(Refusal::NoToken));
    edit(&mut desk, &Edit::TouchToken { account: account(1), name: name("t7"), now: UnixTime(21) }).unwrap();
    assert!(desk.token(&hash, UnixTime(49)).is_none(), "its last use does not bring it back");
}

fn sessions(desk: &Desk, login: &str, at: u64) -> Vec<u8> {
    desk.sessions(&name(login), UnixTime(at)).iter().map(|session| session.token.0[0]).collect()
}

#[test]
fn sessions_are_a_logins_own() {
    let mut desk = desk();
    for (who, byte, at) in [("vic", 1, 10), ("vic", 2, 20), ("sup", 3, 30)] {
        edit(&mut desk, &open(who, byte, at)).unwrap();
    }
    assert_eq!((sessions(&desk, "vic", 40), sessions(&desk, "sup", 40)), (vec![2, 1], vec![3]));
    // Who logs in again shows the cookie that they have, and perhaps one of somebody else.
    let Edit::OpenSession { login, password_hash, token, from, now, .. } = open("vic", 4, 40) else { unreachable!() };
    let instead_of = vec![TokenHash([2; 32]), TokenHash([3; 32])];
    edit(&mut desk, &Edit::OpenSession { login, password_hash, token, instead_of, from, now }).unwrap();
    assert_eq!((sessions(&desk, "vic", 40), sessions(&desk, "sup", 40)), (vec![4, 1], vec![3]));
    edit(&mut desk, &Edit::SetRole { login: name("vic"), role: Role::Supervisor }).unwrap();
    assert_eq!(sessions(&desk, "vic", 40), [4, 1], "another role ends none");
    edit(&mut desk, &Edit::Rehash { login: name("vic"), before: "x".into(), after: "y".into() }).unwrap();
    assert_eq!(sessions(&desk, "vic", 40), [4, 1], "nor does the same password in another form");
    let outdated = Edit::Rehash { login: name("vic"), before: "x".into(), after: "z".into() };
    assert_eq!(edit(&mut desk, &outdated), Err(Refusal::PasswordChanged));
    edit(&mut desk, &Edit::SetPassword { login: name("vic"), password_hash: "new".into() }).unwrap();
    assert_eq!((sessions(&desk, "vic", 40), sessions(&desk, "sup", 40)), (vec![], vec![3]));
    edit(&mut desk, &Edit::CloseSessions { login: name("sup") }).unwrap();
    assert!(sessions(&desk, "sup", 40).is_empty() && desk.sessions.is_empty());
    assert_eq!(edit(&mut desk, &Edit::CloseSessions { login: name("nobody") }), Err(Refusal::NoLogin));
    edit(&mut desk, &open("sup", 5, 50)).unwrap();
    edit(&mut desk, &Edit::RemoveLogin { login: name("sup") }).unwrap();
    assert!(desk.sessions.is_empty());
}

#[test]
fn sessions_expire_in_two_ways_and_are_bounded() {
    let mut desk = desk();
    (desk.policy.session_idle, desk.policy.session_most) = (100, Some(250));
    edit(&mut desk, &open("vic", 1, 0)).unwrap();
    let is_open = |desk: &Desk, at| desk.session(&TokenHash([1; 32]), UnixTime(at)).is_some();
    assert!(is_open(&desk, 99) && !is_open(&desk, 100), "it was not used");
    for at in [90, 180, 240] {
        edit(&mut desk, &Edit::TouchSession { token: TokenHash([1; 32]), now: UnixTime(at) }).unwrap();
    }
    assert!(is_open(&desk, 249) && !is_open(&desk, 250), "it is too old");
    desk.policy.session_most = None;
    assert!(is_open(&desk, 339));
    edit(&mut desk, &open("vic", 2, 340)).unwrap();
    assert_eq!(desk.sessions.len(), 1, "what has expired goes with the next login");
    for number in 0..login::SESSIONS_MOST {
        let Edit::OpenSession { login, password_hash, instead_of, from, .. } = open("vic", 0, 0) else {
            unreachable!()
        };
        let mut token = [3; 32];
        token[..8].copy_from_slice(&number.to_be_bytes());
        let now = UnixTime(341);
        let token = TokenHash(token);
        edit(&mut desk, &Edit::OpenSession { login, password_hash, token, instead_of, from, now }).unwrap();
    }
    assert_eq!(desk.sessions.len(), login::SESSIONS_MOST);
    assert!(desk.session(&TokenHash([2; 32]), UnixTime(341)).is_none(), "the one that was not used for longest went");
}

#[test]
fn everything_comes_back() {
    let mut desk = desk();
    edit(&mut desk, &open("vic", 1, 10)).unwrap();
    let restored = Desk::restore(desk.policy.clone(), desk.records(), now()).unwrap();
    assert_eq!(restored.records(), desk.records());
    assert_eq!(sessions(&restored, "vic", 20), [1]);
    assert!(restored.token(&TokenHash([0; 32]), UnixTime(20)).is_some());
    let check = |record: Record, what: &str| {
        let mut records = desk.records();
        records.push(record);
        let error = Desk::restore(desk.policy.clone(), records, now()).unwrap_err();
        assert_eq!(error.what, what);
    };
    let (token_of, used) = (|byte| TokenHash([byte; 32]), UnixTime(10));
    let session = |of, login: &str| {
        let (account, login) = (account(of), name(login));
        Record::Session(Session { token: token_of(9), account, login, created: used, used, from: None })
    };
    check(session(1, "east"), "account 1 has no login east");
    check(session(1, "nobody"), "account 1 has no login nobody");
    check(Record::Token(Token { name: name("other"), ..token(Role::Owner, 0) }), "another token has the same hash");
    check(Record::Token(Token { account: account(7), ..token(Role::Owner, 9) }), "there is no account 7");
    let mut desk = desk;
    desk.commit(vec![Write::Delete(Key::Token(account(1), name("owner")))]);
    assert_eq!(desk.tokens(account(1)).count(), 2);
}
