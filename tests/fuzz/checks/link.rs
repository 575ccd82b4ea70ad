//! The whole way, without a connection: what is read does not depend on how it comes, strangers change nothing, everything
//! that is said can be read, and afterwards all goes on.

use std::{
    iter::empty,
    time::{Duration, Instant},
};

use rosterd::{
    clock::Now,
    domain::{
        Account, AccountId, BareJid, Desk, Edit, Effect, Input, LinkPhase, Name, Operator, Policy, Queue, QueueId,
        Record, Show, Suspension, UnixTime, User, UserId, Who,
    },
    engine::Fact,
    xmpp::{
        gate::Piece,
        parser::Parser,
        wire::{Answer, Reading, Sessions, Wire, bytes},
    },
};

use super::{HEADER, feed, parse, sizes};

const DOMAIN: &str = "queues.localhost";

/// Checks a stream as what follows a header.
pub(crate) fn check(input: &[u8]) {
    let stream = [HEADER, input].concat();
    let mut world = World::new();
    let mut readings = Vec::new();
    let _ = feed(&stream, empty(), |gate, piece| {
        let reading = world.wire.read(&mut world.parser, gate, piece);
        readings.push((piece, format!("{reading:?}")));
        world.mind(piece, reading);
    });
    let mut again = Vec::new();
    let _ = feed(&stream, sizes(&stream), |gate, piece| {
        // A parser that has read nothing else reads the same.
        let reading = world.wire.read(&mut Parser::default(), gate, piece);
        again.push((piece, format!("{reading:?}")));
    });
    assert_eq!(again, readings, "in reads of any size, each alone");
    world.everything_said_can_be_read();
    world.goes_on();
}

/// The user ann staffs the queue law, and bob staffs it too, suspended; eve is a user who staffs nothing.
struct World {
    desk: Desk,
    wire: Wire,
    parser: Parser,
    sessions: Sessions,
    now: Instant,
    pieces: usize,
    dropped: u64,
}

fn name(text: &str) -> Name {
    Name::parse(text, 60).expect("this is a name")
}

fn records() -> Vec<Record> {
    let account = AccountId::new(1).expect("not zero");
    let user = |number, text: &str| {
        let id = UserId::new(number).expect("not zero");
        let jid = BareJid::parse(&format!("{text}@localhost")).expect("this is an address");
        Record::User(User { id, account, name: name(text), jid, email: None })
    };
    let admins = std::collections::BTreeSet::new();
    let law = QueueId::new(5).expect("not zero");
    let operator = |number, enabled: bool| {
        Record::Operator(Operator {
            queue: law,
            user: UserId::new(number).expect("not zero"),
            suspended: (!enabled).then(Suspension::default),
        })
    };
    vec![
        Record::NextId(6),
        Record::Account(Account::owned(account, name("manager"), "-".into()).with_admins(admins)),
        user(2, "ann"),
        user(3, "bob"),
        user(4, "eve"),
        Record::Queue(Queue { id: law, account, name: name("law"), email: None, avatar: None, transcripts: false }),
        operator(2, true),
        operator(3, false),
    ]
}

