//! A deployment of the size that the desk is built for.

use std::time::{Duration, Instant};

use rosterd::domain::{
    Account, AccountId, BareJid, Desk, Input, Name, Operator, Policy, Queue, QueueId, Record, Seen, Show, User, UserId,
    Write,
};

/// How many users there are.
pub(crate) const USERS: u32 = 1_000_000;
/// How many queues there are; the first is the big one, the second the small one.
pub(crate) const QUEUES: u32 = 10_000;
/// How many queues each user staffs.
pub(crate) const QUEUES_OF_A_USER: u32 = 3;
/// How many users staff the big queue.
pub(crate) const BIG: u32 = 100_000;
/// How many users staff the small queue.
pub(crate) const SMALL: u32 = 10;

const FIRST_USER: u32 = QUEUES + 2;

/// The user with this place, from 0. The first [`BIG`] staff the big queue, the next [`SMALL`] the small one.
pub(crate) fn user(place: u32) -> UserId {
    UserId::new(FIRST_USER + place).expect("it is above 0")
}

/// The JID of the user with this place.
pub(crate) fn jid(place: u32) -> BareJid {
    BareJid::parse(&format!("user-{place}@example.org")).expect("it is a JID")
}

fn queue(place: u32) -> QueueId {
    QueueId::new(2 + place).expect("it is above 0")
}

/// A presence of `user`'s one resource.
pub(crate) fn seen(user: BareJid, show: Show) -> Input {
    Input::Seen { user, resource: "desk".into(), seen: Seen { show, priority: 0, status: None, known_show: true } }
}

/// An empty desk.
pub(crate) fn empty(now: Instant) -> Desk {
    let policy = Policy {
        session_idle: 3_600,
        ..Policy::new("queues.example.org", "example.org", Name::parse("staffing", 60).expect("it is a name"))
    };
    Desk::new(policy, now)
}

/// Fills the desk: everybody is assigned, and has one resource online.
pub(crate) fn fill(desk: &mut Desk, now: Instant) {
    let account = AccountId::new(1).expect("it is above 0");
    let name = |text: String| Name::parse(&text, 60).expect("it is a name");
    let mut put = |record| drop(desk.commit(vec![Write::Put(record)]));
    put(Record::NextId(FIRST_USER + USERS));
    put(Record::Account(Account::owned(account, name("acme".to_owned()), "x".into())));
    for place in 0..QUEUES {
        let (id, name) = (queue(place), name(format!("queue-{place}")));
        put(Record::Queue(Queue { id, account, name, email: None, avatar: None, transcripts: false }));
    }
    for place in 0..USERS {
        let (id, name) = (user(place), name(format!("user-{place}")));
        put(Record::User(User { id, account, name, jid: jid(place), email: None }));
        let first = match place {
            0..BIG => 0,
            place if place < BIG + SMALL => 1,
            place => 2 + place % (QUEUES - 2),
        };
        // Three different queues, spread over all but the first two.
        let other = |nth: u32| 2 + (place + 1 + nth * 3_001) % (QUEUES - 2);
        let queues: [_; QUEUES_OF_A_USER as usize] = [queue(first), queue(other(0)), queue(other(1))];
        for queue in queues {
            put(Record::Operator(Operator { queue, user: id, suspended: None }));
        }
    }
    desk.apply(Input::LinkUp, now);
    for place in 0..USERS {
        desk.apply(seen(jid(place), Show::ALL[place as usize % 5]), now);
    }
    // What the filling itself left to be sent is no part of what is measured.
    let mut later = now;
    while !desk.outgoing(usize::MAX, later).is_empty() {
        later += Duration::from_secs(1);
    }
}
