//! The command line: one file a subcommand.

mod account;
mod audit;
mod backup;
mod check_config;
mod completions;
mod daemon;
mod doctor;
mod exit;
mod export;
mod healthcheck;
mod import;
mod log_level;
mod login;
#[cfg(test)]
mod manual;
mod metrics;
mod reload;
mod restore;
mod serve;
mod status;
mod table;
mod terminal;
mod token;
mod written;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use exit::{Code, Failure};

use crate::config::{self, Settings};

/// Staffing daemon for XMPP chat queues: watches the presence of operators, and publishes the availability of the queues
/// that they staff.
#[derive(Debug, Parser)]
#[command(name = "rosterd", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Arguments {
    /// The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Serve,
    /// Say everything that is wrong with the configuration.
    CheckConfig(check_config::CheckConfig),
    /// Manage the accounts, which own queues and users.
    #[command(subcommand)]
    Account(account::Account),
    /// Manage who may log in to the API for an account, and their sessions.
    #[command(subcommand)]
    Login(login::Login),
    /// Manage the tokens with which programs use the API.
    #[command(subcommand)]
    Token(token::Token),
    /// Show who changed what, the newest first.
    Audit(audit::Audit),
    /// Show the link, and every queue with its show and who is on.
    Status(status::Status),
    Doctor(doctor::Doctor),
    Backup(backup::Backup),
    Restore(restore::Restore),
    /// Write all records to a file, as JSON lines: for programs, and for another deployment.
    Export(export::Export),
    /// Read an export into an empty store, through the daemon where it runs. (`rosterd restore` puts a backup back.)
    Import(import::Import),
    /// Have the daemon take over what has changed in its configuration, and its certificate, without a restart.
    Reload(reload::Reload),
    /// Show how much the daemon logs, or change it while it runs.
    LogLevel(log_level::LogLevel),
    /// Print what Prometheus is told: counters, gauges and histograms.
    Metrics,
    /// Succeed if the daemon runs and does its work; for container and cluster health checks.
    Healthcheck,
    /// Print a script with which a shell completes these commands: `source <(rosterd completions bash)`.
    Completions(completions::Completions),
}

/// Does what the arguments ask for.
///
/// # Errors
/// What went wrong, and the exit code that says so.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { config, command } = arguments;
    // Only the daemon needs secrets.
    let settings = || -> Result<Settings, Failure> { Ok(config::load_without_secrets(config.as_deref())?) };
    match command {
        Command::Serve => serve::run(config::load(config.as_deref())?, config),
        Command::CheckConfig(command) => command.run(|| Ok(config::load(config.as_deref())?)),
        Command::Account(command) => command.run(&settings()?),
        Command::Login(command) => command.run(&settings()?),
        Command::Token(command) => command.run(&settings()?),
        Command::Audit(command) => command.run(&settings()?),
        Command::Status(command) => command.run(&settings()?),
        Command::Doctor(command) => command.run(config.as_deref()),
        Command::Backup(command) => command.run(&settings()?),
        Command::Restore(command) => command.run(&settings()?),
        Command::Export(command) => command.run(&settings()?),
        Command::Import(command) => command.run(&settings()?),
        Command::Reload(command) => command.run(config.as_deref()),
        Command::LogLevel(command) => command.run(&settings()?),
        Command::Metrics => metrics::run(&settings()?),
        Command::Healthcheck => healthcheck::run(&settings()?),
        Command::Completions(command) => {
            command.run();
            Ok(())
        }
    }
}

/// Writes a line to standard output. A reader that has gone away is no error: `rosterd status | head`.
fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
