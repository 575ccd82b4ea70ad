//! `rosterd doctor`: a line for everything that can be looked at. It changes nothing.

mod certificate;
mod finding;
mod machine;
mod running;
mod salvage;
mod settings;
mod stored;

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::net::UnixStream;

use self::finding::{Finding, Level};
use super::{Code, Failure, daemon, say};
use crate::{
    config::{self, Settings},
    http::admin::{Command, Reply, Status},
};

/// Look at everything: configuration, files, certificate, store, link, clock, disk and limits, whether rosterd runs or not.
///
/// A line for each says that it is well, or what is wrong and what to do. Nothing is changed: of a store that no rosterd uses, a
/// copy is read (in $TMPDIR), and one that a rosterd uses is read through it. The exit code is 0 when all is well, 3 when
/// there are warnings only, and 4 when there are problems.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
    /// For a damaged store without a backup: write every record that can be read to this file, and name what can not be. rosterd
    /// has to be stopped; a copy is read. `rosterd restore --accept-losses` takes the file.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    salvage: Option<PathBuf>,
}

impl Doctor {
    pub(super) fn run(self, config: Option<&Path>) -> Result<(), Failure> {
        if let Some(file) = &self.salvage {
            return salvage::run(&config::load_without_secrets(config)?, file);
        }
        let findings = examine(config)?;
        if self.json {
            say(serde_json::to_string_pretty(&findings).context("could not write the findings down")?);
        } else {
            findings.iter().for_each(say);
        }
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
        match (problems, warnings) {
            (0, 0) => Ok(()),
            (0, _) => Err(Failure::new(Code::Warnings, anyhow!("warnings: {warnings}"))),
            _ => Err(Failure::new(Code::Problems, anyhow!("problems: {problems}, warnings: {warnings}"))),
        }
    }
}

fn examine(config: Option<&Path>) -> Result<Vec<Finding>, Failure> {
    let (settings, mut findings) = match (config::load(config), config::load_without_secrets(config)) {
        (Ok(settings), _) => (settings, vec![Finding::ok("config", "every key can be read")]),
        (Err(problems), Ok(settings)) => (settings, settings::unread(&problems)),
        (Err(problems), Err(_)) => return Ok(settings::wrong(&problems)),
    };
    findings.extend(settings::files(config, &settings));
    findings.push(certificate::look_at(&settings));
    let runtime = daemon::runtime()?;
    match runtime.block_on(daemon::connect(&settings.admin.socket)) {
        Ok(Some(stream)) => findings.extend(with_daemon(&settings, stream)),
        Ok(None) => findings.extend(without_daemon(&settings)),
        Err(failure) => {
            findings.push(Finding::problem("daemon", failure, "run this as root, or as the user that rosterd runs as"));
        }
    }
    findings.extend(machine::disk(&settings));
    Ok(findings)
}

fn with_daemon(settings: &Settings, stream: UnixStream) -> Vec<Finding> {
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
    drop(stream);
    let mut findings = match status(settings) {
        Ok(status) => running::look_at(&status),
        Err(failure) => vec![Finding::problem("daemon", failure, "look into its log")],
    };
    findings.extend(stored::through_daemon(settings));
    findings.push(machine::open_files(settings, pid));
    findings
}

fn status(settings: &Settings) -> Result<Status, Failure> {
    let Reply::Status(status) = daemon::ask_running(settings, &Command::Status)? else {
        return Err(daemon::strange_reply());
    };
    Ok(*status)
}

fn without_daemon(settings: &Settings) -> Vec<Finding> {
    let socket = settings.admin.socket.display();
    let what = format!("it does not run: nobody answers on {socket}");
    let mut findings = vec![Finding::warning("daemon", what, "start it (systemctl start rosterd)")];
    findings.push(running::server(settings));
    findings.extend(stored::in_copy(settings));
    findings.push(machine::open_files(settings, None));
    findings
}
