//! The queue law with two operators and a follower: what is shown, and what is told, as time goes by.
#![cfg(test)]

use super::*;
use crate::domain::{
    AccountId, BareJid, Edit, Effect, Input, Name, Outcome, Policy, Published, QueueFields, QueueId, Reason, Seen,
    SuspensionFields, UnixTime, UserFields, Who,
};

const LINGER: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);
/// A second less.
const NEARLY_LINGER: Duration = Duration::from_secs(9);
const NEARLY_GRACE: Duration = Duration::from_secs(19);

/// The queue law with its operators ann and bob, and somebody who follows it.
struct World {
    desk: Desk,
    now: Instant,
    account: AccountId,
    law: QueueId,
    ann: UserId,
    told: Vec<Published>,
    events: Vec<Event>,
}

fn name(text: &str) -> Name {
    Name::parse(text, 40).unwrap()
}

fn jid(text: &str) -> BareJid {
    BareJid::parse(&format!("{text}@example.org")).unwrap()
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "the clock of the test starts somewhere")]
    fn new(linger: Duration, link_grace: Duration) -> Self {
        let policy = Policy {
            linger,
            link_grace,
            sweep_rate: 1_000,
            ping_after: Some(Duration::from_secs(100)),
            ..Policy::new("queues.example.org", "example.org", name("staffing"))
        };
        let now = Instant::now();
        let (account, law, ann) = (AccountId::new(1).unwrap(), QueueId::new(2).unwrap(), UserId::new(3).unwrap());
        let (told, events) = (Vec::new(), Vec::new());
        let mut world = Self { desk: Desk::new(policy, now), now, account, law, ann, told, events };
        world.edit(Edit::AddAccount { name: name("acme"), password_hash: "x".into() });
        world.edit(Edit::CreateQueue { account, name: name("law"), fields: QueueFields::default() });
        for user in ["ann", "bob"] {
            let made = world.edit(Edit::CreateUser { account, name: name(user), fields: UserFields::default() });
            let Outcome::User(user) = made else { panic!() };
            world.edit(Edit::Assign { account, queue: law, user });
        }
        world.edit(Edit::Follow { queue: name("law"), jid: jid("visitor") });
        world
    }

    /// With a link, on which both have approved, and ann shows `chat`.
    fn up(linger: Duration, link_grace: Duration) -> Self {
        let mut world = Self::new(linger, link_grace);
        world.input(Input::LinkUp);
        world.see("ann", Show::Chat);
        world.gone("bob");
        world.sweep();
        assert_eq!(world.law(), "chat 1/2");
        world.forget();
        world
    }

    fn forget(&mut self) {
        (self.told, self.events) = (Vec::new(), Vec::new());
    }

    #[expect(clippy::needless_pass_by_value, reason = "it reads better where an edit is made")]
    fn edit(&mut self, edit: Edit) -> Outcome {
        let plan = self.desk.plan(&Who::Daemon.into(), UnixTime(0), &edit).unwrap();
        self.events.extend(self.desk.commit(plan.change));
        plan.outcome
    }

    fn input(&mut self, input: Input) {
        self.events.extend(self.desk.apply(input, self.now));
    }

    fn see(&mut self, user: &str, show: Show) {
        self.see_at(user, show, 0);
    }

    fn see_at(&mut self, user: &str, show: Show, priority: i8) {
        let seen = Seen { show, priority, status: None, known_show: true };
        self.input(Input::Seen { user: jid(user), resource: "desk".into(), seen });
    }

    fn gone(&mut self, user: &str) {
        self.input(Input::Gone { user: jid(user), resource: None });
    }

    fn lost(&mut self) {
        self.input(Input::LinkDown { why: "test".to_owned() });
    }

    /// Ends the sweep, in time: it takes a little more than two seconds.
    fn sweep(&mut self) {
        self.wait(SECOND);
        self.input(Input::SweepAnswered);
        self.wait(SECOND);
        assert_eq!(self.desk.link(), LinkPhase::Up);
    }

    /// Lets time pass, from one deadline to the next.
    fn wait(&mut self, length: Duration) {
        let end = self.now + length;
        loop {
            self.events.extend(self.desk.tick(self.now));
            let effects = self.desk.outgoing(usize::MAX, self.now);
            // How a sweep ends is for each case to say.
            if effects.contains(&Effect::Mark) && self.desk.link() == LinkPhase::Up {
                let events = self.desk.apply(Input::SweepAnswered, self.now);
                self.events.extend(events);
            }
            for effect in effects {
                if let Effect::Tell { published, .. } = effect {
                    self.told.push(published);
                }
            }
            let Some(next) = self.desk.next_deadline().filter(|next| *next <= end) else { break };
            assert!(next > self.now, "a deadline that has passed makes the engine run in circles");
            self.now = next;
        }
        self.now = end;
    }

    fn law(&self) -> String {
        let Published { show, ready, enabled, .. } = self.desk.queue_by_name(&name("law")).unwrap().published;
        format!("{show} {ready}/{enabled}")
    }

    fn ann(&self) -> String {
        let show = self.desk.books(self.account).user(self.ann).unwrap().show;
        let why: Vec<_> = self.desk.why_user(self.ann).into_iter().map(Reason::as_str).collect();
        format!("{show}: {}", why.join(", "))
    }

    fn told(&self) -> Vec<String> {
        self.told.iter().map(|it| format!("{} {}/{}", it.show, it.ready, it.enabled)).collect()
    }

    fn shown_changes(&self) -> usize {
        let is_change = |event: &&Event| matches!(event, Event::Queue { .. } | Event::User { .. });
        self.events.iter().filter(is_change).count()
    }
}

