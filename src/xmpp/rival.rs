//! Whether somebody else serves our domain too. ejabberd takes a second component in on the same domain, and gives each of the
//! two a part of what is meant for both: presences would be missed, and nothing would show for it.
//!
//! So messages are sent from addresses of ours to addresses of ours. Whoever is alone gets all of them back; with a rival each
//! is missed with a chance of one in two, so that all come back once in 65,536 times. They have an address each, since a server
//! can be set up to choose by sender or by receiver. Messages are missing when they are not back a while after the server has
//! answered a ping that followed them.
//!
//! A rival that is a rosterd does the same, and a part of its messages comes to us: that shows it too. Who has come last
//! leaves: who was alone before looks again for as long as such a newcomer takes to find out and go, and then asks everybody
//! anew. It does so on the link that it has, since a newcomer that tries again and again could take its place otherwise.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How often and how patiently is looked.
#[derive(Debug, Clone, Copy)]
pub struct Lookout {
    /// The time from the end of one look to the next.
    pub every: Duration,
    /// How long a message that is late is waited for, and an answer until the server is asked again.
    pub quiet: Duration,
}

/// Messages sent in one round.
pub(super) const MESSAGES: u32 = 16;
/// Pings sent at once: the answer may be what the rival gets.
pub(super) const PINGS: usize = 8;
/// Rounds with messages missing until there is a rival for sure. One is not enough: it may have been an earlier connection of
/// ours that the server had not missed yet, and that it drops when it finds nobody there.
const ROUNDS: u32 = 2;
/// The same for who was alone before: longer than a newcomer stays.
const ROUNDS_OF_FIRST: u32 = 8;

/// With which all ids of messages to ourselves begin, of all daemons.
const PREFIX: &str = "echo-";

/// Whether an id is one of these, whoever sent the message.
pub(super) fn is_echo(id: &str) -> bool {
    id.starts_with(PREFIX)
}

/// What nobody can guess, and no other daemon has; the same for all links of this one.
#[derive(Debug, Clone)]
pub(super) struct Nonce(String);

impl Nonce {
    pub(super) fn new(chance: [u64; 2]) -> Self {
        let [a, b] = chance;
        Self(format!("{PREFIX}{a:016x}{b:016x}"))
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Somebody is there who gets what is meant for us. So many of the last messages came back.
    Rival { back: u32 },
    /// The server says nothing.
    Silent,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Send a message with each of these ids, and then pings to the server.
    Send(Vec<String>),
    /// Send pings to the server.
    Ping,
    /// Nobody else is there, which was not known before on this link.
    Alone,
    /// Nobody else is there any more. Somebody was, and may have got what was meant for us.
    AloneAgain,
    /// Leave.
    Leave(Finding),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is on its way.
    Resting { until: Instant },
    /// Messages are, and pings; more pings are due.
    Asked { since: Instant, again: Instant },
    /// The server has answered; messages that are late are waited for.
    Late { until: Instant },
}

/// Looks for rivals on one link.
#[derive(Debug)]
pub(super) struct Rivals {
    lookout: Lookout,
    /// How long the server may answer no ping.
    patience: Duration,
    /// With which the ids of this link begin.
    of_link: String,
    /// With which the ids of all of our links begin.
    of_ours: String,
    round: u32,
    /// The messages of this round that came back, a bit each: as they were, and as errors.
    back: u16,
    bounced: u16,
    /// Rounds in a row that were not as they should be.
    failed: u32,
    /// Somebody else's messages came in this round.
    heard: bool,
    was_alone: bool,
    stage: Stage,
}

impl Rivals {
    /// The first look is due at once. `link` is another number for every link.
    pub(super) fn new(lookout: Lookout, patience: Duration, nonce: &Nonce, link: u32, now: Instant) -> Self {
        let of_ours = format!("{}-", nonce.0);
        Self {
            lookout,
            patience,
            of_link: format!("{of_ours}{link}-"),
            of_ours,
            round: 0,
            back: 0,
            bounced: 0,
            failed: 0,
            heard: false,
            was_alone: false,
            stage: Stage::Resting { until: now },
        }
    }

    /// When [`Rivals::tick`] is due.
    pub(super) const fn due(&self) -> Instant {
        match self.stage {
            Stage::Resting { until } | Stage::Late { until } => until,
            Stage::Asked { again, .. } => again,
        }
    }

