//! Leases of very many: silence costs no burst of pings, nobody is forgotten, and everything happens in time.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and starts its own clock")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rosterd::domain::{
    Account, AccountId, BareJid, Desk, Effect, Input, LinkPhase, Name, Operator, Policy, Queue, QueueId, Reason,
    Record, Seen, Show, User, UserId, presence::RESOURCES_MOST,
};

const SECOND: Duration = Duration::from_secs(1);
const FIRST_USER: u32 = 3;

fn name(text: &str) -> Name {
    Name::parse(text, 60).unwrap()
}

fn jid(number: u32) -> BareJid {
    BareJid::prepared(&format!("user{number}@example.org"))
}

/// One queue that all users staff, on a link that is up; the clock is the test's.
struct World {
    desk: Desk,
    now: Instant,
    users: u32,
    /// Everybody who was pinged, and when.
    pings: Vec<(Instant, BareJid)>,
    /// Whether everybody answers at once.
    answering: bool,
}

impl World {
    fn new(users: u32, ping_after: Option<Duration>, ping_timeout: Duration) -> Self {
        let account = AccountId::new(1).unwrap();
        let law = QueueId::new(2).unwrap();
        let queue = Queue { id: law, account, name: name("law"), email: None, avatar: None, transcripts: false };
        let user = |number: u32| UserId::new(FIRST_USER + number).unwrap();
        let mut records = vec![
            Record::NextId(FIRST_USER + users),
            Record::Account(Account::owned(account, name("acme"), "-".into())),
        ];
        records.extend((0..users).map(|number| {
            let name = name(&format!("user{number}"));
            Record::User(User { id: user(number), account, name, jid: jid(number), email: None })
        }));
        records.push(Record::Queue(queue));
        let operator = |number| Record::Operator(Operator { queue: law, user: user(number), suspended: None });
        records.extend((0..users).map(operator));
        let policy = Policy {
            sweep_quiet: Duration::ZERO,
            ping_after,
            ping_timeout,
            ..Policy::new("queues.example.org", "example.org", name("staffing"))
        };
        let now = Instant::now();
        let desk = Desk::restore(policy, records, now).unwrap();
        let mut world = Self { desk, now, users, pings: Vec::new(), answering: true };
        world.input(Input::LinkUp);
        while world.desk.link() != LinkPhase::Up {
            world.wait(SECOND);
            world.input(Input::SweepAnswered);
        }
        world
    }

    fn input(&mut self, input: Input) {
        self.desk.apply(input, self.now);
    }

    fn see(&mut self, number: u32, resource: &str) {
        let seen = Seen { show: Show::Chat, priority: 0, status: None, known_show: true };
        self.input(Input::Seen { user: jid(number), resource: resource.into(), seen });
    }

    /// Everybody is heard at the same moment.
    fn see_all(&mut self) {
        (0..self.users).for_each(|number| self.see(number, "desk"));
    }

    /// Lets time pass, from one deadline to the next, as the engine does.
    fn wait(&mut self, length: Duration) {
        let end = self.now + length;
        loop {
            self.desk.tick(self.now);
            let effects = self.desk.outgoing(1_024, self.now);
            // The server is there, whoever else is not.
            if effects.contains(&Effect::Mark) && self.desk.link() == LinkPhase::Up {
                self.input(Input::SweepAnswered);
            }
            for effect in effects {
                if let Effect::Ping { user, resource } = effect {
                    self.pings.push((self.now, user.clone()));
                    if self.answering {
                        self.input(Input::Alive { user, resource });
                    }
                }
            }
            let next = self.desk.next_deadline().filter(|next| *next <= end);
            let Some(next) = next else { break };
            assert!(next > self.now, "a deadline that has passed makes the engine run in circles");
            self.now = next;
        }
        self.now = end;
    }

    /// The most pings in any one second.
    fn most_in_a_second(&self) -> usize {
        let times: Vec<_> = self.pings.iter().map(|(time, _)| *time).collect();
        let within = |first: usize| times[first..].partition_point(|time| *time - times[first] < SECOND);
        (0..times.len()).map(within).max().unwrap_or_default()
    }

    fn ready(&self) -> u32 {
        self.desk.queue_by_name(&name("law")).unwrap().published.ready
    }
}

