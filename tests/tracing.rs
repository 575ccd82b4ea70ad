//! The log of a real daemon under traffic: every line is an object, a change can be followed from what asked for it to what
//! was published, and no secret is in any of it.

#[path = "support/cable.rs"]
mod cable;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "../examples/support/frames.rs"]
mod frames;
#[path = "support/https.rs"]
mod https;
#[path = "support/in_process.rs"]
mod in_process;
#[path = "support/manager.rs"]
mod manager;
#[path = "support/ports.rs"]
mod ports;
#[path = "../examples/support/presence.rs"]
mod presence;
#[path = "support/process.rs"]
mod process;
#[path = "support/ready.rs"]
mod ready;
#[path = "support/script.rs"]
mod script;
#[path = "support/site.rs"]
mod site;
#[path = "support/stage.rs"]
#[expect(dead_code, reason = "the scenarios need more of it")]
mod stage;
#[path = "support/times.rs"]
mod times;

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hyper::{Method, header};
use serde_json::{Map, Value, json};

use https::{Caller, Https, Reply};
use in_process::InProcess;
use site::Settings;
use stage::Stage;

const V1: &str = "/2011-12-03";
/// The component's, in the configuration of tests.
const SECRET: &str = "s3cr3t";
const PASSWORD: &str = "a password for tests";
/// What is shown or asked, and stands in no line.
const WRONG_PASSWORD: &str = "wr0ng-p4ssword";
const WRONG_TOKEN: &str = "rosterd_wr0ng-t0ken";
const QUERY: &str = "in-a-query";
const BODY: &str = "in-a-body@localhost";
const STATUS: &str = "what-ann-wrote";

/// A line of the log.
struct Line(Map<String, Value>);

impl Line {
    fn read(text: &str) -> Result<Self> {
        let line: Map<String, Value> = serde_json::from_str(text).with_context(|| format!("no object: {text}"))?;
        for name in ["timestamp", "level", "target", "message"] {
            ensure!(line.get(name).is_some_and(Value::is_string), "{name} is missing: {text}");
        }
        let time = line["timestamp"].as_str().unwrap_or_default();
        humantime::parse_rfc3339(time).with_context(|| format!("no time in UTC: {text}"))?;
        Ok(Self(line))
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.0.get(name).is_some_and(|it| it == value)
    }

    /// A field of the span with this name that the line stands in.
    fn of_span(&self, span: &str, field: &str) -> Option<&Value> {
        let spans = self.0.get("spans").and_then(Value::as_array)?;
        spans.iter().find(|it| it["name"] == span)?.get(field)
    }
}

/// What is said at the level `debug`, or above, in spans with this field.
fn said<'a>(lines: &'a [Line], span: &str, field: &str, value: &Value) -> BTreeSet<&'a str> {
    let within = lines.iter().filter(|line| line.of_span(span, field) == Some(value) && !line.is("level", "TRACE"));
    within.filter_map(|line| line.0["message"].as_str()).collect()
}

fn request_id(reply: &Reply) -> Result<Value> {
    let id = reply.headers.get("x-request-id").context("it has an id")?.to_str()?;
    ensure!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    Ok(id.into())
}

