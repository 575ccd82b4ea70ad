//! Passwords that are checked, some at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Known;
use crate::{config::Secret, password};

/// The passwords that are checked at a time: each takes a processor and 19 MiB for a while.
#[derive(Debug, Clone)]
pub(in crate::http) struct Hashing(Arc<Semaphore>);

impl Hashing {
    pub(in crate::http) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors)))
    }

    pub(super) async fn check(&self, found: Option<Known>, password: Secret) -> Option<Known> {
        let permit = self.0.clone().acquire_owned().await.ok()?;
        let work = move || {
            // Held until the work ends, even when who asked has gone.
            let _permit = permit;
            let Some(known) = found else {
                password::verify_nobody(password.reveal());
                return None;
            };
            password::verify(password.reveal(), &known.hash).then_some(known)
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }
}
