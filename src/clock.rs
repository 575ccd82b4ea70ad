//! What time it is for people, and how moments are written down (RFC 3339).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use tokio::time::Instant;

use crate::domain::UnixTime;

/// The last moment that can be written: four digits of a year are all there are.
const LAST: &str = "9999-12-31T23:59:59Z";

/// Where it is read what time it is. It may jump, forwards and back: what waits for a moment has to look again and again.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The clock of the operating system.
    #[default]
    System,
    /// One that is set by hand: seconds since 1970.
    Set(Arc<AtomicU64>),
}

/// A moment by both clocks: the one that never jumps, and the one of people.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For how long something takes.
    pub instant: Instant,
    /// For when something is to happen.
    pub wall: UnixTime,
}

impl Clock {
    /// What time it is, to the second that has begun.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        UnixTime(self.since_1970().as_secs())
    }

    /// What time it is by both clocks.
    #[must_use]
    pub fn both(&self) -> Now {
        Now { instant: Instant::now(), wall: self.now() }
    }

    /// What time it was at a moment in the past, to the nearest second.
    #[must_use]
    pub fn at(&self, moment: Instant) -> UnixTime {
        let then = self.since_1970().saturating_sub(moment.elapsed());
        UnixTime((then + Duration::from_millis(500)).as_secs())
    }

    fn since_1970(&self) -> Duration {
        match self {
            // Before 1970 it is 1970.
            Self::System => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            Self::Set(seconds) => Duration::from_secs(seconds.load(Ordering::SeqCst)),
        }
    }
}

/// `2026-11-22T02:30:00Z`. A moment after the year 9999 is written as the last one of it.
#[must_use]
pub fn write(moment: UnixTime) -> String {
    let seconds = i64::try_from(moment.0).ok();
    let moment = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| LAST.to_owned())
}

/// `2026-11-22 02:30 UTC`, for people.
#[must_use]
pub fn say(moment: UnixTime) -> String {
    let text = write(moment);
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

/// Takes a moment of RFC 3339 in whichever zone; what is below a second is cut off, and what is before 1970 is 1970.
///
/// # Errors
/// A sentence that says what is wanted.
pub fn read(text: &str) -> Result<UnixTime, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
    let moment = moment.and_then(|moment| moment.checked_to_offset(UtcOffset::UTC));
    let moment = moment.map(|moment| UnixTime(u64::try_from(moment.unix_timestamp()).unwrap_or_default()));
    moment.ok_or_else(|| format!("{text:?} is no moment: write it as in 2026-11-22T02:30:00Z (RFC 3339)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let check = |text: &str| read(text).map(|moment| (moment.0, write(moment)));
        assert_eq!(check("1970-01-01T00:00:00Z"), Ok((0, "1970-01-01T00:00:00Z".into())));
        assert_eq!(check("0001-02-03T04:05:06Z"), Ok((0, "1970-01-01T00:00:00Z".into())));
        assert_eq!(check("2026-11-22T02:30:00Z"), Ok((1_795_314_600, "2026-11-22T02:30:00Z".into())));
        assert_eq!(check("2026-11-22t04:30:00.999+02:00"), Ok((1_795_314_600, "2026-11-22T02:30:00Z".into())));
        assert_eq!(check("9999-12-31T23:59:59Z"), Ok((253_402_300_799, LAST.into())));
        for bad in ["", "now", "2026-02-30T00:00:00Z", "2026-11-22", "2026-11-22T02:30:00", "7"] {
            assert!(check(bad).unwrap_err().contains("RFC 3339"), "{bad}");
        }
        assert!(check("9999-12-31T23:59:59-23:59").is_err(), "in our zone that is the year 10000");
        assert_eq!(say(UnixTime(1_795_314_659)), "2026-11-22 02:30 UTC");
        assert_eq!((write(UnixTime(u64::MAX)), write(UnixTime(253_402_300_800))), (LAST.into(), LAST.into()));
    }

    #[tokio::test(start_paused = true)]
    async fn moments_in_the_past() {
        let seconds = Arc::new(AtomicU64::new(1_000));
        let clock = Clock::Set(seconds.clone());
        let then = Instant::now();
        tokio::time::advance(Duration::from_secs(30)).await;
        seconds.store(1_030, Ordering::SeqCst);
        assert_eq!((clock.now().0, clock.at(then).0), (1_030, 1_000));
        assert!(Clock::System.now() > UnixTime(1_700_000_000));
    }
}
