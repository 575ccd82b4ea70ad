//! Exit codes: stable, after `sysexits.h`.

use std::{fmt, process::ExitCode};

use crate::{app::NotYours, config::Problems, http::ServeError, lifecycle::sockets::SocketsError, store::StoreError};

/// What the help says of them; a test compares it with [`Code`].
pub(super) const HELP: &str = "Exit codes:
   0  done
   1  it could not be done
   2  the command line is wrong
   3  the doctor found something to look at, and nothing worse
   4  the doctor found a problem
  65  the file to import or to restore is damaged, or is none of ours
  69  the daemon does not run, or is not ready
  74  the store failed, or the disk did
  75  the store is in use by another process: try again later
  77  no permission
  78  the configuration is wrong";

/// Why the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It could not be done.
    Failed = 1,
    /// The doctor warns.
    Warnings = 3,
    /// The doctor found a problem.
    Problems = 4,
    /// `EX_DATAERR`.
    Data = 65,
    /// `EX_UNAVAILABLE`.
    Unavailable = 69,
    /// `EX_IOERR`.
    Store = 74,
    /// `EX_TEMPFAIL`.
    InUse = 75,
    /// `EX_NOPERM`.
    Permission = 77,
    /// `EX_CONFIG`.
    Config = 78,
}

/// What went wrong, and the exit code that says so.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    error: anyhow::Error,
}

impl Failure {
    /// A failure with this code.
    pub fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into() }
    }

    /// Adds what to do, where the failure says `this`.
    #[must_use]
    pub(super) fn hint_when(self, this: &str, what_to_do: &str) -> Self {
        if !self.to_string().contains(this) {
            return self;
        }
        let error = anyhow::anyhow!("{:#}: {what_to_do}", self.error);
        Self { error, ..self }
    }

    /// Adds what failed.
    #[must_use]
    pub(super) fn about(self, what: String) -> Self {
        Self { error: self.error.context(what), ..self }
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::new(Code::Config, problems)
    }
}

impl From<SocketsError> for Failure {
    fn from(error: SocketsError) -> Self {
        Self::new(Code::Config, error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        if error.is::<Problems>() || matches!(error.downcast_ref(), Some(ServeError::Tls(_))) {
            return Self::new(Code::Config, error);
        }
        if error.is::<NotYours>() {
            return Self::new(Code::Permission, error);
        }
        let store = error.chain().find_map(|cause| {
            let shared = cause.downcast_ref::<std::sync::Arc<StoreError>>().map(|store| &**store);
            cause.downcast_ref::<StoreError>().or(shared)
        });
        Self::new(store.map_or(Code::Failed, code_of), error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Code::Failed, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(code_of(&error), error)
    }
}

fn code_of(error: &StoreError) -> Code {
    match error {
        StoreError::InUse { .. } => Code::InUse,
        StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => Code::Permission,
        StoreError::Foreign { .. }
        | StoreError::Damaged { .. }
        | StoreError::Short { .. }
        | StoreError::Full { .. }
        | StoreError::Failed { .. }
        | StoreError::Io { .. }
        | StoreError::Stopped => Code::Store,
        StoreError::There(_) | StoreError::Overtaken(_) => Code::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        let codes =
            [Code::Failed, Code::Warnings, Code::Problems, Code::Data, Code::Unavailable, Code::Store, Code::InUse];
        let codes = [&codes[..], &[Code::Permission, Code::Config]].concat();
        let lines: Vec<_> = HELP.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        let mut named: Vec<_> = codes.iter().map(|code| (*code as u8).to_string()).collect();
        named.splice(0..0, ["0".to_owned()]);
        named.insert(2, "2".to_owned());
        assert_eq!(lines, named);
    }
}
