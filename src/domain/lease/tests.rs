//! Who is asked when, and who does not count.
#![cfg(test)]

use super::*;
use crate::domain::{
    AccountId, BareJid, Edit, Input, Name, Outcome, QueueFields, QueueId, Reason, Seen, Show, UnixTime, UserFields, Who,
};

const PING_AFTER: Duration = Duration::from_secs(100);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// One queue and its one operator, on a link that is up.
struct World {
    desk: Desk,
    now: Instant,
    user: UserId,
    queue: QueueId,
    pings: Vec<(Instant, String)>,
    probes: usize,
    /// The server answers pings of its own.
    is_there: bool,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "the clock of the test starts somewhere")]
    fn new() -> Self {
        let name = |text: &str| Name::parse(text, 40).unwrap();
        let policy = Policy {
            sweep_rate: 1_000,
            sweep_quiet: Duration::ZERO,
            ping_after: Some(PING_AFTER),
            ping_timeout: PING_TIMEOUT,
            link_grace: Duration::ZERO,
            session_idle: 3_600,
            ..Policy::new("queues.example.org", "example.org", name("staffing"))
        };
        let now = Instant::now();
        let mut desk = Desk::new(policy, now);
        let mut edit = |edit| {
            let plan = desk.plan(&Who::Daemon.into(), UnixTime(0), &edit).unwrap();
            desk.commit(plan.change);
            plan.outcome
        };
        let account = AccountId::new(1).unwrap();
        edit(Edit::AddAccount { name: name("acme"), password_hash: "x".into() });
        let fields = UserFields::default();
        let Outcome::User(user) = edit(Edit::CreateUser { account, name: name("ann"), fields }) else { panic!() };
        let fields = QueueFields::default();
        let Outcome::Queue(queue) = edit(Edit::CreateQueue { account, name: name("law"), fields }) else { panic!() };
        edit(Edit::Assign { account, queue, user });
        let mut world = Self { desk, now, user, queue, pings: Vec::new(), probes: 0, is_there: true };
        world.input(Input::LinkUp);
        world.see("desk");
        world.wait(Duration::from_secs(2));
        assert_eq!(world.desk.link(), LinkPhase::Up);
        (world.pings, world.probes) = (Vec::new(), 0);
        world
    }

    fn input(&mut self, input: Input) {
        self.desk.apply(input, self.now);
    }

    fn ann() -> BareJid {
        BareJid::parse("ann@example.org").unwrap()
    }

    fn see(&mut self, resource: &str) {
        let seen = Seen { show: Show::Chat, priority: 0, status: None, known_show: true };
        self.input(Input::Seen { user: Self::ann(), resource: resource.into(), seen });
    }

    fn answer(&mut self, resource: &str) {
        self.input(Input::Alive { user: Self::ann(), resource: resource.into() });
    }

    /// Lets time pass, from one deadline to the next.
    fn wait(&mut self, length: Duration) {
        let end = self.now + length;
        loop {
            self.desk.tick(self.now);
            let mut is_answered = false;
            for effect in self.desk.outgoing(usize::MAX, self.now) {
                match effect {
                    Effect::Mark if self.is_there => is_answered = true,
                    Effect::Ping { resource, .. } => self.pings.push((self.now, resource.into())),
                    Effect::Probe { .. } => self.probes += 1,
                    Effect::Ask { .. }
                    | Effect::Leave { .. }
                    | Effect::Roster(_)
                    | Effect::Mark
                    | Effect::Approve { .. }
                    | Effect::Deny { .. }
                    | Effect::Tell { .. } => {}
                }
            }
            if is_answered {
                self.input(Input::SweepAnswered);
                continue;
            }
            let next = self.desk.next_deadline().filter(|next| *next <= end);
            let Some(next) = next else { break };
            assert!(next > self.now, "a deadline that has passed makes the engine run in circles");
            self.now = next;
        }
        self.now = end;
    }

    fn show(&self) -> Show {
        let queue = self.desk.queues().find(|view| view.queue.id == self.queue);
        queue.unwrap().published.show
    }

    fn why(&self) -> Vec<&'static str> {
        self.desk.why_operator(self.queue, self.user).into_iter().map(Reason::as_str).collect()
    }
}

