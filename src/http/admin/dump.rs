//! Everything out, and everything in.

use std::io::{self, BufReader, Read, Write};

use axum::{Extension, Json, body::Body, extract::State, http::StatusCode, response::IntoResponse};
use futures::TryStreamExt;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use super::command::Problem;
use crate::{
    domain::{Edit, Record, Who},
    engine::Handle,
};

/// How records are written down and read back: the store's business, handed in.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Writes all of them.
    pub write: fn(&[Record], &mut dyn Write) -> io::Result<()>,
    /// Reads all of them, or says what is wrong.
    pub read: fn(&mut dyn Read) -> Result<Vec<Record>, String>,
}

const BUFFER: usize = 64 * 1024;

pub(super) async fn export(State((handle, format)): State<(Handle, Format)>) -> impl IntoResponse {
    let (near, far) = tokio::io::duplex(BUFFER);
    tokio::task::spawn_blocking(move || {
        let records = handle.read(crate::domain::Desk::records);
        let mut out = io::BufWriter::with_capacity(BUFFER, SyncIoBridge::new(near));
        if let Err(error) = (format.write)(&records, &mut out).and_then(|()| out.flush()) {
            tracing::info!(%error, "export broken off");
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
