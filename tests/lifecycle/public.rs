//! The listener for public presence without TLS, in the life of the daemon.

use std::{fs, net::SocketAddr};

use anyhow::{Result, ensure};
use http_body_util::Full;
use hyper::{Request, body::Bytes, header};
use tokio::net::{TcpListener, TcpStream};

use super::{
    Place,
    daemon::Daemon,
    https::{self, Reply},
    place,
    ports::Port,
};

impl Place {
    /// Has it serve public presence there too.
    fn make_public(&self, address: SocketAddr) -> Result<()> {
        let text = fs::read_to_string(&self.site.config)?;
        Ok(fs::write(&self.site.config, text.replace("[http]", &format!("[http]\npublic_listen = \"{address}\"")))?)
    }
}

async fn get(address: SocketAddr, path: &str) -> Result<Reply> {
    let request = Request::get(path).header(header::HOST, "localhost").body(Full::<Bytes>::default())?;
    https::bounded(path, async { https::exchange(TcpStream::connect(address).await?, request).await }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_presence_comes_and_goes_with_the_daemon() -> Result<()> {
    let (place, port) = (place()?, Port::free()?);
    place.make_public(port.address())?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    daemon
        .process
        .wait_line("that public presence is served", |line| line.contains("public presence without TLS"))
        .await?;
    let reply = get(port.address(), "/presence/jid/law/queues.localhost/text").await?;
    ensure!((reply.status, &*reply.body) == (200, "unavailable"), "{reply:?}");
    ensure!(get(port.address(), "/healthz").await?.status == 404, "it serves nothing else");
    daemon.stop().await?;
    ensure!(TcpStream::connect(port.address()).await.is_err(), "it has ended with the daemon");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_named_with_its_key() -> Result<()> {
    let (place, port) = (place()?, Port::free()?);
    let _taken = TcpListener::bind(port.address()).await?;
    place.make_public(port.address())?;
    let mut daemon = Daemon::start(place.site.clone())?;
    let status = daemon.process.ended().await?;
    let log = daemon.log();
    ensure!(status.code() == Some(1), "{status}\n{log}");
    let wanted = format!("rosterd: could not listen on {} ([http] public_listen)", port.address());
    ensure!(log.contains(&wanted), "{log}");
    Ok(())
}
