//! Commands of people on the link (XEP-0050), with the engine and a store that does as the test says.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use minidom::Element;
use rosterd::{
    domain::{BareJid, Name, Operator, QueueId, Record, User, UserId, Write},
    store::{MemoryStore, Store, StoreError, Trail},
};

use crate::support::{
    component_server::{ComponentServer, Connection},
    world::{World, records, settings},
};

const LAW: &str = "law@queues.localhost";
const BOB: &str = "bob@localhost";
const COMMANDS: &str = "http://jabber.org/protocol/commands";

/// Waits before each commit until it may go on; `false` says that there is no room on the disk.
struct Held {
    inner: MemoryStore,
    may: Receiver<bool>,
}

impl Store for Held {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        self.inner.load()
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        match self.may.recv() {
            Ok(false) => Err(StoreError::Short { path: "/the/disk".into(), free: 1, floor: 2 }),
            Ok(true) | Err(_) => self.inner.commit(change),
        }
    }

    fn trail(&self) -> std::sync::Arc<dyn Trail> {
        self.inner.trail()
    }
}

/// A link that is up, with `users` more users who staff law, and a store that waits.
async fn up(users: u32) -> (ComponentServer, Connection, World, SyncSender<bool>) {
    let mut records = records();
    let next = 5 + users;
    records[0] = Record::NextId(next);
    let Record::User(ann) = records[2].clone() else { unreachable!() };
    for id in 5..next {
        let name = Name::parse(&format!("u{id}"), 40).unwrap();
        let jid = BareJid::of(&name, "localhost");
        let id = UserId::new(id).unwrap();
        records.push(Record::User(User { id, name, jid, ..ann.clone() }));
        let queue = QueueId::new(4).unwrap();
        records.push(Record::Operator(Operator { queue, user: id, suspended: None }));
    }
    records.sort_by_key(Record::key);
    let server = ComponentServer::start();
    let (allow, may) = sync_channel(1_000);
    let store = Held { inner: MemoryStore::with(records.clone()), may };
    let mut world = World::with(settings(server.address()), records, Box::new(store));
    let connection = server.accept().await;
    world.swept().await;
    (server, connection, world, allow)
}

fn command(attributes: &str, payload: &str) -> String {
    format!("<command xmlns='{COMMANDS}' node='suspend-me' {attributes}>{payload}</command>")
}

