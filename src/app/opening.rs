//! A large store takes its time to open: the service manager is asked for that time, and whoever looks on is told.

use std::time::Duration;

use tokio::time::{Instant, interval_at};

/// How often more time is asked for.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// For how long: the service manager ends who starts for much longer.
const OPEN_MOST: Duration = Duration::from_mins(30);

/// Asks for so much `more` time from then on, again and again, and says for how long it has been `going_on`. Never ends.
pub(super) async fn ask_for_time(more: impl Fn(Duration), going_on: impl Fn(Duration)) -> std::convert::Infallible {
    let began = Instant::now();
    let mut slow = interval_at(began + ASK_EVERY, ASK_EVERY);
    loop {
        slow.tick().await;
        let took = began.elapsed();
        going_on(took);
        if took <= OPEN_MOST {
            more(ASK_EVERY * 3);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_is_asked_for_before_it_is_over_and_not_for_ever() {
        let (began, until) = (Instant::now(), RefCell::new(Vec::new()));
        let more = |length: Duration| {
            until.borrow_mut().push((began.elapsed().as_secs(), (began.elapsed() + length).as_secs()));
        };
        let asking = ask_for_time(more, |_| ());
        assert!(tokio::time::timeout(Duration::from_hours(2), asking).await.is_err());
        let asked = until.into_inner();
        assert_eq!(asked[..3], [(10, 40), (20, 50), (30, 60)]);
        assert!(asked.windows(2).all(|pair| pair[1].0 < pair[0].1), "each before the last is over");
        assert_eq!(asked.last(), Some(&(1_800, 1_830)));
    }
}
