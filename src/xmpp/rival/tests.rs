//! Who is alone, who has a rival, and two daemons that look for each other.
#![cfg(test)]

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
