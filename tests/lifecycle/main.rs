//! The daemon's life as a process, the commands beside it, and programs that others wrote for its API.
#![expect(clippy::print_stdout, reason = "a seed is no use unless it is seen")]

#[path = "../support/component_server.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "other tests use more of it, and it panics where they would")]
mod component_server;
#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../support/https.rs"]
mod https;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/site.rs"]
mod site;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/times.rs"]
mod times;

mod backup;
mod command_line;
mod damaged;
mod described;
mod doctor;
mod ending;
mod files;
mod kills;
mod link;
mod log_level;
mod old_clients;
mod public;
mod reload;
mod service_manager;
mod sockets;

use std::net::SocketAddr;

use anyhow::Result;

use daemon::Site;
use ports::Port;

/// A folder and ports for one daemon.
struct Place {
    _ports: [Port; 2],
    /// Where its chat server is wanted.
    server: SocketAddr,
    folder: tempfile::TempDir,
    site: Site,
}

fn place() -> Result<Place> {
    place_with("")
}

/// With more lines for the section `[xmpp]`.
fn place_with(link: &'static str) -> Result<Place> {
    let folder = tempfile::tempdir()?;
    let ports = [Port::free()?, Port::free()?];
    let [server, https] = ports.each_ref().map(Port::address);
    let site = site::site_for_tests(folder.path(), &site::Settings { link, ..site::Settings::new(server, https) })?;
    Ok(Place { _ports: ports, server, folder, site })
}
