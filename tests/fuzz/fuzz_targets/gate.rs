//! Bytes to whole stanzas.
#![no_main]

#[path = "../checks/mod.rs"]
#[expect(dead_code, reason = "each target tries one of them")]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::gate::check(&checks::expand(input)));
