//! What can not be tested on this machine.

use std::{fs::OpenOptions, io::Write};

/// Says loudly that something is not tested, to whoever looks on and to `tests/run.sh`.
pub(crate) fn skip(what: &str) {
    let line = format!("SKIPPED: {what}\n");
    // Where nobody can be told, there is nobody to tell that either.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os("ROSTERD_SKIPPED") {
        let list = OpenOptions::new().append(true).create(true).open(list);
        list.and_then(|mut list| list.write_all(line.as_bytes())).expect("the list of what was skipped can be written");
    }
}
