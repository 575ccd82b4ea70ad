//! Hostile clients of a real server. What they send may end their own stream; it never ends the daemon's.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::{
    client::{Accept, Client},
    hostile::{Besieged, stanzas},
    ports::Port,
    process::LIMIT,
    servers::{Addresses, PASSWORD, Package, Server},
};

const LAW: &str = "law@queues.localhost";
const WATCHER: &str = "staffing@queues.localhost";
/// How many hostile stanzas a flood has.
const FLOOD: usize = 10_000;
/// As how many clients a stranger shows up.
const RESOURCES: usize = 1_000;

/// Somebody whom the server throws out now and then, and who comes back.
struct Vandal {
    server: SocketAddr,
    jid: String,
    client: Client,
    /// How often they were thrown out.
    ended: usize,
}

impl Vandal {
    async fn login(server: SocketAddr, name: &str) -> Result<Self> {
        let jid = format!("{name}@localhost");
        let client = login(server, &jid, "desk").await?;
        Ok(Self { server, jid, client, ended: 0 })
    }

    /// Sends this, and waits until the daemon has worked off all of it that came through.
    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = self.client.send(bytes).await;
        if sent.is_err() || self.client.ping(WATCHER).await.is_err() {
            self.ended += 1;
            self.client = login(self.server, &self.jid, "desk").await?;
            self.client.ping(WATCHER).await.context("who comes back is answered")?;
        }
        Ok(())
    }
}

async fn login(server: SocketAddr, jid: &str, resource: &str) -> Result<Client> {
    let client = Client::login(server, jid, resource, PASSWORD, Accept::Only(vec![WATCHER.to_owned()])).await?;
    client.show("available", 0, "").await?;
    Ok(client)
}

/// Waits until the queue shows this to everybody.
async fn wait_show(besieged: &Besieged, show: &str) -> Result<()> {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let mut saw = String::new();
    let poll = async {
        while saw != show {
            look.tick().await;
            saw = besieged.manager.public_show("law").await?;
        }
        Ok(())
    };
    match tokio::time::timeout(LIMIT, poll).await {
        Ok(seen) => seen,
        Err(_) => bail!("waited {LIMIT:?} for law to be {show}, it is {saw}"),
    }
}

/// Everything that a client can think of, on a server of its own.
pub(crate) async fn rage<P: Package>() -> Result<()> {
    let ports = [Port::free()?, Port::free()?, Port::free()?];
    let [clients, component, api] = ports.each_ref().map(Port::address);
    let server = Server::<P>::start(Addresses { clients, component, api }, &["ann", "eve", "mallory"]).await?;
    let besieged = Besieged::start(component, "1s").await?;
    let raged = rage_at(clients, &besieged).await;
    raged.map_err(|error| anyhow!("{}{}\n{error:#}", server.log(), besieged.log()))
}

async fn rage_at(clients: SocketAddr, besieged: &Besieged) -> Result<()> {
    let mut ann = Vandal::login(clients, "ann").await?;
    wait_show(besieged, "available").await?;
    // An operator, to everybody who sees her, to the watcher, and to the queue.
    for to in ["", "to='staffing@queues.localhost'", "to='law@queues.localhost'"] {
        for (word, stanza) in stanzas(to) {
            ann.send(&stanza).await.with_context(|| format!("ann: {word} {to}"))?;
        }
    }
    ann.send(b"<presence><show>dnd</show></presence>").await?;
    wait_show(besieged, "dnd").await?;
    a_presence_that_is_too_long(&mut ann, besieged).await?;
    ann.send(b"<presence><show>dnd</show></presence>").await?;
    wait_show(besieged, "dnd").await?;

    let before = besieged.seen()?;
    let mut ended = ann.ended;
    for (name, to) in [("eve", LAW), ("mallory", WATCHER)] {
        let mut stranger = Vandal::login(clients, name).await?;
        for (word, stanza) in stanzas(&format!("to='{to}'")) {
            stranger.send(&stanza).await.with_context(|| format!("{name}: {word} {to}"))?;
        }
        // From somebody else. Servers refuse that, or say whom it is from themselves.
        for from in ["ann@localhost/desk", "ann@localhost", "law@queues.localhost", "@", ""] {
            let spoofed = format!("<presence from='{from}' to='{WATCHER}'><show>chat</show></presence>");
            stranger.send(spoofed.as_bytes()).await?;
            let gone = format!("<presence from='{from}' to='{WATCHER}' type='unavailable'/>");
            stranger.send(gone.as_bytes()).await?;
        }
        ended += stranger.ended;
        stranger.client.drop_abruptly().await;
    }
    ensure!(ended > 0, "servers end the streams of such clients, so what is no XML was sent");
    ensure!(besieged.seen()? == before, "strangers change nothing: {before:#} {:#}", besieged.seen()?);

    for number in 0..RESOURCES {
        let client = login(clients, "mallory@localhost", &format!("r{number}")).await?;
        client.send(format!("<presence to='{WATCHER}'><show>chat</show></presence>")).await?;
        client.close().await?;
    }
    flood(clients, besieged).await?;
    ensure!(besieged.seen()? == before, "nor does a flood: {before:#} {:#}", besieged.seen()?);
    ann.send(b"<presence><show>chat</show></presence>").await?;
    wait_show(besieged, "chat").await?;
    besieged.has_held()
}

/// The server has nothing else to say of her than what can not be read.
async fn a_presence_that_is_too_long(ann: &mut Vandal, besieged: &Besieged) -> Result<()> {
    let long = format!("<presence><show>chat</show><status>{}</status></presence>", "x".repeat(70_000));
    ann.send(long.as_bytes()).await?;
    wait_show(besieged, "unavailable").await?;
    let status = besieged.status()?;
    let operator = &status["queues"][0]["operators"][0];
    ensure!(operator["reasons"] == serde_json::json!(["unreadable"]), "{operator:#}");
    Ok(())
}

/// A round of a flood, from one client.
fn round(number: usize) -> String {
    [
        format!("<presence to='{WATCHER}'><show>chat</show><priority>{number}</priority></presence>"),
        format!("<presence to='{WATCHER}' type='subscribe'/>"),
        format!("<presence to='nobody{number}@queues.localhost' type='subscribe'/>"),
        format!("<presence to='{LAW}' type='probe'/>"),
        format!("<message to='{LAW}' id='m{number}'><body>hello</body></message>"),
        format!("<message to='nobody{number}@queues.localhost' type='weird'><body>hello</body></message>"),
        format!("<iq to='{LAW}' id='p{number}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"),
        format!("<iq to='{WATCHER}' id='x{number}' type='set'><x xmlns='y'/></iq>"),
        format!("<presence to='{WATCHER}'><show/><show>dnd</show></presence>"),
        format!("<presence to='{WATCHER}' type='unavailable'/>"),
    ]
    .concat()
}

async fn flood(clients: SocketAddr, besieged: &Besieged) -> Result<()> {
    let rounds: Vec<_> = (0..FLOOD / 10).collect();
    let mut before = 0;
    for (number, some) in rounds.chunks(25).enumerate() {
        // What it is told fills up what a client keeps: another one each time.
        let mut client = login(clients, "eve@localhost", &format!("f{}", number % 5)).await?;
        client.send(some.iter().copied().map(round).collect::<String>()).await?;
        client.ping(WATCHER).await?;
        client.close().await?;
        if number == 8 {
            before = besieged.memory()?;
        }
    }
    let after = besieged.memory()?;
    ensure!(before > 0 && after < before + 16 * 1024, "{before} KiB before, {after} KiB after");
    Ok(())
}
