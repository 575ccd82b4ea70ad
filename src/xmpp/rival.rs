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

mod tests;
