//! Plans of who staffs what, who is suspended, and who may say so.

use super::{
    AccountId, BareJid, Change, Claim, Claims, Desk, Key, Name, Operator, Outcome, Plan, QueueId, Record, Refusal,
    Suspension, SuspensionFields, UserId, Wish, Write, login::account_plan,
};

/// The most JIDs that are linked to an account.
const ADMINS_MOST: usize = 100;

impl Desk {
    pub(super) fn assignment_plan(account: AccountId, queue: QueueId, user: UserId, change: Change) -> Plan {
        let shared = [Claim::Account(account), Claim::Queue(queue), Claim::User(user)];
        let claims = Claims::of(shared, [Claim::Operator(queue, user)]);
        Plan { change, claims, outcome: Outcome::Done }
    }

    pub(super) fn plan_assignment(&self, account: AccountId, queue: QueueId, user: UserId) -> Result<Plan, Refusal> {
        self.own_queue(account, queue)?;
        self.own_user(account, user)?;
        let change = match self.people[&user].enabled_on(queue) {
            Some(_) => Change::new(),
            None => vec![Write::Put(Record::Operator(Operator { queue, user, suspended: None }))],
        };
        Ok(Self::assignment_plan(account, queue, user, change))
    }

    /// How an operator of `account` is suspended; `None` where they are enabled.
    pub(super) fn suspended(
        &self,
        account: AccountId,
        queue: QueueId,
        user: UserId,
    ) -> Result<Option<Suspension>, Refusal> {
        self.own_queue(account, queue)?;
        self.own_user(account, user)?;
        let enabled = self.people[&user].enabled_on(queue).ok_or(Refusal::NotAssigned)?;
        Ok((!enabled).then(|| self.suspension(queue, user).cloned().unwrap_or_default()))
    }

    pub(super) fn plan_enabling(
        &self,
        account: AccountId,
        queue: QueueId,
        user: UserId,
        enabled: Option<bool>,
        fields: &SuspensionFields,
    ) -> Result<Plan, Refusal> {
        let before = self.suspended(account, queue, user)?;
        let enabled = enabled.unwrap_or(before.is_none());
        let suspended = (!enabled).then(|| fields.after(before.clone().unwrap_or_default()));
        let change = if suspended == before {
            Change::new()
        } else {
            vec![Write::Put(Record::Operator(Operator { queue, user, suspended }))]
        };
        Ok(Self::assignment_plan(account, queue, user, change))
    }

    pub(super) fn plan_unassignment(&self, account: AccountId, queue: QueueId, user: UserId) -> Result<Plan, Refusal> {
        self.suspended(account, queue, user)?;
        let change = vec![Write::Delete(Key::Operator(queue, user))];
        let mut plan = Self::assignment_plan(account, queue, user, change);
        self.end_following(queue, &self.people[&user].jid, &mut plan);
        Ok(plan)
    }

    /// All or nothing. Who may is decided here, so that nobody does what they might do only a moment ago.
    pub(super) fn plan_asked(
        &self,
        by: &BareJid,
        user: UserId,
        queues: &[QueueId],
        wish: &Wish,
    ) -> Result<Plan, Refusal> {
        let person = self.people.get(&user).ok_or(Refusal::NoUser)?;
        let account = person.account;
        let is_own = person.jid == *by && matches!(wish, Wish::Suspend(_) | Wish::Resume);
        if !(is_own || self.is_admin(by, account)) {
            return Err(Refusal::NotAllowed);
        }
        let shared = [Claim::Account(account), Claim::User(user)];
        let mut whole = Plan { change: Change::new(), claims: Claims::of(shared, []), outcome: Outcome::Done };
        for queue in queues {
            let plan = match wish {
                Wish::Suspend(fields) => self.plan_enabling(account, *queue, user, Some(false), fields),
                Wish::Resume => self.plan_enabling(account, *queue, user, Some(true), &SuspensionFields::default()),
                Wish::Assign => self.plan_assignment(account, *queue, user),
                Wish::Unassign => self.plan_unassignment(account, *queue, user),
            }?;
            // A queue that is named twice is done once.
            if whole.claims.join(plan.claims).is_ok() {
                whole.change.extend(plan.change);
            }
        }
        Ok(whole)
    }

