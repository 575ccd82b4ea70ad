//! The way to the daemon, or to its store when it does not run.

use std::{
    io::{self, BufRead, BufReader},
    path::Path,
    time::Duration,
};

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, task::JoinSet};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{Code, Failure};
use crate::{
    app::Core,
    config::Settings,
    domain::{Record, Who},
    engine::Handle,
    http::admin::{self, Command, Form, Problem, Reply},
    store::dump,
};

/// How long the daemon may take to answer a command.
const ANSWER_MOST: Duration = Duration::from_secs(10);

/// Does `command` through the daemon, or in its store when it does not run.
pub(super) fn ask(settings: &Settings, command: Command) -> Result<Reply, Failure> {
    let mut answer = None;
    converse(settings, command, |reply| {
        answer = Some(reply);
        Ok(None)
    })?;
    answer.ok_or_else(strange_reply)
}

/// As [`ask`], and goes on with what `hear` asks for next.
pub(super) fn converse(
    settings: &Settings,
    first: Command,
    mut hear: impl FnMut(Reply) -> Result<Option<Command>, Failure>,
) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let socket = &settings.admin.socket;
        let mut next = Some(first);
        let Some(mut stream) = connect(socket).await? else {
            let answer = async |handle: Handle| {
                while let Some(command) = next.take() {
                    let answer = admin::answer(&handle, me(), command).await;
                    next = hear(answer.map_err(|problem| Failure::new(Code::Failed, problem))?)?;
                }
                Ok(())
            };
            return Core::open(settings)?.run_for(answer).await;
        };
        while let Some(command) = next.take() {
            next = hear(ask_daemon(stream, Method::POST, "/command", Some(&command), ANSWER_MOST).await?)?;
            if next.is_none() {
                break;
            }
            stream = connect(socket).await?.ok_or_else(strange_reply)?;
        }
        Ok(())
    })
}

/// Asks the daemon; that it does not run is an error.
pub(super) fn ask_running(settings: &Settings, command: &Command) -> Result<Reply, Failure> {
    ask_running_at(settings, Method::POST, "/command", Some(command))
}

/// The same, of another resource of the admin socket.
pub(super) fn ask_running_at<T: DeserializeOwned>(
    settings: &Settings,
    method: Method,
    path: &'static str,
    body: Option<&impl Serialize>,
) -> Result<T, Failure> {
    ask_running_on(&settings.admin.socket, method, path, body, ANSWER_MOST)
}

/// The same on this admin socket, where the answer may take as long as `most`.
pub(super) fn ask_running_on<T: DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &'static str,
    body: Option<&impl Serialize>,
    most: Duration,
) -> Result<T, Failure> {
    runtime()?.block_on(async { ask_daemon(connect_running(socket).await?, method, path, body, most).await })
}

/// What the daemon tells Prometheus.
pub(super) fn metrics(settings: &Settings) -> Result<String, Failure> {
    runtime()?.block_on(async {
        let stream = connect_running(&settings.admin.socket).await?;
        let answer = send(stream, Method::GET, "/metrics", Bytes::new()).await?;
        let text = answer.body.collect().await.context("the daemon's answer broke off")?.to_bytes();
        String::from_utf8(text.into()).map_err(|_| strange_reply())
    })
}

async fn connect_running(socket: &Path) -> Result<UnixStream, Failure> {
    connect(socket).await?.ok_or_else(|| {
        let what = anyhow!(
            "rosterd does not run (start it with `rosterd serve`): nobody answers on {}. If it was started before \
             [admin] socket was changed, restart it: it still answers on the old one",
            socket.display()
        );
        Failure::new(Code::Unavailable, what)
    })
}

/// Who runs this command.
pub(super) fn me() -> Who {
    Who::Local(rustix::process::getuid().as_raw())
}

/// A runtime for one command.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("could not start")?)
}

