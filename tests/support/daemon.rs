//! The real daemon, as a process.

use std::{
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{
    https::Https,
    process::{self, Process},
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

    /// What starts the program.
    pub(crate) fn command(&self) -> Command {
        let mut command = process::command(&self.binary, &[]);
        command.current_dir(&self.folder).arg("--config").arg(&self.config).arg("serve");
        command
    }

    /// Starts the program.
    pub(crate) fn launch(&self) -> Result<Process> {
        Process::start("rosterd", self.command())
    }
}

/// A daemon. Dropping it kills it.
pub(crate) struct Daemon {
    pub(crate) site: Site,
    /// What was printed before it was started again.
    earlier: String,
    pub(crate) process: Process,
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

    /// Waits until it serves HTTPS, whether it does its work or not.
    pub(crate) async fn serves(&self) -> Result<()> {
        self.process.wait_line("that HTTPS is served", |line| line.contains("HTTPS is served")).await.map(drop)
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
