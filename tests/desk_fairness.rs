//! No kind of work keeps another one from its turn, and what is said once survives a link that dies.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and starts its own clock")]

use std::time::{Duration, Instant};

use rosterd::domain::{
    AccountId, BareJid, Desk, Edit, Effect, Input, LinkPhase, Name, Outcome, Policy, QueueFields, QueueId, Reason,
    Record, Refusal, Seen, Show, TokenHash, UnixTime, UserFields, UserId, Who, WhoMayFollow,
};

fn name(text: &str) -> Name {
    Name::parse(text, 60).unwrap()
}

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).unwrap()
}

struct World {
    desk: Desk,
    now: Instant,
    account: AccountId,
}

impl World {
    fn new(sweep_rate: u32) -> Self {
        let now = Instant::now();
        let policy = Policy {
            sweep_rate,
            ping_after: None,
            session_idle: 3_600,
            ..Policy::new("queues.example.org", "example.org", name("staffing"))
        };
        let mut world = Self { desk: Desk::new(policy, now), now, account: AccountId::new(1).unwrap() };
        world.edit(&Edit::AddAccount { name: name("acme"), password_hash: "old".into() });
        world
    }

    fn edit(&mut self, edit: &Edit) -> Outcome {
        let plan = self.desk.plan(&Who::Daemon.into(), UnixTime(0), edit).unwrap();
        self.desk.commit(plan.change);
        plan.outcome
    }

    fn queue(&mut self, text: &str) -> QueueId {
        let (account, fields) = (self.account, QueueFields::default());
        let Outcome::Queue(id) = self.edit(&Edit::CreateQueue { account, name: name(text), fields }) else { panic!() };
        id
    }

    fn operator(&mut self, text: &str, queue: QueueId) -> UserId {
        let (account, fields) = (self.account, UserFields::default());
        let edit = Edit::CreateUser { account, name: name(text), fields };
        let Outcome::User(user) = self.edit(&edit) else { panic!() };
        self.edit(&Edit::Assign { account, queue, user });
        user
    }

    fn follow(&mut self, queue: &str, who: &str) {
        self.edit(&Edit::Follow { queue: name(queue), jid: jid(who) });
    }

    fn input(&mut self, input: Input) {
        self.desk.apply(input, self.now);
    }

    fn see(&mut self, who: &str, show: Show) {
        let seen = Seen { show, priority: 0, status: None, known_show: true };
        self.input(Input::Seen { user: jid(who), resource: "desk".into(), seen });
    }

    fn wait(&mut self, length: Duration) -> Vec<Effect> {
        let end = self.now + length;
        let mut effects = Vec::new();
        while self.now < end {
            self.now += Duration::from_millis(50);
            self.desk.tick(self.now);
            effects.extend(self.desk.outgoing(usize::MAX, self.now));
        }
        effects
    }

    /// A new link, swept.
    fn up(&mut self) -> Vec<Effect> {
        self.input(Input::LinkUp);
        let mut effects = self.wait(Duration::from_secs(2));
        self.input(Input::SweepAnswered);
        effects.extend(self.wait(Duration::from_secs(3)));
        assert_eq!(self.desk.link(), LinkPhase::Up);
        effects
    }

    fn down(&mut self) {
        self.input(Input::LinkDown { why: "test".to_owned() });
    }
}

fn is_tell(effect: &Effect, of: &str) -> bool {
    matches!(effect, Effect::Tell { queue, .. } if queue.as_str() == of)
}

#[test]
fn a_request_that_died_with_its_link_is_made_again() {
    let mut world = World::new(1_000);
    let law = world.queue("law");
    world.up();
    world.operator("ann", law);
    let ask = Effect::Ask { user: jid("ann@example.org") };
    assert!(world.wait(Duration::from_secs(1)).contains(&ask));
    world.down();
    assert!(world.up().contains(&ask), "who knows whether it arrived");
    world.wait(Duration::from_mins(3));
    world.down();
    assert!(!world.up().contains(&ask), "it arrived, so asking again is for tomorrow");
}

