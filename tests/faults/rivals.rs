//! Somebody else is connected as the same domain. Prosody lets nobody else in; ejabberd does, and gives each of the two a part
//! of what is meant for both.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use minidom::Element;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use xmpp_parsers::component::Handshake;

use super::{
    ejabberd::Ejabberd,
    frames::{Frame, Frames},
    on_both, play,
    process::LIMIT,
    rig::{A_WHILE, AROUND, Place, Rig, SOON, Site},
    servers::{Package, SECRET},
};

on_both! { a_second_daemon }

/// How long the first of two daemons may be wrong about what the second one got.
const VISIT: Duration = Duration::from_secs(15);

/// What is said of a second one.
fn refusal<P: Package>() -> &'static str {
    if P::NAME == "prosody" { "has a component queues.localhost already" } else { "somebody else is connected as" }
}

/// The second one tells nobody anything, and the first one goes on. When the first one is gone, the second one does its work.
async fn a_second_daemon<P: Package>() -> Result<()> {
    let mut rig = Rig::<P>::start(SOON, Ok).await?;
    let second = Site::start(rig.place.server.addresses().component, SOON).await?;
    let _reading = rig.record.start(&[("second", second.daemon.https()?)]);
    second.until_status(refusal::<P>()).await?;
    let unwell = second.command(&["healthcheck"]).await?;
    ensure!(unwell.contains("not ready") && unwell.contains("link-down"), "{unwell}");
    for show in ["dnd", "xa", "chat", "available"] {
        rig.show("ann", show).await?;
        rig.readers.go_on_for(A_WHILE).await?;
    }
    ensure!(rig.record.readings("second") >= 5, "it was read");
    ensure!(rig.record.open_readings("second") == 0, "the second one published something");
    second.until_status(refusal::<P>()).await?;
    rig.agrees().await.context("the first one goes on")?;
    // Now the first one is gone: what its followers know stays as it is, and the second one starts to work.
    rig.site.daemon.stop().await?;
    second.up().await.context("the second one takes its place")?;
    rig.record.until("second", rig.record.truth()).await?;
    let mut second = second;
    second.daemon.stop().await?;
    rig.site.daemon.start_again()?;
    rig.site.daemon.serves().await?;
    rig.ends_as_new(VISIT).await
}

/// A component that takes everything and does nothing.
struct Blackhole {
    socket: TcpStream,
}

impl Blackhole {
    async fn open(server: SocketAddr) -> Result<Self> {
        timeout(LIMIT, Self::shake_hands(server)).await.context("no handshake")?
    }

    async fn shake_hands(server: SocketAddr) -> Result<Self> {
        let mut socket = TcpStream::connect(server).await?;
        let header = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
                      xmlns:stream='http://etherx.jabber.org/streams' to='queues.localhost'>";
        socket.write_all(header.as_bytes()).await?;
        let mut text = String::new();
        let mut frames = Frames::default();
        let mut bytes = [0; 4_096];
        loop {
            let read = socket.read(&mut bytes).await?;
            ensure!(read > 0, "the server hung up: {text}");
            text += &String::from_utf8_lossy(&bytes[..read]);
            frames.feed(&bytes[..read])?;
            while let Some(frame) = frames.next() {
                match frame {
                    Frame::Open => {
                        let id = text.split(" id='").nth(1).and_then(|rest| rest.split('\'').next());
                        let handshake = Handshake::from_stream_id_and_password(id.context("no id")?.to_owned(), SECRET);
                        socket.write_all(String::from(&Element::from(handshake)).as_bytes()).await?;
                    }
                    Frame::Stanza(answer) if answer.name() == "handshake" => return Ok(Self { socket }),
                    Frame::Stanza(_) | Frame::Close => anyhow::bail!("refused: {text}"),
                }
            }
        }
    }

    /// How much it has swallowed, once there is something.
    async fn swallow(&mut self) -> Result<usize> {
        let mut bytes = [0; 4_096];
        Ok(timeout(LIMIT, self.socket.read(&mut bytes)).await??)
    }
}

/// Somebody who does not look for rivals is there before the daemon, which tells nobody anything until they are gone.
async fn somebody_before(rig_link: &'static str) -> Result<()> {
    let place = Place::<Ejabberd>::start().await?;
    let mut other = Blackhole::open(place.server.addresses().component).await?;
    let site = Site::start(place.server.addresses().component, rig_link).await?;
    let status = site.until_status("somebody else is connected as queues.localhost too").await?;
    ensure!(status.contains("of 16 messages that we sent to ourselves came back"), "{status}");
    ensure!(!site.daemon.log().contains(" asked="), "{}", site.daemon.log());
    let ready = site.daemon.https()?.get("/readyz").await?;
    ensure!(ready.status == 503 && ready.body.contains("link-down"), "{ready:?}");
    ensure!(other.swallow().await? > 0);
    drop(other);
    Rig::of(place, site).await?.ends_as_new(AROUND).await
}

/// Somebody who does not look for rivals comes after the daemon, which finds out when it looks again.
async fn somebody_after(rig_link: &'static str) -> Result<()> {
    let mut rig = Rig::<Ejabberd>::start(rig_link, Ok).await?;
    let mut other = Blackhole::open(rig.place.server.addresses().component).await?;
    rig.show("ann", "dnd").await?;
    rig.site.until_status("somebody else is connected as queues.localhost too").await?;
    rig.show("ann", "xa").await?;
    rig.record.until("https", "unavailable").await?;
    rig.readers.go_on_for(A_WHILE).await?;
    ensure!(other.swallow().await? > 0);
    drop(other);
    rig.ends_as_new(VISIT).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_was_there_before() {
    play::<Ejabberd>(async || somebody_before(SOON).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_comes_later() {
    let link = "link_grace = \"0s\"\nping_after = \"2s\"\nping_timeout = \"2s\"\nretry_after = \"200ms\"\nretry_most = \"2s\"\nrival_check = \"1s\"";
    play::<Ejabberd>(async || somebody_after(link).await).await;
}
