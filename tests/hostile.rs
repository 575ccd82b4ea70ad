//! What hostile people send, past a server that checks nothing, straight to the real daemon.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/component_server.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod component_server;
#[path = "support/daemon.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod daemon;
#[path = "support/hostile.rs"]
mod hostile_stanzas;
#[path = "support/https.rs"]
mod https;
#[path = "support/manager.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod manager;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/process.rs"]
mod process;
#[path = "support/ready.rs"]
mod ready;
#[path = "support/site.rs"]
mod site;
#[path = "support/times.rs"]
mod times;

use component_server::{ComponentServer, Connection, soon};
use hostile_stanzas::{Besieged, stanzas};

const LAW: &str = "law@queues.localhost";
const WATCHER: &str = "staffing@queues.localhost";
const BOB: &str = "bob@localhost";

/// The daemon, connected; bob follows the queue.
async fn start() -> (ComponentServer, Connection, Besieged) {
    let server = ComponentServer::start();
    let address = server.address().parse().unwrap();
    let (mut connection, besieged) = tokio::join!(server.accept(), Besieged::start(address, "50ms"));
    connection.send_raw(format!("<presence from='{BOB}' to='{LAW}' type='subscribe'/>")).await;
    assert_eq!(connection.presence(LAW, BOB).await, "subscribed");
    (server, connection, besieged.unwrap())
}

/// ann shows this, and bob is told.
async fn ann_is(connection: &mut Connection, show: &str) {
    let presence = format!("<presence from='ann@localhost/desk' to='{WATCHER}'><show>{show}</show></presence>");
    connection.send_raw(presence).await;
    while !connection.presence(LAW, BOB).await.starts_with(show) {}
}

/// Everything that was sent before has been worked off: by the link, which answers, and by the engine, which stores.
async fn settle(connection: &mut Connection, besieged: &Besieged) {
    assert_eq!(connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await.attr("type"), Some("result"));
    besieged.manager.write_nothing().await.unwrap();
}

#[tokio::test]
async fn every_hostile_stanza_is_passed_over_alone() {
    let (_server, mut connection, besieged) = start().await;
    let mut shows = ["chat", "dnd"].iter().cycle();
    for to in [WATCHER, LAW] {
        for (word, stanza) in stanzas(&format!("from='ann@localhost/desk' to='{to}'")) {
            // Whole, and in two reads.
            let (begin, end) = stanza.split_at(stanza.len() / 2);
            connection.send_raw(&stanza).await;
            connection.send_raw(begin).await;
            connection.send_raw(end).await;
            soon(word, ann_is(&mut connection, shows.next().unwrap())).await;
        }
    }
    ann_is(&mut connection, "xa").await;
    settle(&mut connection, &besieged).await;
    let before = besieged.seen().unwrap();
    for from in ["from='eve@localhost/x'", "from='mallory@elsewhere/x'", "from='ann@elsewhere/desk'", "from='@'", ""] {
        for to in [WATCHER, LAW, "queues.localhost", "law@queues.localhost/desk", "@", "elsewhere"] {
            for (_, stanza) in stanzas(&format!("{from} to='{to}'")) {
                connection.send_raw(stanza).await;
            }
        }
        settle(&mut connection, &besieged).await;
        assert_eq!(besieged.seen().unwrap(), before, "a stranger changes nothing: {from}");
    }
    for rubbish in
        ["rubbish", "<!-- x -->", "<?x y?>", "<!DOCTYPE x [<!ENTITY y 'z'>]>", "<![CDATA[<presence>]]>", "\0"]
    {
        connection.send_raw(rubbish).await;
    }
    ann_is(&mut connection, "away").await;
    assert_eq!(besieged.manager.public_show("law").await.unwrap(), "away");
    besieged.has_held().unwrap();
}

/// A round of a flood: a stanza of each kind, all of them from others than in the round before.
fn flood(round: usize) -> String {
    let stranger = format!("from='s{round}@elsewhere/r{round}'");
    [
        format!("<presence {stranger} to='{WATCHER}'><show>chat</show></presence>"),
        format!("<presence from='mallory@elsewhere/r{round}' to='{WATCHER}'><priority>999</priority></presence>"),
        format!("<presence from='ann@localhost/r{round}' to='{WATCHER}'><show>xa</show></presence>"),
        format!("<presence {stranger} to='{LAW}' type='subscribe'/>"),
        format!("<presence {stranger} to='{WATCHER}' type='subscribe'/>"),
        format!("<presence from='mallory@elsewhere' to='{LAW}' type='error'><error type='cancel'/></presence>"),
        format!("<presence {stranger} to='{WATCHER}' type='weird{round}'/>"),
        format!("<message {stranger} to='{LAW}' id='m'><body>hello</body></message>"),
        format!(
            "<iq from='mallory@elsewhere/x' to='{LAW}' id='i{round}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"
        ),
        format!("<presence {stranger} to='{LAW}' type='probe'/>"),
    ]
    .concat()
}

async fn send_flood(connection: &mut Connection, rounds: std::ops::Range<usize>) {
    let rounds: Vec<_> = rounds.collect();
    for some in rounds.chunks(50) {
        let stanzas: String = some.iter().map(|round| flood(*round)).collect();
        connection.send_raw(stanzas).await;
        // What it says to that is read, and forgotten.
        connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    }
}

#[tokio::test]
async fn a_hundred_thousand_hostile_stanzas_cost_no_memory() {
    let (_server, mut connection, besieged) = start().await;
    ann_is(&mut connection, "chat").await;
    send_flood(&mut connection, 0..2_000).await;
    settle(&mut connection, &besieged).await;
    let before = besieged.memory().unwrap();
    send_flood(&mut connection, 2_000..10_000).await;
    settle(&mut connection, &besieged).await;
    let after = besieged.memory().unwrap();
    assert!(after < before + 16 * 1024, "{before} KiB before, {after} KiB after");
    let status = besieged.status().unwrap();
    let ann = &status["queues"][0]["operators"][0];
    assert_eq!(ann["resources"].as_array().unwrap().len(), 64, "ann's newest clients");
    assert_eq!(status["tally"]["strangers"], 20_000);
    assert_eq!(status["tally"]["dropped"]["unknown-presence-type"], 10_000);
    // A thousand and more clients of hers are not there, and she is: most of them say nothing worse than xa.
    ann_is(&mut connection, "chat").await;
    assert_eq!(besieged.manager.public_show("law").await.unwrap(), "chat");
    besieged.has_held().unwrap();
}
