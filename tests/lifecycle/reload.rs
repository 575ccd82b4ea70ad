//! The configuration read anew while the daemon runs.

use std::fs;

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hyper::{Method, header};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use super::{
    Place,
    component_server::{ComponentServer, Connection},
    daemon::Daemon,
    https::{Caller, Https},
    place,
};

const LAW: &str = "/presence/jid/law/queues.localhost/text";

impl Place {
    /// Changes a text of the configuration that is there.
    fn change(&self, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(&self.site.config)?;
        ensure!(text.contains(from), "{from} in {text}");
        Ok(fs::write(&self.site.config, text.replacen(from, to, 1))?)
    }
}

async fn make(https: &Https, method: Method, path: &str, body: Value) -> Result<u64> {
    let caller = Caller::Shows(header::AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode("boss:a password")));
    let reply = https.ask(method, path, &caller, Some(&body)).await?;
    ensure!(reply.status == 200, "{path}: {reply:?}");
    let made = reply.json()?;
    Ok(made.pointer("/0/id").or(made.pointer("/id")).and_then(Value::as_u64).unwrap_or_default())
}

/// The queue law with ann, who is there with two clients: `chat` at the desk, `dnd` on the phone.
async fn staffed(daemon: &Daemon, server: &ComponentServer) -> Result<(Https, Connection)> {
    let mut connection = server.accept().await;
    daemon.serves().await?;
    daemon.site.add_account("boss", "a password")?;
    let https = daemon.https()?;
    let queue = make(&https, Method::POST, "/2011-12-03/queues", json!({ "name": "law" })).await?;
    let user = make(&https, Method::POST, "/2011-12-03/users", json!({ "name": "ann" })).await?;
    make(&https, Method::POST, &format!("/2011-12-03/queues/{queue}/operators"), json!({ "userId": user })).await?;
    connection.stanza_that(|it| it.name() == "presence" && it.attr("to") == Some("ann@localhost")).await;
    for (client, show) in [("desk", "chat"), ("phone", "dnd")] {
        let words = format!("from='ann@localhost/{client}' to='staffing@queues.localhost'");
        connection.send_raw(format!("<presence {words}><show>{show}</show></presence>")).await;
    }
    daemon
        .process
        .wait_line("that law is open", |line| line.contains("queue show changed") && line.contains("to=chat"))
        .await?;
    Ok((https, connection))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_restart_counts_at_once_and_the_rest_is_named() -> Result<()> {
    let (place, server) = (place()?, ComponentServer::start());
    place.change("[xmpp]\nserver = ", &format!("[xmpp]\nserver = \"{}\" # not ", server.address()))?;
    let not_there = place.bad(69, &["reload"], "")?;
    ensure!(not_there.contains("rosterd does not run"), "{not_there}");
    let mut daemon = Daemon::start(place.site.clone())?;
    let (https, _connection) = staffed(&daemon, &server).await?;
    let law = async || anyhow::Ok(https.get(LAW).await?.body);
    ensure!(law().await? == "chat");
    ensure!(place.good(&["reload"], "")? == "no key has changed; the certificate was read anew\n");

    // How clients are merged counts from the next moment on, for who is there already.
    place.change("[log]", "[availability]\nmerge = \"least-available\"\n[log]")?;
    let said = place.good(&["reload"], "")?;
    ensure!(said == "availability.merge: most-available -> least-available\n", "{said}");
    ensure!(law().await? == "dnd");

    // All that is wrong is said, and nothing of it counts.
    place.change("least-available", "most-available")?;
    place.change("presence_cap = false", "presence_cap = \"maybe\"\nhsts = \"soon\"")?;
    let wrong = place.bad(78, &["reload"], "")?;
    ensure!(
        wrong.contains("2 problems") && wrong.contains("http.hsts") && wrong.contains("http.presence_cap"),
        "{wrong}"
    );
    ensure!(law().await? == "dnd", "the old one holds");
    daemon.process.wait_line("why not", |line| line.contains("everything stays as it was")).await?;

    // What needs a restart is named each time; a secret is not shown.
    place.change("presence_cap = \"maybe\"\nhsts = \"soon\"", "presence_cap = true\nhsts = \"1day\"")?;
    place.change("secret = \"s3cr3t\"", "secret = \"an0ther\"")?;
    let said = place.good(&["reload"], "")?;
    let waiting = "xmpp.secret: (a secret) -> (another secret) (needs a restart)\n";
    let taken = "http.presence_cap: false -> true\nhttp.hsts: 365days -> 1day\navailability.merge: least-available -> most-available\n";
    ensure!(said == format!("{taken}{waiting}"), "{said}");
    ensure!(law().await? == "available", "chat is published so");
    let hsts = https.get(LAW).await?.headers.get(header::STRICT_TRANSPORT_SECURITY).cloned();
    ensure!(hsts.as_ref().context("it is told")? == "max-age=86400");
    ensure!(place.good(&["reload"], "")? == waiting);

    // SIGHUP does the same.
    place.change("level = \"debug", "level = \"info")?;
    place.change("hsts = \"1day\"", "hsts = \"2days\"")?;
    kill_process(daemon.process.id(), Signal::HUP)?;
    daemon
        .process
        .wait_line("what was taken", |line| line.contains("key=\"http.hsts\"") && line.contains("2days"))
        .await?;
    daemon.process.wait_line("the end of it", |line| line.contains("read anew") && line.contains("taken=2")).await?;
    ensure!(place.good(&["log-level"], "")? == "info,tokio_xmpp=info\n");
    daemon.stop().await?;
    ensure!(!daemon.log().contains("an0ther"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_can_not_be_used_fails_and_nothing_changes() -> Result<()> {
    let place = place()?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let https = daemon.https()?;
    let certificate = place.site.certificate();
    let (good, key) = (fs::read(&certificate)?, certificate.with_file_name("key.pem"));
    let good_key = fs::read(&key)?;
    place.change("presence_cap = false", "hsts = \"1day\"")?;
    let folder = place.folder.path().display();
    fs::write(place.folder.path().join("cert.pem"), &good)?;
    fs::write(place.folder.path().join("key.pem"), &good_key)?;
    place.change("[http]", &format!("[http]\ntls_cert = '{folder}/cert.pem'\ntls_key = '{folder}/key.pem'"))?;
    let said = place.good(&["reload"], "")?;
    ensure!(said.contains("http.tls_cert: (not set) -> ") && said.contains("(needs a restart)"), "{said}");
    daemon.stop().await?;
    daemon.start_again()?;
    daemon.serves().await?;
    fs::write(place.folder.path().join("cert.pem"), "")?;
    place.change("hsts = \"1day\"", "hsts = \"2days\"")?;
    let wrong = place.bad(78, &["reload"], "")?;
    ensure!(wrong.contains("cert.pem holds no certificate") && wrong.contains("Nothing was taken over"), "{wrong}");
    let reply = https.get("/healthz").await?;
    ensure!(reply.status == 200, "the old one is served on: {reply:?}");
    let hsts = reply.headers.get(header::STRICT_TRANSPORT_SECURITY).cloned();
    ensure!(hsts.as_ref().context("it is told")? == "max-age=86400", "the old setting holds");
    fs::write(place.folder.path().join("cert.pem"), &good)?;
    let said = place.good(&["reload"], "")?;
    ensure!(said == "http.hsts: 1day -> 2days\n", "{said}");
    daemon.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_socket_was_changed_it_says_what_to_do() -> Result<()> {
    let place = place()?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    place.change("admin.sock", "another.sock")?;
    let said = place.bad(69, &["reload"], "")?;
    ensure!(said.contains("another.sock. If it was started before [admin] socket was changed, restart it"), "{said}");
    daemon.stop().await?;
    daemon.start_again()?;
    daemon.serves().await?;
    place.good(&["reload"], "")?;
    daemon.stop().await
}
