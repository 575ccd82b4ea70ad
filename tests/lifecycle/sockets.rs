//! Listening sockets that a service manager has opened (`sd_listen_fds(3)`): the test is one.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use http_body_util::Full;
use hyper::{Request, body::Bytes, header};
use rustix::process::{Signal, kill_process};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Place,
    https::{self, Https},
    place,
    process::{self, LIMIT, Process},
};

/// Hands its standard input over as the first socket.
const HAND_OVER: &str = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";

/// Starts the daemon with this socket, by this name.
fn start(place: &Place, name: &str, socket: impl Into<OwnedFd>) -> Result<Process> {
    let plain = place.site.command();
    let mut command = process::command("sh", &[]);
    command.args(["-c", HAND_OVER, "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(place.folder.path()).env("LISTEN_FDNAMES", name);
    Process::start_with("rosterd", command, Stdio::from(socket.into()))
}

async fn serves(rosterd: &Process) -> Result<()> {
    rosterd.wait_line("that HTTPS is served", |line| line.contains("HTTPS is served")).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_who_has_come_meanwhile() -> Result<()> {
    let place = place()?;
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    let mut rosterd = start(&place, "https", socket.try_clone()?)?;
    serves(&rosterd).await?;
    let said = rosterd.wait_line("where it listens", |line| line.contains("socket of the service manager")).await?;
    ensure!(said.contains(&address.to_string()) && said.contains("[http] listen does not count"), "{said}");
    ensure!(TcpStream::connect(place.site.https).await.is_err(), "[http] listen does not count");
    let https = Https::new(address, &place.site.certificate())?;
    ensure!(https.get("/healthz").await?.status == 200);
    let status = rosterd.stop().await?;
    ensure!(status.success(), "{status}\n{}", rosterd.log());
    // Nobody serves; who comes waits, and is not turned away.
    let waiting = TcpStream::connect(address).await?;
    let asking = https.ask_on(waiting, health()?);
    let again = async {
        let rosterd = start(&place, "https", socket.try_clone()?)?;
        serves(&rosterd).await?;
        anyhow::Ok(rosterd)
    };
    let (_rosterd, reply) = timeout(LIMIT, async { tokio::try_join!(again, asking) }).await??;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(())
}

fn health() -> Result<Request<Full<Bytes>>> {
    Ok(Request::get("/healthz").header(header::HOST, "localhost").body(Full::default())?)
}

/// Asks again and again, each time on a new connection, until `stop`; gives how often. Each is answered.
async fn ask_anew(address: SocketAddr, https: Https, stop: CancellationToken) -> Result<usize> {
    let mut asked = 0;
    while !stop.is_cancelled() {
        let answer = async { https.ask_on(TcpStream::connect(address).await?, health()?).await };
        let reply = https::bounded(&format!("request {asked}"), answer).await?;
        ensure!(reply.status == 200, "{reply:?}");
        asked += 1;
    }
    Ok(asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_sends_nobody_away_who_has_come() -> Result<()> {
    let place = place()?;
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    let mut rosterd = start(&place, "https", socket.try_clone()?)?;
    serves(&rosterd).await?;
    let https = Https::new(address, &place.site.certificate())?;
    let (over, mut asking) = (CancellationToken::new(), JoinSet::new());
    for _ in 0..4 {
        asking.spawn(ask_anew(address, https.clone(), over.clone()));
    }
    for _ in 0..3 {
        // Two that were shaken hands with, and have asked nothing yet; on one of them something was asked before.
        let late = https.connect(TcpStream::connect(address).await?).await?;
        let mut idle = https.connect(TcpStream::connect(address).await?).await?;
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        ensure!(idle.read(&mut [0; 1_024]).await? > 0);
        kill_process(rosterd.id(), Signal::TERM)?;
        // Everything was told to stop by now that answers somebody.
        rosterd.wait_line("that it stops", |line| line.contains("stopped part=\"admin\"")).await?;
        timeout(LIMIT, idle.read_to_end(&mut Vec::new())).await.context("who is idle is not waited for")??;
        let reply = https::bounded("a late request", https::exchange(late, health()?)).await?;
        ensure!(reply.status == 200 && reply.headers[header::CONNECTION] == "close", "{reply:?}");
        let status = rosterd.ended().await?;
        ensure!(status.success(), "{status}\n{}", rosterd.log());
        rosterd = start(&place, "https", socket.try_clone()?)?;
        serves(&rosterd).await?;
    }
    over.cancel();
    while let Some(asked) = asking.join_next().await {
        ensure!(asked?? > 0, "each has asked");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_presence_needs_no_key_then() -> Result<()> {
    let place = place()?;
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    let rosterd = start(&place, "public", socket)?;
    serves(&rosterd).await?;
    let path = "/presence/jid/law/queues.localhost/text";
    let request = Request::get(path).header(header::HOST, "localhost").body(Full::default())?;
    let answer = async { https::exchange(TcpStream::connect(address).await?, request).await };
    let reply = https::bounded(path, answer).await?;
    ensure!((reply.status, &*reply.body) == (200, "unavailable"), "{reply:?}");
    let reply = Https::new(place.site.https, &place.site.certificate())?.get("/healthz").await?;
    ensure!(reply.status == 200, "HTTPS is where the configuration says");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_does_not_know_is_named() -> Result<()> {
    let place = place()?;
    let tcp = || TcpListener::bind("127.0.0.1:0");
    let listener = tcp()?;
    let connected = std::net::TcpStream::connect(listener.local_addr()?)?;
    for (name, socket, wanted) in [
        ("rosterd.socket", OwnedFd::from(tcp()?), "a socket named \"rosterd.socket\", which rosterd does not know"),
        ("", tcp()?.into(), "a socket named \"\", which rosterd does not know"),
        ("https", UdpSocket::bind("127.0.0.1:0")?.into(), "the socket named \"https\" that the service manager handed"),
        ("public", connected.into(), "is of the wrong kind: its unit has to have a ListenStream="),
    ] {
        let mut rosterd = start(&place, name, socket)?;
        let status = rosterd.ended().await?;
        let log = rosterd.log();
        ensure!(status.code() == Some(78), "{name}: {status}\n{log}");
        ensure!(log.contains(wanted), "{name}: {log}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_handed_to_another_process_is_not_ours() -> Result<()> {
    let place = place()?;
    let mut command: Command = place.site.command();
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "https");
    let rosterd = Process::start("rosterd", command)?;
    serves(&rosterd).await?;
    ensure!(!rosterd.log().contains("service manager"), "{}", rosterd.log());
    Ok(())
}
