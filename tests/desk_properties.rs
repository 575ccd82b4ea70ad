//! For any sequence of edits, facts and moments: what the desk answers, and what it has told everybody, is what a computation
//! from scratch says.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::match_same_arms,
    reason = "a test may panic, and starts its own clock"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proptest::{prelude::*, test_runner::TestCaseError};
use rosterd::domain::{
    ARRIVES_WITHIN, AccountId, BareJid, Desk, Edit, Effect, Event, Input, LinkPhase, Merge, Name, Outcome, Policy,
    Precedence, Published, QueueFields, QueueId, Seen, Show, SuspensionFields, UnixTime, UserFields, UserId, Who,
};

const USERS: usize = 4;
const QUEUES: usize = 3;
const FOLLOWERS: usize = 3;
const RESOURCES: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Assign(usize, usize),
    Unassign(usize, usize),
    Enable(usize, usize, bool),
    RenameQueue(usize),
    RecreateQueue(usize),
    MoveUser(usize),
    Follow(usize, usize),
    Unfollow(usize, usize),
    LinkUp,
    LinkOnTrial,
    TrialPassed,
    LinkDown,
    Seen(usize, usize, Show, i8),
    Gone(usize, Option<usize>),
    Approved(usize),
    Refused(usize),
    Probed(usize, usize),
    Unread(usize, usize),
    SweepAnswered,
    Wait(u64),
    Drain(usize),
    Rule(Rules),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS;
    let queue = 0..QUEUES;
    let follower = 0..FOLLOWERS;
    let show = prop::sample::select(&Show::ALL[..5]);
    let step = prop_oneof![
        4 => (user.clone(), queue.clone()).prop_map(|(u, q)| Step::Assign(u, q)),
        1 => (user.clone(), queue.clone()).prop_map(|(u, q)| Step::Unassign(u, q)),
        3 => (user.clone(), queue.clone(), any::<bool>()).prop_map(|(u, q, e)| Step::Enable(u, q, e)),
        1 => queue.clone().prop_map(Step::RenameQueue),
        1 => queue.clone().prop_map(Step::RecreateQueue),
        1 => user.clone().prop_map(Step::MoveUser),
        3 => (queue.clone(), follower.clone()).prop_map(|(q, f)| Step::Follow(q, f)),
        1 => (queue.clone(), follower.clone()).prop_map(|(q, f)| Step::Unfollow(q, f)),
        1 => Just(Step::LinkUp),
        1 => Just(Step::LinkOnTrial),
        1 => Just(Step::TrialPassed),
        1 => Just(Step::LinkDown),
        8 => (user.clone(), 0..RESOURCES, show, prop::sample::select(vec![0_i8, 5, -1]))
            .prop_map(|(u, r, s, p)| Step::Seen(u, r, s, p)),
        3 => (user.clone(), prop::option::of(0..RESOURCES)).prop_map(|(u, r)| Step::Gone(u, r)),
        1 => user.clone().prop_map(Step::Approved),
        1 => user.clone().prop_map(Step::Refused),
        2 => (queue, follower).prop_map(|(q, f)| Step::Probed(q, f)),
        2 => (user, 0..RESOURCES).prop_map(|(u, r)| Step::Unread(u, r)),
        2 => Just(Step::SweepAnswered),
        3 => (0_u64..3_000).prop_map(Step::Wait),
        4 => (1_usize..40).prop_map(Step::Drain),
        2 => rules().prop_map(Step::Rule),
    ];
    prop::collection::vec(step, 1..120)
}

/// What differs between deployments, and may change while the desk works.
#[derive(Debug, Clone)]
struct Rules {
    merge: Merge,
    /// The shows of who is there, best first.
    shows: Vec<Show>,
    linger: Duration,
    link_grace: Duration,
}

impl Rules {
    fn plain() -> Self {
        let (merge, shows) = (Merge::MostAvailable, Show::ALL[..5].to_vec());
        Self { merge, shows, linger: Duration::ZERO, link_grace: Duration::ZERO }
    }

    fn policy(&self) -> Policy {
        Policy {
            merge: self.merge,
            precedence: Precedence::new(&[&self.shows[..], &[Show::Unavailable]].concat()).unwrap(),
            linger: self.linger,
            link_grace: self.link_grace,
            sweep_rate: 200,
            ping_after: Some(Duration::from_secs(30)),
            session_idle: 3_600,
            ..Policy::new("queues.example.org", "example.org", Name::parse("staffing", 60).unwrap())
        }
    }

