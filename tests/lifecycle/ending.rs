//! A stop where everybody hangs who can.

use anyhow::{Result, ensure};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream, UnixStream},
};

use super::{
    https::Https,
    link::{self, Link},
    place_with,
    process::Process,
};

/// A request whose body never comes to its end.
fn half_a_request(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{{")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_though_everybody_hangs() -> Result<()> {
    let place = place_with(link::SETTINGS)?;
    let server = TcpListener::bind(place.server).await?;
    // Under a watchdog, too.
    let mut command = place.site.command();
    command.env("WATCHDOG_USEC", "30000000");
    let mut rosterd = Process::start("rosterd", command)?;
    rosterd.wait_line("that HTTPS is served", |line| line.contains("HTTPS is served")).await?;
    // A server that takes the link, and nothing after that: it does not even say goodbye.
    let _link = Link::accept(&server).await?;
    let mut import = UnixStream::connect(place.folder.path().join("admin.sock")).await?;
    import.write_all(half_a_request("/import").as_bytes()).await?;
    let mut silent = TcpStream::connect(place.site.https).await?;
    silent.write_all(&[22, 3, 1, 2]).await?;
    let https = Https::new(place.site.https, &place.site.certificate())?;
    ensure!(https.get("/healthz").await?.status == 200, "all of this was taken before");
    let status = rosterd.stop().await?;
    let log = rosterd.log();
    ensure!(status.success(), "{status}\n{log}");
    ensure!(log.contains("took too long to say goodbye"), "{log}");
    for part in ["status", "https", "admin", "link", "engine", "watchdog"] {
        ensure!(log.contains(&format!("stopped part=\"{part}\"")), "{part}: {log}");
    }
    ensure!(!log.contains("going on without it"), "each part keeps its own bound: {log}");
    Ok(())
}
