//! The one thread that writes.

use std::{sync::Arc, thread};

use tokio::sync::{mpsc, oneshot};

use super::{Store, StoreError, Trail};
use crate::domain::Write;

type Job = (Vec<Write>, oneshot::Sender<(Vec<Write>, Result<(), StoreError>)>);

/// Hands changes to a thread that owns the store. Its end waits for the change at hand.
#[derive(Debug)]
pub struct Committer {
    jobs: Option<mpsc::Sender<Job>>,
    trail: Arc<dyn Trail>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(mut store: Box<dyn Store>) -> std::io::Result<Self> {
        let trail = store.trail();
        let (jobs, mut queue) = mpsc::channel::<Job>(1);
        let work = move || {
            while let Some((change, done)) = queue.blocking_recv() {
                let result = store.commit(&change);
                // Who asked may have gone; what is written stays written.
                let _ = done.send((change, result));
            }
        };
        let thread = thread::Builder::new().name("store".to_owned()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), trail, thread: Some(thread) })
    }

    /// The way to read the audit log.
    #[must_use]
    pub fn trail(&self) -> Arc<dyn Trail> {
        self.trail.clone()
    }

    /// Has `change` written, and gives it back with the result.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn commit(&self, change: Vec<Write>) -> (Vec<Write>, Result<(), StoreError>) {
        let (done, answer) = oneshot::channel();
        let Some(jobs) = &self.jobs else { return (change, Err(StoreError::Stopped)) };
        if let Err(mpsc::error::SendError((change, _))) = jobs.send((change, done)).await {
            return (change, Err(StoreError::Stopped));
        }
        answer.await.unwrap_or_else(|_| (Vec::new(), Err(StoreError::Stopped)))
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed, and every change it held was answered with an error.
            let _ = thread.join();
        }
    }
}
