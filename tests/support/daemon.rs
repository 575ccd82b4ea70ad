//! The real daemon, as a process.

use std::{
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    https::Https,
    process::{self, LIMIT, Process},
};

/// What a daemon is started with, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// The program.
    pub(crate) binary: PathBuf,
    /// Where it is started: paths in its configuration start here.
    pub(crate) folder: PathBuf,
    /// Its configuration file.
    pub(crate) config: PathBuf,
    /// Its state folder: `[store] path`.
    pub(crate) state: PathBuf,
    /// Where it serves HTTPS: `[http] listen`.
    pub(crate) https: SocketAddr,
}

impl Site {
    /// Makes an account, as an administrator does.
    pub(crate) fn add_account(&self, name: &str, password: &str) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).arg("--config").arg(&self.config);
        command.args(["account", "add", name, "--password-stdin"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("could not run {}", self.binary.display()))?;
        let mut stdin = child.stdin.take().context("it has a standard input")?;
        writeln!(stdin, "{password}")?;
        drop(stdin);
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "account add {name} failed, {}: {said}", output.status);
        Ok(())
    }

    /// The certificate that the daemon made for itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.state.join("tls/cert.pem")
    }

    fn launch(&self) -> Result<Process> {
        let mut command = process::command(&self.binary, &[]);
        command.current_dir(&self.folder).arg("--config").arg(&self.config).arg("serve");
        Process::start("rosterd", command)
    }
}

/// A daemon. Dropping it kills it.
pub(crate) struct Daemon {
    site: Site,
    /// What was printed before it was started again.
    earlier: String,
    process: Process,
}

impl Daemon {
    /// Starts it, and does not wait for anything.
    pub(crate) fn start(site: Site) -> Result<Self> {
        let process = site.launch()?;
        Ok(Self { site, earlier: String::new(), process })
    }

    /// The way to its API. It must have been ready once: its certificate has to be there.
    pub(crate) fn https(&self) -> Result<Https> {
        Https::new(self.site.https, &self.site.certificate())
    }

    /// Waits until it does its work: store open, link up, everybody heard.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        self.process.wait_line("that everybody was asked", |line| line.contains("swept ")).await?;
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let mut saw = "nothing yet".to_owned();
        let poll = async {
            loop {
                look.tick().await;
                if let Some(status) = self.process.has_ended()? {
                    bail!("rosterd has ended, {status}");
                }
                saw = match self.readiness().await {
                    Ok((200, _)) => return Ok(()),
                    Ok((status, body)) => format!("{status} {body}"),
                    Err(error) => format!("{error:#}"),
                };
            }
        };
        match tokio::time::timeout(LIMIT, poll).await {
            Ok(ready) => ready.with_context(|| self.log()),
            Err(_) => bail!("waited {LIMIT:?} for /readyz to say 200, it says: {saw}\n{}", self.log()),
        }
    }

    async fn readiness(&self) -> Result<(u16, String)> {
        let reply = self.https()?.get("/readyz").await?;
        Ok((reply.status, reply.body))
    }

    /// Everything that it has printed.
    pub(crate) fn log(&self) -> String {
        format!("{}{}", self.earlier, self.process.log())
    }

    /// Stops it as a supervisor does, and waits until it has ended well.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let status = self.process.stop().await?;
        ensure!(status.success(), "rosterd was asked to stop, and ended with {status}\n{}", self.log());
        Ok(())
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, after [`Daemon::stop`] or [`Daemon::kill`].
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.earlier = self.log();
        self.process = self.site.launch()?;
        Ok(())
    }
}