#[test]
fn who_does_not_answer_stops_counting_in_time() {
    let mut world = World::new();
    let heard = world.now;
    world.see("desk");
    world.wait(PING_AFTER + PING_TIMEOUT + Duration::from_secs(1));
    assert_eq!(world.pings.len(), 1, "one ping is enough");
    let waited = world.pings[0].0 - heard;
    assert!(waited >= PING_AFTER / 2 && waited <= PING_AFTER + Duration::from_secs(1), "{waited:?}");
    assert_eq!((world.show(), world.why()), (Show::Unavailable, vec!["stale"]));
    assert_eq!(world.desk.tally().stale, 1);
    world.wait(Duration::from_hours(1));
    assert_eq!(world.pings.len(), 1, "a stale resource is left alone");
    // The answer to the old ping, late: the client has thawed.
    world.answer("desk");
    assert_eq!((world.show(), world.why()), (Show::Chat, vec!["show-chat"]));
    world.wait(PING_AFTER + Duration::from_secs(1));
    assert_eq!(world.pings.len(), 2, "and is asked again in time");
}

#[test]
fn a_server_that_hangs_is_not_taken_for_clients_that_do() {
    let mut world = World::new();
    world.is_there = false;
    world.wait(PING_AFTER + 10 * PING_TIMEOUT);
    assert_eq!((world.pings.len(), world.show(), world.why()), (1, Show::Chat, vec!["show-chat"]));
    // It is there again, and says something of somebody else. The client did not get the ping, maybe.
    world.is_there = true;
    world.input(Input::SweepAnswered);
    world.wait(Duration::from_secs(1));
    assert_eq!((world.pings.len(), world.show()), (2, Show::Chat));
    world.answer("desk");
    world.wait(PING_TIMEOUT + Duration::from_secs(1));
    assert_eq!((world.show(), world.desk.tally().stale), (Show::Chat, 0));
    // Now it hangs again, and the client has died meanwhile.
    world.is_there = false;
    world.wait(PING_AFTER + 10 * PING_TIMEOUT);
    assert_eq!(world.show(), Show::Chat);
    world.is_there = true;
    world.input(Input::SweepAnswered);
    world.wait(PING_TIMEOUT + Duration::from_secs(1));
    assert_eq!((world.show(), world.why()), (Show::Unavailable, vec!["stale"]));
}

#[test]
fn who_answers_or_is_heard_goes_on_counting() {
    let mut world = World::new();
    for round in 1..20 {
        while world.pings.len() < round {
            world.wait(Duration::from_secs(1));
        }
        world.answer("desk");
        assert_eq!(world.show(), Show::Chat);
    }
    let before = world.pings.len();
    for _ in 0..100 {
        world.wait(PING_AFTER / 4);
        world.see("desk");
    }
    assert_eq!(world.pings.len(), before, "who speaks is not asked");
    assert_eq!(world.desk.tally().stale, 0);
}

#[test]
fn each_resource_has_a_lease_of_its_own() {
    let mut world = World::new();
    world.see("phone");
    for _ in 0..10 {
        world.wait(PING_AFTER / 4);
        world.see("phone");
    }
    assert!(world.pings.iter().all(|(_, resource)| resource == "desk"), "{:?}", world.pings);
    assert_eq!((world.show(), world.why()), (Show::Chat, vec!["show-chat", "stale"]));
}

#[test]
fn an_error_that_can_mean_gone_is_looked_into() {
    let mut world = World::new();
    let doubt = |world: &mut World| {
        while world.pings.is_empty() {
            world.wait(Duration::from_secs(1));
        }
        world.pings.clear();
        world.probes = 0;
        world.input(Input::Doubted { user: World::ann(), resource: "desk".into() });
        world.wait(Duration::from_secs(1));
        assert_eq!((world.probes, world.show()), (1, Show::Chat));
    };
    // The answer to the probe names it: a client that knows no pings.
    doubt(&mut world);
    world.see("desk");
    world.wait(PING_TIMEOUT + Duration::from_secs(1));
    assert_eq!(world.show(), Show::Chat);
    // It does not: the client is gone.
    doubt(&mut world);
    world.wait(PING_TIMEOUT + Duration::from_secs(1));
    assert_eq!((world.show(), world.why()), (Show::Unavailable, vec!["offline"]));
}

#[test]
fn what_can_not_be_read_ends_what_was_said_before() {
    let mut world = World::new();
    let unread = |world: &mut World, resource: &str| {
        world.input(Input::Unread { user: World::ann(), resource: resource.into() });
    };
    unread(&mut world, "desk");
    assert_eq!((world.show(), world.why()), (Show::Unavailable, vec!["unreadable"]));
    world.wait(Duration::from_secs(1));
    assert_eq!(world.probes, 1, "the server may have something else of them");
    // It has not, and says the same again; nor does it matter that the client is alive.
    unread(&mut world, "desk");
    world.answer("desk");
    world.wait(2 * PING_AFTER);
    assert_eq!((world.probes, world.pings.len()), (1, 0));
    assert_eq!((world.show(), world.why()), (Show::Unavailable, vec!["unreadable"]));
    // Another client of the same person is read, in the answer to the same probe: nobody is probed for ever.
    for _ in 0..10 {
        world.see("phone");
        unread(&mut world, "desk");
        world.wait(Duration::from_secs(1));
    }
    assert_eq!(world.probes, 1);
    assert_eq!((world.show(), world.why()), (Show::Chat, vec!["show-chat", "unreadable"]));
    world.input(Input::Gone { user: World::ann(), resource: Some("phone".into()) });
    world.see("desk");
    assert_eq!((world.show(), world.why()), (Show::Chat, vec!["show-chat"]));
    unread(&mut world, "new");
    let resource = |world: &World, name: &str| {
        let found = world.desk.resources(world.user).find(|it| it.name == name).map(|it| (it.unreadable, it.show));
        found.unwrap()
    };
    assert_eq!(resource(&world, "new"), (true, Show::Unavailable));
    assert_eq!(resource(&world, "desk"), (false, Show::Chat));
}