    /// The best is the least.
    fn rank(&self, show: Show) -> usize {
        self.shows.iter().position(|it| *it == show).unwrap_or(self.shows.len())
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let length = || prop_oneof![1 => Just(0), 3 => 1_u64..10_000].prop_map(Duration::from_millis);
    let merge = prop::sample::select(Merge::ALL.to_vec());
    let shows = Just(Show::ALL[..5].to_vec()).prop_shuffle();
    let rules = |(merge, shows, linger, link_grace)| Rules { merge, shows, linger, link_grace };
    (merge, shows, length(), length()).prop_map(rules)
}

/// What is shown of a user whatever is seen of them.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Lingers(Show, Instant),
    Held(Show),
}

/// The world as a simple mind keeps it: everything in plain maps, everything computed anew.
struct Model {
    desk: Desk,
    now: Instant,
    rules: Rules,
    account: AccountId,
    users: Vec<(UserId, BareJid)>,
    queues: Vec<(QueueId, Name)>,
    renames: usize,
    /// By queue and user: enabled.
    assigned: BTreeMap<(usize, usize), bool>,
    followers: BTreeSet<(usize, usize)>,
    linked: bool,
    /// Nothing counts yet, and nobody but those who are watched is sent anything.
    on_trial: bool,
    /// By user: resources, oldest first.
    seen: BTreeMap<usize, Vec<(usize, Show, i8)>>,
    /// By user, who was heard: the resources that are there, be it that nothing can be read of them.
    there: BTreeMap<usize, BTreeSet<usize>>,
    /// By user; nothing where what is seen is shown.
    kept: BTreeMap<usize, Kept>,
    /// Until when what was shown before the link was lost is held.
    held_until: Option<Instant>,
    /// Since when somebody is known to be gone.
    gone_since: BTreeMap<usize, Instant>,
    /// When a link was lost: the first of those within one grace, none once everybody was heard.
    lost_at: Option<Instant>,
    /// Events since the last look.
    happened: Vec<Event>,
    /// What arrived at the followers on this link, by the queue's JID.
    arrived: BTreeMap<(Name, BareJid), Published>,
    /// Who was told that they may follow, and when: what was said shortly before its link died is lost.
    approved: BTreeMap<(Name, BareJid), Instant>,
    /// Whose presence we asked for and did not give up.
    watched: BTreeSet<BareJid>,
    /// Who was asked anything on this link.
    asked: BTreeSet<BareJid>,
}

fn follower(number: usize) -> BareJid {
    BareJid::parse(&format!("visitor{number}@example.org")).unwrap()
}

impl Model {
    fn new(rules: Rules) -> Self {
        let now = Instant::now();
        let mut model = Self {
            desk: Desk::new(rules.policy(), now),
            now,
            rules,
            account: AccountId::new(1).unwrap(),
            users: Vec::new(),
            queues: Vec::new(),
            renames: 0,
            assigned: BTreeMap::new(),
            followers: BTreeSet::new(),
            linked: false,
            on_trial: false,
            seen: BTreeMap::new(),
            there: BTreeMap::new(),
            kept: BTreeMap::new(),
            held_until: None,
            gone_since: BTreeMap::new(),
            lost_at: None,
            happened: Vec::new(),
            arrived: BTreeMap::new(),
            approved: BTreeMap::new(),
            watched: BTreeSet::new(),
            asked: BTreeSet::new(),
        };
        let name = |text: &str| Name::parse(text, 40).unwrap();
        model.edit(Edit::AddAccount { name: name("acme"), password_hash: "x".into() });
        for number in 0..USERS {
            let (name, fields) = (name(&format!("user{number}")), UserFields::default());
            let Outcome::User(id) = model.edit(Edit::CreateUser { account: model.account, name, fields }) else {
                panic!("a user is made")
            };
            model.users.push((id, BareJid::parse(&format!("user{number}@example.org")).unwrap()));
        }
        for number in 0..QUEUES {
            let name = name(&format!("queue{number}"));
            let queue = model.create_queue(&name);
            model.queues.push((queue, name));
        }
        model
    }

    fn create_queue(&mut self, name: &Name) -> QueueId {
        let (account, name) = (self.account, name.clone());
        let Outcome::Queue(id) = self.edit(Edit::CreateQueue { account, name, fields: QueueFields::default() }) else {
            panic!("a queue is made")
        };
        id
    }