    /// Does what is due. `room` is how many stanzas can be sent now.
    pub(super) fn tick(&mut self, now: Instant, room: usize) -> Step {
        if now < self.due() {
            return Step::Nothing;
        }
        match self.stage {
            Stage::Resting { .. } if room < MESSAGES as usize + PINGS => {
                self.stage = Stage::Resting { until: now + self.lookout.quiet };
                Step::Nothing
            }
            Stage::Resting { .. } => self.begin(now),
            Stage::Asked { since, .. } if now.duration_since(since) < self.patience => {
                self.stage = Stage::Asked { since, again: now + self.lookout.quiet };
                Step::Ping
            }
            // Where some have come back, the answers went where the others are.
            Stage::Asked { .. } if self.back != 0 => self.failed_round(now),
            Stage::Asked { .. } => Step::Leave(Finding::Silent),
            Stage::Late { .. } => self.failed_round(now),
        }
    }

    fn begin(&mut self, now: Instant) -> Step {
        self.round += 1;
        (self.back, self.bounced, self.heard) = (0, 0, false);
        self.stage = Stage::Asked { since: now, again: now + self.lookout.quiet };
        Step::Send((0..MESSAGES).map(|number| format!("{}{}-{number}", self.of_link, self.round)).collect())
    }

    /// The server has answered a ping.
    pub(super) fn answered(&mut self, now: Instant) {
        if let Stage::Asked { .. } = self.stage {
            self.stage = Stage::Late { until: now + self.lookout.quiet };
        }
    }

    /// A message from an address of ours has come.
    pub(super) fn echo(&mut self, id: &str, is_error: bool, now: Instant) -> Step {
        let Some(rest) = id.strip_prefix(&*self.of_link) else {
            if !id.starts_with(&*self.of_ours) {
                self.hear_rival(now);
            }
            return Step::Nothing;
        };
        let number = rest.strip_prefix(&format!("{}-", self.round)).and_then(|number| number.parse::<u32>().ok());
        let Some(bit) = number.and_then(|number| 1_u16.checked_shl(number)) else { return Step::Nothing };
        *(if is_error { &mut self.bounced } else { &mut self.back }) |= bit;
        let is_under_way = !matches!(self.stage, Stage::Resting { .. });
        // A server that lets no message through sends all of them back; one that sends back some has somebody else who does.
        if is_under_way && (self.back == u16::MAX || self.bounced == u16::MAX) {
            self.full_round(now)
        } else {
            Step::Nothing
        }
    }

    fn hear_rival(&mut self, now: Instant) {
        self.heard = true;
        if let Stage::Resting { .. } = self.stage {
            self.failed = self.failed.max(1);
            self.stage = Stage::Resting { until: now };
        }
    }

    fn full_round(&mut self, now: Instant) -> Step {
        if self.heard {
            return self.failed_round(now);
        }
        self.stage = Stage::Resting { until: now + self.lookout.every };
        let was_alone = std::mem::replace(&mut self.was_alone, true);
        match (std::mem::take(&mut self.failed), was_alone) {
            (0, true) => Step::Nothing,
            (0, false) => Step::Alone,
            (_, _) => Step::AloneAgain,
        }
    }

