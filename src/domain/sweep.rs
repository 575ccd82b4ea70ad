//! The life of a link as the desk sees it: ask everybody, give them time, then know.

use std::time::{Duration, Instant};

use super::{
    BareJid, Desk, Effect, Event, Onboarding, UserId,
    desk::{Person, Standing},
    shown::{News, moved},
};

/// How far the link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPhase {
    /// There is none: nothing is known of anybody.
    Down,
    /// It is there, and everybody is being asked.
    Sweeping {
        /// How many have been asked.
        done: usize,
        /// How many are to be asked.
        total: usize,
    },
    /// It is there, and everybody was heard or had the time to answer.
    Up,
}

/// Where in the life of a link we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Down,
    /// A ping is out, before whose answer the server says what it lets us do.
    Learning {
        /// `None`: it is to be sent yet.
        until: Option<Instant>,
    },
    /// Probes go out, in the order of ids.
    Probing {
        after: Option<UserId>,
    },
    /// All probes are out, and the ping that follows them; its answer is waited for.
    Marked {
        until: Instant,
    },
    /// The server has worked off our probes; late answers are waited for.
    Quiet {
        until: Instant,
    },
    /// Swept. Those who stayed silent are asked to let us see their presence.
    Asking {
        after: Option<UserId>,
    },
    /// Swept. Those who are silent still are asked again when it is time.
    Idle {
        until: Instant,
    },
}

#[derive(Debug)]
pub(super) struct Sweep {
    stage: Stage,
    /// Which link this is, from 1: what was told on another one does not count.
    pub(super) link: u32,
    /// Whether all that is meant for us reaches us is not known yet: nothing that is heard counts, and only probes are sent.
    pub(super) on_trial: bool,
    /// How many marks of this stream were not answered yet. Answers come in the order of what they answer, so that of an
    /// earlier sweep is told from the last one's.
    pub(super) marks: u32,
    done: usize,
    total: usize,
    /// Whose turn it is, of all kinds that are paced.
    turn: usize,
    pace: Pace,
}

/// So many in every twentieth of a second, or one in a longer while.
#[derive(Debug)]
struct Pace {
    most: u32,
    window: Duration,
    used: u32,
    since: Instant,
}

/// How long the answer to the mark of a sweep may take. A server that is so slow, or does not answer pings, is taken at
/// what it has said until then.
const MARK_MOST: Duration = Duration::from_secs(30);

/// However often somebody is to be asked again, all are not looked through more often than this.
const ASK_AGAIN_LEAST: Duration = Duration::from_mins(1);

/// What is paced, each in its turn.
const KINDS: [fn(&mut Desk, Instant) -> Option<Effect>; 6] = [
    Desk::next_of_sweep,
    Desk::next_leaving,
    Desk::next_asking,
    Desk::next_writing,
    Desk::next_probing,
    Desk::next_ping,
];

impl Pace {
    fn new(rate: u32, now: Instant) -> Self {
        let window = if rate < 20 { Duration::from_secs(1) / rate.max(1) } else { Duration::from_millis(50) };
        Self { most: (rate / 20).max(1), window, used: 0, since: now }
    }

    fn free_at(&self) -> Instant {
        if self.used < self.most { self.since } else { self.since + self.window }
    }

    fn spend(&mut self, now: Instant) {
        if now >= self.since + self.window {
            (self.used, self.since) = (0, now);
        }
        self.used += 1;
    }
}

impl Sweep {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self {
            stage: Stage::Down,
            link: 0,
            on_trial: false,
            marks: 0,
            done: 0,
            total: 0,
            turn: 0,
            pace: Pace::new(rate, now),
        }
    }

    /// So many a second from now on.
    pub(super) fn set_rate(&mut self, rate: u32, now: Instant) {
        self.pace = Pace::new(rate, now);
    }

    /// How long until people are asked again, and how long late answers are waited for, was one length each, and is another one.
    pub(super) fn set_lengths(&mut self, ask: (Duration, Duration), quiet: (Duration, Duration), now: Instant) {
        match &mut self.stage {
            Stage::Idle { until } => {
                *until = moved(*until, (ask.0.max(ASK_AGAIN_LEAST), ask.1.max(ASK_AGAIN_LEAST)), now);
            }
            Stage::Quiet { until } => *until = moved(*until, quiet, now),
            Stage::Down
            | Stage::Learning { .. }
            | Stage::Probing { .. }
            | Stage::Marked { .. }
            | Stage::Asking { .. } => {}
        }
    }

    pub(super) fn phase(&self) -> LinkPhase {
        match self.stage {
            Stage::Down => LinkPhase::Down,
            Stage::Learning { .. } | Stage::Probing { .. } | Stage::Marked { .. } | Stage::Quiet { .. } => {
                LinkPhase::Sweeping { done: self.done, total: self.total }
            }
            Stage::Asking { .. } | Stage::Idle { .. } => LinkPhase::Up,
        }
    }

    /// Goes over all users again, where that was done on this link before.
    pub(super) fn ask_all(&mut self) {
        if let Stage::Asking { .. } | Stage::Idle { .. } = self.stage {
            self.stage = Stage::Asking { after: None };
        }
    }

    pub(super) fn is_learning(&self) -> bool {
        matches!(self.stage, Stage::Learning { .. })
    }
}

