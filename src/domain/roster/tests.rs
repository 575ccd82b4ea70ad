//! A desk with some users who staff one queue, and whoever writes their rosters.
#![cfg(test)]

use proptest::prelude::*;

use super::*;
use crate::domain::{
    Account, AccountId, Edit, Input, Operator, Outcome, Policy, Queue, Record, Seen, Show, UnixTime, User, UserFields,
    Who,
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
            Record::Account(Account::owned(account, name("manager"), "-".into())),
            Record::Queue(law),
        ];
        for n in users {
            let user = User { id: id(n), account, name: name(&format!("u{n}")), jid: user(n), email: None };
            records.push(Record::User(user));
            records.push(Record::Operator(Operator { queue, user: id(n), suspended: None }));
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

    fn relay(&mut self, n: u32, show: Show) {
        let seen = Some(Seen { show, priority: 0, status: None, known_show: true });
        self.apply(Input::Relayed { user: user(n), resource: "x".into(), seen });
    }

    fn ready(&self) -> u32 {
        self.desk.queues().next().unwrap().published.ready
    }

    fn edit(&mut self, edit: &Edit) -> Outcome {
        let plan = self.desk.plan(&Who::Daemon.into(), UnixTime(0), edit).unwrap();
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

#[test]
fn what_the_server_lets_us_do_holds_when_a_link_begins_anew_on_its_stream() {
    let mut town = Town::new([1, 2], Onboarding::Privilege, None);
    town.apply(Input::LinkUp);
    town.apply(Input::Granted(Grants { roster: true, presence: true }));
    town.relay(1, Show::Chat);
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(1));
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(10));
    assert_eq!((town.probed.len(), town.desk.onboards_by()), (0, Some(Onboarding::Privilege)));
    // Somebody else was there for a while. The server says once on a stream what it lets us do, and who is there.
    town.up();
    assert_eq!(town.desk.onboards_by(), Some(Onboarding::Privilege));
    assert_eq!(town.probed, ["u1", "u2"], "what was told of them may have gone elsewhere");
    town.relay(1, Show::Chat);
    assert_eq!(town.ready(), 1, "it goes on telling what changes");
    assert_eq!((town.answer(Ok(())).user, town.asked.len()), (user(1), 0));
    assert_eq!((town.answer(Ok(())).user, town.asked.len()), (user(2), 0));
    // On another stream it says so anew, or not.
    town.apply(Input::LinkDown { why: String::new() });
    town.up();
    assert_eq!(town.desk.onboards_by(), Some(Onboarding::Subscribe));
}

#[test]
fn who_is_not_told_of_any_more_is_not_believed() {
    let mut town = Town::new([1, 2], Onboarding::Privilege, None);
    town.apply(Input::LinkUp);
    town.apply(Input::Granted(Grants { roster: true, presence: true }));
    town.relay(1, Show::Chat);
    town.relay(2, Show::Chat);
    let seen = Seen { show: Show::Chat, priority: 0, status: None, known_show: true };
    town.apply(Input::Seen { user: user(2), resource: "x".into(), seen });
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(1));
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(10));
    assert_eq!(town.ready(), 2);
    town.apply(Input::Granted(Grants { roster: true, presence: false }));
    assert_eq!(town.ready(), 1, "who tells us themselves");
    town.wait(Duration::from_secs(1));
    assert_eq!(town.writes.iter().map(|it| it.user.clone()).collect::<Vec<_>>(), [user(1)]);
}

#[test]
fn what_is_relayed_and_can_not_be_read_is_shown_no_longer() {
    let mut town = Town::new([1], Onboarding::Privilege, None);
    town.desk.policy.linger = Duration::from_hours(1);
    town.apply(Input::LinkUp);
    town.apply(Input::Granted(Grants { roster: true, presence: true }));
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(1));
    town.apply(Input::SweepAnswered);
    town.wait(Duration::from_secs(10));
    let show = |town: &Town| town.desk.queues().next().unwrap().published.show;
    town.relay(1, Show::Chat);
    town.apply(Input::Relayed { user: user(1), resource: "x".into(), seen: None });
    assert_eq!((show(&town), town.ready()), (Show::Chat, 0), "who went lingers");
    town.relay(1, Show::Chat);
    town.apply(Input::UnreadRelayed { user: user(1), resource: "x".into() });
    assert_eq!((show(&town), town.ready()), (Show::Unavailable, 0), "who may have said that they are busy does not");
    let why: Vec<_> = town.desk.why_user(id(1)).into_iter().map(crate::domain::Reason::as_str).collect();
    assert_eq!(why, ["unreadable"]);
    assert!(town.probed.is_empty() && town.writes.is_empty(), "nobody can be asked");
    // Of others the server has no word.
    town.apply(Input::UnreadRelayed { user: user(99), resource: "x".into() });
    town.relay(1, Show::Dnd);
    assert_eq!(show(&town), Show::Dnd);
}

#[test]
fn who_writes_beside_the_link_is_given_no_more_when_the_link_is_made_anew() {
    let mut town = Town::new(0..90, Onboarding::EjabberdApi, None);
    town.up();
    assert_eq!(town.writes.len(), WRITES_MOST);
    // The same are under way still: this would be too many.
    town.up();
    town.apply(Input::LinkDown { why: String::new() });
    // What was written while there was no link was written.
    let first = town.answer(Ok(())).user;
    town.up();
    let mut written = BTreeSet::from([first]);
    while !town.writes.is_empty() {
        assert!(written.insert(town.answer(Ok(())).user), "twice");
        town.wait(Duration::from_millis(60));
    }
    assert_eq!((written.len(), &town.asked), (90, &Vec::new()));
}