#[test]
fn who_goes_lingers_and_takes_no_work() {
    let mut world = World::up(LINGER, GRACE);
    world.gone("ann");
    assert_eq!((&*world.law(), &*world.ann()), ("chat 0/2", "chat: show-chat, lingering, offline"));
    world.wait(NEARLY_LINGER);
    assert_eq!((&*world.law(), world.shown_changes()), ("chat 0/2", 0));
    world.wait(SECOND);
    assert_eq!((&*world.law(), &*world.ann()), ("unavailable 0/2", "unavailable: offline"));
    assert_eq!(world.told(), ["chat 0/2", "unavailable 0/2"]);
    assert_eq!(world.shown_changes(), 2, "{:?}", world.events);
    assert_eq!(world.desk.next_expiry(), None);
}

#[test]
fn several_who_are_over_at_once_are_not_shown_one_after_the_other() {
    let mut world = World::up(LINGER, GRACE);
    world.see("bob", Show::Away);
    world.gone("ann");
    world.gone("bob");
    world.forget();
    world.wait(LINGER);
    let shows = world.events.iter().filter_map(|event| match event {
        Event::Queue { now, .. } => Some(now.show),
        Event::Counts { .. } | Event::User { .. } | Event::Swept { .. } | Event::Granted(_) => None,
    });
    assert_eq!(shows.collect::<Vec<_>>(), [Show::Unavailable]);
}

#[test]
fn who_is_back_in_time_was_never_seen_to_go() {
    let mut world = World::up(LINGER, GRACE);
    for _ in 0..3 {
        world.gone("ann");
        world.wait(NEARLY_LINGER);
        world.see("ann", Show::Chat);
        assert_eq!((&*world.law(), &*world.ann()), ("chat 1/2", "chat: show-chat"));
    }
    world.wait(LINGER * 2);
    assert_eq!((&*world.law(), world.shown_changes()), ("chat 1/2", 0));
    // With another show: that one is shown at once, and is what lingers next.
    world.gone("ann");
    world.see("ann", Show::Away);
    assert_eq!(world.law(), "away 0/2");
    world.gone("ann");
    world.wait(NEARLY_LINGER);
    assert_eq!(world.law(), "away 0/2");
    world.wait(SECOND);
    assert_eq!(world.law(), "unavailable 0/2");
}

#[test]
fn the_last_of_several_resources_lingers() {
    let mut world = World::up(LINGER, GRACE);
    let seen = Seen { show: Show::Dnd, priority: 0, status: None, known_show: true };
    world.input(Input::Seen { user: jid("ann"), resource: "phone".into(), seen });
    let gone = |resource: &str| Input::Gone { user: jid("ann"), resource: Some(resource.into()) };
    world.input(gone("desk"));
    assert_eq!(world.ann(), "dnd: show-dnd");
    world.input(gone("phone"));
    assert_eq!(world.ann(), "dnd: show-dnd, lingering, offline");
}

