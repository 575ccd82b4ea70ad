//! How much is logged, changed while the daemon runs; what requests are called; and lines for the journal.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::{fs::MetadataExt, net::UnixStream},
    process::Command,
};

use anyhow::{Result, ensure};
use hyper::{Method, header::HeaderName};

use super::{Place, daemon::Daemon, https::Caller, place};

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
    let is_answered = |line: &str| line.contains("request answered") && line.contains("/healthz");
    let answered = |daemon: &Daemon| daemon.log().lines().filter(|line| is_answered(line)).count();

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
    daemon.process.wait_line("the request", is_answered).await?;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_names_its_requests() -> Result<()> {
    let id_of = async |daemon: &Daemon, id: &str| -> Result<String> {
        let caller = Caller::Shows(HeaderName::from_static("x-request-id"), id.to_owned());
        let reply = daemon.https()?.ask(Method::GET, "/healthz", &caller, None).await?;
        Ok(reply.headers.get("x-request-id").map_or("", |id| id.to_str().unwrap_or_default()).to_owned())
    };
    let place = place()?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let (one, other) = (id_of(&daemon, "theirs").await?, id_of(&daemon, "theirs").await?);
    ensure!(one.len() == 16 && other.len() == 16 && one != other, "{one} {other}");
    daemon.stop().await?;

    let config = fs::read_to_string(&place.site.config)?;
    fs::write(&place.site.config, config.replace("[http]", "[http]\ntrusted_proxies = [\"127.0.0.1\"]"))?;
    daemon.start_again()?;
    daemon.serves().await?;
    ensure!(id_of(&daemon, "8f0c-theirs").await? == "8f0c-theirs");
    let own = id_of(&daemon, "what is \"this\"").await?;
    ensure!(own.len() == 16, "{own}");
    daemon.stop().await?;
    let log = daemon.log();
    ensure!(log.contains("id=\"8f0c-theirs\"") && !log.contains("what is"), "{log}");
    Ok(())
}

#[test]
fn lines_for_the_journal() -> Result<()> {
    let place = place()?;
    // It ends by itself, since it can not have its address.
    let _taken = TcpListener::bind(place.site.https)?;
    let path = place.folder.path().join("stderr");
    let run = |stream: fn(u64, u64) -> String| -> Result<String> {
        let file = fs::File::create(&path)?;
        let stat = file.metadata()?;
        let mut command = Command::new(&place.site.binary);
        command.arg("--config").arg(&place.site.config).arg("serve").stderr(file);
        let status = command.env("JOURNAL_STREAM", stream(stat.dev(), stat.ino())).status()?;
        ensure!(!status.success());
        Ok(fs::read_to_string(&path)?)
    };
    let log = run(|device, file| format!("{device}:{file}"))?;
    ensure!(log.lines().any(|line| line.starts_with("<6> INFO store read ")), "{log}");
    ensure!(log.lines().all(|line| line.starts_with('<') && line[2..].starts_with('>')), "{log}");
    ensure!(log.lines().last().is_some_and(|line| line.starts_with("<3>rosterd: could not listen")), "{log}");
    let log = run(|device, file| format!("{device}:{}", file + 1))?;
    ensure!(
        !log.contains('<') && log.lines().any(|line| line.starts_with("20") && line.contains("store read")),
        "{log}"
    );
    Ok(())
}
