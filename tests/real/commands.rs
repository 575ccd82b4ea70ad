//! Operators and an admin serve themselves: the ad-hoc commands of the real daemon, by slixmpp's own client of them.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, ensure};

use crate::{
    daemon::{Daemon, Site},
    is_installed,
    manager::Manager,
    ports::Port,
    process::{self, Process},
    servers::{Addresses, Package, Server},
    site::{Settings, site_for_tests},
    skip,
};

/// Where a Python with slixmpp is made, once for all tests.
const PYTHON: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/slixmpp");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real");

/// The Python that has slixmpp. Where it can not be made, that is an error in CI, and loud elsewhere.
fn python() -> Option<PathBuf> {
    let made = Command::new(format!("{FOLDER}/slixmpp.sh")).arg(PYTHON).output();
    let trouble = match made {
        Ok(output) if output.status.success() => return Some(PathBuf::from(PYTHON).join("bin/python")),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let what = format!("tests with slixmpp: it can not be had (python3-venv and PyPI are needed): {}", trouble.trim());
    assert!(std::env::var_os("CI").is_none(), "in CI this may not be skipped: {what}");
    skip::skip(&what);
    None
}

/// Lets somebody manage an account.
fn link(site: &Site, account: &str, jid: &str) -> Result<()> {
    let mut command = Command::new(&site.binary);
    command.arg("--config").arg(&site.config).args(["account", "link", account, jid]);
    let output = command.output()?;
    ensure!(output.status.success(), "account link failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Runs `commands.py` against a server of its own.
async fn operators_serve_themselves<P: Package>() -> Result<()> {
    let Some(python) = python() else { return Ok(()) };
    let ports = [Port::free()?, Port::free()?, Port::free()?, Port::free()?];
    let [clients, component, api, https] = ports.each_ref().map(Port::address);
    let server = Server::<P>::start(Addresses { clients, component, api }, &["ann", "bob", "sue"]).await?;
    let folder = tempfile::Builder::new().prefix("rosterd-").tempdir()?;
    let settings = Settings { sweep_quiet: "1s", ..Settings::new(component, https) };
    let site = site_for_tests(folder.path(), &settings)?;
    site.add_account("manager", "a password for tests")?;
    link(&site, "manager", "sue@localhost")?;
    let mut daemon = Daemon::start(site)?;
    daemon.ready().await?;
    let mut manager = Manager::login(daemon.https()?, "manager", "a password for tests").await?;
    manager.create_queue("law").await?;
    for user in ["ann", "bob", "sue"] {
        manager.create_user(user).await?;
    }
    manager.assign("ann", "law").await?;

    let mut command = process::command(python, &[]);
    command.arg("-u").arg(format!("{FOLDER}/commands.py")).arg(clients.port().to_string());
    let mut script = Process::start("commands.py", command)?;
    let status = script.ended().await;
    let is_good = matches!(&status, Ok(status) if status.success());
    ensure!(is_good, "{}{}{}commands.py: {status:?}", server.log(), daemon.log(), script.log());
    daemon.stop().await
}

async fn on<P: Package>() {
    if is_installed::<P>()
        && let Err(error) = operators_serve_themselves::<P>().await
    {
        panic!("{error:#}");
    }
}

#[tokio::test]
async fn operators_serve_themselves_on_prosody() {
    on::<crate::Prosody>().await;
}

#[tokio::test]
async fn operators_serve_themselves_on_ejabberd() {
    on::<crate::Ejabberd>().await;
}
