//! What is shown of a user: their show, and for a short while one that has ended. Who goes may come back at once on another
//! network (`linger`), and a link that is lost may be back before anybody has noticed (`link_grace`). What is kept so is
//! shown only: who is not seen takes no work.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{
    Desk, Event, LinkPhase, Show, UserId,
    availability::Counts,
    desk::{Person, Standing},
    presence::Presence,
};

/// Why what is shown of a user need not be what is seen of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kept {
    /// It is.
    #[default]
    Nothing,
    /// They went a short while ago. They stand among [`Keeping::lingers`].
    Lingers,
    /// The link went a short while ago, and not everybody has been heard since.
    Held,
}

/// Why something else may be seen of a user than before.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    /// They were heard, or did not answer.
    Heard,
    /// Their server says at this moment that a resource of theirs went, or all did.
    Went { all: bool, now: Instant },
    /// They are not to be seen any more: what was seen is none of our business, or was of another JID.
    Ended,
}

/// What somebody counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// What is shown of them.
    pub(super) shown: Show,
    /// They are seen to take new work.
    pub(super) is_ready: bool,
}

/// What is kept, and for how long.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// Until when what was shown as the link went is kept, if it is.
    hold: Option<Instant>,
    /// Who lingers, until when.
    lingers: BTreeMap<UserId, Instant>,
    /// The same, by the moment.
    ends: BTreeSet<(Instant, UserId)>,
}

impl Keeping {
    /// What was shown as the link went is kept.
    pub(super) fn is_holding(&self) -> bool {
        self.hold.is_some()
    }

    fn next(&self) -> Option<Instant> {
        self.ends.first().map(|(until, _)| *until).into_iter().chain(self.hold).min()
    }

    fn linger(&mut self, id: UserId, until: Instant) {
        self.unlinger(id);
        self.lingers.insert(id, until);
        self.ends.insert((until, id));
    }

    fn unlinger(&mut self, id: UserId) {
        if let Some(until) = self.lingers.remove(&id) {
            self.ends.remove(&(until, id));
        }
    }

    /// The next one who has lingered for long enough.
    fn take_over(&mut self, now: Instant) -> Option<UserId> {
        let (_, id) = *self.ends.first().filter(|(until, _)| *until <= now)?;
        self.unlinger(id);
        Some(id)
    }

    /// The link has gone. What is held since an earlier one went is held no longer for that, and nobody lingers longer.
    fn lose_link(&mut self, now: Instant, grace: Duration) {
        if grace.is_zero() {
            *self = Self::default();
            return;
        }
        let until = *self.hold.get_or_insert(now + grace);
        let late: Vec<_> = self.ends.iter().rev().take_while(|(end, _)| *end > until).map(|(_, id)| *id).collect();
        for id in late {
            self.linger(id, until);
        }
    }
}

/// What is to be kept of somebody who was seen as `from`, is seen as `to`, and of whom `kept` was.
fn keep(kept: Kept, from: Show, to: Show, news: News, linger: Duration, holds: bool) -> Kept {
    let is_seen = to != Show::Unavailable;
    match (news, kept) {
        (News::Ended, _) => Kept::Nothing,
        // Who comes back is shown as they are; while all is held, that has to wait for the rest of their resources.
        (_, Kept::Lingers) if is_seen && holds => Kept::Held,
        (_, Kept::Lingers) if is_seen => Kept::Nothing,
        (_, kept) if is_seen => kept,
        (News::Went { .. }, _) if from != to && !linger.is_zero() => Kept::Lingers,
        (News::Went { .. } | News::Heard, _) if from != to => Kept::Nothing,
        // They went while there was no link.
        (News::Went { all: true, .. }, Kept::Held) => Kept::Nothing,
        (_, kept) => kept,
    }
}

impl Person {
    /// What they count for, where they are enabled.
    pub(super) const fn counted(&self) -> Counted {
        Counted { shown: self.shown, is_ready: self.show.takes_work() }
    }

    /// Nothing is shown but what is seen.
    fn show_truth(&mut self) {
        (self.kept, self.shown) = (Kept::Nothing, self.show);
    }

    /// Nothing is known of them any more.
    fn forget(&mut self) {
        self.presence.forget();
        self.show = Show::Unavailable;
        (self.leased, self.standing) = (false, Standing::Unknown);
    }
}

impl Desk {
    /// Changes what was seen of one user, and whatever follows from it. Cost: the queues of this user.
    pub(super) fn observe(
        &mut self,
        id: UserId,
        news: News,
        change: impl FnOnce(&mut Presence),
        events: &mut Vec<Event>,
    ) {
        let Some(person) = self.people.get_mut(&id) else { return };
        change(&mut person.presence);
        // What is heard on trial does not count yet. Who is not to be seen any more is not shown either, whatever the link.
        if self.sweep.on_trial && !matches!(news, News::Ended) {
            return;
        }
        let winner = person.presence.winner(self.policy.merge, &self.policy.precedence, |_| ());
        let to = winner.map_or(Show::Unavailable, |resource| resource.show);
        let before = person.counted();
        let from = std::mem::replace(&mut person.show, to);
        let (linger, holds) = (self.policy.linger, self.keeping.hold.is_some());
        let kept = keep(person.kept, from, to, news, linger, holds);
        let kept_before = std::mem::replace(&mut person.kept, kept);
        if kept_before == Kept::Lingers && kept != Kept::Lingers {
            self.keeping.unlinger(id);
        }
        if let News::Went { now, .. } = news
            && kept == Kept::Lingers
            && kept_before != Kept::Lingers
        {
            person.shown = from;
            self.keeping.linger(id, now + linger);
        }
        if kept == Kept::Nothing {
            person.shown = to;
        }
        self.recount(id, before, events);
    }

