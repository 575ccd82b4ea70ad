//! What a user costs in memory, everything included: `cargo bench --bench memory`.

#![expect(clippy::disallowed_methods, reason = "a benchmark starts its own clock")]

mod world;

use std::{io::Write, time::Instant};

/// Memory of this process that is in RAM, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("it has this form");
    pages * rustix::param::page_size() as u64
}

fn main() {
    let now = Instant::now();
    let mut desk = world::empty(now);
    let before = resident();
    world::fill(&mut desk, now);
    let after = resident();
    assert_eq!(desk.queues().count(), world::QUEUES as usize);
    let each = (after - before) / u64::from(world::USERS);
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "{} users with one online resource and {} queues each, {} queues: {} bytes a user ({} MiB in all)",
        world::USERS,
        world::QUEUES_OF_A_USER,
        world::QUEUES,
        each,
        (after - before) >> 20,
    );
}
