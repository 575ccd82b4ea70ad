//! A desk with some users who staff one queue, and whoever writes their rosters.
#![cfg(test)]

use super::*;
use crate::domain::{
    Account, AccountId, Edit, Input, Operator, Outcome, Policy, Queue, Record, Seen, Show, User, UserFields,
};

fn name(text: &str) -> Name {
    Name::parse(text, 60).unwrap()
}

struct Town {
    desk: Desk,
    now: Instant,
    asked: Vec<String>,
    probed: Vec<String>,
    left: Vec<String>,
    writes: Vec<RosterWrite>,
    marks: usize,
}

fn account() -> AccountId {
    AccountId::new(1).unwrap()
}

fn law() -> QueueId {
    QueueId::new(2).unwrap()
}

fn user(n: u32) -> BareJid {
    let domain = if n == 99 { "elsewhere.org" } else { "example.org" };
    BareJid::parse(&format!("u{n}@{domain}")).unwrap()
}

fn id(n: u32) -> UserId {
    UserId::new(n + 10).unwrap()
}

impl Town {
    /// With these users, who staff the queue.
    fn new(users: impl IntoIterator<Item = u32>, onboarding: Onboarding, group: Option<&str>) -> Self {
        let account = account();
        let queue = law();
        let law = Queue { id: queue, account, name: name("law"), email: None, avatar: None, transcripts: false };
        let mut records = vec![
            Record::NextId(10_000),
            Record::Account(Account {
                id: account,
                name: name("manager"),
                password_hash: "-".into(),
                admins: [].into(),
            }),
            Record::Queue(law),
        ];
        for n in users {
            let user = User { id: id(n), account, name: name(&format!("u{n}")), jid: user(n), email: None };
            records.push(Record::User(user));
            records.push(Record::Operator(Operator { queue, user: id(n), enabled: true, cause: None }));
        }
        records.sort_by_key(Record::key);
        let roster_group = group.map(Into::into);
        let policy =
            Policy { onboarding, roster_group, ..Policy::new("q.example.org", "example.org", name("staffing")) };
        let now = tokio::time::Instant::now().into_std();
        let desk = Desk::restore(policy, records, now).unwrap();
        let (asked, probed, left, writes) = Default::default();
        Self { desk, now, asked, probed, left, writes, marks: 0 }
    }

    fn apply(&mut self, input: Input) {
        self.desk.apply(input, self.now);
        self.work();
    }

    /// Takes out all that can be taken out now. Then there is nothing to do before the next deadline.
    fn work(&mut self) {
        self.desk.tick(self.now);
        for effect in self.desk.outgoing(usize::MAX, self.now) {
            match effect {
                Effect::Ask { user } => self.asked.push(user.localpart().to_owned()),
                Effect::Probe { user } => self.probed.push(user.localpart().to_owned()),
                Effect::Leave { user } => self.left.push(user.localpart().to_owned()),
                Effect::Roster(write) => self.writes.push(write),
                Effect::Mark => self.marks += 1,
                Effect::Ping { .. } | Effect::Approve { .. } | Effect::Deny { .. } | Effect::Tell { .. } => {}
            }
        }
        assert!(self.writes.len() <= WRITES_MOST, "too many at a time");
        let next = self.desk.next_deadline();
        assert!(next.is_none_or(|next| next > self.now), "there is work, and nothing was done");
    }

    fn wait(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(next) = self.desk.next_deadline().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.work();
        }
        self.now = end;
        self.work();
    }

    /// Up, and swept, with nobody heard.
    fn up(&mut self) {
        self.apply(Input::LinkUp);
        self.wait(Duration::from_secs(1));
        if self.desk.sweep.is_learning() {
            self.apply(Input::SweepAnswered);
            self.wait(Duration::from_secs(1));
        }
        self.apply(Input::SweepAnswered);
        self.wait(Duration::from_secs(5));
        assert_eq!(self.desk.link(), LinkPhase::Up);
    }

    fn answer(&mut self, result: Result<(), WriteFailure>) -> RosterWrite {
        let write = self.writes.remove(0);
        let RosterWrite { user, contact, .. } = write.clone();
        self.apply(Input::Written { user, contact, result });
        write
    }

    fn edit(&mut self, edit: &Edit) -> Outcome {
        let plan = self.desk.plan(edit).unwrap();
        self.desk.commit(plan.change);
        self.work();
        plan.outcome
    }
}

