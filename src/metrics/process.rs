//! The program, its process and its disk.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus::{Registry, process_collector::ProcessCollector, proto::MetricFamily};

use super::family::{Family, sample};

const BUILD: Family = Family::gauge("rosterd_build_info", "1, with the version of rosterd.", &["version"]);
const START: Family =
    Family::gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", &[]);
const FREE: Family =
    Family::gauge("rosterd_store_free_bytes", "Bytes that are free for rosterd on the disk of the store.", &[]);

/// The families; those that the library tells of each process are documented as what they are in all programs.
pub(super) const FAMILIES: [Family; 9] = [
    BUILD,
    FREE,
    Family::counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", &[]),
    Family::gauge("process_max_fds", "Maximum number of open file descriptors.", &[]),
    Family::gauge("process_open_fds", "Number of open file descriptors.", &[]),
    Family::gauge("process_resident_memory_bytes", "Resident memory size in bytes.", &[]),
    START,
    Family::gauge("process_threads", "Number of OS threads in the process.", &[]),
    Family::gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", &[]),
];

/// Has the library tell of this process.
pub(super) fn watch(registry: &Registry) {
    registry.register(Box::new(ProcessCollector::for_self())).expect("there is one in a registry");
}

/// Whether the library can tell it: when the process began it reads where a confined service may not look (ProcSubset=pid).
pub(super) fn is_told_by_the_library(family: &MetricFamily) -> bool {
    family.name() != START.name
}

/// What is to be told of the program, which `started` then, and of the disk under `state`.
pub(super) fn families(started: SystemTime, state: Option<&Path>) -> impl Iterator<Item = MetricFamily> {
    let started = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let free = state.and_then(|state| rustix::fs::statvfs(state).ok());
    let free = free.map(|disk| sample(disk.f_bavail.saturating_mul(disk.f_frsize)));
    let build = BUILD.now([([env!("CARGO_PKG_VERSION")], 1.0)]);
    build.into_iter().chain(START.now([([], started)])).chain(free.and_then(|free| FREE.now([([], free)])))
}
