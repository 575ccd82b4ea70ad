//! Where a daemon under test lives.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde_json::Value;

use super::{daemon::Site, pings::Pings};

/// What differs between tests.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The server's component listener.
    pub(crate) server: SocketAddr,
    /// Where to serve HTTPS.
    pub(crate) https: SocketAddr,
    /// How long late answers to probes are waited for.
    pub(crate) sweep_quiet: &'static str,
    /// How soon clients are pinged, and how long they may take to answer; as by default where nothing is said.
    pub(crate) pings: Option<Pings>,
    /// More lines for the section `[xmpp]`.
    pub(crate) link: &'static str,
    /// What stands in `[xmpp.onboarding]`.
    pub(crate) onboarding: String,
}

impl Settings {
    /// For a server at `server`, with nothing special.
    pub(crate) const fn new(server: SocketAddr, https: SocketAddr) -> Self {
        Self { server, https, sweep_quiet: "0s", pings: None, link: "", onboarding: String::new() }
    }
}

/// Writes a configuration for tests into `folder`, with everything in there too.
pub(crate) fn site_for_tests(folder: &Path, settings: &Settings) -> Result<Site> {
    let Settings { server, https, sweep_quiet, pings, link, onboarding } = settings;
    let pings = pings
        .as_ref()
        .map(|Pings { after, timeout }| format!("[presence]\nping_after = {after:?}\nping_timeout = {timeout:?}\n"));
    let pings = pings.unwrap_or_default();
    let text = |path: PathBuf| Value::from(path.display().to_string());
    let (state, config) = (folder.join("state"), folder.join("rosterd.toml"));
    let (store, socket) = (text(state.clone()), text(folder.join("admin.sock")));
    let file = format!(
        r#"[xmpp]
server = "{server}"
domain = "queues.localhost"
user_domain = "localhost"
secret = "s3cr3t"
sweep_quiet = "{sweep_quiet}"
{link}

[xmpp.onboarding]
{onboarding}

[http]
listen = "{https}"
presence_cap = false

[store]
path = {store}

[admin]
socket = {socket}

{pings}
[log]
level = "debug,tokio_xmpp=info"
"#
    );
    fs::write(&config, file)?;
    let binary = env!("CARGO_BIN_EXE_rosterd").into();
    Ok(Site { binary, folder: folder.to_owned(), config, state, https: *https })
}
