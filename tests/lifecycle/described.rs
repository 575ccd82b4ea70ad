//! The whole daemon against its own description: schemathesis makes up requests from it, good ones and bad ones, and checks
//! every answer. It is the same every time: its seed stands here, and it is bound by numbers of requests, not by time.

use std::{fs, ops::RangeInclusive, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use hyper::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{
    Place,
    daemon::Daemon,
    https::{Caller, Https},
    place, skip,
};

/// Where a Python with schemathesis is made, once for all tests.
const PYTHON: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/schemathesis");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lifecycle");
/// How many requests are made up for an operation, beside those for each limit of each parameter.
const EXAMPLES: &str = "8";
/// The things that there are at first: their numbers stand in `schemathesis.toml`.
const QUEUES: RangeInclusive<u32> = 2..=9;
const USERS: RangeInclusive<u32> = 10..=17;

/// The program. Where it can not be made, that is an error in CI, and loud elsewhere.
fn program() -> Option<PathBuf> {
    let made = Command::new(format!("{FOLDER}/schemathesis.sh")).arg(PYTHON).output();
    let trouble = match made {
        Ok(output) if output.status.success() => return Some(PathBuf::from(PYTHON).join("bin/schemathesis")),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let what =
        format!("tests with schemathesis: it can not be had (python3-venv and PyPI are needed): {}", trouble.trim());
    assert!(std::env::var_os("CI").is_none(), "in CI this may not be skipped: {what}");
    skip::skip(&what);
    None
}

impl Place {
    /// Has it bear with whoever shows wrong tokens again and again, which is a part of the test.
    fn bear_with_everybody(&self) -> Result<()> {
        let text = fs::read_to_string(&self.site.config)?;
        let more = "[http]\nattempts_per_address = 1000000\nattempts_per_name = 1000000";
        Ok(fs::write(&self.site.config, text.replace("[http]", more))?)
    }

    fn token(&self, role: &str) -> Result<String> {
        let mut command = Command::new(&self.site.binary);
        command.arg("--config").arg(&self.site.config).args(["token", "add", "boss", "--name", role, "--role", role]);
        let output = command.output()?;
        ensure!(output.status.success(), "token add failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// Queues and users, everybody on every queue.
async fn fill(https: &Https, token: &str) -> Result<()> {
    let owner = Caller::Shows(AUTHORIZATION, format!("Bearer {token}"));
    let post = async |path: String, body: Value| {
        let reply = https.ask(Method::POST, &path, &owner, Some(&body)).await?;
        ensure!(reply.status == 200 && !reply.body.contains(r#""success":null"#), "{path}: {}", reply.body);
        anyhow::Ok(reply.json()?[0]["id"].clone())
    };
    for queue in QUEUES {
        let id = post("/2011-12-03/queues".to_owned(), json!({ "name": format!("queue{queue}") })).await?;
        ensure!(id == queue, "the number {queue}, and not {id}");
    }
    for user in USERS {
        let id = post("/2011-12-03/users".to_owned(), json!({ "name": format!("user{user}") })).await?;
        ensure!(id == user, "the number {user}, and not {id}");
    }
    for queue in QUEUES {
        for user in USERS {
            post(format!("/2011-12-03/queues/{queue}/operators"), json!({ "userId": user })).await?;
        }
    }
    Ok(())
}

/// Everything below `paths` that is described was asked for, and was done at least once. Nobody guesses a password, and public
/// presence is not noted.
async fn check_reached(daemon: &Daemon, paths: &str) -> Result<()> {
    let description = daemon.https()?.get("/openapi.json").await?.json()?;
    let log = daemon.log();
    let done: Vec<_> = log.lines().filter(|line| line.contains("request answered status=200")).collect();
    let all = description["paths"].as_object().context("there are paths")?;
    let mut missed = Vec::new();
    for (path, methods) in all.iter().filter(|(path, _)| path.starts_with(paths)) {
        for method in methods.as_object().context("there are methods")?.keys().map(|method| method.to_uppercase()) {
            let span = [format!(" method={method} "), format!(" path={path:?} ")];
            if !path.contains("/presence/")
                && !path.ends_with("/login")
                && !done.iter().any(|line| span.iter().all(|field| line.contains(field)))
            {
                missed.push(format!("{method} {path}"));
            }
        }
    }
    ensure!(missed.is_empty(), "this was never done: {missed:?}");
    Ok(())
}

/// Asks for what is below `paths`, by a token of `role`, and gives the daemon that has answered.
async fn ask(place: &Place, paths: &str, role: &str) -> Result<Option<Daemon>> {
    let Some(program) = program() else { return Ok(None) };
    place.bear_with_everybody()?;
    place.site.add_account("boss", "a password for tests")?;
    let daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let owner = place.token("owner")?;
    fill(&daemon.https()?, &owner).await?;
    let token = if role == "owner" { owner } else { place.token(role)? };

    let mut command = Command::new(program);
    command.current_dir(place.folder.path()).env_remove("PYTHONPATH");
    command.args(["--config-file", &format!("{FOLDER}/schemathesis.toml"), "run"]);
    command.arg(format!("https://{}/openapi.json", place.site.https));
    command.arg("--tls-verify").arg(place.site.certificate());
    command.args(["--header", &format!("Authorization: Bearer {token}"), "--include-path-regex", &format!("^{paths}")]);
    command.args(["--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure"]);
    command.args(["--seed", "1", "--max-examples", EXAMPLES, "--generation-database", "none", "--no-shrink"]);
    command.args(["--suppress-health-check", "all", "--request-timeout", "60", "--no-color"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{said}\n{errors}");
    println!("{said}");
    Ok(Some(daemon))
}

async fn holds(paths: &str, role: &str) -> Result<()> {
    let place = place()?;
    let Some(mut daemon) = ask(&place, paths, role).await? else { return Ok(()) };
    // The others may not do everything.
    if role == "owner" {
        check_reached(&daemon, paths).await?;
    }
    daemon.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_api() -> Result<()> {
    holds("/v1/", "owner").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_api_to_who_may_only_read() -> Result<()> {
    holds("/v1/", "viewer").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_version() -> Result<()> {
    holds("/2011-12-03/", "owner").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_version() -> Result<()> {
    holds("/2013-07-21/", "owner").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_third_version_to_a_supervisor() -> Result<()> {
    holds("/2016-02-10/", "supervisor").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fourth_version() -> Result<()> {
    holds("/api/", "owner").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_everybody() -> Result<()> {
    holds("/(presence|healthz|readyz|docs|openapi.json)", "viewer").await
}
