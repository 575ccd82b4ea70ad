//! Prometheus' own tool.

use std::{
    io::{ErrorKind, Write},
    process::{Command, Stdio},
};

use crate::skip::skip;

/// What it says of `input`, or of the files among `arguments`; it has to be content. Where it is not there, that is an error in
/// CI, and loud elsewhere.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let what = "tests with promtool: it is not there (Debian's package prometheus has it)";
            assert!(std::env::var_os("CI").is_none(), "in CI this may not be skipped: {what}");
            skip(what);
            return None;
        }
        child => child.unwrap(),
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}\n{said}", output.status);
    Some(said)
}