#[test]
fn an_approval_and_a_farewell_that_died_with_their_link_are_said_again() {
    let approve = Effect::Approve { queue: name("law"), to: jid("visitor@example.org") };
    let deny = Effect::Deny { from: name("tax"), to: jid("visitor@example.org"), full: false };
    // However many of them were on their way when the link died.
    for taken in 0..8 {
        let mut world = World::new(1_000);
        world.queue("law");
        let tax = world.queue("tax");
        world.follow("tax", "visitor@example.org");
        world.up();
        world.follow("law", "visitor@example.org");
        world.edit(&Edit::DeleteQueue { account: world.account, queue: tax });
        world.desk.outgoing(taken, world.now);
        world.down();
        let effects = world.up();
        assert!(effects.contains(&approve) && effects.contains(&deny), "{taken} were taken: {effects:?}");
        world.wait(Duration::from_mins(3));
        world.down();
        let effects = world.up();
        assert!(!effects.contains(&approve) && !effects.contains(&deny), "they arrived: {effects:?}");
    }
}

#[test]
fn who_comes_back_is_not_turned_away_afterwards() {
    for taken in 0..6 {
        let mut world = World::new(1_000);
        world.queue("law");
        world.follow("law", "visitor@example.org");
        world.up();
        world.edit(&Edit::Unfollow { queue: name("law"), jid: jid("visitor@example.org") });
        let before = world.desk.outgoing(taken, world.now);
        world.follow("law", "visitor@example.org");
        let after = world.wait(Duration::from_secs(1));
        let deny = Effect::Deny { from: name("law"), to: jid("visitor@example.org"), full: false };
        assert!(!after.contains(&deny), "{before:?}, and then {after:?}");
        assert!(is_tell(after.last().unwrap(), "law"), "{after:?}");
    }
}

#[test]
fn after_a_start_every_follower_is_approved_once_more() {
    let mut world = World::new(1_000);
    world.queue("law");
    world.follow("law", "visitor@example.org");
    let records = world.desk.records();
    world.desk = Desk::restore(world.desk.policy().clone(), records, world.now).unwrap();
    let approve = Effect::Approve { queue: name("law"), to: jid("visitor@example.org") };
    let effects = world.up();
    let approved = effects.iter().position(|effect| *effect == approve).unwrap();
    let told = effects.iter().position(|effect| is_tell(effect, "law")).unwrap();
    assert!(approved < told);
    assert_eq!(effects.iter().filter(|effect| is_tell(effect, "law")).count(), 1);
}

#[test]
fn a_queue_that_keeps_changing_holds_up_no_other() {
    let mut world = World::new(1_000);
    let (law, tax) = (world.queue("law"), world.queue("tax"));
    world.operator("ann", law);
    world.operator("bob", tax);
    for number in 0..100 {
        world.follow("law", &format!("visitor{number}@example.org"));
    }
    world.follow("tax", "visitor@example.org");
    world.up();
    world.see("ann@example.org", Show::Available);
    world.desk.outgoing(5, world.now);
    world.see("bob@example.org", Show::Available);
    let mut told = false;
    for round in 0..50 {
        world.see("ann@example.org", if round % 2 == 0 { Show::Away } else { Show::Available });
        told |= world.desk.outgoing(4, world.now).iter().any(|effect| is_tell(effect, "tax"));
    }
    assert!(told, "two hundred stanzas, and none of them for the other queue");
}

#[test]
fn questions_of_strangers_hold_up_nobody() {
    let mut world = World::new(1_000);
    let law = world.queue("law");
    world.operator("ann", law);
    world.follow("law", "visitor@example.org");
    world.up();
    world.see("ann@example.org", Show::Chat);
    let mut told = false;
    for _ in 0..20 {
        world.input(Input::Probed { queue: name("nowhere"), from: jid("eve@example.org") });
        told |= world.desk.outgoing(1, world.now).iter().any(|effect| is_tell(effect, "law"));
    }
    assert!(told);
}