    fn failed_round(&mut self, now: Instant) -> Step {
        self.failed += 1;
        let most = if self.was_alone { ROUNDS_OF_FIRST } else { ROUNDS };
        if self.failed >= most {
            return Step::Leave(Finding::Rival { back: self.back.count_ones() });
        }
        self.stage = Stage::Resting { until: now };
        Step::Nothing
    }
}

/// Until something is due; for ever where there is nothing to look for.
pub(super) async fn is_due(rivals: Option<&Rivals>) {
    match rivals {
        Some(rivals) => sleep_until(rivals.due()).await,
        None => std::future::pending().await,
    }
}

/// What an administrator can do about a rival, `back` of whose messages came back.
pub(super) fn words(domain: &str, back: u32) -> String {
    let what = format!(
        "somebody else is connected as {domain} too, and the server gives each of us a part of what is meant for both: \
         {back} of {MESSAGES} messages that we sent to ourselves came back. Only one daemon can serve a domain, so stop the \
         other one"
    );
    let or = match back {
        0 => {
            "; or, where there is none, the server passes on no messages between addresses of a component: \
              let it, or set [xmpp] rival_check to \"0s\""
        }
        _ => "; where there is none, the server has not missed an earlier connection yet, and soon will",
    };
    what + or
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOKOUT: Lookout = Lookout { every: Duration::from_mins(5), quiet: Duration::from_secs(1) };
    const PATIENCE: Duration = Duration::from_secs(40);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rivals(daemon: u64, now: Instant) -> Rivals {
        Rivals::new(LOOKOUT, PATIENCE, &Nonce::new([0, daemon]), 1, now)
    }

    fn sent(step: Step) -> Vec<String> {
        let Step::Send(ids) = step else { panic!("messages were to be sent, not {step:?}") };
        assert_eq!(ids.len(), MESSAGES as usize);
        ids
    }

    fn begun(rivals: &mut Rivals, now: Instant) -> Vec<String> {
        sent(rivals.tick(now, 100))
    }

    /// What the last of these messages makes of it.
    fn give(rivals: &mut Rivals, ids: &[String], is_error: bool, now: Instant) -> Step {
        ids.iter().map(|id| rivals.echo(id, is_error, now)).last().unwrap_or(Step::Nothing)
    }

    #[test]
    fn the_words_say_what_to_do() {
        let said = words("queues.localhost", 7);
        assert!(said.contains("queues.localhost too") && said.contains("7 of 16 messages"), "{said}");
        assert!(said.contains("stop the other one") && !said.contains("rival_check"), "{said}");
        let said = words("queues.localhost", 0);
        assert!(said.contains("[xmpp] rival_check"), "{said}");
    }

    #[test]
    fn who_is_alone_knows_as_soon_as_the_last_message_is_back() {
        let now = Instant::now();
        let mut rivals = rivals(1, now);
        let ids = begun(&mut rivals, now);
        assert_eq!(give(&mut rivals, &ids[..15], false, now), Step::Nothing);
        // Late is not lost, and what comes twice is one.
        rivals.answered(now + seconds(9));
        assert_eq!(give(&mut rivals, &ids[..15], false, now), Step::Nothing);
        assert_eq!(give(&mut rivals, &ids[15..], false, now + seconds(9)), Step::Alone);
        // Again after a while, and there is no news.
        assert_eq!(rivals.due(), now + seconds(9) + LOOKOUT.every);
        let now = rivals.due();
        let again = begun(&mut rivals, now);
        assert!(ids.iter().all(|id| !again.contains(id)), "ids are not used again");
        assert_eq!(give(&mut rivals, &ids, false, now), Step::Nothing);
        assert_eq!(give(&mut rivals, &again, false, now), Step::Nothing);
        assert!(matches!(rivals.stage, Stage::Resting { .. }));
    }

    #[test]
    fn errors_come_back_too_unless_they_are_somebody_elses() {
        let now = Instant::now();
        let mut all = rivals(1, now);
        let ids = begun(&mut all, now);
        assert_eq!(give(&mut all, &ids, true, now), Step::Alone);
        let mut some = rivals(1, now);
        let ids = begun(&mut some, now);
        assert_eq!(give(&mut some, &ids[..8], true, now), Step::Nothing);
        assert_eq!(give(&mut some, &ids[8..], false, now), Step::Nothing);
    }

    #[test]
    fn whose_messages_are_missing_in_two_rounds_has_a_rival() {
        let now = Instant::now();
        let mut rivals = rivals(1, now);
        let ids = begun(&mut rivals, now);
        give(&mut rivals, &ids[..15], false, now);
        // Nothing is missing before the server has answered, however long that takes: it may be slow.
        for second in 1..40 {
            assert_eq!(rivals.tick(now + seconds(second), 100), Step::Ping, "{second}");
        }
        rivals.answered(now + seconds(39));
        assert_eq!(rivals.tick(now + seconds(40), 100), Step::Nothing);
        let ids = begun(&mut rivals, now + seconds(40));
        give(&mut rivals, &ids[..3], false, now);
        rivals.answered(now + seconds(40));
        assert_eq!(rivals.tick(now + seconds(41), 100), Step::Leave(Finding::Rival { back: 3 }));
    }

    #[test]
    fn what_comes_back_in_the_second_round_only_went_to_an_earlier_connection_before() {
        let now = Instant::now();
        let mut rivals = rivals(1, now);
        begun(&mut rivals, now);
        rivals.answered(now);
        assert_eq!(rivals.tick(now + seconds(1), 100), Step::Nothing);
        let ids = begun(&mut rivals, now + seconds(1));
        assert_eq!(give(&mut rivals, &ids, false, now), Step::AloneAgain);
        // From here on all is as it always was.
        let now = rivals.due();
        let ids = begun(&mut rivals, now);
        assert_eq!(give(&mut rivals, &ids, false, now), Step::Nothing);
    }

    #[test]
    fn a_server_that_says_nothing_is_no_rival() {
        let now = Instant::now();
        let mut rivals = rivals(1, now);
        begun(&mut rivals, now);
        (1..40).for_each(|second| drop(rivals.tick(now + seconds(second), 100)));
        assert_eq!(rivals.tick(now + seconds(40), 100), Step::Leave(Finding::Silent));
    }

    #[test]
    fn messages_that_can_not_be_sent_are_not_missed() {
        let now = Instant::now();
        let mut rivals = rivals(1, now);
        assert_eq!(rivals.tick(now, MESSAGES as usize), Step::Nothing);
        begun(&mut rivals, now + seconds(1));
    }

    #[test]
    fn messages_of_an_earlier_link_are_nobody_elses() {
        let now = Instant::now();
        let mut earlier = rivals(1, now);
        let mut rivals = Rivals::new(LOOKOUT, PATIENCE, &Nonce::new([0, 1]), 2, now);
        let (old, new) = (begun(&mut earlier, now), begun(&mut rivals, now));
        give(&mut rivals, &old, false, now);
        assert_eq!(give(&mut rivals, &new, false, now), Step::Alone);
    }

    /// Who is there, and what they found out.
    struct There {
        rivals: Rivals,
        left: Option<Finding>,
        /// How often it found itself alone.
        alone: usize,
    }

    /// A server that gives each message to one of all that are there.
    struct Server {
        now: Instant,
        there: Vec<There>,
        chance: u64,
    }

    impl Server {
        /// With one daemon, which has been alone for a while.
        fn new(chance: u64) -> Self {
            let mut server = Self { now: Instant::now(), there: Vec::new(), chance };
            server.join(1);
            server.wait(seconds(7));
            assert_eq!(server.there[0].alone, 1);
            server
        }

        fn join(&mut self, daemon: u64) {
            self.there.push(There { rivals: rivals(daemon, self.now), left: None, alone: 0 });
        }

        fn any(&mut self, most: usize) -> usize {
            // Knuth's generator.
            self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.chance >> 33).unwrap() % most
        }

        fn receiver(&mut self) -> Option<usize> {
            let there: Vec<_> = (0..self.there.len()).filter(|it| self.there[*it].left.is_none()).collect();
            (!there.is_empty()).then(|| there[self.any(there.len())])
        }

        fn wait(&mut self, time: Duration) {
            let end = self.now + time;
            while self.now < end {
                for daemon in 0..self.there.len() {
                    if self.there[daemon].left.is_none() {
                        let step = self.there[daemon].rivals.tick(self.now, 100);
                        self.carry_out(daemon, step);
                    }
                }
                self.now += Duration::from_millis(50);
            }
        }

        fn carry_out(&mut self, daemon: usize, step: Step) {
            match step {
                Step::Nothing => {}
                Step::Send(ids) => {
                    for id in ids {
                        let Some(receiver) = self.receiver() else { return };
                        let next = self.there[receiver].rivals.echo(&id, false, self.now);
                        self.carry_out(receiver, next);
                    }
                    self.ping(daemon);
                }
                Step::Ping => self.ping(daemon),
                Step::Alone | Step::AloneAgain => self.there[daemon].alone += 1,
                Step::Leave(finding) => self.there[daemon].left = Some(finding),
            }
        }

        fn ping(&mut self, daemon: usize) {
            let answered = (0..PINGS).map(|_| self.receiver()).filter(|receiver| *receiver == Some(daemon)).count();
            if answered > 0 {
                self.there[daemon].rivals.answered(self.now);
            }
        }
    }

