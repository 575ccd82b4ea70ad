//! Prosody, as in Debian.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use super::{
    process::Process,
    servers::{Addresses, PASSWORD, Package, USERS, command, deployed},
};

/// What users put into their configuration.
const COMPONENT: &str = include_str!("../../deploy/prosody/rosterd.cfg.lua");

pub(crate) enum Prosody {}

impl Package for Prosody {
    const NAME: &'static str = "prosody";
    const FILE: &'static str = "/usr/bin/prosody";

    fn configure(home: &Path, addresses: Addresses, people: &[&str]) -> Result<()> {
        let accounts = home.join("data").join(USERS).join("accounts");
        fs::create_dir_all(&accounts)?;
        for name in people {
            fs::write(
                accounts.join(format!("{name}.dat")),
                format!("return {{ [\"password\"] = \"{PASSWORD}\"; }};\n"),
            )?;
        }
        fs::write(home.join("rosterd.cfg.lua"), deployed(COMPONENT, None)?)?;
        fs::write(home.join("prosody.cfg.lua"), main_file(home, addresses)).context("no configuration")
    }

    fn command(home: &Path, privileges: &[&str]) -> Result<Command> {
        let mut command = command(Self::FILE, privileges);
        command.arg("--config").arg(home.join("prosody.cfg.lua")).arg("-F");
        Ok(command)
    }

    async fn ready(process: &Process, _addresses: Addresses, _people: &[&str]) -> Result<()> {
        for service in ["c2s", "component"] {
            let what = format!("that {service} listens");
            let line = process.wait_line(&what, |line| {
                line.contains(&format!("Activated service '{service}'")) || line.contains("Failed to open server port")
            });
            let line = line.await?;
            anyhow::ensure!(line.contains("Activated"), "prosody says: {line}");
        }
        Ok(())
    }
}

fn main_file(home: &Path, addresses: Addresses) -> String {
    let home = home.display();
    let (clients, component) = (addresses.clients.port(), addresses.component.port());
    format!(
        r#"pidfile = "{home}/prosody.pid"
data_path = "{home}/data"
admin_socket = "{home}/prosody.sock"
log = {{ {{ levels = {{ min = "info" }}, to = "console" }} }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {clients} }}
c2s_direct_tls_ports = {{}}
component_interfaces = {{ "127.0.0.1" }}
component_ports = {{ {component} }}
c2s_require_encryption = false
authentication = "internal_plain"
allow_unencrypted_plain_auth = true
storage = "internal"
modules_enabled = {{ "roster", "saslauth", "disco", "ping", "posix" }}
modules_disabled = {{ "s2s", "tls" }}

VirtualHost "{USERS}"

Include "rosterd.cfg.lua"
"#
    )
}