#[derive(Debug, Clone)]
enum Turn {
    In(Input),
    Assign(u32, bool),
    Wait(u64),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let who = || prop::sample::select(vec![1_u32, 2, 99]);
    let resource = || prop::sample::select(vec!["x", "y"]).prop_map(Box::<str>::from);
    let seen = || {
        prop::sample::select(&Show::ALL[..5]).prop_map(|show| Seen {
            show,
            priority: 0,
            status: None,
            known_show: true,
        })
    };
    let contact = prop::sample::select(vec!["staffing", "law"]).prop_map(name);
    let result = prop::sample::select(vec![Ok(()), Err(WriteFailure::Refused), Err(WriteFailure::Unreachable)]);
    let input = prop_oneof![
        1 => Just(Input::LinkUp),
        1 => Just(Input::LinkOnTrial),
        2 => Just(Input::TrialPassed),
        1 => Just(Input::LinkDown { why: String::new() }),
        4 => Just(Input::SweepAnswered),
        2 => any::<[bool; 2]>().prop_map(|[roster, presence]| Input::Granted(Grants { roster, presence })),
        4 => (who(), resource(), prop::option::of(seen()))
            .prop_map(|(n, resource, seen)| Input::Relayed { user: user(n), resource, seen }),
        1 => (who(), resource()).prop_map(|(n, resource)| Input::UnreadRelayed { user: user(n), resource }),
        4 => (who(), resource(), seen()).prop_map(|(n, resource, seen)| Input::Seen { user: user(n), resource, seen }),
        1 => (who(), resource()).prop_map(|(n, resource)| Input::Unread { user: user(n), resource }),
        2 => (who(), prop::option::of(resource())).prop_map(|(n, resource)| Input::Gone { user: user(n), resource }),
        1 => (who(), resource()).prop_map(|(n, resource)| Input::Alive { user: user(n), resource }),
        1 => (who(), resource()).prop_map(|(n, resource)| Input::Doubted { user: user(n), resource }),
        1 => who().prop_map(|n| Input::Approved { user: user(n) }),
        1 => who().prop_map(|n| Input::Refused { user: user(n) }),
        4 => (who(), contact, result)
            .prop_map(|(n, contact, result)| Input::Written { user: user(n), contact, result }),
    ];
    let turn = prop_oneof![
        8 => input.prop_map(Turn::In),
        1 => (who(), any::<bool>()).prop_map(|(n, is_assigned)| Turn::Assign(n, is_assigned)),
        2 => (0_u64..40_000).prop_map(Turn::Wait),
    ];
    prop::collection::vec(turn, 1..100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// In whatever order: there is always a next moment ([`Town::work`] looks), nobody takes work who was not heard on a link
    /// that counts, and what is published is what a count from scratch says.
    #[test]
    fn in_whatever_order_things_come(
        turns in turns(),
        onboarding in prop::sample::select(Onboarding::ALL.to_vec()),
        linger in 0_u64..60,
        link_grace in 0_u64..60,
    ) {
        let mut town = Town::new([1, 2, 99], onboarding, Some("Queues"));
        town.desk.policy.linger = Duration::from_secs(linger);
        town.desk.policy.link_grace = Duration::from_secs(link_grace);
        for turn in turns {
            match turn {
                Turn::In(input) => {
                    let is_of_any_time = matches!(
                        input,
                        Input::LinkUp | Input::LinkOnTrial | Input::LinkDown { .. } | Input::Written { .. }
                    );
                    if is_of_any_time || town.desk.link() != LinkPhase::Down {
                        town.apply(input);
                    }
                }
                Turn::Assign(n, is_assigned) => {
                    let (account, queue, user) = (account(), law(), id(n));
                    if is_assigned {
                        town.edit(&Edit::Assign { account, queue, user });
                    } else if town.desk.people[&user].is_assigned() {
                        town.edit(&Edit::Unassign { account, queue, user });
                    }
                }
                Turn::Wait(millis) => town.wait(Duration::from_millis(millis)),
            }
            town.writes.clear();
            let desk = &town.desk;
            let published = desk.queues().next().unwrap().published;
            let assigned = || desk.people.values().filter(|person| person.is_assigned());
            let ready = assigned().filter(|person| person.show.takes_work()).count();
            let show = assigned().map(|person| person.shown).min().unwrap_or(Show::Unavailable);
            prop_assert_eq!((published.show, published.ready as usize), (show, ready));
            prop_assert!(ready == 0 || !(desk.sweep.on_trial || desk.link() == LinkPhase::Down));
            prop_assert!(assigned().all(|person| person.presence.heard || person.show == Show::Unavailable));
            prop_assert!(desk.people.values().all(|person| person.is_assigned() || person.shown == Show::Unavailable));
            let kept = linger.max(link_grace);
            prop_assert!(desk.next_expiry().is_none_or(|end| end <= town.now + Duration::from_secs(kept)));
        }
        town.apply(Input::TrialPassed);
        town.apply(Input::LinkUp);
        for _ in 0..3 {
            // Of earlier sweeps too.
            for _ in 0..town.desk.sweep.marks {
                town.apply(Input::SweepAnswered);
            }
            town.wait(Duration::from_secs(2));
            town.writes.clear();
        }
        prop_assert_eq!(town.desk.link(), LinkPhase::Up);
    }
}