    pub(super) fn plan_link(&self, name: &Name, jid: BareJid) -> Result<Plan, Refusal> {
        let mut account = self.account_named(name).ok_or(Refusal::NoAccount)?.clone();
        if jid.domain() == &*self.policy.domain {
            return Err(Refusal::JidOfQueues(jid));
        }
        if account.admins.len() >= ADMINS_MOST && !account.admins.contains(&jid) {
            return Err(Refusal::TooManyAdmins { most: ADMINS_MOST });
        }
        account.admins.insert(jid);
        Ok(account_plan(account))
    }

    pub(super) fn plan_unlink(&self, name: &Name, jid: BareJid) -> Result<Plan, Refusal> {
        let mut account = self.account_named(name).ok_or(Refusal::NoAccount)?.clone();
        if !account.admins.remove(&jid) {
            return Err(Refusal::NotLinked(jid));
        }
        Ok(account_plan(account))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::domain::{Account, Cause, Edit, Policy, Queue, UnixTime, User, Who};

    /// Account acme (1) with ann (2), bob (3), law (4) and tax (5), which ann staffs; account east (6) with eve (7) and far (8).
    fn desk() -> Desk {
        let mut events = Vec::new();
        let watcher = Name::parse("staffing", 60).unwrap();
        let mut desk = Desk::new(Policy::new("queues.example.org", "example.org", watcher), now());
        let name = |text: &str| Name::parse(text, 40).unwrap();
        let mut put = |record| desk.put(record, &mut events);
        put(Record::NextId(9));
        for (id, text) in [(1, "acme"), (6, "east")] {
            let id = AccountId::new(id).unwrap();
            put(Record::Account(Account::owned(id, name(text), "x".into())));
        }
        for (id, of, text) in [(2, 1, "ann"), (3, 1, "bob"), (7, 6, "eve")] {
            let (id, account) = (UserId::new(id).unwrap(), AccountId::new(of).unwrap());
            put(Record::User(User { id, account, name: name(text), jid: jid(text), email: None }));
        }
        for (id, of, text) in [(4, 1, "law"), (5, 1, "tax"), (8, 6, "far")] {
            let (id, account) = (queue(id), AccountId::new(of).unwrap());
            put(Record::Queue(Queue { id, account, name: name(text), email: None, avatar: None, transcripts: false }));
        }
        for at in [4, 5] {
            put(Record::Operator(Operator { queue: queue(at), user: user(2), suspended: None }));
        }
        desk
    }

    #[expect(clippy::disallowed_methods, reason = "a test's time starts now")]
    fn now() -> Instant {
        Instant::now()
    }

    fn jid(name: &str) -> BareJid {
        BareJid::parse(&format!("{name}@example.org")).unwrap()
    }

    fn user(id: u32) -> UserId {
        UserId::new(id).unwrap()
    }

    fn queue(id: u32) -> QueueId {
        QueueId::new(id).unwrap()
    }

    fn edit(desk: &mut Desk, edit: &Edit) -> Result<(), Refusal> {
        let plan = desk.plan(&Who::Daemon.into(), UnixTime(0), edit)?;
        desk.commit(plan.change);
        Ok(())
    }

    fn ask(desk: &mut Desk, by: &str, who: u32, queues: &[u32], wish: Wish) -> Result<(), Refusal> {
        let queues = queues.iter().map(|id| queue(*id)).collect();
        edit(desk, &Edit::Asked { by: jid(by), user: user(who), queues, wish })
    }

    fn suspend(why: &str) -> Wish {
        Wish::Suspend(SuspensionFields::by_hand(Cause::parse(why).ok(), None))
    }

    /// Ann's row on a queue: `-` not there, `on`, or `off` and why.
    fn row(desk: &Desk, at: u32) -> String {
        let cause = || {
            let known = desk.suspension(queue(at), user(2));
            known.and_then(|it| it.cause.as_ref()).map_or(String::new(), |cause| format!(" {cause}"))
        };
        match desk.people[&user(2)].enabled_on(queue(at)) {
            None => format!("-{}", cause()),
            Some(true) => format!("on{}", cause()),
            Some(false) => format!("off{}", cause()),
        }
    }

    #[test]
    fn a_cause_is_kept_until_the_next_or_the_end_of_the_suspension() {
        let mut desk = desk();
        ask(&mut desk, "ann", 2, &[4, 5], suspend("lunch")).unwrap();
        assert_eq!((row(&desk, 4), row(&desk, 5)), ("off lunch".into(), "off lunch".into()));
        ask(&mut desk, "ann", 2, &[4], suspend("")).unwrap();
        assert_eq!(row(&desk, 4), "off lunch", "no other one was given");
        ask(&mut desk, "ann", 2, &[4, 4], suspend("dentist")).unwrap();
        assert_eq!(row(&desk, 4), "off dentist");
        let account = AccountId::new(1).unwrap();
        edit(
            &mut desk,
            &Edit::Enable {
                account,
                queue: queue(4),
                user: user(2),
                enabled: Some(false),
                suspension: SuspensionFields::default(),
            },
        )
        .unwrap();
        assert_eq!(row(&desk, 4), "off dentist", "the API changes nothing");
        ask(&mut desk, "ann", 2, &[4], Wish::Resume).unwrap();
        assert_eq!((row(&desk, 4), row(&desk, 5)), ("on".into(), "off lunch".into()));
        let records = desk.records();
        let policy = desk.policy().clone();
        let again = Desk::restore(policy, records.clone(), now()).unwrap();
        assert_eq!((row(&again, 4), row(&again, 5)), ("on".into(), "off lunch".into()));
        assert_eq!(again.records(), records);
        let account = AccountId::new(1).unwrap();
        edit(&mut desk, &Edit::DeleteQueue { account, queue: queue(5) }).unwrap();
        assert_eq!((row(&desk, 5), desk.suspensions.len()), ("-".into(), 0));
    }

    #[test]
    fn only_the_user_and_the_admins_of_the_account_may() {
        let mut desk = desk();
        let wishes = || [suspend("x"), Wish::Resume, Wish::Assign, Wish::Unassign];
        for by in ["bob", "eve", "nobody", "sue"] {
            for wish in wishes() {
                assert_eq!(ask(&mut desk, by, 2, &[4], wish), Err(Refusal::NotAllowed), "{by}");
            }
        }
        for wish in [Wish::Assign, Wish::Unassign] {
            assert_eq!(ask(&mut desk, "ann", 2, &[4], wish), Err(Refusal::NotAllowed));
        }
        let link = |name: &str| Edit::LinkAdmin { name: Name::parse(name, 60).unwrap(), jid: jid("sue") };
        edit(&mut desk, &link("east")).unwrap();
        assert_eq!(ask(&mut desk, "sue", 2, &[4], suspend("x")), Err(Refusal::NotAllowed));
        edit(&mut desk, &link("acme")).unwrap();
        for wish in wishes() {
            ask(&mut desk, "sue", 2, &[4], wish).unwrap();
        }
        assert_eq!(row(&desk, 4), "-");
        // An admin of both accounts does not carry users of the one into the other.
        assert_eq!(ask(&mut desk, "sue", 2, &[8], Wish::Assign), Err(Refusal::NoQueue));
        assert_eq!(ask(&mut desk, "sue", 9, &[4], Wish::Assign), Err(Refusal::NoUser));
        assert_eq!(ask(&mut desk, "ann", 2, &[5, 4], suspend("x")), Err(Refusal::NotAssigned), "all or nothing");
        assert_eq!(row(&desk, 5), "on");
        edit(&mut desk, &Edit::UnlinkAdmin { name: Name::parse("acme", 60).unwrap(), jid: jid("sue") }).unwrap();
        assert_eq!(ask(&mut desk, "sue", 2, &[5], suspend("x")), Err(Refusal::NotAllowed));
        let restored = Desk::restore(desk.policy().clone(), desk.records(), now()).unwrap();
        assert_eq!(restored.admins, desk.admins);
        assert!(restored.is_admin(&jid("sue"), AccountId::new(6).unwrap()));
        edit(&mut desk, &Edit::RemoveAccount { name: Name::parse("east", 60).unwrap(), with_all: true }).unwrap();
        assert!(desk.admins.is_empty());
    }

    #[test]
    fn links_are_bounded_and_named() {
        let mut desk = desk();
        let name = Name::parse("acme", 60).unwrap();
        let link = |jid| Edit::LinkAdmin { name: name.clone(), jid };
        for number in 0..ADMINS_MOST {
            edit(&mut desk, &link(jid(&format!("a{number}")))).unwrap();
        }
        assert_eq!(edit(&mut desk, &link(jid("one-more"))), Err(Refusal::TooManyAdmins { most: ADMINS_MOST }));
        edit(&mut desk, &link(jid("a0"))).unwrap();
        let ours = BareJid::parse("law@queues.example.org").unwrap();
        assert_eq!(edit(&mut desk, &link(ours.clone())), Err(Refusal::JidOfQueues(ours)));
        let unlink = Edit::UnlinkAdmin { name, jid: jid("sue") };
        assert_eq!(edit(&mut desk, &unlink), Err(Refusal::NotLinked(jid("sue"))));
        let nobody = Edit::LinkAdmin { name: Name::parse("nobody", 60).unwrap(), jid: jid("sue") };
        assert_eq!(edit(&mut desk, &nobody), Err(Refusal::NoAccount));
        // Another password leaves the admins alone.
        let edit_password =
            Edit::SetPassword { login: Name::parse("acme", 60).unwrap(), password_hash: "another".into() };
        edit(&mut desk, &edit_password).unwrap();
        assert!(desk.is_admin(&jid("a0"), AccountId::new(1).unwrap()));
    }

    #[test]
    fn what_rests_on_each_other_waits() {
        let mut desk = desk();
        let name = Name::parse("acme", 60).unwrap();
        edit(&mut desk, &Edit::LinkAdmin { name: name.clone(), jid: jid("sue") }).unwrap();
        let asked = Edit::Asked {
            by: jid("sue"),
            user: user(2),
            queues: vec![queue(4)],
            wish: Wish::Suspend(SuspensionFields::default()),
        };
        let mut claims =
            desk.plan(&Who::Daemon.into(), UnixTime(0), &Edit::UnlinkAdmin { name, jid: jid("sue") }).unwrap().claims;
        assert!(
            claims.join(desk.plan(&Who::Daemon.into(), UnixTime(0), &asked).unwrap().claims).is_err(),
            "not in one go with the end of the link"
        );
    }

    #[test]
    fn what_somebody_may_see() {
        use crate::domain::{Subscriber, WhoMayFollow};
        let check = |desk: &Desk, who: &str, domain: &str, expected: &str| {
            let jid = (!who.is_empty()).then(|| BareJid::parse(&format!("{who}@{domain}")).unwrap());
            let asker = desk.asker(jid, domain);
            let seen: Vec<_> = desk.queues().filter(|it| asker.may_see(*it)).map(|it| it.queue.name.as_str()).collect();
            assert_eq!(seen.join(" "), expected, "{who}@{domain}");
            let listed = asker.queues();
            let names: Vec<_> = listed.after(None, 10).iter().map(|it| it.queue.name.as_str()).collect();
            (names.join(" "), listed.count())
        };
        let mut desk = desk();
        let east = Name::parse("east", 60).unwrap();
        edit(&mut desk, &Edit::LinkAdmin { name: east, jid: BareJid::parse("sue@else.org").unwrap() }).unwrap();
        assert_eq!(check(&desk, "nobody", "example.org", "law tax far").1, 3);
        assert_eq!(check(&desk, "", "example.org", "law tax far").1, 3);
        assert_eq!(check(&desk, "nobody", "else.org", ""), (String::new(), 0));
        assert_eq!(check(&desk, "sue", "else.org", "far"), ("far".into(), 1));
        desk.policy.who_may_follow = WhoMayFollow::Operators;
        assert_eq!(check(&desk, "ann", "example.org", "law tax"), ("law tax".into(), 2));
        assert_eq!(check(&desk, "bob", "example.org", ""), (String::new(), 0));
        assert_eq!(check(&desk, "", "example.org", ""), (String::new(), 0));
        let subscriber = Subscriber { queue: queue(8), jid: jid("bob") };
        desk.put(Record::Subscriber(subscriber), &mut Vec::new());
        assert_eq!(check(&desk, "bob", "example.org", "far"), (String::new(), 0), "who follows may ask it, no more");
        desk.policy.who_may_follow = WhoMayFollow::Anyone;
        assert_eq!(check(&desk, "nobody", "else.org", "law tax far").1, 3);
    }

    #[test]
    fn queues_come_in_pages() {
        let desk = desk();
        let asker = desk.asker(Some(jid("ann")), "example.org");
        let all = asker.queues();
        let names = |views: Vec<crate::domain::QueueView<'_>>| {
            views.iter().map(|view| view.queue.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(all.after(None, 2)), "law tax");
        assert_eq!(names(all.after(Some(queue(5)), 2)), "far");
        assert_eq!(names(all.after(Some(queue(8)), 2)), "");
        assert_eq!(names(all.before(None, 2)), "tax far");
        assert_eq!(names(all.before(Some(queue(5)), 2)), "law");
        assert_eq!(names(all.after(None, 0)), "");
    }
}