#[test]
fn nobody_holds_up_the_sweep() {
    let mut world = World::new(100);
    let law = world.queue("law");
    for number in 0..50 {
        world.operator(&format!("user{number}"), law);
    }
    for number in 0..5_000 {
        world.see(&format!("stranger{number}@example.org"), Show::Chat);
    }
    world.input(Input::LinkUp);
    let mut effects = Vec::new();
    for number in 0..200 {
        world.input(Input::Approved { user: jid("user0@example.org") });
        world.see(&format!("stranger{number}@example.org"), Show::Chat);
        effects.extend(world.wait(Duration::from_millis(50)));
    }
    assert!(effects.contains(&Effect::Mark), "50 users at 100 a second are not asked within 10 seconds");
}

#[test]
fn a_sweep_ends_even_when_its_mark_is_never_answered() {
    let mut world = World::new(1_000);
    let law = world.queue("law");
    world.operator("ann", law);
    world.input(Input::LinkUp);
    world.wait(Duration::from_secs(29));
    assert_ne!(world.desk.link(), LinkPhase::Up);
    world.wait(Duration::from_secs(2));
    assert_eq!(world.desk.link(), LinkPhase::Up);
}

#[test]
fn no_more_than_the_rate_are_asked() {
    for (rate, most) in [(1, 2), (19, 20), (39, 40), (1_500, 1_600)] {
        let mut world = World::new(rate);
        let law = world.queue("law");
        for number in 0..2_000 {
            world.operator(&format!("user{number}"), law);
        }
        world.desk = Desk::restore(world.desk.policy().clone(), world.desk.records(), world.now).unwrap();
        world.input(Input::LinkUp);
        let sent = world.wait(Duration::from_secs(1)).len();
        assert!(sent <= most && sent * 3 >= usize::try_from(rate).unwrap(), "{sent} in a second at rate {rate}");
    }
}

#[test]
fn why_nobody_is_seen() {
    let mut world = World::new(1_000);
    let law = world.queue("law");
    let (ann, bob) = (world.operator("ann", law), world.operator("bob", law));
    let why = |world: &World, user| world.desk.why_user(user).first().copied().map(Reason::as_str);
    assert_eq!(why(&world, ann), Some("link-down"));
    world.input(Input::LinkUp);
    assert_eq!(why(&world, ann), Some("unknown"));
    world.wait(Duration::from_secs(1));
    world.input(Input::SweepAnswered);
    world.wait(Duration::from_secs(3));
    // Prosody says this of somebody who has not said yes.
    world.input(Input::Gone { user: jid("ann@example.org"), resource: None });
    assert_eq!((why(&world, ann), why(&world, bob)), (Some("not-approved"), Some("not-approved")));
    world.input(Input::Approved { user: jid("ann@example.org") });
    world.input(Input::Gone { user: jid("ann@example.org"), resource: None });
    assert_eq!(why(&world, ann), Some("offline"));
    world.input(Input::Refused { user: jid("ann@example.org") });
    assert_eq!(why(&world, ann), Some("refused"));
}

#[test]
fn who_has_not_approved_is_asked_once_a_day() {
    let mut world = World::new(1_000);
    let law = world.queue("law");
    for user in ["ann", "bob", "eve"] {
        world.operator(user, law);
    }
    world.up();
    world.input(Input::Approved { user: jid("ann@example.org") });
    world.see("ann@example.org", Show::Chat);
    world.input(Input::Refused { user: jid("eve@example.org") });
    // Prosody answers our request with this, whether they are online or not.
    world.input(Input::Gone { user: jid("bob@example.org"), resource: None });
    world.wait(Duration::from_secs(1));
    let mut asked = Vec::new();
    let begin = world.now;
    while world.now < begin + Duration::from_hours(49) {
        world.now += Duration::from_mins(5);
        world.desk.tick(world.now);
        asked.extend(world.desk.outgoing(usize::MAX, world.now));
    }
    assert_eq!(asked, vec![Effect::Ask { user: jid("bob@example.org") }; 2]);
}

