//! How the daemon ends: what asks it to, and in which order its parts stop.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

/// How long each step of a stop may take before the next one is taken all the same.
pub const STEP_MOST: Duration = Duration::from_secs(4);

/// How long the goodbye of the link may take, so that its step is not cut short.
pub const GOODBYE_MOST: Duration = Duration::from_secs(3);

/// The signals that end the daemon: SIGTERM, SIGINT and SIGHUP.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    /// From here on these signals end nothing by themselves.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn take() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// The name of the next one that comes.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
            _ = self.hup.recv() => "SIGHUP",
        }
    }
}

/// A part of the daemon: tasks that stop together.
#[derive(Debug)]
pub struct Part {
    name: &'static str,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Part {
    /// A part with nothing in it yet.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, stop: CancellationToken::new(), tasks: TaskTracker::new() }
    }

    /// What its tasks stop on.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task. When it ends before it was told to, `ended` is cancelled: the daemon can not do its work without it.
    pub fn start(&self, task: impl Future<Output = ()> + Send + 'static, ended: &CancellationToken) {
        let (name, stop, ended) = (self.name, self.stop.clone(), ended.clone());
        let guard = ended.drop_guard();
        self.tasks.spawn(async move {
            task.await;
            if stop.is_cancelled() {
                guard.disarm();
            } else {
                warn!(part = name, "ended by itself, rosterd stops");
            }
        });
    }

    /// Tells its tasks to stop, and waits until they have.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(STEP_MOST, self.tasks.wait()).await.is_err() {
            warn!(part = self.name, "did not stop within {STEP_MOST:?}, going on without it");
        } else {
            info!(part = self.name, "stopped");
        }
    }
}