impl Desk {
    /// How far the link is.
    #[must_use]
    pub fn link(&self) -> LinkPhase {
        self.sweep.phase()
    }

    fn is_pace_work(&self) -> bool {
        let is_other = || self.outbox.has_paced_work() || self.rosters.has_work() || self.leases.has_due();
        let waits = match self.sweep.stage {
            // Whom to ask, and how, depends on what the server lets us do.
            Stage::Learning { until } => until.is_none(),
            Stage::Probing { .. } => true,
            Stage::Asking { .. } if !self.rosters.is_full() => true,
            Stage::Down | Stage::Asking { .. } | Stage::Marked { .. } | Stage::Quiet { .. } | Stage::Idle { .. } => {
                !self.sweep.on_trial && is_other()
            }
        };
        waits && !self.outbox.closing
    }

    /// Why there is no link, where there was a try to make one.
    #[must_use]
    pub fn link_trouble(&self) -> Option<&str> {
        self.link_trouble.as_deref()
    }

    /// When [`Desk::tick`] or [`Desk::outgoing`] next has something to do without anything coming in.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let stage = match self.sweep.stage {
            Stage::Quiet { until } | Stage::Marked { until } => Some(until).filter(|_| !self.sweep.on_trial),
            Stage::Idle { until } => Some(until),
            Stage::Learning { until } => until,
            Stage::Down | Stage::Probing { .. } | Stage::Asking { .. } => None,
        };
        let writes = self.rosters.next_deadline().filter(|_| self.link() != LinkPhase::Down);
        let paced = (self.is_pace_work() && self.link() != LinkPhase::Down).then(|| self.sweep.pace.free_at());
        [stage, paced, writes, self.next_lease(), self.next_expiry()].into_iter().flatten().min()
    }

    /// Does what is due by now.
    pub fn tick(&mut self, now: Instant) -> Vec<Event> {
        let is_over = matches!(self.sweep.stage, Stage::Quiet { until } | Stage::Marked { until } if until <= now);
        let is_swept = is_over && !self.sweep.on_trial;
        let mut events = self.let_go(now, is_swept);
        self.tick_leases(now, &mut events);
        self.tick_rosters(now);
        if let Stage::Learning { until: Some(until) } = self.sweep.stage
            && until <= now
        {
            self.begin_probing(&mut events);
        }
        if let Stage::Idle { until } = self.sweep.stage
            && until <= now
        {
            self.sweep.stage = Stage::Asking { after: None };
        }
        if is_swept {
            let in_time = matches!(self.sweep.stage, Stage::Quiet { .. });
            self.sweep.stage = Stage::Asking { after: None };
            self.retell_all();
            let heard = self.people.values().filter(|it| it.is_assigned() && it.presence.heard).count();
            events.push(Event::Swept { asked: self.sweep.total, heard, in_time });
        }
        events
    }

    pub(super) fn link_up(&mut self, now: Instant, on_trial: bool, events: &mut Vec<Event>) {
        let is_anew = self.link() != LinkPhase::Down;
        let grants = self.rosters.grants();
        self.link_down(now, events);
        if is_anew {
            self.rosters.begin_anew(grants);
        } else {
            self.sweep.marks = 0;
        }
        self.sweep.on_trial = on_trial;
        self.link_trouble = None;
        self.sweep.link += 1;
        self.sweep.pace.since = now;
        (self.sweep.done, self.sweep.total) = (0, 0);
        if self.policy.onboarding == Onboarding::Privilege {
            self.sweep.stage = Stage::Learning { until: None };
        } else {
            self.begin_probing(events);
        }
    }

    /// Asks everybody of whom the server does not tell by itself. What it does tell came before the answer to our ping.
    fn begin_probing(&mut self, events: &mut Vec<Event>) {
        self.sweep.stage = Stage::Probing { after: None };
        let asked = |person: &Person| person.is_assigned() && !self.is_managed(&person.jid);
        self.sweep.total = self.people.values().filter(|person| asked(person)).count();
        if self.policy.onboarding == Onboarding::Privilege {
            events.push(Event::Granted(self.rosters.grants()));
        }
    }

    pub(super) fn mark_answered(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.sweep.marks = self.sweep.marks.saturating_sub(1);
        if self.sweep.marks > 0 {
            return;
        }
        match self.sweep.stage {
            Stage::Learning { until: Some(_) } => self.begin_probing(events),
            Stage::Marked { .. } => self.sweep.stage = Stage::Quiet { until: now + self.policy.sweep_quiet },
            Stage::Down
            | Stage::Learning { until: None }
            | Stage::Probing { .. }
            | Stage::Quiet { .. }
            | Stage::Asking { .. }
            | Stage::Idle { .. } => {}
        }
    }

    pub(super) fn link_down(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.sweep.stage == Stage::Down {
            return;
        }
        self.sweep.stage = Stage::Down;
        self.sweep.on_trial = false;
        self.outbox.link_down();
        self.rosters.link_down(self.policy.onboarding);
        self.say_again(now);
        self.forget_all(now, events);
    }

    /// What was heard so far counts from now on, be it that somebody went. Cost: everybody once; a trial is over before many
    /// could answer.
    pub(super) fn pass_trial(&mut self, now: Instant, events: &mut Vec<Event>) {
        if !std::mem::take(&mut self.sweep.on_trial) {
            return;
        }
        let heard = self.people.iter().filter(|(_, it)| it.presence.heard);
        let heard: Vec<_> = heard.map(|(id, it)| (*id, it.presence.resources().is_empty())).collect();
        for (id, is_gone) in heard {
            let news = if is_gone { News::Went { all: true, now } } else { News::Heard };
            self.observe(id, news, |_| (), events);
        }
    }

    /// What the sweep has to send next, if the pace allows it.
    pub(super) fn next_paced(&mut self, now: Instant) -> Option<Effect> {
        if self.outbox.closing || self.sweep.pace.free_at() > now {
            return None;
        }
        self.sweep.turn = (self.sweep.turn + 1) % KINDS.len();
        let is_only_sweeping = self.sweep.on_trial || self.sweep.is_learning();
        let effect = if is_only_sweeping { self.next_of_sweep(now) } else { self.next_of_any(now) }?;
        self.sweep.pace.spend(now);
        Some(effect)
    }

    fn next_of_any(&mut self, now: Instant) -> Option<Effect> {
        // Twice: some hand over to another kind what they can not do themselves.
        let in_turn = KINDS.iter().cycle().skip(self.sweep.turn).take(2 * KINDS.len());
        let effect = in_turn.map(|kind| kind(self, now)).find(Option::is_some).flatten();
        // Strangers come last.
        effect.or_else(|| self.outbox.next_shoo().map(|user| Effect::Leave { user }))
    }

    fn next_leaving(&mut self, now: Instant) -> Option<Effect> {
        while let Some(user) = self.outbox.next_leave() {
            if !self.writes(&user) {
                self.outbox.left(user.clone(), now);
                return Some(Effect::Leave { user });
            }
            self.unlist_watcher(user);
        }
        None
    }

    fn next_asking(&mut self, now: Instant) -> Option<Effect> {
        while let Some(id) = self.outbox.next_ask() {
            if let Some(effect) = self.asking(id, now) {
                return Some(effect);
            }
        }
        self.next_asked_plainly(now)
    }

    fn next_probing(&mut self, _now: Instant) -> Option<Effect> {
        while let Some(id) = self.outbox.next_probe() {
            let Some(person) = self.people.get(&id).filter(|person| person.is_assigned()) else { continue };
            let user = person.jid.clone();
            // Who is seen through the server may not have us in their roster, and is to answer.
            if person.standing == Standing::Unknown && self.is_managed(&user) {
                self.list_watcher(user);
                continue;
            }
            return Some(Effect::Probe { user });
        }
        None
    }

    /// A ping to the server, which answers it after everything that came before.
    pub(super) fn mark(&mut self) -> Effect {
        self.sweep.marks += 1;
        Effect::Mark
    }

    fn next_of_sweep(&mut self, now: Instant) -> Option<Effect> {
        match self.sweep.stage {
            Stage::Learning { until: None } => {
                self.sweep.stage = Stage::Learning { until: Some(now + MARK_MOST) };
                Some(self.mark())
            }
            Stage::Probing { after } => {
                let Some((id, user)) = self.next_assigned(after, |it| !self.is_managed(&it.jid)) else {
                    self.sweep.stage = Stage::Marked { until: now + MARK_MOST };
                    return Some(self.mark());
                };
                self.sweep.stage = Stage::Probing { after: Some(id) };
                self.sweep.done += 1;
                self.sweep.total = self.sweep.total.max(self.sweep.done);
                Some(Effect::Probe { user })
            }
            Stage::Asking { after } => self.next_of_asking(after, now),
            Stage::Learning { until: Some(_) }
            | Stage::Down
            | Stage::Marked { .. }
            | Stage::Quiet { .. }
            | Stage::Idle { .. } => None,
        }
    }

    fn next_of_asking(&mut self, mut after: Option<UserId>, now: Instant) -> Option<Effect> {
        let before = self.asked_before(now);
        while !self.rosters.is_full() {
            let wanted = |it: &Person| self.is_to_be_asked(it, before) || self.lacks_queues(it);
            let Some((id, _)) = self.next_assigned(after, wanted) else {
                self.sweep.stage = Stage::Idle { until: now + self.policy.ask_again.max(ASK_AGAIN_LEAST) };
                return None;
            };
            after = Some(id);
            self.sweep.stage = Stage::Asking { after };
            self.list_queues(id);
            if self.people.get(&id).is_some_and(|it| self.is_to_be_asked(it, before))
                && let Some(effect) = self.asking(id, now)
            {
                return Some(effect);
            }
        }
        None
    }

    /// Whether somebody is silent because we may not see them, as far as we know, and the time has come to change that: who
    /// was asked to say yes need not any more as soon as we can write it into their roster.
    fn is_to_be_asked(&self, person: &Person, before: u32) -> bool {
        let is_due = match person.standing {
            Standing::Unknown | Standing::Approved => !person.presence.heard && person.asked <= before,
            Standing::Asked => person.asked <= before || self.can_write(&person.jid),
            Standing::Refused => false,
        };
        is_due && !self.is_managed(&person.jid)
    }

    fn next_assigned(&self, after: Option<UserId>, wanted: impl Fn(&Person) -> bool) -> Option<(UserId, BareJid)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let mut rest = self.people.range((after.map_or(Unbounded, Excluded), Unbounded));
        let (id, person) = rest.find(|(_, person)| person.is_assigned() && wanted(person))?;
        Some((*id, person.jid.clone()))
    }

    fn seconds(&self, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.began).as_secs();
        u32::try_from(seconds).unwrap_or(u32::MAX - 1) + 1
    }

    /// Who was asked at or before this may be asked again; those never asked always may.
    fn asked_before(&self, now: Instant) -> u32 {
        let again = u32::try_from(self.policy.ask_again.as_secs()).unwrap_or(u32::MAX);
        self.seconds(now).saturating_sub(again)
    }

    /// Has somebody let us see their presence: writes it into their roster, or asks them where that can not be done.
    fn asking(&mut self, id: UserId, now: Instant) -> Option<Effect> {
        let asked = self.seconds(now);
        let person = self.people.get(&id).filter(|person| person.is_assigned())?;
        if !self.can_write(&person.jid) {
            return self.ask_plainly(id, now);
        }
        let user = person.jid.clone();
        if let Some(person) = self.people.get_mut(&id) {
            person.asked = asked;
        }
        self.list_watcher(user);
        None
    }

    pub(super) fn ask_plainly(&mut self, id: UserId, now: Instant) -> Option<Effect> {
        let asked = self.seconds(now);
        let person = self.people.get_mut(&id).filter(|person| person.is_assigned())?;
        person.asked = asked;
        if person.standing != Standing::Approved {
            person.standing = Standing::Asked;
        }
        self.outbox.asked(id, now);
        Some(Effect::Ask { user: person.jid.clone() })
    }
}