    #[expect(clippy::needless_pass_by_value, reason = "it reads better where an edit is made")]
    fn edit(&mut self, edit: Edit) -> Outcome {
        let plan = self
            .desk
            .plan(&Who::Daemon.into(), UnixTime(0), &edit)
            .unwrap_or_else(|refusal| panic!("{edit:?}: {refusal}"));
        self.happened.extend(self.desk.commit(plan.change));
        plan.outcome
    }

    fn input(&mut self, input: Input) {
        self.happened.extend(self.desk.apply(input, self.now));
    }

    fn is_assigned(&self, user: usize) -> bool {
        self.assigned.keys().any(|(_, assigned)| *assigned == user)
    }

    fn seen_show(&self, user: usize) -> Show {
        if self.on_trial {
            return Show::Unavailable;
        }
        let counting: Vec<_> =
            self.seen.get(&user).into_iter().flatten().filter(|(_, _, priority)| *priority >= 0).collect();
        let chosen = match self.rules.merge {
            Merge::MostAvailable => counting.iter().map(|(_, show, _)| *show).min_by_key(|it| self.rules.rank(*it)),
            Merge::LeastAvailable => counting.iter().map(|(_, show, _)| *show).max_by_key(|it| self.rules.rank(*it)),
            Merge::HighestPriority => {
                let most = counting.iter().map(|(_, _, priority)| *priority).max();
                counting.iter().rev().find(|(_, _, priority)| Some(*priority) == most).map(|(_, show, _)| *show)
            }
        };
        chosen.unwrap_or(Show::Unavailable)
    }

    fn shown(&self, user: usize) -> Show {
        match self.kept.get(&user) {
            Some(Kept::Lingers(show, _) | Kept::Held(show)) => *show,
            None => self.seen_show(user),
        }
    }

    fn enabled(&self, queue: usize) -> Vec<usize> {
        let enabled = self.assigned.iter().filter(|((assigned, _), enabled)| *assigned == queue && **enabled);
        enabled.map(|((_, user), _)| *user).collect()
    }

    fn published(&self, queue: usize) -> Published {
        let enabled = self.enabled(queue);
        let is_ready = |user: &&usize| matches!(self.seen_show(**user), Show::Chat | Show::Available);
        let shown = enabled.iter().map(|user| self.shown(*user));
        Published {
            show: shown.min_by_key(|show| self.rules.rank(*show)).unwrap_or(Show::Unavailable),
            ready: u32::try_from(enabled.iter().filter(is_ready).count()).unwrap(),
            enabled: u32::try_from(enabled.len()).unwrap(),
            closed: false,
        }
    }

    /// The link goes: what is shown is held for the grace, counted from the first loss.
    fn lose_link(&mut self) {
        if self.linked && !self.rules.link_grace.is_zero() {
            let until = *self.held_until.get_or_insert(self.now + self.rules.link_grace);
            for user in 0..USERS {
                if !self.is_assigned(user) {
                    continue;
                }
                let kept = match self.kept.get(&user) {
                    Some(Kept::Lingers(show, end)) => Kept::Lingers(*show, until.min(*end)),
                    Some(Kept::Held(_)) | None => Kept::Held(self.shown(user)),
                };
                self.kept.insert(user, kept);
            }
        }
        if self.rules.link_grace.is_zero() {
            self.kept.clear();
        }
        if self.linked && self.lost_at.is_none_or(|moment| moment + self.rules.link_grace <= self.now) {
            self.lost_at = Some(self.now);
        }
        self.seen.clear();
        self.there.clear();
    }

    /// Other rules hold: what has begun ends as if they had held from its beginning, and what is over is over.
    fn rule(&mut self, rules: Rules) {
        self.happened.extend(self.desk.set_policy(rules.policy(), self.now));
        let moved = |end: Instant, old: Duration, new: Duration| (end + new).checked_sub(old).unwrap();
        let old = std::mem::replace(&mut self.rules, rules);
        let (linger, grace) = (self.rules.linger, self.rules.link_grace);
        self.held_until = self.held_until.map(|until| moved(until, old.link_grace, grace));
        if self.held_until.is_none() {
            self.lost_at = None;
        }
        for kept in self.kept.values_mut() {
            if let Kept::Lingers(_, end) = kept {
                let until = moved(*end, old.linger, linger);
                *end = self.held_until.map_or(until, |hold| until.min(hold));
            }
        }
        self.let_go();
    }