/// Makes a token, as an administrator does.
fn token(stage: &Stage<InProcess>) -> Result<String> {
    let site = stage.site();
    let mut command = Command::new(&site.binary);
    command.arg("--config").arg(&site.config);
    let output = command.args(["token", "add", "manager", "--name", "importer", "--role", "owner"]).output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Whatever can be shown, right and wrong. Gives what is a secret of it.
async fn show_secrets(https: &Https, token: &str) -> Result<Vec<String>> {
    let login = async |password: &str| {
        let fields = json!({ "username": "manager", "password": password });
        https.ask(Method::POST, &format!("{V1}/auth/login"), &Caller::Anybody, Some(&fields)).await
    };
    ensure!(login(WRONG_PASSWORD).await?.status == 401);
    let cookie = login(PASSWORD).await?;
    let cookie = cookie.headers.get(header::SET_COOKIE).context("a cookie")?.to_str()?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let basic = |password: &str| BASE64_STANDARD.encode(format!("manager:{password}"));
    for (name, shown, status) in [
        (header::COOKIE, cookie.clone(), 200),
        (header::AUTHORIZATION, format!("Basic {}", basic(PASSWORD)), 200),
        (header::AUTHORIZATION, format!("Basic {}", basic(WRONG_PASSWORD)), 401),
        (header::AUTHORIZATION, format!("Bearer {token}"), 200),
        (header::AUTHORIZATION, format!("Bearer {WRONG_TOKEN}"), 401),
    ] {
        let caller = Caller::Shows(name, shown.clone());
        let reply = https.ask(Method::GET, &format!("{V1}/queues?hint={QUERY}"), &caller, None).await?;
        ensure!(reply.status == status, "{shown}: {reply:?}");
    }
    let session = cookie.split_once('=').context("a name and a value")?.1.to_owned();
    // The last two are what passwords and the component's secret hash to.
    let of_tests = [PASSWORD, WRONG_PASSWORD, WRONG_TOKEN, QUERY, BODY, STATUS, SECRET, "argon2", "<handshake>"]
        .map(str::to_owned);
    Ok([of_tests.to_vec(), vec![session, token.to_owned(), basic(PASSWORD), basic(WRONG_PASSWORD)]].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_followed_and_no_secret_is_seen() -> Result<()> {
    let log = "level = \"trace\"\nformat = \"json\"";
    let mut stage = Stage::<InProcess>::set_as(&["ann", "bob", "carol"], |given| Settings { log, ..given }).await?;
    stage.lines("queue law: ann bob\ncarol: available\ncarol follows law\nlaw -> carol: unavailable").await?;
    stage.lines("bob/desk: chat\nlaw -> carol: chat").await?;
    stage.lines(&format!("ann/desk: available, \"{STATUS}\"\nlaw -> carol: chat")).await?;
    let https = Https::new(stage.site().https, &stage.site().certificate())?;
    let token = token(&stage)?;
    let secrets = show_secrets(&https, &token).await?;

    // An edit that changes the queue's show, and one that changes how many take work.
    let caller = Caller::Shows(header::AUTHORIZATION, format!("Bearer {token}"));
    let ask = async |method: Method, path: &str, body: Option<Value>| {
        https.ask(method, &format!("{V1}/{path}"), &caller, body.as_ref()).await
    };
    let queue = ask(Method::GET, "queues", None).await?.json()?[0]["id"].clone();
    let users = ask(Method::GET, "users", None).await?.json()?;
    let id = |name: &str| {
        let user = users.as_array().and_then(|users| users.iter().find(|user| user["name"] == name));
        user.map(|user| user["id"].clone()).with_context(|| format!("{name} in {users}"))
    };
    let suspend = json!({ "enabled": false });
    let path = |id: &Value| format!("queues/{queue}/operators/{id}");
    let show_changes = request_id(&ask(Method::PUT, &path(&id("bob")?), Some(suspend.clone())).await?)?;
    stage.lines("law -> carol: available").await?;
    ask(Method::PUT, &path(&id("bob")?), Some(json!({ "enabled": true }))).await?;
    stage.lines("law -> carol: chat").await?;
    let counts_change = request_id(&ask(Method::PUT, &path(&id("ann")?), Some(suspend)).await?)?;
    stage.lines("law -> carol: chat").await?;
    ask(Method::PUT, &format!("users/{}", id("ann")?), Some(json!({ "email": BODY }))).await?;
    // A stanza that does.
    stage.lines("bob/desk: dnd\nlaw -> carol: dnd\nstop daemon").await?;

    let log = stage.log();
    let (_, printed) = log.split_once("---- rosterd printed ----\n").context("the daemon printed something")?;
    let texts: Vec<_> = printed.lines().filter(|line| !line.is_empty()).collect();
    let lines = texts.iter().map(|text| Line::read(text)).collect::<Result<Vec<_>>>()?;
    ensure!(lines.iter().any(|line| line.is("level", "TRACE")) && lines.len() > 100, "{log}");
    for secret in &secrets {
        let line = texts.iter().find(|text| text.contains(secret));
        ensure!(line.is_none(), "{secret} is in the log: {line:?}");
    }

    let said_of = |id| said(&lines, "request", "id", id);
    let of_show = said_of(&show_changes);
    let expected = ["edit stored", "queue show changed", "presence published", "request answered"];
    ensure!(expected.iter().all(|message| of_show.contains(message)), "{of_show:?}");
    let of_counts = said_of(&counts_change);
    let expected = ["edit stored", "queue counts changed", "presence published", "request answered"];
    ensure!(expected.iter().all(|message| of_counts.contains(message)), "{of_counts:?}");
    let changed = lines
        .iter()
        .find(|line| line.is("message", "queue show changed") && line.of_span("request", "id") == Some(&show_changes));
    let changed = changed.context("it is there")?;
    let fields = ["method", "family", "path", "by"].map(|name| changed.of_span("request", name).cloned());
    let path = format!("{V1}/queues/{{queue}}/operators/{{user}}");
    let expected = ["PUT", "libraryh3lp", &path, "token importer of account 1"].map(|text| Some(Value::from(text)));
    ensure!(fields == expected, "{fields:?}");
    ensure!(changed.is("queue", "law") && changed.is("from", "chat") && changed.is("to", "available"));

    let heard = |line: &&Line| line.is("message", "presence heard") && line.is("show", "dnd");
    let heard = lines.iter().find(heard).context("the stanza is heard")?;
    ensure!(heard.is("user", "bob@localhost") && heard.of_span("link", "domain") == Some(&"queues.localhost".into()));
    ensure!(heard.of_span("link", "id") == heard.of_span("stanza", "link"));
    let number = heard.of_span("stanza", "number").context("it has a number")?;
    let of_stanza = said(&lines, "stanza", "number", number);
    let expected = ["presence heard", "user show changed", "queue show changed", "presence published"];
    ensure!(expected.iter().all(|message| of_stanza.contains(message)), "{of_stanza:?}");
    Ok(())
}
