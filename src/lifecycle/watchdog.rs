//! Proof of life for the service manager, which ends and starts anew who gives none.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{error, info};

/// Says that the daemon is `alive` twice in the time `within`, each time after it has taken a `turn`: where that takes longer,
/// nothing is said. Ends when there are no turns any more (`false`).
pub async fn feed<T>(within: Duration, turn: impl Fn() -> T, alive: impl Fn())
where
    T: Future<Output = bool>,
{
    loop {
        let next = Instant::now() + within / 2;
        let taking = turn();
        tokio::pin!(taking);
        let mut goes_on = timeout_at(next, &mut taking).await;
        if goes_on.is_err() {
            error!("the engine is stuck: if it stays so, the service manager ends rosterd and starts it anew");
            goes_on = Ok(taking.await);
            info!("the engine works again");
        }
        if goes_on != Ok(true) {
            return;
        }
        alive();
        sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        future::pending,
    };

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    /// When it was said that all is well, in seconds from the beginning, where turns take so long, or for ever.
    async fn beats(turns: &[Option<u64>]) -> Vec<u64> {
        let (began, beats, next) = (Instant::now(), RefCell::new(Vec::new()), Cell::new(0));
        let turn = async || {
            let length = turns.get(next.replace(next.get() + 1));
            match length {
                None => return false,
                Some(None) => pending().await,
                Some(Some(seconds)) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
            }
            true
        };
        let feeding = feed(WITHIN, turn, || beats.borrow_mut().push(began.elapsed().as_secs()));
        let _ = tokio::time::timeout(Duration::from_hours(1), feeding).await;
        beats.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn each_beat_follows_a_turn() {
        assert_eq!(beats(&[Some(0), Some(0), Some(14), Some(0)]).await, [0, 15, 44, 45], "twice in the time");
        assert_eq!(beats(&[Some(0), Some(20), Some(0)]).await, [0, 35, 35], "slow, but not stuck");
        assert_eq!(beats(&[Some(0), None, Some(0)]).await, [0], "stuck for good");
        assert_eq!(beats(&[]).await, [0; 0], "it has ended");
    }
}