    /// Ends what is over at this moment.
    fn let_go(&mut self) {
        self.kept.retain(|_, kept| !matches!(kept, Kept::Lingers(_, end) if *end <= self.now));
        let is_swept = self.desk.link() == LinkPhase::Up;
        if is_swept || self.held_until.is_some_and(|until| until <= self.now) {
            self.held_until = None;
            self.kept.retain(|_, kept| matches!(kept, Kept::Lingers(..)));
        }
        if is_swept {
            self.lost_at = None;
        }
    }

    /// What follows when something else is seen of a user who was seen as `before`.
    fn seen_anew(&mut self, user: usize, before: Show, went: Option<bool>) {
        if self.on_trial {
            return;
        }
        let after = self.seen_show(user);
        let (kept, dropped) = (self.kept.get(&user).copied(), before != after && after == Show::Unavailable);
        let kept = match (kept, went) {
            (Some(Kept::Lingers(show, _)), _) if after != Show::Unavailable => {
                self.held_until.map(|_| Kept::Held(show))
            }
            (_, Some(_)) if dropped && !self.rules.linger.is_zero() => {
                Some(Kept::Lingers(before, self.now + self.rules.linger))
            }
            (Some(Kept::Held(_)), Some(true)) if after == Show::Unavailable => None,
            (_, _) if dropped => None,
            (kept, _) => kept,
        };
        self.kept.remove(&user);
        self.kept.extend(kept.map(|kept| (user, kept)));
        if after != Show::Unavailable {
            self.gone_since.remove(&user);
        } else if went == Some(true) || (went.is_some() && dropped) {
            self.gone_since.entry(user).or_insert(self.now);
        }
    }

    /// A user is none of our business any more, or somebody else.
    fn forget(&mut self, user: usize) {
        self.seen.remove(&user);
        self.there.remove(&user);
        self.kept.remove(&user);
        self.gone_since.remove(&user);
    }

    /// Whether anything but `unavailable` may be shown of a user: they are seen, or went no longer ago than they linger,
    /// or the link went no longer ago than is granted and nothing else is known since.
    fn may_show(&self, user: usize) -> bool {
        let since = |moment: Option<&Instant>, length: Duration| moment.is_some_and(|it| self.now < *it + length);
        if self.seen_show(user) != Show::Unavailable {
            return true;
        }
        match self.gone_since.get(&user) {
            Some(moment) => since(Some(moment), self.rules.linger),
            None => since(self.lost_at.as_ref(), self.rules.link_grace),
        }
    }

    fn may_publish(&self, queue: usize, published: Published) -> Result<(), TestCaseError> {
        let mut enabled = self.enabled(queue).into_iter();
        let may = published.show == Show::Unavailable || enabled.any(|user| self.may_show(user));
        prop_assert!(may, "nobody is there, but {:?}", published);
        Ok(())
    }

    /// Nothing that happened or can be read shows somebody who has been gone for too long.
    fn nobody_is_shown_for_too_long(&mut self) -> Result<(), TestCaseError> {
        for event in std::mem::take(&mut self.happened) {
            match event {
                Event::Queue { id, now, .. } => {
                    let queue = self.queues.iter().position(|(known, _)| *known == id);
                    queue.map_or(Ok(()), |queue| self.may_publish(queue, now))?;
                }
                Event::User { id, to, .. } => {
                    let user = self.users.iter().position(|(known, _)| *known == id).unwrap();
                    prop_assert!(to == Show::Unavailable || self.may_show(user), "user {} was told to be {}", user, to);
                }
                Event::Counts { .. } | Event::Swept { .. } | Event::Granted(_) => {}
            }
        }
        let books = self.desk.books(self.account);
        for (number, (id, _)) in self.users.iter().enumerate() {
            let show = books.user(*id).unwrap().show;
            prop_assert!(show == Show::Unavailable || self.may_show(number), "user {} is read to be {}", number, show);
        }
        for (number, (_, name)) in self.queues.iter().enumerate() {
            self.may_publish(number, self.desk.queue_by_name(name).unwrap().published)?;
        }
        Ok(())
    }

