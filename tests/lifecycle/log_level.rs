//! How much is logged, changed while the daemon runs.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use anyhow::{Result, ensure};

use super::{Place, daemon::Daemon, place};

const CONFIGURED: &str = "debug,tokio_xmpp=info";

/// Asks the admin socket as a program would that is not ours.
fn ask(place: &Place, method: &str, body: &str) -> Result<(String, String)> {
    let mut socket = UnixStream::connect(place.folder.path().join("admin.sock"))?;
    let length = body.len();
    write!(
        socket,
        "{method} /log-level HTTP/1.1\r\nhost: rosterd\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_level_changes_at_run_time() -> Result<()> {
    let place = place()?;
    let nobody = place.bad(69, &["log-level"], "")?;
    ensure!(nobody.contains("rosterd does not run"), "{nobody}");
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let answered = |daemon: &Daemon| daemon.log().matches("request answered").count();

    ensure!(place.good(&["log-level"], "")? == format!("{CONFIGURED}\n"));
    let said = place.good(&["log-level", "warn"], "")?;
    ensure!(said.starts_with("warn\nThis lasts until") && said.contains(CONFIGURED), "{said}");
    ensure!(place.good(&["log-level"], "")? == said);
    ensure!(daemon.https()?.get("/healthz").await?.status == 200);
    let said = place.good(&["log-level", "rosterd::http=debug"], "")?;
    ensure!(said.starts_with("info,rosterd::http=debug\n"), "what is not named stays at info: {said}");
    daemon.process.wait_line("that it changed", |line| line.contains("to=info,rosterd::http=debug")).await?;
    ensure!(answered(&daemon) == 0, "{}", daemon.log());
    ensure!(daemon.https()?.get("/healthz").await?.status == 200);
    daemon.process.wait_line("the request", |line| line.contains("request answered")).await?;
    ensure!(place.good(&["log-level", "--reset"], "")? == format!("{CONFIGURED}\n"));

    for (arguments, wrong) in [
        (&["log-level", "loud"][..], r#""loud" is wrong: "loud" is not a level: off, error"#),
        (&["log-level", "info,rosterd::xmpp=much"], r#""rosterd::xmpp=much" is wrong: "much" is not a level"#),
        (&["log-level", "info", "--reset"], "cannot be used with"),
    ] {
        let said = place.rosterd(arguments, "")?;
        ensure!(said.code == Some(2) && said.error.contains(wrong) && said.out.is_empty(), "{said:?}");
    }
    ensure!(place.good(&["log-level"], "")? == format!("{CONFIGURED}\n"), "what is wrong changes nothing");

    let (status, body) = ask(&place, "PUT", r#"{"level":"info,rosterd::xmpp=much"}"#)?;
    ensure!(status.contains(" 400 ") && body.contains("much"), "{status}: {body}");
    let (status, body) = ask(&place, "PUT", r#"{"level":"off"}"#)?;
    ensure!(status.contains(" 200 ") && body == format!(r#"{{"level":"off","configured":"{CONFIGURED}"}}"#), "{body}");
    let (_, body) = ask(&place, "DELETE", "")?;
    ensure!(ask(&place, "GET", "")?.1 == body && body.starts_with(&format!(r#"{{"level":"{CONFIGURED}""#)), "{body}");

    daemon.stop().await?;
    let log = daemon.log();
    let by = format!("by=the local user {}", rustix::process::getuid().as_raw());
    let changes: Vec<_> = log.lines().filter(|line| line.contains("log level changed")).collect();
    ensure!(changes.len() == 5 && changes.iter().all(|line| line.contains(&by)), "{log}");
    Ok(())
}
