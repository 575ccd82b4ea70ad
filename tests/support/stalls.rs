//! How late a busy machine is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

const BEAT: Duration = Duration::from_millis(10);

/// Measures by how much a beat comes late, all in all, until it is dropped: so much later than promised anything may
/// happen on this machine, for no reason of its own.
pub(crate) struct Stalls {
    late: Arc<AtomicU64>,
    _beating: JoinSet<()>,
}

impl Stalls {
    pub(crate) fn measure() -> Self {
        let late = Arc::<AtomicU64>::default();
        let sum = late.clone();
        let mut beating = JoinSet::new();
        beating.spawn(async move {
            let mut beat = interval(BEAT);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat.tick().await;
            let mut before = Instant::now();
            loop {
                beat.tick().await;
                let late = before.elapsed().saturating_sub(BEAT);
                sum.fetch_add(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
                before = Instant::now();
            }
        });
        Self { late, _beating: beating }
    }

    /// So far.
    pub(crate) fn late(&self) -> Duration {
        Duration::from_micros(self.late.load(Ordering::Relaxed))
    }
}
