//! How long to wait before the next attempt.

use std::time::Duration;

/// Twice as long after every failure, and never the same for two daemons.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    least: Duration,
    most: Duration,
    stable: Duration,
    next: Duration,
    patient: bool,
}

impl Backoff {
    /// From `least` up to `most`, and from `least` again after a link that lasted `stable`.
    pub(super) const fn new(least: Duration, most: Duration, stable: Duration) -> Self {
        Self { least, most, stable, next: least, patient: false }
    }

    /// The next wait is one of the longest, whatever was before it.
    pub(super) const fn be_patient(&mut self) {
        self.patient = true;
    }

    /// How long to wait after a link that lasted so long: between half of what is due and all of it, as `chance` will.
    pub(super) fn wait(&mut self, lasted: Duration, chance: u32) -> Duration {
        if lasted >= self.stable {
            self.next = self.least;
        }
        if std::mem::take(&mut self.patient) {
            self.next = self.most;
        }
        let due = self.next;
        self.next = (due * 2).min(self.most);
        due / 2 + due.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_most_and_starts_anew_after_a_stable_link() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(60), seconds(60));
        let waits: Vec<_> = (0..8).map(|_| backoff.wait(Duration::ZERO, u32::MAX).as_secs_f64().round()).collect();
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(backoff.wait(seconds(59), 0), seconds(30));
        assert_eq!(backoff.wait(seconds(60), 0), Duration::from_millis(500));
        backoff.be_patient();
        assert_eq!(backoff.wait(seconds(60), u32::MAX), seconds(60));
        assert_eq!(backoff.wait(seconds(60), u32::MAX), seconds(1));
    }
}