/// What was read can be answered, and whoever gets the answer can read it.
fn said(to: &str, reply: &minidom::Element) {
    let again = parse(&bytes(reply).expect("what was read can be written")).expect("what is written can be read");
    assert_eq!(again.attrs().into_iter().collect::<Vec<_>>(), reply.attrs().into_iter().collect::<Vec<_>>());
    assert!(again.attr("to").is_some_and(|it| it.starts_with(to)), "{to}");
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "the clock of the check starts somewhere")]
    fn new() -> Self {
        let now = Instant::now();
        let policy = Policy { sweep_quiet: Duration::ZERO, ..Policy::new(DOMAIN, "localhost", name("staffing")) };
        let desk = Desk::restore(policy, records(), now).expect("this fits together");
        let wire = Wire::new(DOMAIN, "localhost", name("staffing"), 7);
        let (parser, sessions) = (Parser::default(), Sessions::new(now.into()));
        let mut world = Self { desk, wire, parser, sessions, now, pieces: 0, dropped: 0 };
        world.desk.apply(Input::LinkUp, now);
        world.send();
        world.desk.apply(Input::SweepAnswered, world.now);
        world.send();
        assert_eq!(world.desk.link(), LinkPhase::Up);
        world
    }

    /// Does what the link and the engine do.
    fn mind(&mut self, piece: Piece, reading: Reading) {
        self.pieces += 1;
        match reading {
            Reading::Tell(fact) => self.take(fact),
            Reading::Answer { to, reply } => said(&to, &reply),
            Reading::Asked(request) => {
                let before = self.observed();
                match self.wire.answer(
                    *request,
                    &self.desk,
                    &self.sessions,
                    Now { instant: self.now.into(), wall: UnixTime(0) },
                ) {
                    Answer::Now(reply) => said("", &reply),
                    Answer::Change(change) => {
                        let Edit::Asked { by, .. } = &change.edit else { panic!("{:?}", change.edit) };
                        assert!(by.as_str() != "eve@localhost" && self.desk.user_by_jid(by).is_some(), "{by}");
                        let refused = self
                            .desk
                            .plan(&Who::Daemon.into(), UnixTime(0), &change.edit)
                            .map(|plan| plan.outcome)
                            .map_err(Into::into);
                        said("", &change.answer(&refused));
                    }
                }
                assert_eq!(self.observed(), before, "to ask is not to be present");
            }
            Reading::Dropped { glimpsed, .. } => {
                self.dropped += 1;
                if let Some(input) = glimpsed {
                    self.take(Fact::Input(input));
                }
                self.take(Fact::Input(Input::Dropped { reason: "test" }));
            }
            Reading::NotWritten { input, .. } => self.take(Fact::Input(input)),
            Reading::Closed => assert_eq!(piece, Piece::Footer),
            Reading::Ended(_) | Reading::Worked | Reading::Echo { .. } | Reading::Nothing => {}
        }
    }

    fn take(&mut self, fact: Fact) {
        match fact {
            Fact::LinkUp(_) | Fact::LinkOnTrial(_) | Fact::LinkDown(_) => panic!("no stanza can say that"),
            Fact::Stanza { .. } => panic!("the number of a stanza is the link's to give"),
            Fact::Follow { queue, jid, follow } => {
                let before = self.observed();
                let edit = if follow {
                    Edit::Follow { queue: queue.clone(), jid: jid.clone() }
                } else {
                    Edit::Unfollow { queue: queue.clone(), jid: jid.clone() }
                };
                let records = self.desk.records();
                match self.desk.plan(&Who::Daemon.into(), UnixTime(0), &edit) {
                    Ok(plan) => drop(self.desk.commit(plan.change)),
                    Err(_) => self.desk.deny(queue, jid.clone(), false),
                }
                assert!(self.desk.records() == records || jid.domain() == "localhost" || !follow, "{jid}");
                assert_eq!(self.observed(), before, "to follow is not to be present");
            }
            Fact::FollowerGone { queue, jid } => {
                let (before, records) = (self.observed(), self.desk.records());
                let follows = self.desk.follower_gone(&queue, &jid);
                assert!(self.desk.records() == records, "it counts once it is stored");
                if follows {
                    let plan = self
                        .desk
                        .plan(&Who::Daemon.into(), UnixTime(0), &Edit::Unfollow { queue, jid })
                        .expect("who follows can stop");
                    assert_eq!(plan.change.len(), 1, "nobody else is dropped");
                    drop(self.desk.commit(plan.change));
                }
                assert_eq!(self.observed(), before, "to follow is not to be present");
            }
            Fact::Input(input) => {
                let (before, stored) = (self.observed(), self.desk.records());
                let is_of_operator = match &input {
                    Input::Seen { user, .. }
                    | Input::Relayed { user, .. }
                    | Input::UnreadRelayed { user, .. }
                    | Input::Unread { user, .. }
                    | Input::Gone { user, .. }
                    | Input::Approved { user }
                    | Input::Refused { user }
                    | Input::Alive { user, .. }
                    | Input::Doubted { user, .. } => ["ann@localhost", "bob@localhost"].contains(&user.as_str()),
                    Input::Granted(_)
                    | Input::Written { .. }
                    | Input::Knocked { .. }
                    | Input::Probed { .. }
                    | Input::SweepAnswered
                    | Input::Dropped { .. } => false,
                    Input::LinkUp
                    | Input::LinkOnTrial
                    | Input::TrialPassed
                    | Input::LinkDown { .. }
                    | Input::Closing => panic!("no stanza can say {input:?}"),
                };
                if let Input::Seen { seen, .. } = &input {
                    assert!(seen.status.as_ref().is_none_or(|status| status.len() <= 1_024));
                }
                let shown = format!("{input:?}");
                self.desk.apply(input, self.now);
                assert_eq!(self.desk.records(), stored, "what is seen is not kept: {shown}");
                assert!(is_of_operator || self.observed() == before, "a stranger changes nothing: {shown}");
            }
        }
    }

    /// All that is seen of anybody.
    fn observed(&self) -> String {
        let queues: Vec<_> = self.desk.queues().map(|view| view.published).collect();
        let users = ["ann", "bob", "eve"].map(|name| {
            let jid = BareJid::parse(&format!("{name}@localhost")).expect("this is an address");
            let user = self.desk.user_by_jid(&jid).expect("it is there");
            let resources: Vec<_> = self.desk.resources(user.id).collect();
            assert!(resources.len() <= 64);
            format!("{} {:?} {resources:?}", user.show, user.status)
        });
        format!("{queues:?} {users:?}")
    }

    /// Sends everything, at the pace that is due.
    fn send(&mut self) -> Vec<Effect> {
        let mut sent = Vec::new();
        for _ in 0..200 {
            self.desk.tick(self.now);
            sent.extend(self.desk.outgoing(10_000, self.now));
            let Some(next) = self.desk.next_deadline().filter(|next| *next < self.now + Duration::from_secs(10)) else {
                break;
            };
            self.now = next.max(self.now + Duration::from_millis(1));
        }
        sent
    }

    fn everything_said_can_be_read(&mut self) {
        assert_eq!(self.desk.tally().dropped.values().sum::<u64>(), self.dropped);
        let sent = self.send();
        // One stanza brings out two at the most: that somebody may follow, and what there is.
        assert!(sent.len() <= 2 * self.pieces + 8, "{} for {}", sent.len(), self.pieces);
        for effect in sent {
            let stanza = self.wire.stanza(&effect);
            let written = bytes(&stanza).unwrap_or_else(|error| panic!("{effect:?} can not be written: {error}"));
            let again = parse(&written).unwrap_or_else(|| panic!("{effect:?} can not be read"));
            let attrs = |element: &minidom::Element| {
                ["from", "to", "type", "id"].map(|name| element.attr(name).map(ToOwned::to_owned))
            };
            assert_eq!(attrs(&again), attrs(&stanza));
            let from = again.attr("from").expect("a server ends a stream over a stanza without one");
            assert!(from == DOMAIN || from.ends_with(&format!("@{DOMAIN}")), "{from}");
            assert!(again.attr("to").is_some_and(|to| !to.is_empty()));
        }
    }

    /// Ordinary presence still counts.
    fn goes_on(&mut self) {
        let stanza = "<presence from='ann@localhost/check' to='staffing@queues.localhost'><show>chat</show></presence>";
        let stream = [HEADER, stanza.as_bytes()].concat();
        let fed = feed(&stream, empty(), |gate, piece| {
            let reading = self.wire.read(&mut self.parser, gate, piece);
            self.mind(piece, reading);
        });
        assert_eq!(fed, Ok(()));
        let law = self.desk.queue_by_name(&name("law")).expect("nobody deletes it").published;
        assert_eq!((law.show, law.enabled), (Show::Chat, 1));
    }
}
