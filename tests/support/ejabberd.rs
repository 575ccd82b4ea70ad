//! ejabberd, as in Debian: its Erlang machine without the script around it, which would start more of them, and a
//! network for them.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use hyper::{Request, header};
use serde_json::json;
use tokio::net::TcpStream;

use super::{
    https::{Reply, bounded, exchange},
    process::Process,
    servers::{Addresses, PASSWORD, Package, USERS, command, deployed},
};

/// What users put into their configuration.
const COMPONENT: &str = include_str!("../../deploy/ejabberd/rosterd.yml");

/// The same where people are not to be asked.
const API: &str = include_str!("../../deploy/ejabberd/rosterd-api.yml");

pub(crate) enum Ejabberd {}

impl Package for Ejabberd {
    const NAME: &'static str = "ejabberd";
    const FILE: &'static str = "/usr/sbin/ejabberdctl";

    fn configure(home: &Path, addresses: Addresses, _people: &[&str]) -> Result<()> {
        configure(home, addresses, &own_api(addresses), &["rosterd.yml"])
    }

    fn command(home: &Path, privileges: &[&str]) -> Result<Command> {
        let script = fs::read_to_string(Self::FILE)?;
        let libraries = script.lines().find_map(|line| line.strip_prefix("ERL_LIBS='")?.strip_suffix('\''));
        let mut command = command("/usr/bin/erl", privileges);
        command
            // Its schedulers spin while they wait, which on a busy machine makes the start last minutes.
            .args(["+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"])
            .args(["-noinput", "-mnesia", "dir"])
            .arg(format!("\"{}\"", home.join("spool").display()))
            .args(["-s", "ejabberd"])
            .env("ERL_LIBS", libraries.context("ejabberdctl does not say where its libraries are")?)
            .env("ERL_CRASH_DUMP", home.join("crash"))
            .env("EJABBERD_LOG_PATH", home.join("ejabberd.log"))
            .env("EJABBERD_CONFIG_PATH", home.join("ejabberd.yml"));
        Ok(command)
    }

    async fn ready(process: &Process, addresses: Addresses, people: &[&str]) -> Result<()> {
        // The listeners start in any order, after everything else.
        for address in [addresses.clients, addresses.component, addresses.api] {
            let accepting = format!("Start accepting TCP connections at {address} ");
            let line = process
                .wait_line(&accepting, |line| line.contains(&accepting) || line.contains("Failed to open socket"));
            let line = line.await?;
            ensure!(line.contains(&accepting), "ejabberd says: {line}\n{}", process.log());
        }
        for name in people {
            let reply = register(addresses.api, name).await?;
            // After another start they are there already.
            ensure!([200, 409].contains(&reply.status), "no account for {name}: {reply:?}\n{}", process.log());
        }
        Ok(())
    }
}

/// ejabberd whose HTTP API writes rosters for us.
pub(crate) enum WithApi {}

impl Package for WithApi {
    const NAME: &'static str = Ejabberd::NAME;
    const FILE: &'static str = Ejabberd::FILE;
    const IS_ASKED: bool = false;

    fn onboarding(addresses: Addresses) -> String {
        format!(
            "method = \"ejabberd-api\"\napi_url = \"http://{}/api\"\napi_user = \"{ROSTERD}@{USERS}\"\n\
             api_password = \"{PASSWORD}\"\n",
            addresses.api
        )
    }

    fn configure(home: &Path, addresses: Addresses, _people: &[&str]) -> Result<()> {
        let port = format!("port: {}", addresses.api.port());
        let api = API.replace("port: 5281", &port).replace("example.org", USERS);
        ensure!(api.contains(&port), "the file in deploy/ does not say port: 5281 any more");
        fs::write(home.join("rosterd-api.yml"), api)?;
        configure(home, addresses, "", &["rosterd.yml", "rosterd-api.yml"])
    }

    fn command(home: &Path, privileges: &[&str]) -> Result<Command> {
        Ejabberd::command(home, privileges)
    }

    async fn ready(process: &Process, addresses: Addresses, people: &[&str]) -> Result<()> {
        let people: Vec<_> = people.iter().copied().chain([ROSTERD]).collect();
        Ejabberd::ready(process, addresses, &people).await
    }
}

/// The account that we use its API with.
const ROSTERD: &str = "rosterd";

/// Writes the configuration, which includes these files, with a listener for the API where they have none.
fn configure(home: &Path, addresses: Addresses, api: &str, files: &[&str]) -> Result<()> {
    fs::create_dir(home.join("spool"))?;
    fs::write(home.join("rosterd.yml"), deployed(COMPONENT, Some(addresses.component.port()))?)?;
    fs::write(home.join("ejabberd.yml"), main_file(home, addresses, api, files)).context("no configuration")
}

fn own_api(addresses: Addresses) -> String {
    let port = addresses.api.port();
    format!(
        r#"  -
    port: {port}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api
"#
    )
}

async fn register(api: SocketAddr, name: &str) -> Result<Reply> {
    let account = json!({ "user": name, "host": USERS, "password": PASSWORD });
    let request = Request::post("/api/register").header(header::HOST, "localhost");
    let request = request.header(header::CONTENT_TYPE, "application/json").body(account.to_string().into())?;
    let answer = async { exchange(TcpStream::connect(api).await?, request).await };
    bounded(&format!("ejabberd was asked to register {name}"), answer).await
}

fn main_file(home: &Path, addresses: Addresses, api: &str, files: &[&str]) -> String {
    let files: Vec<_> = files.iter().map(|file| format!("\"{}\"", home.join(file).display())).collect();
    let files = files.join(", ");
    let clients = addresses.clients.port();
    format!(
        r#"hosts:
  - {USERS}
loglevel: info
auth_method: internal
auth_password_format: plain
listen:
  -
    port: {clients}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    backlog: 1024
    shaper: none
    access: all
{api}include_config_file: [{files}]
acl:
  loopback:
    ip:
      - 127.0.0.0/8
api_permissions:
  "from loopback":
    who:
      access:
        allow:
          - acl: loopback
    what:
      - register
modules:
  mod_admin_extra: {{}}
  mod_caps: {{}}
  mod_disco: {{}}
  mod_muc: {{}}
  mod_ping: {{}}
  mod_register: {{}}
  mod_roster: {{}}
  mod_stream_mgmt: {{}}
"#
    )
}
