//! Clients that die, or seem to, without their server saying so: real processes on a real server.

use std::{
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{apart::Apart, real::Real, servers::Package, stage::Stage, stalls::Stalls, times::Times};

/// How long a client may be silent, and how long it may take to answer.
const AFTER: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(2);
/// How much later than that the queue may say so.
const GRACE: Duration = Duration::from_secs(1);

/// A stopped process and a killed one: the queue tells the truth about both in time.
pub(crate) async fn silent_clients<P: Package>() -> Result<()> {
    let pings = Some((format!("{AFTER:?}"), format!("{TIMEOUT:?}")));
    let mut stage = Stage::<Real<P>>::set(&["ann", "carol"], Times { pings, ..Times::DEFAULT }).await?;
    let played = play(&mut stage).await;
    played.with_context(|| stage.log())
}

async fn play<P: Package>(stage: &mut Stage<Real<P>>) -> Result<()> {
    let clients = stage.world.clients();
    stage.lines("queue law: ann\ncarol: available\ncarol follows law\nlaw -> carol: unavailable").await?;

    let ann = Apart::start(clients, "ann", false).await?;
    stage.lines("law -> carol: chat").await?;
    for _ in 0..2 {
        let frozen = SystemTime::now();
        let stalls = Stalls::measure();
        ann.freeze()?;
        stage.lines("law -> carol: unavailable\nhttps law: unavailable").await?;
        in_time(&stage.log(), frozen, &stalls)?;
        is_stale(stage, true)?;
        // It counts again as soon as it goes on.
        ann.thaw()?;
        stage.lines("law -> carol: chat \"The one operator takes work now\"\nhttps law: chat").await?;
        is_stale(stage, false)?;
    }
    // Without stream management its server notices at once.
    ann.kill();
    stage.lines("law -> carol: unavailable").await?;

    let ann = Apart::start(clients, "ann", true).await?;
    stage.lines("law -> carol: chat").await?;
    let killed = SystemTime::now();
    let stalls = Stalls::measure();
    ann.kill();
    stage.lines("law -> carol: unavailable\nhttps law: unavailable").await?;
    in_time(&stage.log(), killed, &stalls)?;
    // Its server says still that it is there: nobody else could have known.
    is_stale(stage, true)
}

/// The queue closed soon enough after `since`, by the clock of the daemon, which is that of this machine. What this machine
/// was late itself meanwhile is not held against it.
fn in_time(log: &str, since: SystemTime, stalls: &Stalls) -> Result<()> {
    let closed = log.lines().rfind(|line| line.contains("queue show changed") && line.contains("to=unavailable"));
    let closed = closed.context("the daemon says that the queue has closed")?;
    let time = closed.split_whitespace().next().unwrap_or_default();
    let time = humantime::parse_rfc3339(time).with_context(|| format!("no time in {closed:?}"))?;
    let took = time.duration_since(since).context("it was open before")?;
    let late = stalls.late();
    ensure!(took <= AFTER + TIMEOUT + GRACE + late, "it took {took:?}, and the machine itself was late by {late:?}");
    Ok(())
}

/// What `rosterd status` says of ann's one client.
fn is_stale<P: Package>(stage: &Stage<Real<P>>, expected: bool) -> Result<()> {
    let config = &stage.site().config;
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    let output = command.arg("--config").arg(config).args(["status", "--json"]).output()?;
    let status: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
    let ann = &status["queues"][0]["operators"][0];
    let is_so = ann["resources"][0]["stale"] == expected && (ann["reasons"][0] == "stale") == expected;
    ensure!(is_so && ann["resources"].as_array().is_some_and(|all| all.len() == 1), "{ann}");
    ensure!(status["tally"]["stale"].as_u64() >= Some(u64::from(expected)), "{status}");
    Ok(())
}
