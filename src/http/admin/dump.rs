//! Everything out, and everything in.

use std::{
    io::{self, BufReader, Read, Write},
    sync::Arc,
};

use axum::{Extension, Json, body::Body, extract::State, http::StatusCode, response::IntoResponse};
use futures::TryStreamExt;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use super::command::Problem;
use crate::{
    domain::{Edit, Record, Who},
    engine::Handle,
};

/// What is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The records.
    Export,
    /// Everything that makes up a machine.
    Backup,
}

/// Writes down everything that is on disk.
pub type WriteAll = dyn Fn(&Handle, Form, &mut dyn Write) -> io::Result<()> + Send + Sync;

/// How everything is written down and read back: the store's business, handed in.
#[derive(Clone)]
pub struct Format {
    /// Writes everything.
    pub write: Arc<WriteAll>,
    /// Reads all records, or says what is wrong.
    pub read: fn(&mut dyn Read) -> Result<Vec<Record>, String>,
}

const BUFFER: usize = 64 * 1024;

pub(super) async fn export(State((handle, format)): State<(Handle, Format)>) -> impl IntoResponse {
    written(handle, format, Form::Export)
}

pub(super) async fn backup(State((handle, format)): State<(Handle, Format)>) -> impl IntoResponse {
    written(handle, format, Form::Backup)
}

fn written(handle: Handle, format: Format, form: Form) -> Body {
    let (near, far) = tokio::io::duplex(BUFFER);
    tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(BUFFER, SyncIoBridge::new(near));
        if let Err(error) = (format.write)(&handle, form, &mut out).and_then(|()| out.flush()) {
            tracing::info!(error = %crate::telemetry::chain(&error), ?form, "what was to be written down was broken off");
        }
    });
    Body::from_stream(ReaderStream::with_capacity(far, BUFFER))
}

pub(super) async fn import(
    State((handle, format)): State<(Handle, Format)>,
    Extension(by): Extension<Who>,
    body: Body,
) -> Result<Json<usize>, (StatusCode, Json<Problem>)> {
    let refused = |what: String| (StatusCode::CONFLICT, Json(Problem::new(what)));
    let stream = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let mut input = BufReader::with_capacity(BUFFER, SyncIoBridge::new(Box::pin(stream)));
    let read = tokio::task::spawn_blocking(move || (format.read)(&mut input)).await;
    let records = read.map_err(|error| refused(error.to_string()))?.map_err(refused)?;
    let count = records.len();
    handle.edit(by, Edit::Import { records }).await.map_err(|error| refused(Problem::from(error).to_string()))?;
    Ok(Json(count))
}
