//! Prosody, as in Debian.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use super::{
    process::Process,
    servers::{Addresses, PASSWORD, Package, USERS, command, deployed},
};

/// What users put into their configuration.
const COMPONENT: &str = include_str!("../../deploy/prosody/rosterd.cfg.lua");
/// The same where people are not to be asked.
const PRIVILEGED: &str = include_str!("../../deploy/prosody/rosterd-privilege.cfg.lua");

pub(crate) enum Prosody {}

impl Package for Prosody {
    const NAME: &'static str = "prosody";
    const FILE: &'static str = "/usr/bin/prosody";

    fn configure(home: &Path, addresses: Addresses, people: &[&str]) -> Result<()> {
        configure(home, addresses, people, COMPONENT)
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

/// Prosody that lets the component write rosters, and tells it of everybody's presence.
pub(crate) enum Privileged {}

impl Package for Privileged {
    const NAME: &'static str = Prosody::NAME;
    const FILE: &'static str = "/usr/lib/prosody/modules/mod_privilege/mod_privilege.lua";
    const IS_ASKED: bool = false;

    fn onboarding(_addresses: Addresses) -> String {
        "method = \"privilege\"\n".to_owned()
    }

    fn configure(home: &Path, addresses: Addresses, people: &[&str]) -> Result<()> {
        configure(home, addresses, people, PRIVILEGED)
    }

    fn command(home: &Path, privileges: &[&str]) -> Result<Command> {
        Prosody::command(home, privileges)
    }

    async fn ready(process: &Process, addresses: Addresses, people: &[&str]) -> Result<()> {
        Prosody::ready(process, addresses, people).await
    }
}

fn configure(home: &Path, addresses: Addresses, people: &[&str], component: &str) -> Result<()> {
    let accounts = home.join("data").join(USERS).join("accounts");
    fs::create_dir_all(&accounts)?;
    for name in people {
        fs::write(accounts.join(format!("{name}.dat")), format!("return {{ [\"password\"] = \"{PASSWORD}\"; }};\n"))?;
    }
    fs::write(home.join("rosterd.cfg.lua"), deployed(component, None)?)?;
    fs::write(home.join("prosody.cfg.lua"), main_file(home, addresses)).context("no configuration")
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
modules_enabled = {{ "roster", "saslauth", "disco", "ping", "posix", "smacks", "user_account_management" }}
modules_disabled = {{ "s2s", "tls" }}

VirtualHost "{USERS}"

Include "rosterd.cfg.lua"
"#
    )
}
