//! What signals ask the daemon to do, how its parts stop, the service manager that it may run under, and how many
//! files it may open.

pub mod notify;
pub mod sockets;
pub mod watchdog;

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

/// The signals that the daemon knows: SIGTERM and SIGINT end it, SIGHUP has it read its files anew.
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

    /// The name of the next one that asks for the end. Meanwhile those that ask for something to be read anew are passed on.
    pub async fn to_stop(&mut self, reload: &Reload) -> &'static str {
        loop {
            tokio::select! {
                _ = self.term.recv() => return "SIGTERM",
                _ = self.int.recv() => return "SIGINT",
                _ = self.hup.recv() => reload.ask(),
            }
        }
    }
}

/// Tells whoever reads files that may change to read them anew.
#[derive(Debug, Default)]
pub struct Reload(watch::Sender<()>);

impl Reload {
    /// Changes whenever it is asked for.
    #[must_use]
    pub fn asked(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }

    fn ask(&self) {
        info!("SIGHUP: the configuration and the certificate are read anew");
        self.0.send_replace(());
    }
}

/// Raises how many files this process may have open as far as it may, and gives that number.
#[must_use]
pub fn raise_file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
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
                error!(part = name, "ended by itself, rosterd stops");
            }
        });
    }

    /// Tells its tasks to stop, and waits until they have, until `end` at the longest.
    pub async fn stop(&self, end: Instant) {
        self.stop.cancel();
        self.tasks.close();
        let began = Instant::now();
        if timeout_at(end, self.tasks.wait()).await.is_err() {
            warn!(part = self.name, "did not stop within {:.1?}, going on without it", began.elapsed());
        } else {
            info!(part = self.name, "stopped");
        }
    }
}
