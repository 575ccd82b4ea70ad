//! How the daemon ends: in what order its parts stop, and how long that may take in the worst case.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::{
    engine::Handle,
    lifecycle::{Part, notify},
};

/// How long the whole stop may take, whatever hangs. What is left of ten seconds is for the process to end.
const STOP_MOST: Duration = Duration::from_millis(8_500);
/// How long followers may take to be told that their queues are closed.
const CLOSE_MOST: Duration = Duration::from_millis(2_500);
/// How long the goodbye of the link may take.
pub(super) const GOODBYE_MOST: Duration = Duration::from_secs(2);
/// How much longer than its own bound a part may take.
const SLACK: Duration = Duration::from_millis(500);
/// How long those parts may take that answer somebody: requests that were begun have three seconds.
const ANSWERS_MOST: Duration = Duration::from_secs(4);
/// How long the process may wait for threads that still work, once everything has stopped.
pub const THREADS_MOST: Duration = Duration::from_secs(1);

/// The parts of the daemon.
pub(super) struct Parts {
    pub(super) engine: Part,
    pub(super) link: Part,
    /// Those that answer somebody, or work for the engine.
    pub(super) others: Vec<Part>,
    /// Tells the service manager how things are.
    pub(super) status: Part,
    /// Tells it that the engine lives.
    pub(super) watchdog: Part,
}

impl Parts {
    /// Closes the queues for their followers and ends the link; meanwhile what was asked is answered. Then the engine has the
    /// rest of the time to have everything on disk.
    pub(super) async fn stop(&self, handle: &Handle) {
        let end = Instant::now() + STOP_MOST;
        self.status.stop(Instant::now() + SLACK).await;
        notify::stopping("Stopping: telling followers that the queues are closed, and answering what was asked");
        let closing = async {
            if timeout(CLOSE_MOST, handle.close()).await.is_err() {
                warn!("not every follower of every queue could be told that it is closed");
            }
            self.link.stop(Instant::now() + GOODBYE_MOST + SLACK).await;
        };
        let answering =
            futures::future::join_all(self.others.iter().map(|part| part.stop(Instant::now() + ANSWERS_MOST)));
        tokio::join!(closing, answering);
        notify::status("Stopping: writing what was asked to disk");
        self.engine.stop(end).await;
        self.watchdog.stop(end).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        domain::{Desk, Name, Policy},
        engine::Engine,
        store::{Committer, MemoryStore},
    };

    /// An engine that nobody runs: whoever asks it for something waits for ever.
    fn stuck() -> (Engine, Handle) {
        let watcher = Name::parse("staffing", Name::QUEUE_MOST).unwrap();
        let policy = Policy::new("queues.localhost", "localhost", watcher);
        let desk = Desk::restore(policy, Vec::new(), Instant::now().into_std()).unwrap();
        let committer = Committer::start(Box::new(MemoryStore::default())).unwrap();
        let (engine, handle, _) = Engine::new(desk, committer, CancellationToken::new());
        (engine, handle)
    }

    #[tokio::test(start_paused = true)]
    async fn ten_seconds_whatever_hangs() {
        let (_engine, handle) = stuck();
        let hanging = |name| {
            let part = Part::new(name);
            part.start(pending(), &CancellationToken::new());
            part
        };
        let others = ["https", "public presence", "admin", "ejabberd"].map(hanging).into();
        let [engine, link, status, watchdog] = ["engine", "link", "status", "watchdog"].map(hanging);
        let parts = Parts { engine, link, others, status, watchdog };
        let began = Instant::now();
        parts.stop(&handle).await;
        assert_eq!(began.elapsed(), STOP_MOST, "the engine had all the time that there is");
        assert!(STOP_MOST + THREADS_MOST < Duration::from_secs(10));
        let before = SLACK + CLOSE_MOST + GOODBYE_MOST + SLACK;
        assert!(before + Duration::from_secs(3) <= STOP_MOST, "the store has its time too");
    }

    #[tokio::test(start_paused = true)]
    async fn no_longer_than_it_takes() {
        let (engine, handle) = stuck();
        let [engine_part, link, web, status, watchdog] =
            ["engine", "link", "https", "status", "watchdog"].map(Part::new);
        let parts = Parts { engine: engine_part, link, others: vec![web], status, watchdog };
        parts.engine.start(engine.run(parts.engine.stop_token()), &CancellationToken::new());
        let began = Instant::now();
        parts.stop(&handle).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
