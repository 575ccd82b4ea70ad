//! The program: arguments, one print of what went wrong, an exit code.

use std::{io::Write, process::ExitCode};

use clap::Parser;

fn main() -> ExitCode {
    match rosterd::cli::run(rosterd::cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "rosterd: {failure}");
            failure.exit_code()
        }
    }
}