#[test]
fn pings_that_wait_for_room_are_tried_again_and_nobody_runs_in_circles() {
    let mut world = World::new();
    let work = |world: &mut World| {
        world.now += RETRY;
        world.desk.tick(world.now);
        let effects = world.desk.outgoing(10, world.now);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Ping { .. })), "the link is behind");
        world.desk.next_deadline()
    };
    world.now += PING_AFTER;
    for _ in 0..3 {
        assert_eq!(work(&mut world), Some(world.now + RETRY));
    }
    world.input(Input::Closing);
    for _ in 0..3 {
        assert!(work(&mut world).is_none_or(|next| next > world.now), "a deadline that has passed");
    }
}

#[test]
fn a_lease_ends_with_its_link() {
    let mut world = World::new();
    world.wait(PING_AFTER);
    world.input(Input::LinkDown { why: "test".to_owned() });
    assert_eq!(world.desk.next_deadline(), None);
    world.answer("desk");
    assert_eq!(world.show(), Show::Unavailable);
    world.input(Input::LinkUp);
    world.see("desk");
    world.pings.clear();
    world.wait(PING_AFTER + PING_TIMEOUT + Duration::from_secs(1));
    assert_eq!((world.pings.len(), world.why()), (1, vec!["stale"]));
}

impl World {
    fn set_pings(&mut self, ping_after: Option<Duration>, ping_timeout: Duration) {
        let policy = Policy { ping_after, ping_timeout, ..self.desk.policy().clone() };
        let now = self.now;
        self.desk.set_policy(policy, now);
    }
}

#[test]
fn other_lengths_hold_at_once_for_who_is_there_already() {
    let second = Duration::from_secs(1);
    // They are asked sooner.
    let mut world = World::new();
    world.see("desk");
    world.set_pings(Some(10 * second), PING_TIMEOUT);
    world.wait(11 * second);
    assert_eq!(world.pings.len(), 1);
    // Nobody is asked any more, and then again.
    let mut world = World::new();
    world.see("desk");
    world.set_pings(None, PING_TIMEOUT);
    world.wait(3 * PING_AFTER);
    assert_eq!((world.pings.len(), world.show()), (0, Show::Chat));
    let changed = world.now;
    world.set_pings(Some(PING_AFTER), PING_TIMEOUT);
    world.wait(PING_AFTER + second);
    assert_eq!(world.pings.len(), 1, "however long they were silent before, they are asked within that time");
    assert!(world.pings[0].0 > changed + second, "and not all in one moment");
    // They may take longer to answer, or not as long, from when they were asked.
    for (timeout, least, most) in [(60 * second, 59, 61), (5 * second, 4, 6)] {
        let mut world = World::new();
        world.see("desk");
        while world.pings.is_empty() {
            world.wait(second);
        }
        let asked = world.pings[0].0;
        world.set_pings(Some(PING_AFTER), timeout);
        while world.show() == Show::Chat {
            world.wait(second / 2);
        }
        let waited = (world.now - asked).as_secs();
        assert!((least..=most).contains(&waited), "{timeout:?}: {waited}");
    }
}

#[test]
fn a_server_that_is_silent_is_waited_for_also_under_other_rules() {
    let mut world = World::new();
    world.see("desk");
    world.is_there = false;
    world.wait(PING_AFTER + 2 * PING_TIMEOUT);
    assert_eq!(world.show(), Show::Chat, "nothing says that it is the client");
    world.set_pings(Some(PING_AFTER), PING_TIMEOUT / 2);
    world.wait(PING_TIMEOUT);
    assert_eq!(world.show(), Show::Chat);
    world.is_there = true;
    world.input(Input::SweepAnswered);
    world.wait(PING_AFTER);
    assert_eq!((world.show(), world.why()), (Show::Unavailable, vec!["stale"]), "it is asked once more, and is late");
}