/// Begins to suspend somebody at law, and gives the submission that would do it.
async fn begin(connection: &mut Connection, who: &str) -> String {
    let id = connection.begin_to_ask(who, LAW, "set", &command("", "")).await;
    let form = connection.answer(&id).await;
    let form = form.get_child("command", COMMANDS).unwrap();
    let session = form.attr("sessionid").unwrap();
    let field = |var, value| format!("<field var='{var}'><value>{value}</value></field>");
    let fields = field("queue", "law") + &field("reason", "lunch");
    command(&format!("sessionid='{session}'"), &format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"))
}

fn note(answer: &Element) -> String {
    let note = answer.get_child("command", COMMANDS).and_then(|command| command.get_child("note", COMMANDS));
    note.map_or_else(|| format!("{answer:?}"), Element::text)
}

fn condition(answer: &Element) -> (Option<String>, String) {
    let error = answer.get_child("error", answer.ns().as_str()).expect("this is an error");
    let condition = error.children().next().map(|condition| condition.name().to_owned());
    (error.attr("type").map(ToOwned::to_owned), condition.unwrap_or_default())
}

#[tokio::test]
async fn who_suspends_themselves_is_told_when_that_is_stored() {
    let (_server, mut connection, _world, allow) = up(0).await;
    connection.send_raw(format!("<presence from='{BOB}/phone' to='{LAW}' type='subscribe'/>")).await;
    allow.send(true).unwrap();
    while connection.presence(LAW, BOB).await != "unavailable The one operator takes no work now" {}
    let submit = begin(&mut connection, "ann@localhost/desk").await;
    let id = connection.begin_to_ask("ann@localhost/desk", LAW, "set", &submit).await;
    // The link goes on while the store has not answered, and nobody is told anything.
    let pong = connection.begin_to_ask(&format!("{BOB}/phone"), LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    let answer = connection.next_stanza().await;
    assert_eq!(answer.attr("id"), Some(&*pong));
    allow.send(true).unwrap();
    let (mut told, mut answered) = (false, false);
    while !(told && answered) {
        let stanza = connection.next_stanza().await;
        if stanza.attr("id") == Some(&id) {
            assert_eq!(note(&stanza), "You are suspended on law: lunch");
            answered = true;
        } else if stanza.name() == "presence" && stanza.attr("to") == Some(BOB) {
            assert_eq!(stanza.get_child("status", stanza.ns().as_str()).unwrap().text(), "No operator is enabled");
            told = true;
        }
    }
}

#[tokio::test]
async fn one_person_has_no_more_than_their_share_of_the_waiting() {
    let (_server, mut connection, _world, allow) = up(1).await;
    let ann = begin(&mut connection, "ann@localhost/desk").await;
    let u5 = begin(&mut connection, "u5@localhost/x").await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(connection.begin_to_ask("ann@localhost/desk", LAW, "set", &ann).await);
    }
    let fifth = connection.begin_to_ask("ann@localhost/desk", LAW, "set", &ann).await;
    let refused = connection.answer(&fifth).await;
    assert_eq!(condition(&refused), (Some("wait".to_owned()), "resource-constraint".to_owned()));
    // Somebody else is not held up by that.
    let others = connection.begin_to_ask("u5@localhost/x", LAW, "set", &u5).await;
    for _ in 0..10 {
        allow.send(true).unwrap();
    }
    for _ in 0..5 {
        let answer = connection.stanza_that(|stanza| stanza.name() == "iq").await;
        let id = answer.attr("id").unwrap().to_owned();
        assert!(waiting.contains(&id) || id == others, "{answer:?}");
        assert_eq!(note(&answer), "You are suspended on law: lunch");
    }
    let again = connection.begin_to_ask("ann@localhost/desk", LAW, "set", &ann).await;
    assert_eq!(note(&connection.answer(&again).await), "You are suspended on law: lunch");
}

#[tokio::test]
async fn all_together_have_no_more_than_there_is_room_for() {
    let (_server, mut connection, _world, allow) = up(65).await;
    let mut asked = Vec::new();
    for number in 5..70 {
        let who = format!("u{number}@localhost/x");
        let submit = begin(&mut connection, &who).await;
        asked.push(connection.begin_to_ask(&who, LAW, "set", &submit).await);
    }
    let last = asked.pop().unwrap();
    let refused = connection.answer(&last).await;
    assert_eq!(condition(&refused), (Some("wait".to_owned()), "resource-constraint".to_owned()));
    for _ in 0..100 {
        allow.send(true).unwrap();
    }
    for _ in &asked {
        let answer = connection.stanza_that(|stanza| stanza.name() == "iq").await;
        assert_eq!(note(&answer), "You are suspended on law: lunch");
    }
}

#[tokio::test]
async fn where_nothing_can_be_stored_nothing_is_changed() {
    let (_server, mut connection, world, allow) = up(0).await;
    let submit = begin(&mut connection, "ann@localhost/desk").await;
    let id = connection.begin_to_ask("ann@localhost/desk", LAW, "set", &submit).await;
    allow.send(false).unwrap();
    let refused = connection.answer(&id).await;
    assert_eq!(condition(&refused), (Some("wait".to_owned()), "internal-server-error".to_owned()));
    let enabled = |world: &World| world.engine.read(|desk| desk.queues().next().unwrap().published.enabled);
    assert_eq!(enabled(&world), 1);
    allow.send(true).unwrap();
    let id = connection.begin_to_ask("ann@localhost/desk", LAW, "set", &submit).await;
    assert_eq!(note(&connection.answer(&id).await), "You are suspended on law: lunch");
    assert_eq!(enabled(&world), 0);
}

#[tokio::test]
async fn strangers_with_thousands_of_commands_and_huge_forms_get_nowhere() {
    let (_server, mut connection, mut world, _allow) = up(0).await;
    let before = world.engine.read(rosterd::domain::Desk::records);
    let huge = "<field var='queue'><value>law</value></field>".repeat(1_300);
    let huge = format!("<x xmlns='jabber:x:data' type='submit'>{huge}</x>");
    let deep = format!("<x xmlns='jabber:x:data' type='submit'>{}{}</x>", "<field>".repeat(99), "</field>".repeat(99));
    for number in 0..400 {
        for (attributes, payload) in [("", ""), ("sessionid='1-2-3'", ""), ("action='complete' sessionid='x'", &*deep)]
        {
            let who = format!("eve{number}@elsewhere.org/x");
            connection.begin_to_ask(&who, LAW, "set", &command(attributes, payload)).await;
            connection.begin_to_ask(&who, "queues.localhost", "set", &command(attributes, payload)).await;
        }
        if number % 40 == 0 {
            connection.begin_to_ask("ann@localhost/desk", LAW, "set", &command("sessionid='1-2-3'", &huge)).await;
        }
    }
    let answer = connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    assert_eq!(answer.attr("type"), Some("result"));
    assert_eq!(world.engine.read(rosterd::domain::Desk::records), before);
    while let Ok(fact) = world.facts.try_recv() {
        assert!(!fact.starts_with("down: "), "{fact}");
    }
}
