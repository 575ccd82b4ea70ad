//! The whole way: bytes, stanzas, what they mean, what the desk makes of it, and what is said then.
#![no_main]

#[path = "../checks/mod.rs"]
#[expect(dead_code, reason = "each target tries one of them")]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::link::check(&checks::expand(input)));
