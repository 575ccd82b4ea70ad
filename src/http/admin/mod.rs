//! The admin socket: HTTP/1.1 over a Unix socket, for the other commands of `rosterd` on the same machine. Root and the
//! user that the daemon runs as are let in.

mod audit;
mod command;
mod dump;
mod log_level;
mod login;
mod metrics;
mod reload;
mod status;
mod token;

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, connect_info::Connected},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::IncomingStream,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

pub use audit::AuditCommand;
pub use command::{AccountStatus, Command, Problem, Reply, answer};
pub use dump::{Form, Format, WriteAll};
pub use log_level::{LogLevel, LogLevelWanted};
pub use login::{LoginCommand, LoginStatus, SessionStatus};
pub use reload::ReloadAsked;
pub use status::{Link, Onboarding, OperatorStatus, QueueStatus, ResourceStatus, Status, TallyStatus, status};
pub use token::{TokenCommand, TokenStatus};

pub(super) use metrics::router as metrics_router;

use super::watch;
use crate::{
    domain::Who,
    engine::Handle,
    metrics::{Api, Metrics},
    telemetry::Levels,
};

/// How long requests that were begun may take once the daemon stops.
const GRACE: Duration = Duration::from_secs(3);

/// Why the socket can not be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody answers there already.
    #[error("another rosterd answers on {0}: give this one a socket of its own ([admin] socket)")]
    InUse(PathBuf),
    /// The operating system refused.
    #[error(
        "could not make the admin socket {path}: its folder has to be there and to belong to the user that rosterd runs as"
    )]
    Io {
        /// The socket.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}

/// The socket, ready to be served.
#[derive(Debug)]
pub struct AdminServer {
    listener: UnixListener,
    path: PathBuf,
    router: Router,
    metrics: Metrics,
}

#[derive(Debug, Clone, Copy)]
struct Peer {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|cred| cred.uid()) }
    }
}

impl AdminServer {
    /// Makes the socket at `path`, and its folder where that is missing. A socket that nobody answers on is replaced.
    ///
    /// # Errors
    /// Why that can not be.
    pub async fn bind(path: &Path, handle: Handle, format: Format) -> Result<Self, BindError> {
        let io = |source| BindError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(BindError::InUse(path.to_owned()));
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(io)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(io)?;
        let metrics = handle.metrics().clone();
        Ok(Self { listener, path: path.to_owned(), router: router(handle, format), metrics })
    }

    /// The same, and how much is logged can be changed through it.
    #[must_use]
    pub fn with_levels(self, levels: Levels) -> Self {
        Self { router: self.router.merge(log_level::routes(levels)), ..self }
    }

    /// The same, and through it the settings can be read anew by whoever takes from `asks`, one after the other.
    #[must_use]
    pub fn with_reload(self, asks: mpsc::Sender<ReloadAsked>) -> Self {
        Self { router: self.router.merge(reload::routes(asks)), ..self }
    }

    /// Serves until `stop`; then what was begun is finished, and the socket is removed.
    ///
    /// # Errors
    /// When the socket can not be served any more.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let count = middleware::from_fn_with_state((self.metrics, Api::Admin), watch::count_all);
        let router = self.router.layer(middleware::from_fn(let_in)).layer(count);
        let service = router.into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(self.listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let result = tokio::select! {
            result = serving.into_future() => result,
            // Whoever has not finished asking by now does not get an answer.
            () = overdue => Ok(()),
        };
        // Whoever comes next replaces what may be left.
        let _ = std::fs::remove_file(&self.path);
        result
    }
}

fn router(handle: Handle, format: Format) -> Router {
    let dumps = Router::new()
        .route("/export", get(dump::export))
        .route("/backup", get(dump::backup))
        .route("/import", post(dump::import))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state((handle.clone(), format));
    let commands = Router::new().route("/command", post(command::take)).route(metrics::PATH, metrics::route());
    commands.with_state(handle).merge(dumps)
}

async fn let_in(ConnectInfo(peer): ConnectInfo<Peer>, mut request: Request, next: Next) -> Response {
    let own = rustix::process::geteuid().as_raw();
    if let Some(uid) = peer.uid.filter(|uid| *uid == 0 || *uid == own) {
        request.extensions_mut().insert(Who::Local(uid));
        return watch::trace_local(uid, request, next).await;
    }
    tracing::warn!(uid = peer.uid, "admin socket: turned away");
    let what = format!("only root and the user that rosterd runs as (uid {own}) may use the admin socket");
    (StatusCode::FORBIDDEN, axum::Json(Problem::new(what))).into_response()
}
