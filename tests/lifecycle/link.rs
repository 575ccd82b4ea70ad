//! The least that a chat server has to be for the daemon's link to come up.

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What is to stand in `[xmpp]`: this server gives no message back, which would show that there is no rival.
pub(crate) const SETTINGS: &str = "rival_check = '0s'\nretry_after = '10ms'";

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
                      xmlns='jabber:component:accept' from='queues.localhost' id='1'>";

/// A link, seen from the server.
pub(crate) struct Link {
    socket: TcpStream,
    heard: String,
}

impl Link {
    /// Takes a component in, whatever its secret.
    pub(crate) async fn accept(listener: &TcpListener) -> Result<Self> {
        let (socket, _) = listener.accept().await?;
        let mut link = Self { socket, heard: String::new() };
        link.until("<stream:stream", ">").await?;
        link.say(HEADER).await?;
        link.until("<handshake", "</handshake>").await?;
        link.say("<handshake/>").await?;
        Ok(link)
    }

    async fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.write_all(text.as_bytes()).await?)
    }

    /// What is heard from `start` to `end`.
    async fn until(&mut self, start: &str, end: &str) -> Result<String> {
        loop {
            let found = self.heard.find(start).and_then(|from| Some((from, from + self.heard[from..].find(end)?)));
            if let Some((from, to)) = found {
                let rest = self.heard.split_off(to + end.len());
                return Ok(std::mem::replace(&mut self.heard, rest).split_off(from));
            }
            let mut bytes = [0; 4_096];
            let count = self.socket.read(&mut bytes).await?;
            anyhow::ensure!(count > 0, "the link ended, and {start} was not heard: {}", self.heard);
            self.heard += std::str::from_utf8(&bytes[..count]).context("all of this is ASCII")?;
        }
    }

    /// Answers pings, until the link ends.
    pub(crate) async fn answer_pings(&mut self) -> Result<()> {
        while let Ok(ping) = self.until("<iq", "</iq>").await {
            let attribute = |name: &str| {
                let value = ping.split(&format!(" {name}=")).nth(1).and_then(|rest| rest.split(['\'', '"']).nth(1));
                value.with_context(|| format!("{name} in {ping}"))
            };
            let (id, from) = (attribute("id")?, attribute("from")?);
            self.say(&format!("<iq from='localhost' to='{from}' id='{id}' type='result'/>")).await?;
        }
        Ok(())
    }
}
