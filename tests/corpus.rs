//! What the fuzzer of `tests/fuzz/` found worth keeping, and what it began with, tried again.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "fuzz/checks/mod.rs"]
mod checks;

use std::{collections::BTreeMap, fs, path::Path};

/// Every input, by the name of its file.
fn corpus() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inputs: BTreeMap<_, _> =
        files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect();
    assert!(inputs.len() >= 200, "the corpus is where this test looks for it");
    assert!(inputs.values().any(|input| checks::expand(input).len() > 64 * 1024), "it reaches the limits");
    inputs
}

/// Runs a check on everything, and says which input it was that failed.
fn try_all(check: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let failed = |input: &[u8]| std::panic::catch_unwind(|| check(&checks::expand(input))).is_err();
    let failures: Vec<_> = corpus().into_iter().filter(|(_, input)| failed(input)).map(|(name, _)| name).collect();
    assert!(failures.is_empty(), "what has to hold does not for {failures:?}; why stands above");
}

#[test]
fn the_gate_holds() {
    try_all(checks::gate::check);
}

#[test]
fn the_link_holds() {
    try_all(checks::link::check);
}

#[test]
fn a_check_that_fails_is_seen() {
    let seen = std::panic::catch_unwind(|| try_all(|input| assert!(input.len() < 64 * 1024)));
    assert!(seen.is_err());
}
