//! Who is named in the log for stanzas that were dropped, and how often.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// A sender is named this often at the most.
const NAMED_EVERY: Duration = Duration::from_mins(1);
/// The most senders that are told apart; all others together are named as often as one.
const SENDERS_MOST: usize = 256;
/// No address is empty.
const OTHERS: &str = "";

/// Remembers who was named.
#[derive(Debug, Default)]
pub(super) struct Drops {
    named: HashMap<Box<str>, Instant>,
}

impl Drops {
    /// Whether a stanza from this sender is to be logged.
    pub(super) fn is_news(&mut self, from: &str, now: Instant) -> bool {
        let is_old = |since: &Instant| now.duration_since(*since) >= NAMED_EVERY;
        let mut from = from;
        if !self.named.contains_key(from) && self.named.len() >= SENDERS_MOST {
            self.named.retain(|_, since| !is_old(since));
            if self.named.len() >= SENDERS_MOST {
                from = OTHERS;
            }
        }
        if self.named.get(from).is_some_and(|since| !is_old(since)) {
            return false;
        }
        self.named.insert(from.into(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_named_once_a_minute_and_the_table_is_bounded() {
        let mut drops = Drops::default();
        let now = Instant::now();
        assert!(drops.is_news("ann@localhost", now));
        assert!(!drops.is_news("ann@localhost", now));
        assert!(drops.is_news("bob@localhost", now));
        let news = (0..10_000).filter(|n| drops.is_news(&format!("u{n}@localhost"), now)).count();
        assert_eq!(news, SENDERS_MOST - 2 + 1);
        let later = now + NAMED_EVERY;
        assert!(drops.is_news("ann@localhost", later));
        assert!(drops.is_news("u9999@localhost", later));
        assert!(drops.named.len() <= SENDERS_MOST + 1);
    }
}
