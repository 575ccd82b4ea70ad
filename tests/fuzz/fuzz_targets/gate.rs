//! Bytes to whole stanzas.
#![no_main]

#[path = "../checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::gate::check(&checks::expand(input)));