    /// Counts a user anew who counted for `before`.
    fn recount(&mut self, id: UserId, before: Counted, events: &mut Vec<Event>) {
        let Some(person) = self.people.get(&id) else { return };
        let now = person.counted();
        if now == before {
            return;
        }
        if before.shown != now.shown {
            events.push(Event::User { id, from: before.shown, to: now.shown });
        }
        for staffs in person.staffs.iter().filter(|staffs| staffs.enabled) {
            let state = self.queues.get_mut(&staffs.queue).expect("who is deleted is unassigned before");
            state.counts.remove(before);
            state.counts.add(now);
            state.refresh(&self.policy.precedence, &mut self.outbox, events);
        }
    }

    /// The link has gone: everything that was seen is unknown again. What was shown is held, if it may be.
    pub(super) fn forget_all(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.leases.clear();
        self.keeping.lose_link(now, self.policy.link_grace);
        let holds = self.keeping.is_holding();
        let forget = |person: &mut Person| {
            person.forget();
            match person.kept {
                Kept::Lingers if holds => {}
                Kept::Nothing | Kept::Held if holds && person.is_assigned() => person.kept = Kept::Held,
                Kept::Nothing | Kept::Held | Kept::Lingers => person.show_truth(),
            }
        };
        self.recount_all(forget, events);
    }

    /// What was held counts no longer.
    fn release(&mut self, events: &mut Vec<Event>) {
        if self.keeping.hold.take().is_some() {
            let release = |person: &mut Person| {
                if person.kept == Kept::Held {
                    person.show_truth();
                }
            };
            self.recount_all(release, events);
        }
    }

    fn recount_all(&mut self, mut change: impl FnMut(&mut Person), events: &mut Vec<Event>) {
        for state in self.queues.values_mut() {
            state.counts = Counts::default();
        }
        let is_linked = self.link() != LinkPhase::Down;
        for (id, person) in &mut self.people {
            let from = person.shown;
            change(person);
            // Without a link nobody is there, which need not be said of each.
            if is_linked && from != person.shown {
                events.push(Event::User { id: *id, from, to: person.shown });
            }
            for staffs in person.staffs.iter().filter(|staffs| staffs.enabled) {
                let state = self.queues.get_mut(&staffs.queue).expect("who is deleted is unassigned before");
                state.counts.add(person.counted());
            }
        }
        for state in self.queues.values_mut() {
            state.refresh(&self.policy.precedence, &mut self.outbox, events);
        }
    }

    /// When [`Desk::expire`] next has something to do.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.keeping.next()
    }

    /// Ends what is shown of people who are not seen, where its time is over. [`Desk::apply`] and [`Desk::tick`] do so
    /// first; before [`Desk::outgoing`] it is for the caller to do.
    pub fn expire(&mut self, now: Instant) -> Vec<Event> {
        self.let_go(now, false)
    }

    /// Ends what is over, and where everybody was heard, what is held. All of it counts no longer before any of that shows.
    pub(super) fn let_go(&mut self, now: Instant, all_heard: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let mut queues = BTreeSet::new();
        while let Some(id) = self.keeping.take_over(now) {
            let Some(person) = self.people.get_mut(&id) else { continue };
            let before = person.counted();
            person.show_truth();
            events.push(Event::User { id, from: before.shown, to: person.shown });
            for staffs in person.staffs.iter().filter(|staffs| staffs.enabled) {
                let state = self.queues.get_mut(&staffs.queue).expect("who is deleted is unassigned before");
                state.counts.remove(before);
                state.counts.add(person.counted());
                queues.insert(staffs.queue);
            }
        }
        if all_heard || self.keeping.hold.is_some_and(|until| until <= now) {
            self.release(&mut events);
        }
        for id in queues {
            let state = self.queues.get_mut(&id).expect("it was there a moment ago");
            state.refresh(&self.policy.precedence, &mut self.outbox, &mut events);
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        AccountId, BareJid, Edit, Effect, Input, Name, Outcome, Policy, Published, QueueFields, QueueId, Reason, Seen,
        UserFields,
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
            let plan = self.desk.plan(&edit).unwrap();
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
                for effect in self.desk.outgoing(usize::MAX, self.now) {
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
            Event::User { .. } | Event::Swept { .. } | Event::Granted(_) => None,
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
                world.edit(Edit::Enable { account, queue, user, enabled: Some(false) });
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
        world.edit(Edit::Enable { account, queue, user, enabled: Some(false) });
        assert_eq!(world.law(), "unavailable 0/1");
        world.edit(Edit::Enable { account, queue, user, enabled: Some(true) });
        assert_eq!(world.law(), "chat 0/2");
        let fields = QueueFields::default();
        let Outcome::Queue(tax) = world.edit(Edit::CreateQueue { account, name: name("tax"), fields }) else {
            panic!()
        };
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
}
