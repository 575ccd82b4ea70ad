//! Where a daemon under test lives.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde_json::Value;

use super::{daemon::Site, times::Times};

/// What differs between tests.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The server's component listener.
    pub(crate) server: SocketAddr,
    /// Where to serve HTTPS.
    pub(crate) https: SocketAddr,
    /// How long late answers to probes are waited for.
    pub(crate) sweep_quiet: &'static str,
    /// What is not as by default.
    pub(crate) times: Times,
    /// More lines for the section `[xmpp]`.
    pub(crate) link: &'static str,
    /// What stands in `[xmpp.onboarding]`.
    pub(crate) onboarding: String,
    /// What stands in `[log]`.
    pub(crate) log: &'static str,
}

impl Settings {
    /// For a server at `server`, with nothing special.
    pub(crate) const fn new(server: SocketAddr, https: SocketAddr) -> Self {
        let log = "level = \"debug,tokio_xmpp=info\"";
        Self { server, https, sweep_quiet: "0s", times: Times::DEFAULT, link: "", onboarding: String::new(), log }
    }
}

/// Writes a configuration for tests into `folder`, with everything in there too.
pub(crate) fn site_for_tests(folder: &Path, settings: &Settings) -> Result<Site> {
    let Settings { server, https, sweep_quiet, times, link, onboarding, log } = settings;
    let (presence, xmpp) = (times.presence(), times.xmpp());
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
{xmpp}

[xmpp.onboarding]
{onboarding}

[http]
listen = "{https}"
presence_cap = false

[store]
path = {store}

[admin]
socket = {socket}

[presence]
{presence}
[log]
{log}
"#
    );
    fs::write(&config, file)?;
    let binary = env!("CARGO_BIN_EXE_rosterd").into();
    Ok(Site { binary, folder: folder.to_owned(), config, state, https: *https })
}
