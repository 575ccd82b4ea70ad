//! The program: arguments, one print of what went wrong, an exit code.

use std::{io::Write, process::ExitCode};

use clap::Parser;

fn main() -> ExitCode {
    match rosterd::cli::run(rosterd::cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // That something failed is an error to the journal too.
            let priority = if rosterd::telemetry::is_journal() { "<3>" } else { "" };
            let _ = writeln!(std::io::stderr(), "{priority}rosterd: {failure}");
            failure.exit_code()
        }
    }
}
