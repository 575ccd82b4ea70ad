//! The link and the engine together, against a server in this process.

#[path = "link/commands.rs"]
mod commands;
#[path = "link/onboarding.rs"]
mod onboarding;
mod support;

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::join_all;
use rosterd::{
    domain::{Event, Policy, Reason, Record, WhoMayFollow},
    xmpp::{Lookout, Settings},
};

use support::{
    component_server::{ComponentServer, Connection, Mirror, Said, header, soon},
    world::{World, settings},
};

const LAW: &str = "law@queues.localhost";
const WATCHER: &str = "staffing@queues.localhost";
const BOB: &str = "bob@localhost";

fn is_down(fact: &str) -> bool {
    fact.starts_with("down: ")
}

/// How somebody is asked to show their presence.
const ASK: &str =
    "subscribe May rosterd see whether you are available? The queues that you staff are open when you are.";

/// A link that is up and swept.
async fn up(change: impl FnOnce(&mut Settings)) -> (ComponentServer, Connection, World) {
    up_with(change, |_| ()).await
}

/// The same, with another policy.
async fn up_with(
    change: impl FnOnce(&mut Settings),
    change_policy: impl FnOnce(&mut Policy),
) -> (ComponentServer, Connection, World) {
    let server = ComponentServer::start();
    let mut settings = settings(server.address());
    change(&mut settings);
    let mut world = World::start_with(settings, change_policy);
    let mut connection = server.accept().await;
    assert_eq!(connection.presence(WATCHER, "ann@localhost").await, "probe");
    world.swept().await;
    assert_eq!(connection.presence(WATCHER, "ann@localhost").await, ASK, "who stays silent is asked");
    (server, connection, world)
}

impl Connection {
    async fn presence_in(&self, from: &str, to: &str, kind: &str) {
        self.send_raw(format!("<presence from='{from}' to='{to}' type='{kind}'/>")).await;
    }