#[test]
fn only_who_went_lingers() {
    type Case = (&'static str, fn(&mut World));
    let cases: [Case; 6] = [
        ("stale", |world| world.wait(Duration::from_mins(3))),
        ("negative priority", |world| world.see_at("ann", Show::Chat, -1)),
        ("refused", |world| world.input(Input::Refused { user: jid("ann") })),
        ("suspended", |world| {
            let (account, queue, user) = (world.account, world.law, world.ann);
            world.edit(Edit::Enable {
                account,
                queue,
                user,
                enabled: Some(false),
                suspension: SuspensionFields::default(),
            });
        }),
        ("unassigned", |world| {
            world.edit(Edit::Unassign { account: world.account, queue: world.law, user: world.ann });
        }),
        ("moved", |world| {
            let fields = UserFields { jid: Some(jid("anna")), ..UserFields::default() };
            world.edit(Edit::UpdateUser { account: world.account, user: world.ann, fields });
        }),
    ];
    for (case, happens) in cases {
        let mut world = World::up(Duration::from_hours(1), GRACE);
        happens(&mut world);
        assert!(world.law().starts_with("unavailable 0/"), "{case}: {}", world.law());
        if matches!(case, "stale" | "negative priority") {
            world.gone("ann");
            assert_eq!(world.law(), "unavailable 0/2", "{case}, and then gone");
            continue;
        }
        // The same ends it for who lingers.
        let mut world = World::up(Duration::from_hours(1), GRACE);
        world.gone("ann");
        assert_eq!(world.law(), "chat 0/2");
        happens(&mut world);
        assert!(world.law().starts_with("unavailable 0/"), "{case} while lingering: {}", world.law());
    }
}

#[test]
fn while_the_link_is_away_what_was_shown_is_held_but_nobody_takes_work() {
    let mut world = World::up(LINGER, GRACE);
    world.lost();
    let why = |world: &World| {
        let why: Vec<_> = world.desk.why_queue(world.law).into_iter().map(Reason::as_str).collect();
        why.join(", ")
    };
    assert_eq!((&*world.law(), &*world.ann()), ("chat 0/2", "chat: show-chat, held, link-down"));
    assert_eq!(why(&world), "show-chat, held, link-down");
    world.wait(NEARLY_GRACE);
    // A try to make it anew that fails changes nothing.
    world.lost();
    assert_eq!((&*world.law(), world.shown_changes()), ("chat 0/2", 0));
    world.wait(SECOND);
    assert_eq!((&*world.law(), &*world.ann()), ("unavailable 0/2", "unavailable: link-down"));
    assert_eq!(why(&world), "none-online, link-down");
    assert_eq!((world.told(), world.desk.next_deadline()), (vec![], None));
}

#[test]
fn a_link_that_is_back_in_time_changes_nothing_until_everybody_was_heard() {
    let mut world = World::up(Duration::ZERO, GRACE);
    world.lost();
    world.wait(SECOND);
    world.input(Input::LinkUp);
    assert_eq!((&*world.law(), &*world.ann()), ("chat 0/2", "chat: show-chat, held, unknown"));
    world.see("bob", Show::Away);
    world.wait(SECOND);
    world.see("ann", Show::Xa);
    assert_eq!((&*world.law(), &*world.ann()), ("chat 0/2", "chat: show-chat, held, show-xa"));
    assert_eq!((world.told(), world.shown_changes()), (vec![], 0));
    world.sweep();
    assert_eq!((&*world.law(), &*world.ann()), ("away 0/2", "xa: show-xa"));
    assert_eq!(world.told(), ["away 0/2"]);
    // And as they were: nothing was seen to happen at all.
    world.see("ann", Show::Chat);
    world.forget();
    world.lost();
    world.input(Input::LinkUp);
    world.see("bob", Show::Away);
    world.see("ann", Show::Chat);
    assert_eq!(world.law(), "chat 1/2");
    world.sweep();
    assert_eq!((world.told(), world.shown_changes()), (vec!["chat 1/2".to_owned()], 0));
}

#[test]
fn after_the_grace_readers_see_who_was_heard_so_far() {
    let mut world = World::up(LINGER, GRACE);
    world.lost();
    world.wait(NEARLY_GRACE);
    world.input(Input::LinkUp);
    world.see("bob", Show::Away);
    assert_eq!(world.law(), "chat 0/2");
    world.wait(SECOND);
    assert_eq!((&*world.law(), &*world.ann()), ("away 0/2", "unavailable: unknown"));
    assert_eq!(world.told(), Vec::<String>::new());
    world.see("ann", Show::Dnd);
    assert_eq!(world.law(), "dnd 0/2");
    // The grace is that of the first loss: a link that comes and goes is not held for ever.
    let mut world = World::up(LINGER, GRACE);
    for _ in 0..10 {
        world.input(Input::LinkUp);
        world.wait(GRACE / 10);
        world.lost();
    }
    assert_eq!(world.law(), "unavailable 0/2");
}

#[test]
fn at_the_first_start_and_without_grace_nothing_is_held() {
    let mut world = World::new(LINGER, GRACE);
    world.lost();
    world.input(Input::LinkUp);
    assert_eq!((&*world.law(), &*world.ann()), ("unavailable 0/2", "unavailable: unknown"));
    world.see("ann", Show::Chat);
    assert_eq!((&*world.law(), &*world.ann()), ("chat 1/2", "chat: show-chat"));

    let mut world = World::up(LINGER, Duration::ZERO);
    world.lost();
    assert_eq!((&*world.law(), &*world.ann()), ("unavailable 0/2", "unavailable: link-down"));
    let mut world = World::up(LINGER, Duration::ZERO);
    world.gone("ann");
    world.lost();
    assert_eq!((world.law(), world.desk.next_expiry()), ("unavailable 0/2".to_owned(), None));
}

#[test]
fn an_edit_counts_at_once_while_all_is_held() {
    let mut world = World::up(LINGER, GRACE);
    let (account, queue, user) = (world.account, world.law, world.ann);
    world.lost();
    world.edit(Edit::Enable { account, queue, user, enabled: Some(false), suspension: SuspensionFields::default() });
    assert_eq!(world.law(), "unavailable 0/1");
    world.edit(Edit::Enable { account, queue, user, enabled: Some(true), suspension: SuspensionFields::default() });
    assert_eq!(world.law(), "chat 0/2");
    let fields = QueueFields::default();
    let Outcome::Queue(tax) = world.edit(Edit::CreateQueue { account, name: name("tax"), fields }) else { panic!() };
    world.edit(Edit::Assign { account, queue: tax, user });
    let tax_show = |world: &World| world.desk.queue_by_name(&name("tax")).unwrap().published.show;
    assert_eq!(tax_show(&world), Show::Chat);
    world.edit(Edit::Unassign { account, queue, user });
    assert_eq!(world.law(), "unavailable 0/1");
    world.edit(Edit::DeleteUser { account, user });
    assert_eq!(tax_show(&world), Show::Unavailable);
    // Of somebody new nothing is held.
    world.input(Input::LinkUp);
    let fields = UserFields::default();
    let Outcome::User(user) = world.edit(Edit::CreateUser { account, name: name("eve"), fields }) else { panic!() };
    world.edit(Edit::Assign { account, queue, user });
    world.see("eve", Show::Dnd);
    assert_eq!(world.law(), "dnd 0/2");
    world.sweep();
    world.wait(GRACE);
    assert_eq!(world.law(), "dnd 0/2");
}

#[test]
fn who_is_known_to_be_gone_is_not_held() {
    let lost_and_back = || {
        let mut world = World::up(Duration::ZERO, GRACE);
        world.lost();
        world.input(Input::LinkUp);
        assert_eq!(world.law(), "chat 0/2");
        world
    };
    let mut world = lost_and_back();
    world.gone("ann");
    assert_eq!((&*world.law(), &*world.ann()), ("unavailable 0/2", "unavailable: offline"));
    let mut world = lost_and_back();
    world.input(Input::Refused { user: jid("ann") });
    assert_eq!((&*world.law(), &*world.ann()), ("unavailable 0/2", "unavailable: unknown"));
    let mut world = lost_and_back();
    world.see("ann", Show::Chat);
    let gone = |resource: &str| Input::Gone { user: jid("ann"), resource: Some(resource.into()) };
    // One that was not heard on this link says nothing of the others.
    world.input(gone("phone"));
    assert_eq!(world.law(), "chat 1/2");
    world.input(gone("desk"));
    assert_eq!(world.law(), "unavailable 0/2");
}

#[test]
fn who_goes_on_trial_is_known_to_be_gone_when_that_is_passed() {
    let mut world = World::up(LINGER, GRACE);
    world.lost();
    world.input(Input::LinkOnTrial);
    world.gone("ann");
    assert_eq!((&*world.law(), &*world.ann()), ("chat 0/2", "chat: show-chat, held, unknown"));
    world.input(Input::TrialPassed);
    assert_eq!((&*world.law(), &*world.ann()), ("unavailable 0/2", "unavailable: offline"));
}

#[test]
fn lingering_goes_on_without_a_link_and_no_longer_than_the_grace() {
    // It ends while all is held.
    let mut world = World::up(LINGER, GRACE);
    world.gone("ann");
    world.lost();
    assert_eq!(world.ann(), "chat: show-chat, lingering, link-down");
    world.wait(NEARLY_LINGER);
    assert_eq!(world.law(), "chat 0/2");
    world.wait(SECOND);
    assert_eq!(world.law(), "unavailable 0/2");
    // It ends with the grace, on whatever link.
    for is_back in [false, true] {
        let mut world = World::up(GRACE * 3, GRACE);
        world.gone("ann");
        world.lost();
        if is_back {
            world.input(Input::LinkUp);
            world.sweep();
            assert_eq!((&*world.law(), &*world.ann()), ("chat 0/2", "chat: show-chat, lingering, silent"));
        }
        world.wait(GRACE);
        assert_eq!(world.law(), "unavailable 0/2", "{is_back}");
    }
    // Who is back meanwhile is held like everybody else.
    let mut world = World::up(LINGER, GRACE);
    world.gone("ann");
    world.lost();
    world.input(Input::LinkUp);
    world.see("ann", Show::Away);
    assert_eq!((&*world.law(), &*world.ann()), ("chat 0/2", "chat: show-chat, held, show-away"));
    world.wait(LINGER);
    assert_eq!(world.law(), "chat 0/2");
    world.wait(LINGER);
    assert_eq!(world.law(), "away 0/2");
}

/// What was shown of ann at each whole second from when she went (or the link did), where other lengths hold from `at` on.
fn shown_after(change: impl Fn(&mut Policy), at: Duration, lose: impl Fn(&mut World), until: Duration) -> Vec<String> {
    let mut world = World::up(LINGER, GRACE);
    let policy = |change: &dyn Fn(&mut Policy), world: &World| {
        let mut policy = world.desk.policy().clone();
        change(&mut policy);
        policy
    };
    lose(&mut world);
    world.wait(at);
    let (new, now) = (policy(&change, &world), world.now);
    let events = world.desk.set_policy(new, now);
    world.events.extend(events);
    let mut seen = vec![world.ann()];
    for _ in 0..until.saturating_sub(at).as_secs() {
        world.wait(SECOND);
        seen.push(world.ann());
    }
    seen
}

#[test]
fn another_length_counts_from_the_beginning() {
    let check = |change: &dyn Fn(&mut Policy), lose: &dyn Fn(&mut World), at: u64, ends: usize| {
        let seen = shown_after(change, Duration::from_secs(at), lose, Duration::from_mins(1));
        let shown = seen.iter().take_while(|show| show.starts_with("chat")).count();
        assert_eq!(shown + usize::try_from(at).unwrap(), ends, "{seen:?}");
        assert!(seen[shown..].iter().all(|show| show.starts_with("unavailable")), "what has ended stays so: {seen:?}");
    };
    let gone = |world: &mut World| world.gone("ann");
    let lost = |world: &mut World| world.lost();
    // They went at 0, and what was shown is looked at from the change on: 10 is no longer shown where they linger for 10 s.
    check(&|policy| policy.linger = 5 * SECOND, &gone, 2, 5);
    check(&|policy| policy.linger = 5 * SECOND, &gone, 7, 7);
    check(&|policy| policy.linger = Duration::ZERO, &gone, 2, 2);
    check(&|policy| policy.linger = 30 * SECOND, &gone, 2, 30);
    check(&|policy| policy.linger = 30 * SECOND, &gone, 12, 12);
    check(&|policy| policy.link_grace = 5 * SECOND, &lost, 2, 5);
    check(&|policy| policy.link_grace = Duration::ZERO, &lost, 2, 2);
    check(&|policy| policy.link_grace = 40 * SECOND, &lost, 2, 40);
    check(&|policy| policy.link_grace = 40 * SECOND, &lost, 22, 22);
    // Nobody lingers longer than the link's loss allows.
    let gone_and_lost = |world: &mut World| {
        world.gone("ann");
        world.lost();
    };
    check(&|policy| policy.linger = 30 * SECOND, &gone_and_lost, 2, 20);
    check(&|policy| policy.link_grace = 3 * SECOND, &gone_and_lost, 2, 3);
}

#[test]
fn another_wait_for_late_answers_counts_from_its_beginning() {
    for (length, waits) in [(Duration::ZERO, 0), (5 * SECOND, 4), (Duration::from_mins(1), 59)] {
        let mut world = World::up(LINGER, GRACE);
        let mut policy = world.desk.policy().clone();
        policy.sweep_quiet = 10 * SECOND;
        let now = world.now;
        world.desk.set_policy(policy.clone(), now);
        world.lost();
        world.input(Input::LinkUp);
        world.wait(SECOND);
        world.input(Input::SweepAnswered);
        world.wait(SECOND);
        policy.sweep_quiet = length;
        let now = world.now;
        world.desk.set_policy(policy, now);
        world.desk.tick(now);
        let seconds = (0..100).take_while(|_| {
            let is_sweeping = world.desk.link() != LinkPhase::Up;
            world.wait(SECOND);
            is_sweeping
        });
        assert_eq!(seconds.count(), waits, "{length:?}");
    }
}
