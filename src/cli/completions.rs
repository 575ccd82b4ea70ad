//! `rosterd completions`.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Arguments, say};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell is to complete commands.
    shell: Known,
}

/// The shells that Debian's administrators use; a test has each of them load its script.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Known {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(super) fn run(self) {
        say(script(self.shell).trim_end());
    }
}

/// What the shell is to load.
pub(super) fn script(shell: Known) -> String {
    let shell = match shell {
        Known::Bash => Shell::Bash,
        Known::Zsh => Shell::Zsh,
        Known::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "rosterd", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
