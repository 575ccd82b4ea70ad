//! The disk, and how many files may be open.

use std::{fs, path::Path};

use rustix::{
    fs::{StatVfs, statvfs},
    process::{Resource, getrlimit},
};

use super::finding::Finding;
use crate::{config::Settings, http::Limits};

/// Below so many files that can be made yet, somebody should look.
const INODES_LEAST: u64 = 1_000;

/// The disk that `path` is on, or will be.
fn disk_of(path: &Path) -> Option<StatVfs> {
    path.ancestors().find_map(|path| statvfs(path).ok())
}

/// Bytes that are free where `path` is, or will be.
pub(super) fn room(path: &Path) -> Option<u64> {
    disk_of(path).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The room for the store.
pub(super) fn disk(settings: &Settings) -> Vec<Finding> {
    let (state, floor) = (&settings.store.path, settings.store.min_free);
    let path = state.display();
    let Some(disk) = disk_of(state) else {
        return vec![Finding::warning("disk", format!("{path}: nothing can be said of its disk"), "look at the disk")];
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let what = format!("{free} bytes are free under {path}, and {floor} are to stay free ([store] min_free)");
    let space = match free {
        _ if free < floor => Finding::problem("disk", what, "make room: no change is taken before there is"),
        _ if free / 2 < floor => Finding::warning("disk", what, "make room soon"),
        _ => Finding::ok("disk", what),
    };
    let left = disk.f_favail;
    let what = format!("{left} more files can be made under {path}");
    // Not every file system counts them.
    let inodes = match left {
        _ if disk.f_files == 0 || left >= INODES_LEAST => Finding::ok("inodes", what),
        0 => Finding::problem("inodes", what, "remove files there: rosterd can not start"),
        _ => Finding::warning("inodes", what, "remove files there"),
    };
    vec![space, inodes]
}

/// Whether as many files may be open as connections are wanted: of that process, or of this one, which is what a
/// daemon that was started from here would have.
pub(super) fn open_files(settings: &Settings, pid: Option<i32>) -> Finding {
    let http = &settings.http;
    let wanted = Limits { connections: http.max_connections, per_address: http.max_connections_per_address };
    let Some(files) = pid.map_or_else(|| Some(own_limit()), limit_of) else {
        return Finding::warning("limits", "the limit of open files is not known", "look at the service's LimitNOFILE");
    };
    let fit = wanted.within(files).connections;
    if fit == wanted.connections {
        return Finding::ok("limits", format!("{files} files may be open, enough for {fit} connections"));
    }
    let what = format!("{files} files may be open, which is enough for {fit} connections of {}", wanted.connections);
    let to_do = "raise LimitNOFILE of the service, or lower [http] max_connections";
    Finding::warning("limits", what, to_do)
}

fn own_limit() -> usize {
    let most = getrlimit(Resource::Nofile).maximum;
    most.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// What another process may have open at the most.
fn limit_of(pid: i32) -> Option<usize> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let hard = line.split_whitespace().nth(1)?;
    if hard == "unlimited" { Some(usize::MAX) } else { hard.parse().ok() }
}
