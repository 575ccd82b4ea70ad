//! Real XMPP servers from Debian's packages: private, on loopback, in a folder of their own.

use std::{fs, net::SocketAddr, os::unix::fs::chown, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::process::{self, Process};

/// The domain of the people.
pub(crate) const USERS: &str = "localhost";
/// The domain of the component.
pub(crate) const QUEUES: &str = "queues.localhost";
/// The component's secret.
pub(crate) const SECRET: &str = "s3cr3t";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "pw";

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// For clients.
    pub(crate) clients: SocketAddr,
    /// For the component.
    pub(crate) component: SocketAddr,
    /// For administration over HTTP, where there is such a thing.
    pub(crate) api: SocketAddr,
}

/// A server that Debian has as a package of this name, which runs as the user of this name.
pub(crate) trait Package {
    /// The name.
    const NAME: &'static str;
    /// A file that is there when the package is installed.
    const FILE: &'static str;
    /// People let the watcher see their presence when they are asked.
    const IS_ASKED: bool = true;

    /// How people are onboarded there: what stands in `[xmpp.onboarding]`.
    fn onboarding(_addresses: Addresses) -> String {
        String::new()
    }

    /// Writes the configuration into `home`.
    fn configure(home: &Path, addresses: Addresses, people: &[&str]) -> Result<()>;

    /// Completes the command that runs it in the foreground.
    fn command(home: &Path, privileges: &[&str]) -> Result<Command>;

    /// Waits until it serves, with these people as accounts.
    async fn ready(process: &Process, addresses: Addresses, people: &[&str]) -> Result<()>;
}

/// A private server. Dropping it kills it and removes its folder.
pub(crate) struct Server<P> {
    home: TempDir,
    addresses: Addresses,
    people: Vec<String>,
    pub(crate) process: Process,
    package: std::marker::PhantomData<P>,
}

impl<P: Package> Server<P> {
    /// Starts a new one with an account for each of `people`, and waits until it serves.
    pub(crate) async fn start(addresses: Addresses, people: &[&str]) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("rosterd-").tempdir()?;
        P::configure(home.path(), addresses, people)?;
        give_away(home.path(), P::NAME)?;
        let process = Self::launch(home.path(), addresses, people).await?;
        let people = people.iter().map(|&name| name.to_owned()).collect();
        Ok(Self { home, addresses, people, process, package: std::marker::PhantomData })
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Everything that it has printed since it was started.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Stops it as an administrator does.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.process.stop().await.map(drop)
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let people: Vec<_> = self.people.iter().map(String::as_str).collect();
        self.process = Self::launch(self.home.path(), self.addresses, &people).await?;
        Ok(())
    }

    async fn launch(home: &Path, addresses: Addresses, people: &[&str]) -> Result<Process> {
        let user = format!("--reuid={}", P::NAME);
        let group = format!("--regid={}", P::NAME);
        let drop = [&*user, &*group, "--clear-groups"];
        let privileges: &[&str] = if is_root() { &drop } else { &[] };
        let mut command = P::command(home, privileges)?;
        command.current_dir(home).env("HOME", home);
        let process = Process::start(P::NAME, command)?;
        P::ready(&process, addresses, people).await?;
        Ok(process)
    }
}

/// A file from `deploy/` for these tests: it has the values of the manual, which are replaced, and nothing else is.
pub(crate) fn deployed(text: &str, port: Option<u16>) -> Result<String> {
    let replace = |text: String, from: &str, to: &str| {
        ensure!(text.contains(from), "the file in deploy/ does not say {from} any more");
        Ok(text.replace(from, to))
    };
    let text = replace(text.to_owned(), "queues.example.org", QUEUES)?;
    let text = text.replace("example.org", USERS);
    let text = replace(text, "change-me", SECRET)?;
    port.map_or(Ok(text.clone()), |port| replace(text, "port: 5347", &format!("port: {port}")))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes `path` and all in it belong to `user`, where that can be done.
fn give_away(path: &Path, user: &str) -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    let passwd = fs::read_to_string("/etc/passwd")?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user));
    let number = |line: &str, at: usize| line.split(':').nth(at)?.parse::<u32>().ok();
    let ids = line.and_then(|line| Some((number(line, 2)?, number(line, 3)?)));
    let (uid, gid) = ids.with_context(|| format!("/etc/passwd has no user {user}"))?;
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        chown(&folder, Some(uid), Some(gid))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?.path();
            if entry.is_dir() {
                folders.push(entry);
            } else {
                chown(&entry, Some(uid), Some(gid))?;
            }
        }
    }
    Ok(())
}

/// A command that runs a server's program.
pub(crate) fn command(program: &str, privileges: &[&str]) -> Command {
    process::command(program, privileges)
}