    /// Lets time pass, from one moment at which something is over to the next.
    fn pass(&mut self, length: Duration) -> Result<(), TestCaseError> {
        let end = self.now + length;
        loop {
            let next = self.desk.next_expiry().filter(|next| *next <= end);
            prop_assert!(next.is_none_or(|next| next > self.now), "what is over is over");
            self.now = next.unwrap_or(end);
            let events = self.desk.tick(self.now);
            self.happened.extend(events);
            self.let_go();
            self.nobody_is_shown_for_too_long()?;
            if next.is_none() {
                return self.answers_are_true();
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list of cases")]
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let account = self.account;
        match step {
            Step::Assign(u, q) => {
                self.edit(Edit::Assign { account, queue: self.queues[q].0, user: self.users[u].0 });
                self.assigned.entry((q, u)).or_insert(true);
            }
            Step::Unassign(u, q) => {
                let edit = Edit::Unassign { account, queue: self.queues[q].0, user: self.users[u].0 };
                prop_assert_eq!(
                    self.desk.plan(&Who::Daemon.into(), UnixTime(0), &edit).is_ok(),
                    self.assigned.contains_key(&(q, u))
                );
                if self.assigned.remove(&(q, u)).is_some() {
                    self.edit(edit);
                    self.forget_unassigned();
                }
            }
            Step::Enable(u, q, enabled) => {
                let (queue, user, enabled) = (self.queues[q].0, self.users[u].0, Some(enabled));
                let edit = Edit::Enable { account, queue, user, enabled, suspension: SuspensionFields::default() };
                prop_assert_eq!(
                    self.desk.plan(&Who::Daemon.into(), UnixTime(0), &edit).is_ok(),
                    self.assigned.contains_key(&(q, u))
                );
                if self.assigned.contains_key(&(q, u)) {
                    self.edit(edit);
                    self.assigned.insert((q, u), enabled == Some(true));
                }
            }
            Step::RenameQueue(q) => {
                self.renames += 1;
                let name = Name::parse(&format!("queue{q}-{}", self.renames), 60).unwrap();
                let fields = QueueFields { name: Some(name.clone()), ..QueueFields::default() };
                self.edit(Edit::UpdateQueue { account, queue: self.queues[q].0, fields });
                self.queues[q].1 = name;
                self.followers.retain(|(queue, _)| *queue != q);
            }
            Step::RecreateQueue(q) => {
                let name = self.queues[q].1.clone();
                self.edit(Edit::DeleteQueue { account, queue: self.queues[q].0 });
                let before = self.queues[q].0;
                self.queues[q].0 = self.create_queue(&name);
                prop_assert!(self.queues[q].0 > before, "numbers are never used again");
                self.assigned.retain(|(queue, _), _| *queue != q);
                self.followers.retain(|(queue, _)| *queue != q);
                self.forget_unassigned();
            }
            Step::MoveUser(u) => {
                self.renames += 1;
                let jid = BareJid::parse(&format!("user{u}-{}@example.org", self.renames)).unwrap();
                let fields = UserFields { jid: Some(jid.clone()), ..UserFields::default() };
                self.edit(Edit::UpdateUser { account, user: self.users[u].0, fields });
                self.users[u].1 = jid;
                self.forget(u);
            }
            Step::Follow(q, f) => {
                self.edit(Edit::Follow { queue: self.queues[q].1.clone(), jid: follower(f) });
                self.followers.insert((q, f));
            }
            Step::Unfollow(q, f) => {
                self.edit(Edit::Unfollow { queue: self.queues[q].1.clone(), jid: follower(f) });
                self.followers.remove(&(q, f));
            }
            Step::TrialPassed => {
                self.input(Input::TrialPassed);
                if std::mem::take(&mut self.on_trial) {
                    for user in 0..USERS {
                        let is_gone = self.there.get(&user).is_some_and(BTreeSet::is_empty);
                        self.seen_anew(user, Show::Unavailable, is_gone.then_some(true));
                    }
                }
            }
            step @ (Step::LinkUp | Step::LinkOnTrial) => {
                if self.linked {
                    self.approved.retain(|_, said| self.now - *said >= ARRIVES_WITHIN);
                }
                let on_trial = matches!(step, Step::LinkOnTrial);
                self.input(if on_trial { Input::LinkOnTrial } else { Input::LinkUp });
                self.lose_link();
                self.on_trial = on_trial;
                self.linked = true;
                self.arrived.clear();
                self.asked.clear();
            }
            Step::LinkDown => {
                self.approved.retain(|_, said| self.now - *said >= ARRIVES_WITHIN);
                self.input(Input::LinkDown { why: "test".to_owned() });
                self.lose_link();
                (self.linked, self.on_trial) = (false, false);
            }
            Step::Seen(u, r, show, priority) if self.linked => {
                let seen = Seen { show, priority, status: None, known_show: true };
                self.input(Input::Seen { user: self.users[u].1.clone(), resource: format!("r{r}").into(), seen });
                if self.is_assigned(u) {
                    let before = self.seen_show(u);
                    let resources = self.seen.entry(u).or_default();
                    resources.retain(|(resource, _, _)| *resource != r);
                    resources.push((r, show, priority));
                    self.there.entry(u).or_default().insert(r);
                    self.seen_anew(u, before, None);
                }
            }
            Step::Gone(u, resource) if self.linked => {
                let name = resource.map(|r| format!("r{r}").into());
                self.input(Input::Gone { user: self.users[u].1.clone(), resource: name });
                let before = self.seen_show(u);
                if self.is_assigned(u) {
                    let there = self.there.entry(u).or_default();
                    there.retain(|known| resource.is_some_and(|gone| gone != *known));
                }
                let resources = self.seen.entry(u).or_default();
                resources.retain(|(known, _, _)| resource.is_some_and(|gone| gone != *known));
                self.seen_anew(u, before, Some(resource.is_none()));
            }
            Step::Approved(u) if self.linked => self.input(Input::Approved { user: self.users[u].1.clone() }),
            Step::Refused(u) if self.linked => {
                self.input(Input::Refused { user: self.users[u].1.clone() });
                self.forget(u);
                // What was published before is nobody's business any more.
                self.gone_since.insert(u, self.now.checked_sub(self.rules.linger).unwrap());
            }
            Step::Probed(q, f) if self.linked => {
                self.input(Input::Probed { queue: self.queues[q].1.clone(), from: follower(f) });
            }
            Step::Unread(u, r) if self.linked => {
                self.input(Input::Unread { user: self.users[u].1.clone(), resource: format!("r{r}").into() });
                let before = self.seen_show(u);
                if self.is_assigned(u) {
                    self.there.entry(u).or_default().insert(r);
                }
                self.seen.entry(u).or_default().retain(|(resource, _, _)| *resource != r);
                self.seen_anew(u, before, None);
            }
            Step::SweepAnswered if self.linked => self.input(Input::SweepAnswered),
            Step::Seen(..) | Step::Gone(..) | Step::Approved(_) | Step::Refused(_) => {}
            Step::Probed(..) | Step::Unread(..) | Step::SweepAnswered => {}
            Step::Wait(millis) => {
                self.pass(Duration::from_millis(millis))?;
            }
            Step::Drain(room) => {
                self.drain(room)?;
            }
            Step::Rule(rules) => self.rule(rules),
        }
        self.nobody_is_shown_for_too_long()?;
        self.answers_are_true()
    }

    fn forget_unassigned(&mut self) {
        for user in 0..USERS {
            if !self.is_assigned(user) {
                self.forget(user);
            }
        }
    }

    fn answers_are_true(&self) -> Result<(), TestCaseError> {
        for (number, (id, name)) in self.queues.iter().enumerate() {
            let view = self.desk.queue_by_name(name).unwrap();
            prop_assert_eq!(view.queue.id, *id);
            prop_assert_eq!(view.published, self.published(number), "{}", name);
        }
        let books = self.desk.books(self.account);
        for (number, (id, jid)) in self.users.iter().enumerate() {
            prop_assert_eq!(books.user(*id).unwrap().show, self.shown(number), "{}", jid);
            prop_assert_eq!(self.desk.user_at(jid), Some(*id));
        }
        Ok(())
    }

    /// Takes out what is to be sent, and plays the server that delivers it.
    fn drain(&mut self, room: usize) -> Result<usize, TestCaseError> {
        let effects = self.desk.outgoing(room, self.now);
        prop_assert!(effects.len() <= room);
        prop_assert!(self.linked || effects.is_empty(), "nothing is sent without a link");
        let count = effects.len();
        let mut answers = Vec::new();
        for effect in effects {
            let asks_only = matches!(effect, Effect::Probe { .. } | Effect::Mark);
            prop_assert!(asks_only || !self.on_trial, "{effect:?} on a link that is on trial");
            match effect {
                Effect::Tell { queue, to, published } => {
                    let follows = |(q, f): &&(usize, usize)| self.queues[*q].1 == queue && follower(*f) == to;
                    let queue_number = self.followers.iter().find(follows).map(|(q, _)| *q);
                    if let Some(queue_number) = queue_number {
                        prop_assert_eq!(published, self.published(queue_number));
                        self.may_publish(queue_number, published)?;
                        prop_assert_eq!(self.desk.link(), LinkPhase::Up, "nobody is told before everybody was heard");
                    } else {
                        prop_assert_eq!(published, Published::CLOSED);
                    }
                    self.arrived.insert((queue, to), published);
                }
                Effect::Ask { user } => {
                    self.asked.insert(user.clone());
                    self.watched.insert(user);
                }
                Effect::Leave { user } => {
                    self.watched.remove(&user);
                }
                Effect::Probe { user } => {
                    self.asked.insert(user);
                }
                Effect::Ping { user, resource } => answers.push(Input::Alive { user, resource }),
                Effect::Approve { queue, to } => {
                    self.approved.insert((queue, to), self.now);
                }
                Effect::Deny { from, to, .. } => {
                    self.approved.remove(&(from, to));
                }
                Effect::Mark | Effect::Roster(_) => {}
            }
        }
        for answer in answers {
            self.input(answer);
        }
        Ok(count)
    }

    /// Lets time pass until nothing is left to do.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        let mut quiet = 0;
        for _ in 0..200 {
            let mut sent = 0;
            loop {
                match self.drain(usize::MAX)? {
                    0 => break,
                    more => sent += more,
                }
            }
            self.input(Input::SweepAnswered);
            self.pass(Duration::from_millis(100))?;
            let is_at_rest = self.desk.link() == LinkPhase::Up && self.desk.next_expiry().is_none();
            quiet = if sent == 0 && is_at_rest { quiet + 1 } else { 0 };
            if quiet == 3 {
                return Ok(());
            }
        }
        Err(TestCaseError::fail("the desk does not come to rest"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn told_is_what_a_computation_from_scratch_says(
        steps in steps(),
        rules in rules(),
    ) {
        let mut model = Model::new(rules);
        for step in steps {
            model.step(step)?;
        }
        if !model.linked {
            model.step(Step::LinkUp)?;
        }
        model.step(Step::TrialPassed)?;
        model.settle()?;
        model.answers_are_true()?;
        for (q, f) in &model.followers {
            let key = (model.queues[*q].1.clone(), follower(*f));
            prop_assert_eq!(model.arrived.get(&key), Some(&model.published(*q)), "{:?}", key);
            prop_assert!(model.approved.contains_key(&key), "{:?} was never told that they may follow", key);
        }
        for (number, (_, jid)) in model.users.iter().enumerate() {
            if model.is_assigned(number) {
                prop_assert!(model.asked.contains(jid), "{} was never asked on this link", jid);
            } else {
                prop_assert!(!model.watched.contains(jid), "{} is still watched", jid);
            }
        }
    }

    /// Each step and each moment looks whether this is so.
    #[test]
    fn nobody_is_shown_longer_than_they_linger(steps in steps(), rules in rules(), users in prop::collection::vec(0..USERS, 1..6)) {
        let mut model = Model::new(rules);
        for step in steps {
            model.step(step)?;
        }
        model.step(Step::LinkUp)?;
        for u in users {
            model.step(Step::Assign(u, 0))?;
            model.step(Step::Follow(0, 0))?;
            model.step(Step::Seen(u, 0, Show::Chat, 0))?;
            model.settle()?;
            model.step(Step::Gone(u, Some(0)))?;
            let (linger, grace) = (model.rules.linger, model.rules.link_grace);
            model.pass(linger / 2)?;
            model.step(Step::Drain(40))?;
            model.step(Step::LinkDown)?;
            model.pass(linger.max(grace))?;
            prop_assert_eq!(model.published(0).show, Show::Unavailable);
            model.step(Step::LinkUp)?;
        }
    }

    #[test]
    fn repeats_are_silent(steps in steps(), rules in rules(), u in 0..USERS, show in prop::sample::select(&Show::ALL[..5])) {
        let mut model = Model::new(rules);
        for step in steps {
            model.step(step)?;
        }
        model.step(Step::LinkUp)?;
        model.step(Step::Seen(u, 0, show, 0))?;
        model.settle()?;
        let seen = Seen { show, priority: 0, status: None, known_show: true };
        let again = Input::Seen { user: model.users[u].1.clone(), resource: "r0".into(), seen };
        let stranger = !model.is_assigned(u);
        prop_assert_eq!(model.desk.apply(again, model.now), []);
        let mut effects = model.desk.outgoing(usize::MAX, model.now + Duration::from_secs(1));
        effects.retain(|effect| !matches!(effect, Effect::Ping { .. }));
        prop_assert!(effects.is_empty() || stranger, "{effects:?}");
    }

    #[test]
    fn a_suspended_operator_never_counts(steps in steps(), rules in rules(), shows in prop::collection::vec(prop::sample::select(&Show::ALL[..5]), 1..6)) {
        let mut model = Model::new(rules);
        for step in steps {
            model.step(step)?;
        }
        model.step(Step::LinkUp)?;
        for user in 0..USERS {
            model.step(Step::Assign(user, 0))?;
            model.step(Step::Enable(user, 0, false))?;
        }
        for (number, show) in shows.into_iter().enumerate() {
            model.step(Step::Seen(number % USERS, number % RESOURCES, show, 0))?;
            let told = model.desk.queue_by_name(&model.queues[0].1).unwrap().published;
            prop_assert_eq!(told, Published::EMPTY);
        }
    }

    #[test]
    fn other_rules_make_the_same_desk_as_if_they_had_always_held(
        steps in steps(),
        [before, after] in [rules(), rules()],
        at in any::<prop::sample::Index>(),
    ) {
        // What is kept of people who went depends on when they went, and what was shown then.
        let plain = |rules: Rules| Rules { linger: Duration::ZERO, link_grace: Duration::ZERO, ..rules };
        let (before, after) = (plain(before), plain(after));
        let [mut changed, mut built] = [Model::new(before), Model::new(after.clone())];
        let steps: Vec<_> = steps.into_iter().filter(|step| !matches!(step, Step::Rule(_))).collect();
        let change_at = at.index(steps.len() + 1);
        for (number, step) in steps.iter().enumerate() {
            if number == change_at {
                changed.rule(after.clone());
            }
            changed.step(step.clone())?;
            built.step(step.clone())?;
        }
        changed.rule(after);
        for (queue, name) in &changed.queues {
            let of = |model: &Model| (model.desk.queue_by_name(name).unwrap().published, model.desk.why_queue(*queue));
            prop_assert_eq!(of(&changed), of(&built), "{}", name);
        }
        for (user, jid) in &changed.users {
            let of = |model: &Model| {
                let books = model.desk.books(model.account);
                (books.user(*user).unwrap().show, model.desk.why_user(*user))
            };
            prop_assert_eq!(of(&changed), of(&built), "{}", jid);
        }
        prop_assert_eq!(changed.desk.set_policy(changed.rules.policy(), changed.now), [], "nothing is left to be told");
    }

    #[test]
    fn what_is_kept_makes_the_same_desk(steps in steps()) {
        let mut model = Model::new(Rules::plain());
        for step in steps {
            model.step(step)?;
        }
        let records = model.desk.records();
        let restored = Desk::restore(model.desk.policy().clone(), records.clone(), model.now);
        let restored = restored.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(restored.records(), records);
    }

    #[test]
    fn closing_leaves_everybody_told(steps in steps(), rules in rules()) {
        let mut model = Model::new(rules);
        for step in steps {
            model.step(step)?;
        }
        model.step(Step::LinkUp)?;
        model.settle()?;
        model.input(Input::Closing);
        let effects = model.desk.outgoing(usize::MAX, model.now);
        let open: Vec<_> = model.arrived.iter().filter(|((queue, to), _)| {
            model.followers.iter().any(|(q, f)| model.queues[*q].1 == *queue && follower(*f) == *to)
        }).filter(|(_, published)| **published != Published::CLOSED).collect();
        for ((queue, to), _) in &open {
            let close = Effect::Tell { queue: queue.clone(), to: to.clone(), published: Published::CLOSED };
            prop_assert!(effects.contains(&close), "{} is not told that {} is closed", to, queue);
        }
        prop_assert_eq!(effects.len(), open.len());
    }
}