    async fn ann_is(&self, show: &str) {
        self.send_raw(format!("<presence from='ann@localhost/desk' to='{WATCHER}'><show>{show}</show></presence>"))
            .await;
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let server = ComponentServer::start();
    let mut world = World::start(settings(server.address()));
    for (condition, expected) in [
        ("not-authorized", "refused the secret for component queues.localhost"),
        ("host-unknown", "does not know the component queues.localhost"),
        ("conflict", "has a component queues.localhost already"),
        ("policy-violation", "policy-violation"),
    ] {
        server.refuse(condition).await;
        let why = world.fact(is_down).await;
        assert!(why.contains(expected), "{condition}: {why}");
    }
    // A server that does not know us need not open a stream that could be answered.
    let connection = server.accept_silently().await;
    let opened = header().replace(" id='id-1'", "");
    let error = "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    connection.send_raw(format!("{opened}{error}</stream:stream>")).await;
    let why = world.fact(is_down).await;
    assert!(why.contains("does not know"), "{why}");
    let trouble = world.engine.read(|desk| desk.link_trouble().map(ToOwned::to_owned));
    assert!(trouble.unwrap().contains("does not know"));
}

#[tokio::test]
async fn whatever_answers_there_is_told_from_a_component_port() {
    let server = ComponentServer::start();
    let mut world = World::start(settings(server.address()));
    let other = server.accept_silently().await;
    other.send_raw("HTTP/1.1 400 Bad Request\r\n\r\n<html>").await;
    let why = world.fact(is_down).await;
    assert!(why.contains("no component stream"), "{why}");
    drop(other);

    let gone = server.accept_silently().await;
    gone.half_close().await;
    let why = world.fact(is_down).await;
    assert!(why.contains("no component stream"), "{why}");
}

#[tokio::test]
async fn a_server_that_opens_no_stream_is_left() {
    let server = ComponentServer::start();
    let mut settings = settings(server.address());
    settings.connect_timeout = Duration::from_millis(100);
    let mut world = World::start(settings);
    let _silent = server.accept_silently().await;
    let why = world.fact(is_down).await;
    assert!(why.contains("did not finish the handshake within 100ms"), "{why}");
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let server = ComponentServer::start();
    let address = server.address();
    drop(server);
    let mut world = World::start(settings(address));
    for _ in 0..3 {
        let why = world.fact(is_down).await;
        assert!(why.contains("can not connect to 127.0.0.1"), "{why}");
    }
    world.stop.cancel();
    world.ended().await;
}

#[tokio::test]
async fn a_name_that_is_none_is_said() {
    let mut world = World::start(settings("no.such.name.invalid:5347".into()));
    let why = world.fact(is_down).await;
    assert!(why.contains("can not find the address of no.such.name.invalid:5347"), "{why}");
}

#[tokio::test]
async fn after_a_drop_everything_is_unknown_and_asked_again() {
    let (server, mut connection, mut world) = up(|_| ()).await;
    connection.presence_in(BOB, LAW, "subscribe").await;
    connection.ann_is("dnd").await;
    assert_eq!(connection.presence(LAW, BOB).await, "subscribed");
    while connection.presence(LAW, BOB).await != "dnd The one operator takes no work now" {}
    connection.hang_up().await;
    assert_eq!(world.fact(is_down).await, "down: the server dropped the connection");
    let show = |world: &World| world.engine.read(|desk| desk.queues().next().unwrap().published.show.as_str());
    assert_eq!(show(&world), "unavailable");

    let mut connection = server.accept().await;
    assert_eq!(world.fact(|_| true).await, "up");
    assert_eq!(connection.presence(WATCHER, "ann@localhost").await, "probe");
    world.swept().await;
    // bob follows still, and is told what is true now; also that he may, since nobody knows whether he heard that.
    assert_eq!(connection.presence(LAW, BOB).await, "subscribed");
    assert_eq!(connection.presence(LAW, BOB).await, "unavailable The one operator takes no work now");
}

#[tokio::test]
async fn a_stream_that_the_server_ends_says_why() {
    let (server, connection, mut world) = up(|_| ()).await;
    let error = "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                 <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>bye</text></stream:error></stream:stream>";
    connection.send_raw(error).await;
    assert_eq!(world.fact(is_down).await, "down: the server ended the stream: system-shutdown: \"bye\"");
    let connection = server.accept().await;
    connection.send_raw("</stream:stream>").await;
    assert_eq!(world.fact(is_down).await, "down: the server closed the stream");
    // A stanza that was cut off is not believed.
    let connection = server.accept().await;
    connection.send_raw(format!("<presence from='ann@localhost/desk' to='{WATCHER}'")).await;
    connection.half_close().await;
    assert_eq!(world.fact(|fact| fact.starts_with("Seen") || is_down(fact)).await, {
        "down: the server dropped the connection"
    });
}

#[tokio::test]
async fn a_handshake_in_any_pieces() {
    let server = ComponentServer::start();
    let mut world = World::start(settings(server.address()));
    // Byte by byte.
    let mut connection = server.accept_silently().await;
    assert!(matches!(connection.next().await, Said::Header(_)));
    for byte in header().bytes() {
        connection.send_raw([byte]).await;
    }
    connection.next_stanza().await;
    for byte in "<handshake></handshake>".bytes() {
        connection.send_raw([byte]).await;
    }
    assert_eq!(world.fact(|_| true).await, "up");
    connection.hang_up().await;
    assert!(is_down(&world.fact(is_down).await));
    // With the first stanzas in the same packet.
    let stanza = format!("<presence from='ann@localhost/desk' to='{WATCHER}'/>");
    let connection = server.accept_and_answer(&format!("<handshake/>\n{stanza}{}", &stanza[..20])).await;
    assert_eq!(world.fact(|_| true).await, "up");
    world.fact(|fact| fact.contains("Seen")).await;
    connection.send_raw(&stanza[20..]).await;
    world.fact(|fact| fact.contains("Seen")).await;
}

#[tokio::test]
async fn what_operators_do_is_told_to_who_follows() {
    let (_server, mut connection, mut world) = up(|_| ()).await;
    connection.presence_in(&format!("{BOB}/phone"), LAW, "subscribe").await;
    assert_eq!(connection.presence(LAW, BOB).await, "subscribed");
    assert_eq!(connection.presence(LAW, BOB).await, "unavailable The one operator takes no work now");
    let followers = |world: &World| world.engine.read(|desk| desk.records().len());
    let with_bob = followers(&world);

    connection.ann_is("chat").await;
    assert_eq!(connection.presence(LAW, BOB).await, "chat The one operator takes work now");
    connection.ann_is("away").await;
    assert_eq!(connection.presence(LAW, BOB).await, "away The one operator takes no work now");
    connection.presence_in(BOB, LAW, "probe").await;
    assert_eq!(connection.presence(LAW, BOB).await, "away The one operator takes no work now");
    connection.presence_in("ann@localhost/desk", WATCHER, "unavailable").await;
    assert_eq!(connection.presence(LAW, BOB).await, "unavailable The one operator takes no work now");

    connection.presence_in("eve@localhost", LAW, "probe").await;
    assert_eq!(connection.presence(LAW, "eve@localhost").await, "unsubscribed");
    connection.presence_in("eve@localhost", WATCHER, "subscribe").await;
    assert_eq!(connection.presence(WATCHER, "eve@localhost").await, "unsubscribed");

    connection.presence_in(BOB, LAW, "unsubscribe").await;
    assert!(connection.presence(LAW, BOB).await.starts_with("unavailable"));
    assert_eq!(followers(&world), with_bob - 1);
    connection.presence_in("ann@localhost", WATCHER, "subscribed").await;
    assert_eq!(connection.presence(WATCHER, "ann@localhost").await, "probe");
    assert!(!world.fact(|fact| fact.contains("Approved")).await.is_empty());
}

impl Connection {
    /// Somebody's server gives back what a queue has told them.
    async fn bounce(&self, from: &str, kind: &str, condition: &str) {
        let error = format!("<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
        self.send_raw(format!("<presence from='{from}' to='{LAW}' type='error'>{error}</presence>")).await;
    }

    /// Somebody follows the queue, and has been told everything.
    async fn follower(&mut self, who: &str, told: &str) {
        self.presence_in(who, LAW, "subscribe").await;
        assert_eq!(self.presence(LAW, who).await, "subscribed");
        assert_eq!(self.presence(LAW, who).await, told);
    }
}

fn followers(world: &World) -> Vec<String> {
    let follower = |record: &Record| if let Record::Subscriber(it) = record { Some(it.jid.to_string()) } else { None };
    world.engine.read(|desk| desk.records().iter().filter_map(follower).collect())
}

#[tokio::test]
async fn who_is_gone_for_good_is_told_nothing_more_and_nobody_else() {
    const EVE: &str = "eve@localhost";
    const CLOSED: &str = "unavailable The one operator takes no work now";
    for (kind, condition) in [("cancel", "gone"), ("modify", "gone"), ("cancel", "item-not-found")] {
        for from in [BOB.to_owned(), format!("{BOB}/phone")] {
            let (_server, mut connection, world) = up(|_| ()).await;
            connection.follower(BOB, CLOSED).await;
            connection.follower(EVE, CLOSED).await;
            // What others say is about themselves: who does not follow, a server, and who would follow another queue.
            for other in ["mallory@localhost", "localhost", "bob@elsewhere"] {
                connection.bounce(other, kind, condition).await;
            }
            connection.ann_is("chat").await;
            for who in [BOB, EVE] {
                assert_eq!(connection.presence(LAW, who).await, "chat The one operator takes work now");
            }
            connection.bounce(&from, kind, condition).await;
            connection.ann_is("away").await;
            let told = connection.next_stanza().await;
            assert_eq!((told.attr("from"), told.attr("to")), (Some(LAW), Some(EVE)), "{told:?}");
            // Who comes afterwards is the next to be told anything at all.
            connection.presence_in("zoe@localhost", LAW, "subscribe").await;
            assert_eq!(connection.next_stanza().await.attr("to"), Some("zoe@localhost"));
            assert_eq!(followers(&world), [EVE, "zoe@localhost"]);
            // Their server asks when they are there after all, and hears that they follow no longer.
            connection.presence_in(&from, LAW, "probe").await;
            assert_eq!(connection.presence(LAW, BOB).await, "unsubscribed");
        }
    }
}

#[tokio::test]
async fn who_can_not_be_reached_now_is_told_again() {
    let (_server, mut connection, world) = up(|_| ()).await;
    connection.follower(BOB, "unavailable The one operator takes no work now").await;
    for (kind, condition) in [
        // Servers say so of another one whose address they could not find just now.
        ("cancel", "remote-server-not-found"),
        ("wait", "remote-server-timeout"),
        ("cancel", "remote-server-timeout"),
        ("wait", "recipient-unavailable"),
        ("cancel", "service-unavailable"),
        ("cancel", "not-allowed"),
        ("auth", "forbidden"),
        ("modify", "redirect"),
        ("wait", "resource-constraint"),
        ("wait", "gone"),
        ("wait", "item-not-found"),
        ("cancel", "undefined-condition"),
        ("", "gone"),
    ] {
        for (show, ready) in [("chat", "takes work now"), ("away", "takes no work now")] {
            connection.bounce(BOB, kind, condition).await;
            connection.ann_is(show).await;
            assert_eq!(connection.presence(LAW, BOB).await, format!("{show} The one operator {ready}"), "{condition}");
        }
    }
    // No condition at all, and what is no error.
    connection.send_raw(format!("<presence from='{BOB}' to='{LAW}' type='error'/>")).await;
    connection
        .send_raw(format!("<presence from='{BOB}' to='{LAW}' type='error'><error type='cancel'/></presence>"))
        .await;
    connection.ann_is("dnd").await;
    assert_eq!(connection.presence(LAW, BOB).await, "dnd The one operator takes no work now");
    assert_eq!(followers(&world), [BOB]);
}

#[tokio::test]
async fn a_server_or_a_gateway_may_follow_a_queue() {
    const WALL: &str = "wall.localhost";
    let (_server, mut connection, world) = up_with(|_| (), |policy| policy.who_may_follow = WhoMayFollow::Anyone).await;
    connection.follower(WALL, "unavailable The one operator takes no work now").await;
    connection.ann_is("chat").await;
    assert_eq!(connection.presence(LAW, WALL).await, "chat The one operator takes work now");
    connection.presence_in(WALL, LAW, "probe").await;
    assert_eq!(connection.presence(LAW, WALL).await, "chat The one operator takes work now");
    assert_eq!(followers(&world), [WALL]);
    connection.bounce(WALL, "cancel", "gone").await;
    connection.presence_in(BOB, LAW, "subscribe").await;
    assert_eq!(connection.presence(LAW, BOB).await, "subscribed");
    assert_eq!(followers(&world), [BOB]);

    // Where it may not, it is told so.
    let (_server, mut connection, _world) = up(|_| ()).await;
    connection.presence_in(WALL, LAW, "subscribe").await;
    assert_eq!(connection.presence(LAW, WALL).await, "unsubscribed");
}

#[tokio::test]
async fn there_is_a_place_or_a_word_why_not() {
    let (_server, mut connection, _world) = up_with(|_| (), |policy| policy.followers_of_queue_most = 1).await;
    connection.follower(BOB, "unavailable The one operator takes no work now").await;
    connection.presence_in("eve@localhost", LAW, "subscribe").await;
    let told = connection.presence(LAW, "eve@localhost").await;
    assert_eq!(told, "unsubscribed This queue has as many followers as it may have.");
}

/// ann is there, and is pinged.
async fn pinged(ping_timeout: Duration) -> (ComponentServer, Connection, World, String) {
    let leases = |policy: &mut Policy| {
        (policy.ping_after, policy.ping_timeout) = (Some(Duration::from_millis(100)), ping_timeout);
    };
    let (server, mut connection, world) = up_with(|_| (), leases).await;
    connection.follower(BOB, "unavailable The one operator takes no work now").await;
    connection.ann_is("chat").await;
    assert_eq!(connection.presence(LAW, BOB).await, "chat The one operator takes work now");
    let ping = connection.stanza_that(|it| it.has_child("ping", "urn:xmpp:ping")).await;
    assert_eq!((ping.attr("from"), ping.attr("to")), (Some(WATCHER), Some("ann@localhost/desk")));
    let id = ping.attr("id").expect("a request has an id").to_owned();
    (server, connection, world, id)
}

/// The errors that mean that a resource is gone, or that a client knows no pings.
const MAY_BE_GONE: [(&str, &str); 5] = [
    ("cancel", "service-unavailable"),
    ("wait", "recipient-unavailable"),
    ("cancel", "item-not-found"),
    ("cancel", "remote-server-not-found"),
    ("wait", "remote-server-timeout"),
];

impl Connection {
    /// The answer to the ping of ann's resource is an error, which is looked into.
    async fn doubt(&mut self, id: &str, kind: &str, condition: &str) {
        let error = format!("<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
        let iq = format!("<iq from='ann@localhost/desk' to='{WATCHER}' id='{id}' type='error'>{error}</iq>");
        self.send_raw(iq).await;
        assert_eq!(self.presence(WATCHER, "ann@localhost").await, "probe", "{condition}");
    }
}

#[tokio::test]
async fn every_answer_that_means_gone_is_looked_into_and_believed() {
    let gone = async |(kind, condition): (&'static str, &'static str)| {
        // The server that has nobody to name says nothing, as ejabberd does.
        let (_server, mut connection, world, id) = pinged(Duration::from_secs(6)).await;
        connection.doubt(&id, kind, condition).await;
        let told = connection.presence(LAW, BOB).await;
        assert_eq!(told, "unavailable The one operator takes no work now", "{condition}");
        let why = world.engine.read(|desk| {
            let ann = desk.user_by_jid(&rosterd::domain::BareJid::parse("ann@localhost").unwrap()).unwrap().id;
            desk.why_user(ann)
        });
        assert_eq!(why.iter().map(|it| it.as_str()).collect::<Vec<_>>(), ["offline"], "{condition}");
        assert_eq!(world.engine.read(|desk| desk.tally().stale), 0, "{condition}");
    };
    join_all(MAY_BE_GONE.map(gone)).await;
}

#[tokio::test]
async fn a_client_that_knows_no_pings_goes_on_counting() {
    let stays = async |(kind, condition): (&'static str, &'static str)| {
        let (_server, mut connection, world, id) = pinged(Duration::from_mins(1)).await;
        connection.doubt(&id, kind, condition).await;
        // The answer to the probe names it, and from there on all begins anew: it is pinged again.
        connection.ann_is("chat").await;
        let ping = connection.next_stanza().await;
        assert!(ping.has_child("ping", "urn:xmpp:ping"), "{condition}: {ping:?}");
        assert_eq!(world.engine.read(|desk| desk.queues().next().unwrap().published.show.as_str()), "chat");
    };
    join_all(MAY_BE_GONE.map(stays)).await;
}

#[tokio::test]
async fn requests_are_answered() {
    let (_server, mut connection, _world) = up(|_| ()).await;
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let answer = connection.ask(LAW, "get", info).await;
    let query = answer.children().next().unwrap();
    let identity = query.children().find(|child| child.name() == "identity").unwrap();
    assert_eq!((identity.attr("category"), identity.attr("type")), (Some("client"), Some("bot")));
    assert_eq!(answer.attr("from"), Some(LAW));
    assert_eq!(answer.attr("to"), Some("bob@localhost/phone"));

    let answer = connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    assert_eq!((answer.attr("type"), answer.children().count()), (Some("result"), 0));

    let answer = connection.ask("queues.localhost", "get", "<query xmlns='jabber:iq:version'/>").await;
    let words: Vec<_> = answer.children().next().unwrap().children().map(minidom::Element::text).collect();
    assert_eq!(words, ["rosterd", env!("CARGO_PKG_VERSION")]);

    for (to, payload, condition) in [
        (LAW, "<x xmlns='urn:unknown'/>", "service-unavailable"),
        ("queues.localhost", "", "service-unavailable"),
        ("tax@queues.localhost", info, "item-not-found"),
    ] {
        let answer = connection.ask(to, "get", payload).await;
        assert_eq!(answer.attr("type"), Some("error"), "{to} {payload}");
        let error = answer.get_child("error", answer.ns().as_str()).unwrap();
        assert!(error.has_child(condition, "urn:ietf:params:xml:ns:xmpp-stanzas"), "{error:?}");
    }
    // Nobody reads messages, and who writes one is told so.
    connection.send_raw(format!("<message from='{BOB}/phone' to='{LAW}' id='0'><body>hi</body></message>")).await;
    let bounced = connection.next_stanza().await;
    assert_eq!((bounced.name(), bounced.attr("type"), bounced.attr("id")), ("message", Some("error"), Some("0")));
    assert_eq!((bounced.attr("from"), bounced.attr("to")), (Some(LAW), Some(&*format!("{BOB}/phone"))));
    let error = bounced.get_child("error", bounced.ns().as_str()).unwrap();
    assert!(error.has_child("service-unavailable", "urn:ietf:params:xml:ns:xmpp-stanzas"), "{error:?}");
    // Answers are not answered, nor are errors and what no person wrote.
    connection.send_raw(format!("<message from='{BOB}/phone' to='{LAW}' type='error'><body>hi</body></message>")).await;
    connection.send_raw(format!("<message from='{BOB}/phone' to='{LAW}'><composing xmlns='x'/></message>")).await;
    connection.send_raw(format!("<iq from='{BOB}/phone' to='{LAW}' id='1' type='error'/>")).await;
    connection.send_raw(format!("<iq from='{BOB}/phone' to='{LAW}' id='2' type='result'/>")).await;
    connection.send_raw(format!("<iq from='{BOB}/phone' to='{LAW}' id='3' type='get'><a xmlns='b'/></iq>")).await;
    assert_eq!(connection.next_stanza().await.attr("id"), Some("3"));
}

#[tokio::test]
async fn hostile_stanzas_cost_nothing_but_themselves() {
    let (_server, mut connection, mut world) = up(|_| ()).await;
    let from = "from='ann@localhost/desk'";
    let to = format!("to='{WATCHER}'");
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("attribute-too-long", format!("<presence {from} {to} id='{}'/>", "x".repeat(9_000)).into()),
        ("attribute-too-long", format!("<presence id='{}' {from} {to}/>", "x".repeat(200_000)).into()),
        ("stanza-too-long", format!("<presence {from} {to}><status>{}</status></presence>", "x".repeat(70_000)).into()),
        ("too-deep", format!("<presence {from} {to}>{}{}</presence>", "<a>".repeat(900), "</a>".repeat(900)).into()),
        ("not-well-formed", format!("<presence {from} {to}><status>&#0;</status></presence>").into()),
        ("not-well-formed", format!("<presence {from} {to}><status>\0</status></presence>").into()),
        ("not-well-formed", format!("<presence {from} {to}><status>&lol;</status></presence>").into()),
        ("not-well-formed", format!("<presence {from} {to}><x:y/></presence>").into()),
        ("not-well-formed", format!("<presence {from} {to}><!-- > --><?pi <presence> ?></presence>").into()),
        ("not-well-formed", format!("<presence {from} {to}><!DOCTYPE a [<!ENTITY b 'c'>]></presence>").into()),
        ("not-well-formed", format!("<presence {from} {to}><a></b></presence>").into()),
        ("not-well-formed", [format!("<presence {from} {to} x='").as_bytes(), b"\xff\xfe'/>"].concat()),
        ("unknown-presence-type", format!("<presence {from} {to} type='weird'/>").into()),
        ("bad-to", format!("<presence {from} to='@@@'/>").into()),
        ("bad-from", format!("<presence from='@@@' {to}/>").into()),
        ("iq-without-id", format!("<iq {from} {to} type='get'/>").into()),
        ("not-a-stanza", "<!-- x -->".into()),
    ];
    let harmless = [
        format!("<presence {from} {to}><show>online</show><show/><priority>999</priority></presence>"),
        format!("<presence {from} {to}><show/><priority>abc</priority></presence>"),
        format!("<message {from} {to} type='weird'/>"),
        format!("<presence {to}/>"),
        format!("<presence from='localhost' {to}/>"),
        format!("<presence from='eve@localhost/x' {to}><show>chat</show></presence>"),
        "<weird xmlns='urn:x'/>".into(),
        "<stream:weird/>".into(),
    ];
    for stanza in harmless {
        connection.send_raw(stanza).await;
    }
    for (_, stanza) in &bad {
        connection.send_raw(stanza).await;
    }
    // Two chunks of every one, for good measure.
    for (_, stanza) in &bad {
        let (a, b) = stanza.split_at(stanza.len() / 2);
        connection.send_raw(a).await;
        connection.send_raw(b).await;
    }
    // ann is asked again, once, because what she sent last could not be read.
    assert_eq!(connection.presence(WATCHER, "ann@localhost").await, "probe");
    let answer = connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    assert_eq!(answer.attr("type"), Some("result"));
    connection.ann_is("xa").await;
    let show = |world: &World| world.engine.read(|desk| desk.queues().next().unwrap().published.show.as_str());
    while show(&world) != "xa" {
        soon("ann's presence", world.events.recv()).await.unwrap();
    }
    for (reason, _) in &bad {
        let expected = 2 * bad.iter().filter(|(other, _)| other == reason).count();
        assert_eq!(world.dropped(reason), u64::try_from(expected).unwrap(), "{reason}");
    }
    while let Ok(fact) = world.facts.try_recv() {
        assert!(!is_down(&fact), "{fact}");
    }
}

#[tokio::test]
async fn a_presence_that_can_not_be_read_ends_what_was_said_before() {
    let (_server, mut connection, world) = up(|_| ()).await;
    connection.presence_in(BOB, LAW, "subscribe").await;
    connection.ann_is("chat").await;
    while connection.presence(LAW, BOB).await != "chat The one operator takes work now" {}
    let oversize = |kind: &str| {
        let status = "x".repeat(70_000);
        format!(
            "<presence from='ann@localhost/desk' to='{WATCHER}'{kind}><show>dnd</show><status>{status}</status></presence>"
        )
    };
    connection.send_raw(oversize("")).await;
    let none = "unavailable The one operator takes no work now";
    assert_eq!(connection.presence(LAW, BOB).await, none, "nobody knows whether she takes work");
    let reasons = |world: &World| {
        world.engine.read(|desk| {
            let queue = desk.queues().next().unwrap().queue;
            let operator = desk.books(queue.account).operators(queue.id).unwrap().next().unwrap();
            desk.why_user(operator.user.id).into_iter().map(Reason::as_str).collect::<Vec<_>>()
        })
    };
    assert_eq!(reasons(&world), ["unreadable"]);
    // Her server has the same to say when it is asked, and is asked once.
    connection.send_raw(oversize("")).await;
    connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    connection.ann_is("away").await;
    assert_eq!(connection.presence(LAW, BOB).await, "away The one operator takes no work now");
    // That she goes can be read, whatever else she says.
    connection.send_raw(oversize(" type='unavailable'")).await;
    assert_eq!(connection.presence(LAW, BOB).await, none);
    assert_eq!(reasons(&world), ["offline"]);
    assert_eq!(world.dropped("stanza-too-long"), 3);
}

#[tokio::test]
async fn a_stanza_without_an_end_costs_the_link_and_nothing_more() {
    let (server, connection, mut world) = up(|_| ()).await;
    connection.send_raw(format!("<presence from='ann@localhost/desk' to='{WATCHER}'><status>")).await;
    // The last of it finds nobody there any more.
    let sending = async {
        for _ in 0..17 {
            connection.send_what_goes("x".repeat(1024 * 1024)).await;
        }
    };
    let (why, ()) = tokio::join!(world.fact(is_down), sending);
    assert_eq!(why, "down: the server's stream makes no sense: a stanza is longer than 16777216 bytes");
    let mut connection = server.accept().await;
    assert_eq!(world.fact(|_| true).await, "up");
    while connection.presence(WATCHER, "ann@localhost").await != "probe" {}
    connection.ann_is("chat").await;
    while world.engine.read(|desk| desk.queues().next().unwrap().published.show.as_str()) != "chat" {
        soon("ann's presence", world.events.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn entities_in_a_stream_header_are_not_expanded() {
    let server = ComponentServer::start();
    let mut world = World::start(settings(server.address()));
    let mut entities = "<!ENTITY e0 'lol'>".to_owned();
    for number in 1..20 {
        entities += &format!("<!ENTITY e{number} '{}'>", format!("&e{};", number - 1).repeat(10));
    }
    let declared = format!("<?xml version='1.0'?><!DOCTYPE stream [{entities}]>");
    let used = header().replace("id-1", "&e19;");
    let long = header().replace("id-1", &"x".repeat(10_000));
    for opening in [declared + &used["<?xml version='1.0'?>".len()..], used.clone(), long] {
        let connection = server.accept_silently().await;
        connection.send_raw(opening).await;
        let why = world.fact(is_down).await;
        assert!(why.contains("what the server answered is no component stream"), "{why}");
    }
    server.accept().await;
    assert_eq!(world.fact(|_| true).await, "up");
}

#[tokio::test]
async fn a_server_that_stops_reading_does_not_stop_intake() {
    let (_server, mut connection, mut world) = up(|_| ()).await;
    connection.stop_reading().await;
    // More answers than any buffer on the way holds.
    let ping = format!(
        "<iq from='{BOB}/phone' to='{LAW}' id='{}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
        "x".repeat(6_000)
    );
    let mut sent = 0;
    while world.dropped("reply-not-sent") == 0 {
        assert!(sent < 100_000, "the server's ear is not full yet");
        connection.send_raw(ping.repeat(20)).await;
        sent += 20;
    }
    connection.ann_is("dnd").await;
    let told = soon("ann's presence", async {
        loop {
            if let Ok(Event::User { to, .. }) = world.events.recv().await {
                return to;
            }
        }
    });
    assert_eq!(told.await.as_str(), "dnd");
}

#[tokio::test]
async fn a_stop_closes_every_queue_and_then_the_stream() {
    let (_server, mut connection, world) = up(|_| ()).await;
    connection.presence_in(BOB, LAW, "subscribe").await;
    connection.ann_is("chat").await;
    while connection.presence(LAW, BOB).await != "chat The one operator takes work now" {}
    let begun = tokio::time::Instant::now();
    soon("the engine", world.engine.close()).await;
    world.stop.cancel();
    assert_eq!(connection.presence(LAW, BOB).await, "unavailable Closed");
    assert!(matches!(connection.next().await, Said::Footer));
    connection.send_raw("</stream:stream>").await;
    world.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "it did not wait for its time to run out");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_server_that_says_nothing() {
    let (_server, mut connection, world) = up(|settings| settings.goodbye = Duration::from_millis(300)).await;
    world.stop.cancel();
    assert!(matches!(connection.next().await, Said::Footer));
    world.ended().await;
}

#[tokio::test]
async fn a_silent_server_is_pinged() {
    let short = Duration::from_millis(30);
    let (_server, connection, mut world) = up(|settings| settings.ping_after = short).await;
    let mut pings = connection.pings.seen.subscribe();
    let before = *pings.borrow();
    soon("pings", pings.wait_for(|seen| *seen >= before + 5)).await.unwrap();
    while let Ok(fact) = world.facts.try_recv() {
        assert!(!is_down(&fact), "{fact}");
    }
}

#[tokio::test]
async fn a_server_that_answers_no_ping_is_left() {
    let short = Duration::from_millis(300);
    let (server, connection, mut world) =
        up(|settings| (settings.ping_after, settings.ping_timeout) = (short, short)).await;
    connection.pings.unanswered.store(true, Ordering::Relaxed);
    let why = world.fact(is_down).await;
    assert_eq!(why, "down: the server did not answer a ping within 300ms");
    server.accept().await;
    assert_eq!(world.fact(|_| true).await, "up");
}

/// How it looks for rivals where nobody wants to wait.
const SOON: Lookout = Lookout { every: Duration::from_millis(50), quiet: Duration::from_millis(50) };

impl ComponentServer {
    async fn mirrors(&self, mirror: Mirror) {
        *self.echoes.mirror.lock().await = mirror;
    }
}

/// What a component said, to whom, until the end of its stream: pings and messages to itself are left out.
async fn all_said(mut connection: Connection) -> Vec<String> {
    let mut said = Vec::new();
    while let Said::Stanza(stanza) = connection.next().await {
        let attribute = |name| stanza.attr(name).unwrap_or("-").to_owned();
        said.push(format!("{} {} to {}", stanza.name(), attribute("type"), attribute("to")));
    }
    said
}

#[tokio::test]
async fn with_a_rival_nobody_is_told_anything() {
    let (server, mut connection, mut world) = up(|settings| settings.lookout = Some(SOON)).await;
    connection.presence_in(BOB, LAW, "subscribe").await;
    while connection.presence(LAW, BOB).await == "subscribed" {}
    server.mirrors(Mirror::Half).await;
    let why = world.fact(is_down).await;
    assert!(why.contains("somebody else is connected as queues.localhost too"), "{why}");
    assert!(why.contains("8 of 16 messages"), "{why}");
    drop(connection);
    for mirror in [Mirror::Half, Mirror::SomeErrors, Mirror::Nothing] {
        server.mirrors(mirror).await;
        let connection = server.accept().await;
        // Somebody asks for what is to be told, and a stranger for something else.
        connection.presence_in(BOB, LAW, "probe").await;
        connection.presence_in("eve@localhost", LAW, "probe").await;
        connection.presence_in("eve@localhost/desk", WATCHER, "available").await;
        connection.ann_is("chat").await;
        let show = |world: &World| world.engine.read(|desk| desk.queues().next().unwrap().published.show.as_str());
        assert!(world.fact(|fact| fact.contains("Seen") || is_down(fact)).await.contains("Seen"));
        assert_eq!(show(&world), "unavailable", "{mirror:?}");
        let why = world.fact(is_down).await;
        assert!(why.contains("somebody else is connected as queues.localhost too"), "{mirror:?}: {why}");
        assert_eq!(all_said(connection).await, ["presence probe to ann@localhost"], "{mirror:?}");
    }
    server.mirrors(Mirror::All).await;
    let mut connection = server.accept().await;
    connection.ann_is("chat").await;
    assert_eq!(connection.presence(LAW, BOB).await, "subscribed");
    assert_eq!(connection.presence(LAW, BOB).await, "chat The one operator takes work now");
    assert!(world.engine.read(|desk| desk.link_trouble().is_none()));
}

#[tokio::test]
async fn a_server_that_lets_no_message_through_has_no_rival() {
    let server = ComponentServer::start();
    server.mirrors(Mirror::Errors).await;
    let mut settings = settings(server.address());
    settings.lookout = Some(SOON);
    let mut world = World::start(settings);
    let _connection = server.accept().await;
    world.swept().await;
    // Nor is there one at any later look.
    soon("looks", server.echoes.seen.subscribe().wait_for(|seen| seen.len() >= 5 * 16)).await.unwrap();
    while let Ok(fact) = world.facts.try_recv() {
        assert!(!is_down(&fact), "{fact}");
    }
}

#[tokio::test]
async fn who_looks_for_rivals_too_is_heard() {
    let (_server, mut connection, mut world) = up(|_| ()).await;
    assert_eq!(world.fact(|fact| fact == "up").await, "up");
    let echo = "<message from='a@queues.localhost' to='b@queues.localhost' id='echo-0-1-1-1' type='headline'/>";
    connection.send_raw(echo).await;
    // Everybody is asked anew at once, on the same link.
    assert_eq!(world.fact(|fact| fact == "up" || is_down(fact)).await, "up");
    // What she said to our request may have gone to the other one.
    let ann = "ann@localhost";
    let mut said = [connection.presence(WATCHER, ann).await, connection.presence(WATCHER, ann).await];
    said.sort();
    assert_eq!(said, ["probe", ASK]);
    world.swept().await;
    // A user can not do so.
    let echo = echo.replace("a@queues.localhost", "ann@localhost/desk");
    connection.send_raw(echo).await;
    connection.ann_is("dnd").await;
    assert!(world.fact(|fact| fact.contains("Dnd") || is_down(fact)).await.contains("Dnd"));
}

#[tokio::test]
async fn messages_to_itself_can_not_be_guessed_and_take_no_time() {
    let (server, _connection, _world) = up(|_| ()).await;
    let seen = server.echoes.seen.borrow().clone();
    assert_eq!(seen.len(), 16);
    assert_eq!(seen.iter().collect::<std::collections::BTreeSet<_>>().len(), 16);
    assert!(seen.iter().all(|id| id.starts_with("echo-") && id.len() > 5 + 32), "{seen:?}");
    let (other, _connection, _world) = up(|_| ()).await;
    let of_other = other.echoes.seen.borrow().clone();
    assert_ne!(seen[0][..37], of_other[0][..37], "another daemon has others");
}

#[tokio::test]
async fn whoever_wants_no_look_for_rivals_has_none() {
    let (server, mut connection, _world) = up(|settings| settings.lookout = None).await;
    connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    assert_eq!(server.echoes.seen.borrow().len(), 0);
}