    /// The first one stays until the newcomer has gone, and then asks everybody anew, however often somebody comes.
    #[test]
    fn who_comes_last_leaves_first() {
        for chance in 0..1_000 {
            let mut server = Server::new(chance);
            for visit in 1..5 {
                server.join(2);
                server.wait(seconds(30));
                let newcomer = &server.there[visit];
                assert!(matches!(newcomer.left, Some(Finding::Rival { .. })), "{chance}: {:?}", newcomer.left);
                assert_eq!(newcomer.alone, 0, "{chance}");
                let first = &server.there[0];
                assert_eq!((first.left, first.alone), (None, 1 + visit), "{chance}");
            }
        }
    }

    /// Where one never leaves that does not look, the first one does, at the next look.
    #[test]
    fn a_rival_that_stays_is_found_at_the_next_look() {
        for chance in 0..200 {
            let mut server = Server::new(chance);
            server.join(2);
            let now = server.now;
            let deaf = &mut server.there[1].rivals;
            deaf.stage = Stage::Resting { until: now + seconds(1_000_000) };
            deaf.of_ours = PREFIX.to_owned();
            server.wait(LOOKOUT.every + seconds(60));
            let first = &server.there[0];
            assert!(matches!(first.left, Some(Finding::Rival { .. })), "{chance}: {:?}", first.left);
        }
    }

    /// Of two that come together neither takes itself for alone before one of them has left.
    #[test]
    fn two_that_come_at_once_see_each_other() {
        for chance in 0..200 {
            let mut server = Server::new(chance);
            server.there.clear();
            server.join(1);
            server.join(2);
            server.wait(seconds(60));
            assert!(server.there.iter().any(|it| matches!(it.left, Some(Finding::Rival { .. }))), "{chance}");
            assert!(server.there.iter().all(|it| it.alone == 0 || it.left.is_none()), "{chance}");
        }
    }
}
