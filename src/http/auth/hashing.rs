//! Passwords that are checked, some at a time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{config::Secret, password};

/// How many may wait for their turn; who comes after that is told to come again.
const WAITING_MOST: usize = 64;

/// The passwords that are checked at a time: each takes a processor and 19 MiB for a while.
#[derive(Debug)]
pub(super) struct Hashing {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    /// How many were checked.
    done: AtomicU64,
}

/// Somebody's turn. It is over when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

/// Too many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busy;

/// What came of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wrong,
    Right,
    /// Right, and this is the same password in the form that is made today.
    Renewed(Box<str>),
}

impl Hashing {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with(processors, WAITING_MOST)
    }

    fn with(at_a_time: usize, waiting: usize) -> Self {
        let (places, turns) = (Semaphore::new(at_a_time + waiting), Semaphore::new(at_a_time));
        Self { places: Arc::new(places), turns: Arc::new(turns), done: AtomicU64::new(0) }
    }

    /// Waits for a turn, unless too many do.
    pub(super) async fn turn(&self) -> Result<Turn, Busy> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Busy)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| Busy)?;
        Ok(Turn { _place: place, _turn: turn })
    }

    /// Checks a password. Where there is no hash, since nobody has the name, that takes as long, and the password is wrong.
    pub(super) async fn check(&self, turn: Turn, password: Secret, hash: Option<Box<str>>) -> Verdict {
        self.done.fetch_add(1, Ordering::Relaxed);
        let work = move || {
            // Held until the work ends, even when who asked has gone.
            let _turn = turn;
            let Some(hash) = hash else {
                password::verify_nobody(password.reveal());
                return Verdict::Wrong;
            };
            match password::verify(password.reveal(), &hash) {
                false => Verdict::Wrong,
                true if password::is_outdated(&hash) => {
                    password::hash(password.reveal()).map_or(Verdict::Right, Verdict::Renewed)
                }
                true => Verdict::Right,
            }
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Verdict::Wrong)
    }
}

#[cfg(test)]
impl Hashing {
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_queue_has_an_end() {
        let hashing = Hashing::with(1, 1);
        let first = hashing.turn().await.unwrap();
        let mut second = Box::pin(hashing.turn());
        assert!(futures::poll!(&mut second).is_pending(), "one at a time");
        assert_eq!(hashing.turn().await.unwrap_err(), Busy);
        drop(first);
        let second = second.await.unwrap();
        let mut third = Box::pin(hashing.turn());
        assert!(futures::poll!(&mut third).is_pending(), "there is a place again");
        drop(second);
        third.await.unwrap();
    }

    #[tokio::test]
    async fn an_outdated_form_is_renewed() {
        let hashing = Hashing::with(1, 0);
        let check = async |password: &str, hash: Option<Box<str>>| {
            hashing.check(hashing.turn().await.unwrap(), Secret::new(password.to_owned()), hash).await
        };
        let weak = "$argon2id$v=19$m=8,t=1,p=1$c2FsdCBmb3IgYSB0ZXN0$".to_owned();
        assert_eq!(check("x", Some(weak.into())).await, Verdict::Wrong);
        let old = crate::http::testing::cheap_hash();
        let Verdict::Renewed(new) = check("pass:word", Some(old)).await else { panic!("it is weak") };
        assert_eq!(check("pass:word", Some(new)).await, Verdict::Right);
        assert_eq!(check("pass:word", None).await, Verdict::Wrong);
        assert_eq!(hashing.done(), 4);
    }
}