#[test]
fn coming_and_going_takes_no_more_than_one_place() {
    let mut world = World::new(1_000);
    world.queue("law");
    world.input(Input::LinkUp);
    for _ in 0..1_000 {
        world.follow("law", "visitor@example.org");
        world.edit(&Edit::Unfollow { queue: name("law"), jid: jid("visitor@example.org") });
    }
    world.follow("law", "visitor@example.org");
    let effects = world.up();
    let to_visitor = |effect: &&Effect| !matches!(effect, Effect::Mark);
    assert_eq!(effects.iter().filter(to_visitor).count(), 2, "approved and told: {effects:?}");
}

#[test]
fn who_has_answered_is_not_asked_again_because_the_link_died() {
    for answer in [Input::Refused { user: jid("ann@example.org") }, Input::Approved { user: jid("ann@example.org") }] {
        let mut world = World::new(1_000);
        let law = world.queue("law");
        world.up();
        world.operator("ann", law);
        let ask = Effect::Ask { user: jid("ann@example.org") };
        assert!(world.wait(Duration::from_secs(1)).contains(&ask));
        world.input(answer.clone());
        world.down();
        assert!(!world.up().contains(&ask), "{answer:?}");
    }
}

#[test]
fn a_link_that_is_behind_gets_no_pings_that_would_be_late() {
    let mut world = World::new(1_000);
    let law = world.queue("law");
    world.operator("ann", law);
    let policy = Policy { ping_after: Some(Duration::from_secs(10)), ..world.desk.policy().clone() };
    world.desk = Desk::restore(policy, world.desk.records(), world.now).unwrap();
    world.up();
    world.see("ann@example.org", Show::Chat);
    let is_ping = |effect: &Effect| matches!(effect, Effect::Ping { .. });
    for _ in 0..600 {
        world.now += Duration::from_millis(100);
        world.desk.tick(world.now);
        assert!(!world.desk.outgoing(10, world.now).iter().any(is_ping));
        assert!(world.desk.next_deadline().is_none_or(|next| next > world.now), "there is nothing to do at once");
    }
    assert_eq!(world.desk.queue_by_name(&name("law")).unwrap().published.show, Show::Chat);
    assert!(world.wait(Duration::from_secs(1)).iter().any(is_ping), "as soon as it has caught up");
}

#[test]
fn who_may_follow() {
    let check = |who: WhoMayFollow, may: [bool; 3]| {
        let mut world = World::new(1_000);
        let law = world.queue("law");
        world.operator("ann", law);
        let policy = Policy { who_may_follow: who, ..world.desk.policy().clone() };
        world.desk = Desk::restore(policy, world.desk.records(), world.now).unwrap();
        let people = ["ann@example.org", "visitor@example.org", "mallory@elsewhere.net"];
        for (person, may) in people.into_iter().zip(may) {
            let planned = world.desk.plan(
                &Who::Daemon.into(),
                UnixTime(0),
                &Edit::Follow { queue: name("law"), jid: jid(person) },
            );
            assert_eq!(planned.err(), (!may).then_some(Refusal::MayNotFollow), "{person}, {}", who.as_str());
        }
    };
    check(WhoMayFollow::Anyone, [true, true, true]);
    check(WhoMayFollow::UserDomain, [true, true, false]);
    check(WhoMayFollow::Operators, [true, false, false]);

    // Who follows already goes on, and may say so again.
    let mut world = World::new(1_000);
    world.queue("law");
    world.follow("law", "visitor@example.org");
    let policy = Policy { who_may_follow: WhoMayFollow::Operators, ..world.desk.policy().clone() };
    world.desk = Desk::restore(policy, world.desk.records(), world.now).unwrap();
    world.follow("law", "visitor@example.org");
}