/// The daemon's admin socket; `None` when there is no daemon.
pub(super) async fn connect(socket: &Path) -> Result<Option<UnixStream>, Failure> {
    match UnixStream::connect(socket).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => {
            let code = if error.kind() == io::ErrorKind::PermissionDenied { Code::Permission } else { Code::Failed };
            let what = format!(
                "could not talk to rosterd on {}: root and the user that rosterd runs as may",
                socket.display()
            );
            Err(Failure::new(code, anyhow::Error::new(error).context(what)))
        }
    }
}

/// Has the daemon write down everything that it has stored, for `take` to read.
pub(super) async fn dump<T: Send + 'static>(
    stream: UnixStream,
    form: Form,
    take: impl FnOnce(&mut dyn BufRead) -> T + Send + 'static,
) -> Result<T, Failure> {
    let path = match form {
        Form::Export => "/export",
        Form::Backup => "/backup",
    };
    let answer = send(stream, Method::GET, path, Bytes::new()).await?;
    let data = answer.body.map_err(io::Error::other).into_data_stream();
    let mut input = BufReader::new(SyncIoBridge::new(StreamReader::new(Box::pin(data))));
    let taken = tokio::task::spawn_blocking(move || take(&mut input)).await;
    Ok(taken.context("could not read what the daemon wrote")?)
}

/// Has the daemon store everything in `records`.
pub(super) async fn import(stream: UnixStream, records: &[Record]) -> Result<(), Failure> {
    let mut body = Vec::new();
    dump::write_records(records, &mut body, |_| ()).context("could not write the records down")?;
    let answer = send(stream, Method::POST, "/import", body.into()).await?;
    answer.body.collect().await.context("the daemon's answer broke off")?;
    Ok(())
}

/// The daemon answered something else than what was asked.
pub(super) fn strange_reply() -> Failure {
    Failure::new(Code::Failed, anyhow!("the daemon's answer can not be read: is it of another version?"))
}

/// That the daemon has done what was asked, or else the error.
pub(super) fn done(reply: &Reply) -> Result<(), Failure> {
    if matches!(reply, Reply::Done) { Ok(()) } else { Err(strange_reply()) }
}

async fn ask_daemon<T: DeserializeOwned>(
    stream: UnixStream,
    method: Method,
    path: &'static str,
    body: Option<&impl Serialize>,
    most: Duration,
) -> Result<T, Failure> {
    let late = |_| {
        let what = anyhow!("the daemon is there, but did not answer within {most:?}");
        Failure::new(Code::Unavailable, what)
    };
    let ask = async {
        let body = body.map(serde_json::to_vec).transpose().context("could not write down what is asked")?;
        let answer = send(stream, method, path, body.unwrap_or_default().into()).await?;
        let reply = answer.body.collect().await.context("the daemon's answer broke off")?.to_bytes();
        serde_json::from_slice(&reply).map_err(|_| strange_reply())
    };
    tokio::time::timeout(most, ask).await.map_err(late)?
}

/// An answer, and the task that reads it.
struct Answer {
    body: Incoming,
    _connection: JoinSet<()>,
}

async fn send(stream: UnixStream, method: Method, path: &'static str, body: Bytes) -> Result<Answer, Failure> {
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.context("could not talk to the daemon")?;
    let mut task = JoinSet::new();
    task.spawn(async {
        // What goes wrong here shows where the answer is read.
        let _ = connection.await;
    });
    let request = Request::builder().method(method).uri(path).header("host", "rosterd");
    let request = request.header("content-type", "application/json").body(Full::new(body));
    let request = request.context("could not ask the daemon")?;
    let response = sender.send_request(request).await.context("the daemon did not answer")?;
    let (status, body) = (response.status(), response.into_body());
    if status == StatusCode::OK {
        return Ok(Answer { body, _connection: task });
    }
    let text = body.collect().await.context("the daemon's answer broke off")?.to_bytes();
    let code = match status {
        StatusCode::FORBIDDEN => Code::Permission,
        StatusCode::UNPROCESSABLE_ENTITY => Code::Config,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Failed,
    };
    let problem: Result<Problem, _> = serde_json::from_slice(&text);
    Err(Failure::new(code, problem.map_or_else(|_| anyhow!("the daemon answered {status}"), anyhow::Error::new)))
}