#[test]
fn everybody_is_written_for_a_few_at_a_time() {
    let mut town = Town::new(0..90, Onboarding::EjabberdApi, None);
    town.up();
    assert_eq!(town.writes.len(), WRITES_MOST);
    let mut written = BTreeSet::new();
    while !town.writes.is_empty() {
        let write = town.answer(Ok(()));
        assert_eq!((write.contact.as_str(), &write.entry), ("staffing", &Entry::Watcher));
        assert!(written.insert(write.user), "twice");
        town.wait(Duration::from_millis(60));
    }
    assert_eq!((written.len(), &town.asked), (90, &Vec::new()));
    assert_eq!(town.probed.len(), 2 * 90, "in the sweep, and again when they were written for");
}

#[test]
fn while_nothing_can_be_written_everybody_is_asked_and_then_written_for() {
    let mut town = Town::new([1, 2, 99], Onboarding::EjabberdApi, None);
    town.up();
    assert_eq!(town.asked, ["u99"], "who is on another server");
    assert_eq!(town.desk.onboards_by(), Some(Onboarding::EjabberdApi));
    town.answer(Err(WriteFailure::Unreachable));
    town.answer(Err(WriteFailure::Unreachable));
    town.wait(Duration::from_secs(1));
    assert_eq!(town.asked, ["u99", "u1", "u2"]);
    assert_eq!(town.desk.onboards_by(), Some(Onboarding::Subscribe));
    // Who comes meanwhile too.
    let fields = UserFields { jid: Some(user(3)), ..UserFields::default() };
    let Outcome::User(third) = town.edit(&Edit::CreateUser { account: account(), name: name("third"), fields }) else {
        panic!("no user")
    };
    town.edit(&Edit::Assign { account: account(), queue: law(), user: third });
    town.wait(Duration::from_secs(1));
    assert_eq!(town.asked, ["u99", "u1", "u2", "u3"]);
    assert!(town.writes.is_empty(), "there is a pause");
    // After it all are tried again, at longer and longer intervals, and nobody is asked again.
    let mut tries = Vec::new();
    for _ in 0..9 {
        let before = town.now;
        while town.writes.is_empty() {
            town.wait(Duration::from_secs(1));
        }
        tries.push(town.now.duration_since(before).as_secs());
        while !town.writes.is_empty() {
            town.answer(Err(WriteFailure::Unreachable));
        }
    }
    assert_eq!(tries, [3, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!(town.asked.len(), 4);
    town.wait(PAUSE_MOST);
    let mut written = BTreeSet::new();
    while !town.writes.is_empty() {
        written.insert(town.answer(Ok(())).user);
        town.wait(Duration::from_millis(60));
    }
    assert_eq!(written.len(), 3, "{written:?}");
    assert_eq!((town.asked.len(), town.desk.onboards_by()), (4, Some(Onboarding::EjabberdApi)));
}

#[test]
fn who_is_refused_is_asked_and_nobody_else_is() {
    let mut town = Town::new([1, 2], Onboarding::EjabberdApi, None);
    town.up();
    let first = town.answer(Err(WriteFailure::Refused));
    town.answer(Ok(()));
    town.wait(Duration::from_secs(1));
    assert_eq!(town.asked, [first.user.localpart()]);
    // An answer that nobody waits for changes nothing.
    let late = Input::Written { user: user(2), contact: name("staffing"), result: Err(WriteFailure::Refused) };
    town.apply(late);
    town.wait(Duration::from_mins(10));
    assert_eq!((town.asked.len(), town.writes.len()), (1, 0));
    // A day later both ways are tried again.
    town.wait(Duration::from_hours(25));
    assert_eq!(town.answer(Err(WriteFailure::Refused)).user, first.user);
    town.wait(Duration::from_secs(1));
    assert_eq!(town.asked.len(), 2);
}

#[test]
fn an_answer_that_does_not_come_is_waited_for_a_minute() {
    let mut town = Town::new([1], Onboarding::EjabberdApi, None);
    town.up();
    town.wait(Duration::from_secs(50));
    assert!(town.asked.is_empty());
    town.wait(Duration::from_secs(30));
    assert_eq!(town.asked, ["u1"]);
}

#[test]
fn the_server_tells_of_its_own_users_and_others_are_probed() {
    let mut town = Town::new([1, 99], Onboarding::Privilege, None);
    town.apply(Input::LinkUp);
    assert_eq!((town.marks, &town.probed), (1, &Vec::new()), "what we may do is said first");
    town.apply(Input::Granted(Grants { roster: true, presence: true }));
    let seen = Seen { show: Show::Chat, priority: 0, status: None, known_show: true };
    for n in [1, 50, 99] {
        let seen = Some(seen.clone());
        town.apply(Input::Relayed { user: user(n), resource: "x".into(), seen });
    }
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(1));
    assert_eq!(town.probed, ["u99"]);
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(10));
    assert_eq!(town.asked, ["u99"], "the server has no say in who is on another one");
    assert_eq!(town.desk.queues().next().unwrap().published.ready, 1);
    assert_eq!(town.desk.tally().strangers, 0);
    assert!(town.writes.is_empty());
}