#[test]
fn a_session_needs_the_password_that_holds() {
    let mut world = World::new(1_000);
    let set = world
        .desk
        .plan(&Who::Daemon.into(), UnixTime(0), &Edit::SetPassword { login: name("acme"), password_hash: "new".into() })
        .unwrap();
    let (token, now) = (TokenHash([1; 32]), UnixTime(1));
    // The old password was checked before the new one was on disk.
    let open = Edit::OpenSession {
        login: name("acme"),
        password_hash: "old".into(),
        token,
        instead_of: Vec::new(),
        from: None,
        now,
    };
    world.desk.commit(set.change);
    assert_eq!(world.desk.plan(&Who::Daemon.into(), UnixTime(0), &open).unwrap_err(), Refusal::PasswordChanged);
}

#[test]
fn an_import_gives_no_number_twice() {
    let mut world = World::new(1_000);
    let records = world.desk.records();
    for round in 0..3 {
        world.edit(&Edit::RemoveAccount { name: name(if round == 0 { "acme" } else { "other" }), with_all: true });
        world.edit(&Edit::AddAccount { name: name("other"), password_hash: "x".into() });
    }
    world.edit(&Edit::RemoveAccount { name: name("other"), with_all: true });
    let before = world.desk.records();
    world.edit(&Edit::Import { records });
    assert_eq!(world.desk.records().first(), before.first());
    assert!(matches!(before.first(), Some(Record::NextId(5))));
}

#[test]
fn the_mark_of_an_earlier_sweep_ends_no_later_one() {
    let mut world = World::new(1_000);
    let law = world.queue("law");
    world.operator("ann", law);
    world.desk.apply(Input::LinkUp, world.now);
    let marks = |effects: Vec<Effect>| effects.iter().filter(|it| **it == Effect::Mark).count();
    assert_eq!(marks(world.desk.outgoing(1_000, world.now)), 1);
    // It begins anew on the same stream, before the server has answered.
    world.desk.apply(Input::LinkUp, world.now);
    world.now += Duration::from_secs(1);
    assert_eq!(marks(world.desk.outgoing(1_000, world.now)), 1);
    let answered = |world: &mut World| {
        world.desk.apply(Input::SweepAnswered, world.now);
        world.now += Duration::from_secs(2);
        world.desk.tick(world.now);
        world.desk.link()
    };
    assert_eq!(answered(&mut world), LinkPhase::Sweeping { done: 1, total: 1 });
    assert_eq!(answered(&mut world), LinkPhase::Up);
}

#[test]
fn on_trial_only_who_was_told_by_us_hears_that_everything_closes() {
    let mut world = World::new(1_000);
    world.queue("law");
    world.follow("law", "visitor@example.org");
    let closed = |world: &mut World| {
        world.desk.apply(Input::LinkOnTrial, world.now);
        world.now += Duration::from_secs(1);
        world.desk.outgoing(1_000, world.now);
        world.desk.apply(Input::Closing, world.now);
        world.desk.outgoing(1_000, world.now)
    };
    assert_eq!(closed(&mut world), [], "somebody else may speak for the queue");
    let mut world = World::new(1_000);
    world.queue("law");
    world.up();
    world.follow("law", "visitor@example.org");
    world.now += Duration::from_secs(1);
    assert!(world.desk.outgoing(1_000, world.now).iter().any(|effect| is_tell(effect, "law")));
    world.desk.apply(Input::LinkDown { why: "test".to_owned() }, world.now);
    let told = closed(&mut world);
    assert!(matches!(&told[..], [Effect::Tell { published, .. }] if published.closed), "{told:?}");
}
