//! A client in a process of its own, which the operating system can stop and kill under it.

use std::{io::Write, net::SocketAddr};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    client::{Accept, Client},
    process::{self, Process},
    servers::{PASSWORD, QUEUES, USERS},
};

/// What the client is to do: where the server is, who it is, and whether its session outlives its connection.
const ORDERS: &str = "ROSTERD_TEST_CLIENT";
/// What it prints when it shows its presence, before the number of its process.
const ONLINE: &str = "client online, process ";

/// A client that shows `chat`. Dropping it kills it.
pub(crate) struct Apart {
    process: Process,
    pid: Pid,
}

impl Apart {
    /// Starts it, and waits until it shows its presence. With `keep` its session outlives its connection (XEP-0198).
    pub(crate) async fn start(server: SocketAddr, name: &str, keep: bool) -> Result<Self> {
        // This program, as the test below.
        let mut command = process::command(std::env::current_exe()?, &[]);
        command.args(["--exact", "apart::the_client", "--ignored", "--nocapture"]);
        command.env(ORDERS, format!("{server} {name} {keep}"));
        let process = Process::start("the client", command)?;
        let line = process.wait_line("that it is online", |line| line.contains(ONLINE)).await?;
        let pid = line.split_once(ONLINE).and_then(|(_, pid)| pid.trim().parse().ok()).and_then(Pid::from_raw);
        Ok(Self { process, pid: pid.with_context(|| format!("no number of a process in {line:?}"))? })
    }

    /// Stops the process where it is (SIGSTOP). Its connection stays.
    pub(crate) fn freeze(&self) -> Result<()> {
        kill_process(self.pid, Signal::STOP).context("the client is gone")
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn thaw(&self) -> Result<()> {
        kill_process(self.pid, Signal::CONT).context("the client is gone")
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }
}

/// The client itself.
#[tokio::test]
#[ignore = "this is a client, and not a test: tests start it in a process of its own"]
async fn the_client() {
    let orders = std::env::var(ORDERS).expect("only tests start this");
    let [server, name, keep] = *orders.split(' ').collect::<Vec<_>>() else { panic!("{orders}") };
    let (server, jid) = (server.parse().unwrap(), format!("{name}@{USERS}"));
    let accept = Accept::Only(vec![format!("staffing@{QUEUES}")]);
    let mut client = Client::login(server, &jid, "apart", PASSWORD, accept).await.unwrap();
    if keep == "true" {
        client.keep_session().await.unwrap();
    }
    client.show("chat", 0, "").await.unwrap();
    // Answered after the server has taken the presence.
    client.roster().await.unwrap();
    writeln!(std::io::stdout(), "\n{ONLINE}{}", std::process::id()).unwrap();
    // Until it is killed; its connection is worked meanwhile.
    std::future::pending::<()>().await;
}