#[test]
fn without_an_answer_to_the_ping_nothing_is_granted() {
    let mut town = Town::new([1], Onboarding::Privilege, None);
    town.apply(Input::LinkUp);
    town.wait(Duration::from_mins(2));
    assert_eq!((town.probed.len(), town.asked.len()), (1, 1));
    assert_eq!(town.desk.onboards_by(), Some(Onboarding::Subscribe));
}

#[test]
fn what_waits_is_checked_again_when_its_turn_comes() {
    let mut town = Town::new([1], Onboarding::EjabberdApi, Some("Queues"));
    town.up();
    while !town.writes.is_empty() {
        town.answer(Ok(()));
    }
    assert_eq!(town.desk.next_listed(), Some((name("law"), user(1))));
    town.edit(&Edit::Follow { queue: name("law"), jid: user(1) });
    // Unassigned and assigned again before anything of it could be written.
    town.desk.apply(Input::LinkDown { why: String::new() }, town.now);
    let (account, queue, user_id) = (account(), law(), id(1));
    town.edit(&Edit::Unassign { account, queue, user: user_id });
    town.edit(&Edit::Assign { account, queue, user: user_id });
    town.up();
    let mut entries: Vec<_> = std::mem::take(&mut town.writes).into_iter().map(|it| (it.contact, it.entry)).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let group = "Queues".into();
    assert_eq!(entries, [(name("law"), Entry::Queue { group }), (name("staffing"), Entry::Watcher)]);
    assert!(town.left.is_empty());
}

#[test]
fn where_rosters_can_not_be_written_any_more_it_goes_the_ordinary_way() {
    let mut town = Town::new([1, 2], Onboarding::Privilege, Some("Queues"));
    town.apply(Input::LinkUp);
    town.apply(Input::Granted(Grants { roster: true, presence: false }));
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(1));
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(10));
    assert_eq!(town.writes.len(), 4);
    town.writes.clear();
    town.apply(Input::LinkDown { why: String::new() });
    let account = account();
    town.edit(&Edit::Unassign { account, queue: law(), user: id(2) });
    town.up();
    assert_eq!((&*town.asked, &*town.left, town.writes.len()), (&["u1".to_owned()][..], &["u2".to_owned()][..], 0));
}
