//! What a service manager is told (`sd_notify(3)`): the test is one.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream, UnixDatagram},
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    Place,
    link::{self, Link},
    place_with,
    process::{LIMIT, Process},
};

/// All that was told, datagram by datagram.
struct Told {
    all: watch::Receiver<Vec<String>>,
    _reader: JoinSet<()>,
}

impl Told {
    fn listen(socket: &Path) -> Result<Self> {
        let socket = UnixDatagram::bind(socket)?;
        let (log, all) = watch::channel(Vec::new());
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            let mut bytes = [0; 4_096];
            while let Ok(count) = socket.recv(&mut bytes).await {
                log.send_modify(|log| log.push(String::from_utf8_lossy(&bytes[..count]).into_owned()));
            }
        });
        Ok(Self { all, _reader: reader })
    }

    fn count(&self) -> usize {
        self.all.borrow().len()
    }

    /// Waits until, after the first `from` datagrams, there was one with a line that begins like this, and gives that line.
    async fn line(&self, from: usize, beginning: &str, process: &Process) -> Result<String> {
        let find = |all: &Vec<String>| {
            let mut lines = all.iter().skip(from).flat_map(|datagram| datagram.lines());
            lines.find(|line| line.starts_with(beginning)).map(ToOwned::to_owned)
        };
        let mut all = self.all.clone();
        match timeout(LIMIT, all.wait_for(|all| find(all).is_some())).await {
            Ok(Ok(all)) => find(&all).context("it is there"),
            Ok(Err(_)) | Err(_) => {
                bail!("{beginning} was not told; what was: {:?}\n{}", self.all.borrow(), process.log())
            }
        }
    }

    /// Waits for so many more signs of life.
    async fn beats(&mut self, more: usize) -> Result<()> {
        let count = |all: &Vec<String>| all.iter().filter(|datagram| *datagram == "WATCHDOG=1\n").count();
        let before = count(&self.all.borrow());
        timeout(LIMIT, self.all.wait_for(|all| count(all) >= before + more)).await.context("no sign of life")??;
        Ok(())
    }
}

/// Starts it under a service manager that wants a sign of life every fifth of a second.
fn start(place: &Place) -> Result<(Process, Told)> {
    let socket = place.folder.path().join("notify");
    let told = Told::listen(&socket)?;
    let mut command = place.site.command();
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "200000");
    Ok((Process::start("rosterd", command)?, told))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_tells_how_it_stands() -> Result<()> {
    let place = place_with(link::SETTINGS)?;
    let (mut rosterd, mut told) = start(&place)?;
    // A chat server that is down keeps nothing from starting.
    let ready = told.line(0, "READY=1", &rosterd).await?;
    ensure!(ready == "READY=1");
    ensure!(TcpStream::connect(place.site.https).await.is_ok(), "whoever is told that it is ready may come");
    let down = told.line(0, "STATUS=No link to the chat server, trying again: can not connect", &rosterd).await?;
    ensure!(down.contains(&place.server.to_string()), "{down}");
    let server = TcpListener::bind(place.server).await?;
    let mut link = Link::accept(&server).await?;
    let mut before = told.count();
    let mut pings = JoinSet::new();
    pings.spawn(async move { link.answer_pings().await });
    told.line(0, "STATUS=Linked to the chat server", &rosterd).await?;
    let up = timeout(LIMIT, told.all.wait_for(|all| all.iter().any(|it| it == "STATUS=Linked to the chat server\n")));
    up.await.context("it is up in the end")??;
    told.beats(3).await?;
    ensure!(told.count() > before);
    before = told.count();
    // The link goes.
    pings.shutdown().await;
    drop(server);
    told.line(before, "STATUS=No link to the chat server, trying again: ", &rosterd).await?;
    before = told.count();
    let status = rosterd.stop().await?;
    ensure!(status.success(), "{status}\n{}", rosterd.log());
    told.line(before, "STOPPING=1", &rosterd).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_hang_are_not_a_stuck_engine() -> Result<()> {
    let place = place_with(link::SETTINGS)?;
    let (mut rosterd, mut told) = start(&place)?;
    told.line(0, "READY=1", &rosterd).await?;
    let mut hanging = Vec::new();
    for _ in 0..20 {
        let mut socket = TcpStream::connect(place.site.https).await?;
        // A handshake that goes no further.
        socket.write_all(&[22, 3, 1, 2]).await?;
        hanging.push(socket);
    }
    told.beats(5).await?;
    ensure!(rosterd.has_ended()?.is_none());
    ensure!(!rosterd.log().contains("the engine is stuck"), "{}", rosterd.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_tells_that_changes_are_refused() -> Result<()> {
    let place = place_with(link::SETTINGS)?;
    let text = fs::read_to_string(&place.site.config)?;
    fs::write(&place.site.config, text.replace("[store]", "[store]\nmin_free = \"100000 TiB\""))?;
    let (rosterd, told) = start(&place)?;
    told.line(0, "READY=1", &rosterd).await?;
    ensure!(place.site.add_account("acme", "long enough").is_err(), "there is no such disk");
    let status = told.line(0, "STATUS=No link to the chat server, trying again: can not connect", &rosterd).await?;
    let before = told.all.borrow().iter().position(|it| it.contains(&status)).unwrap_or_default();
    let refused = |line: &String| line.contains("Changes are refused: ");
    timeout(LIMIT, told.all.clone().wait_for(|all| all.iter().skip(before).any(refused))).await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_manager_that_does_not_listen_holds_up_nothing() -> Result<()> {
    let place = place_with(link::SETTINGS)?;
    let socket = place.folder.path().join("notify");
    let (deaf, others) = (UnixDatagram::bind(&socket)?, UnixDatagram::unbound()?);
    while others.try_send_to(b"X=1", &socket).is_ok() {}
    let mut command = place.site.command();
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "200000");
    let mut rosterd = Process::start("rosterd", command)?;
    rosterd.wait_line("that nobody listens", |line| line.contains("could not tell the service manager")).await?;
    rosterd.wait_line("that it serves", |line| line.contains("rosterd starts")).await?;
    ensure!(TcpStream::connect(place.site.https).await.is_ok());
    let began = Instant::now();
    let status = rosterd.stop().await?;
    ensure!(status.success(), "{status}\n{}", rosterd.log());
    ensure!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(deaf);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_long_to_open_can_be_stopped() -> Result<()> {
    let place = place_with(link::SETTINGS)?;
    place.site.add_account("acme", "long enough")?;
    // It is waited for, for some time.
    let database = fs::File::open(place.site.state.join("store/db"))?;
    database.lock()?;
    let (mut rosterd, told) = start(&place)?;
    told.line(0, "STATUS=Opening the store", &rosterd).await?;
    let status = rosterd.stop().await?;
    ensure!(status.success(), "{status}\n{}", rosterd.log());
    ensure!(rosterd.log().contains("stopped before the store was open"), "{}", rosterd.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_served_is_not_ready() -> Result<()> {
    let place = place_with(link::SETTINGS)?;
    let _taken = TcpListener::bind(place.site.https).await?;
    let (mut rosterd, told) = start(&place)?;
    let status = rosterd.ended().await?;
    ensure!(status.code() == Some(1), "{status}\n{}", rosterd.log());
    let all = told.all.borrow().clone();
    ensure!(!all.iter().any(|datagram| datagram.contains("READY=1")), "{all:?}");
    Ok(())
}
