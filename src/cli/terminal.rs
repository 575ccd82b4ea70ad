//! What only a terminal can do: hidden typing, and bars of progress.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, anyhow, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Failure;
use crate::password::LEAST;

/// A new password, typed twice or from standard input.
pub(super) fn read_password(account: &str, from_stdin: bool) -> Result<String, Failure> {
    if from_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("could not read the password from standard input")?;
        let password = line.trim_end_matches(['\r', '\n']);
        return checked(password);
    }
    if !io::stdin().is_terminal() {
        Err(anyhow!("there is no terminal to ask for the password on: pipe it in and say --password-stdin"))?;
    }
    let first = rpassword::prompt_password(format!("Password for account {account}: ")).context("could not read it")?;
    let second = rpassword::prompt_password("The same again: ").context("could not read it")?;
    if first != second {
        Err(anyhow!("the two passwords differ: nothing was changed"))?;
    }
    checked(&first)
}

fn checked(password: &str) -> Result<String, Failure> {
    let check = || {
        ensure!(!password.is_empty(), "the password is empty: nothing was changed");
        let is_long = password.chars().count() >= LEAST;
        ensure!(is_long, "the password is too short: it needs {LEAST} characters at least. Nothing was changed");
        Ok(password.to_owned())
    };
    Ok(check()?)
}

/// Things that are counted. Shown on a terminal only, as all of these.
pub(super) fn counting(verb: &'static str) -> ProgressBar {
    styled(ProgressBar::new_spinner(), verb, "{spinner} {msg} {human_pos} {elapsed}")
}

/// A bar of bytes.
pub(super) fn bytes_bar(verb: &'static str, total: u64) -> ProgressBar {
    styled(ProgressBar::new(total), verb, "{msg} {bar:40} {bytes}/{total_bytes}")
}

/// Something that takes as long as it takes.
pub(super) fn waiting(verb: &'static str) -> ProgressBar {
    let spinner = styled(ProgressBar::new_spinner(), verb, "{spinner} {msg} {elapsed}");
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

fn styled(bar: ProgressBar, verb: &'static str, template: &str) -> ProgressBar {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.with_message(verb)
}
