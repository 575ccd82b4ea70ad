//! What is logged, and how: on standard error, without colour when that is no terminal.

use std::{
    error::Error,
    io::{self, IsTerminal},
};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Format, Log};

/// Starts logging. Call it once.
pub fn start(log: &Log) {
    let filter = EnvFilter::new(&log.level);
    let to_stderr = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match log.format {
        Format::Text => to_stderr.with_target(false).init(),
        Format::Json => to_stderr.json().flatten_event(true).init(),
    }
}

/// An error with all of its causes, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
