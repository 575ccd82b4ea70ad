//! HTTP Basic sends the password with every request, and to check one is slow on purpose. So who was right a moment ago is
//! right again.
//!
//! What is kept is a MAC over the name, the password and the hash that the login had, under a key that is made at every
//! start: none of them can be told from it. Since the hash is part of it, another password voids it at once.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hmac::{Hmac, KeyInit, Mac};
use quick_cache::unsync::Cache;
use sha2::Sha256;
use tokio::time::Instant;

/// How many are remembered; of more, those that are used least are forgotten.
const MOST: usize = 10_000;

/// Name, password and hash, in a form that says nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mark([u8; 32]);

/// Who was right a moment ago.
#[derive(Debug)]
pub(super) struct Remembered {
    /// `None`: there was none to be had.
    key: Option<[u8; 32]>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// For how long.
    most: Duration,
    when: Cache<Mark, Instant>,
}

impl Remembered {
    /// Remembers for as long as `most`; nothing is not at all. Nor is anything remembered where there is no key to be had.
    pub(super) fn new(most: Duration) -> Self {
        let mut key = [0; 32];
        let key = getrandom::fill(&mut key).is_ok().then_some(key);
        Self { key, kept: Mutex::new(Kept { most, when: Cache::new(MOST) }) }
    }

    /// For so long from now on, be it that somebody is remembered already.
    pub(super) fn set_most(&self, most: Duration) {
        self.kept().most = most;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn mark(&self, name: &str, password: &str, hash: &str) -> Mark {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key.unwrap_or_default()).expect("a key of any length will do");
        for part in [name, password, hash] {
            // With their lengths, so that no two take each other's letters.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Mark(mac.finalize().into_bytes().into())
    }

    pub(super) fn knows(&self, mark: Mark) -> bool {
        let mut kept = self.kept();
        match kept.when.get(&mark) {
            Some(moment) if moment.elapsed() < kept.most => true,
            Some(_) => {
                kept.when.remove(&mark);
                false
            }
            None => false,
        }
    }

    pub(super) fn remember(&self, mark: Mark) {
        let mut kept = self.kept();
        if self.key.is_some() && !kept.most.is_zero() {
            kept.when.insert(mark, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn for_a_while_and_no_longer() {
        let remembered = Remembered::new(Duration::from_mins(5));
        let mark = remembered.mark("ann", "secret", "$argon2id$x");
        assert!(!remembered.knows(mark));
        remembered.remember(mark);
        tokio::time::advance(Duration::from_secs(299)).await;
        assert!(remembered.knows(mark));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!remembered.knows(mark), "its use does not prolong it");
        remembered.remember(mark);
        tokio::time::advance(Duration::from_secs(59)).await;
        remembered.set_most(Duration::from_mins(1));
        assert!(remembered.knows(mark));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!remembered.knows(mark), "a shorter time counts from when they were right");
        let never = Remembered::new(Duration::ZERO);
        never.remember(mark);
        assert!(!never.knows(mark));
    }

    #[tokio::test]
    async fn each_part_counts() {
        let remembered = Remembered::new(Duration::from_mins(5));
        let mark = remembered.mark("ann", "secret", "x");
        for other in [("bob", "secret", "x"), ("ann", "secrets", "x"), ("ann", "secret", "y"), ("anns", "ecret", "x")] {
            assert_ne!(remembered.mark(other.0, other.1, other.2), mark);
        }
        assert_ne!(Remembered::new(Duration::ZERO).mark("ann", "secret", "x"), mark, "each start has its key");
    }

    #[tokio::test]
    async fn not_everybody_is_remembered() {
        let remembered = Remembered::new(Duration::from_mins(5));
        for number in 0..2 * MOST {
            remembered.remember(remembered.mark(&number.to_string(), "", ""));
        }
        assert!(remembered.kept().when.len() <= MOST);
    }
}