#[test]
fn ten_thousand_who_fall_silent_together_are_not_pinged_together() {
    let (after, timeout) = (Duration::from_mins(2), Duration::from_secs(20));
    let mut world = World::new(10_000, Some(after), timeout);
    world.see_all();
    let heard = world.now;
    world.pings.clear();
    world.answering = false;
    world.wait(after + SECOND);
    // Spread over the second half of the time they have: 167 a second on the average.
    assert_eq!(world.pings.len(), 10_000, "each is pinged once");
    let most = world.most_in_a_second();
    assert!(most <= 334, "{most} pings in one second");
    let waited = |(time, user): &(Instant, BareJid)| (user.clone(), *time - heard);
    let waited: BTreeMap<_, _> = world.pings.iter().map(waited).collect();
    assert_eq!(waited.len(), 10_000, "nobody is left out");
    assert!(waited.values().all(|waited| (after / 2..after + SECOND).contains(waited)));
    // Nobody counts for longer than they may.
    world.wait(timeout);
    assert_eq!((world.ready(), world.desk.tally().stale), (0, 10_000));
    let why = world.desk.why_user(UserId::new(FIRST_USER).unwrap());
    assert_eq!(why, [Reason::Stale]);
    assert_eq!(world.pings.len(), 10_000, "and nobody is pinged a second time");
}

#[test]
fn those_who_answer_stay_apart() {
    let after = Duration::from_mins(2);
    let mut world = World::new(10_000, Some(after), Duration::from_secs(20));
    world.see_all();
    world.wait(after);
    world.pings.clear();
    world.wait(Duration::from_mins(20));
    let most = world.most_in_a_second();
    assert!(most <= 334, "{most} pings in one second");
    // Everybody was asked ten times at least, and twenty at the most.
    let mut each = BTreeMap::<_, usize>::new();
    world.pings.iter().for_each(|(_, user)| *each.entry(user).or_default() += 1);
    assert!(each.len() == 10_000 && each.values().all(|times| (9..=20).contains(times)));
    assert_eq!((world.ready(), world.desk.tally().stale), (10_000, 0));
}

#[test]
fn no_more_are_pinged_in_a_second_than_are_asked_for_their_presence() {
    // More than can be asked in time: 5,000 a second would be due.
    let (after, timeout) = (Duration::from_secs(4), Duration::from_secs(20));
    let mut world = World::new(10_000, Some(after), timeout);
    world.see_all();
    world.pings.clear();
    world.answering = false;
    world.wait(Duration::from_secs(12));
    let most = world.most_in_a_second();
    // `sweep_rate`, and what fits between two windows of a twentieth of a second.
    assert!((1_000..=1_575).contains(&most), "{most} pings in one second");
    assert_eq!(world.pings.len(), 10_000, "each has its turn");
    world.wait(timeout);
    assert_eq!((world.ready(), world.desk.tally().stale), (0, 10_000));
}

#[test]
fn where_pings_are_switched_off_none_is_sent() {
    let mut world = World::new(100, None, Duration::from_secs(20));
    world.see_all();
    assert_eq!(world.ready(), 100);
    for _ in 0..48 {
        world.wait(Duration::from_mins(30));
        world.see(0, "phone");
    }
    assert_eq!((world.pings.len(), world.ready(), world.desk.tally().stale), (0, 100, 0));
}

#[test]
fn a_user_has_so_many_clients_and_no_more() {
    let mut world = World::new(1, Some(Duration::from_mins(2)), Duration::from_secs(20));
    for number in 0..RESOURCES_MOST {
        world.see(0, &format!("client{number}"));
        world.wait(Duration::from_millis(100));
    }
    // All of them answer but one, which is not the one that said something first.
    world.wait(Duration::from_secs(50));
    for number in (0..RESOURCES_MOST).filter(|number| *number != 7) {
        world.input(Input::Alive { user: jid(0), resource: format!("client{number}").into() });
        world.wait(Duration::from_millis(10));
    }
    world.see(0, "new");
    let user = UserId::new(FIRST_USER).unwrap();
    let names: Vec<_> = world.desk.resources(user).map(|it| it.name).collect();
    assert_eq!(names.len(), RESOURCES_MOST);
    assert!(names.contains(&"new") && names.contains(&"client0") && !names.contains(&"client7"), "{names:?}");
}
