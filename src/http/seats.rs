//! How many connections there are, in all and of one address.
//!
//! Who comes when there is no room takes the place of the connection on which nothing was asked for the longest time, or where
//! all have asked, of the one that has been longest in sending the body of what it asked, or in taking the answer. So
//! connections that want nothing, or take their time, keep nobody out, however many: no page, and no supervisor's health check.
//! Only where something is being done for every connection is one that comes turned away, at once.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::warn;

use super::{activity::Activity, limits::Limits};
use crate::metrics::{Metrics, Seated};

/// How often it is said that there is no room.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// The connections that there are.
#[derive(Debug, Clone)]
pub(super) struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    limits: Limits,
    next: u64,
    by_number: BTreeMap<u64, (IpAddr, Arc<Activity>)>,
    of_address: BTreeMap<IpAddr, usize>,
    /// When it was last said that there is no room.
    said: Option<Instant>,
    metrics: Metrics,
}

/// One connection's place, as long as this lives.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    seats: Seats,
}

impl Seats {
    pub(super) fn new(limits: Limits, metrics: Metrics) -> Self {
        let (by_number, of_address) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Taken { limits, next: 0, by_number, of_address, said: None, metrics })))
    }

    /// A place for a connection from `peer`; `None` when there is none, and something is being done for all who have one.
    pub(super) fn take(&self, peer: IpAddr, activity: Arc<Activity>) -> Option<Seat> {
        let number = self.lock().take(counted(peer), activity)?;
        Some(Seat { number, seats: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn take(&mut self, peer: IpAddr, activity: Arc<Activity>) -> Option<u64> {
        let of_peer = self.of_address.get(&peer).copied().unwrap_or(0);
        let is_full_for_peer = !peer.is_loopback() && of_peer >= self.limits.per_address;
        let is_full = self.by_number.len() >= self.limits.connections;
        let has_room = match (is_full_for_peer, is_full) {
            (true, _) => self.make_room(Some(peer)),
            (false, true) => self.make_room(None),
            (false, false) => true,
        };
        if is_full || is_full_for_peer {
            self.say(has_room, peer);
        }
        if !has_room {
            self.metrics.http().seated(Seated::Refused);
            return None;
        }
        self.metrics.http().seated(Seated::Taken);
        self.metrics.http().connections(1);
        let number = self.next;
        self.next += 1;
        *self.of_address.entry(peer).or_default() += 1;
        self.by_number.insert(number, (peer, activity));
        Some(number)
    }

    /// Ends the connection that can be spared best, of this address or of all.
    fn make_room(&mut self, of: Option<IpAddr>) -> bool {
        let theirs = self.by_number.iter().filter(|(_, (peer, _))| of.is_none_or(|of| of == *peer));
        let spare = theirs.filter_map(|(number, (_, activity))| Some((activity.spare()?, *number)));
        let Some((_, number)) = spare.min() else { return false };
        self.leave(number);
        self.metrics.http().seated(Seated::Evicted);
        true
    }

    fn leave(&mut self, number: u64) {
        let Some((peer, activity)) = self.by_number.remove(&number) else { return };
        activity.end();
        self.metrics.http().connections(-1);
        if let Some(of_peer) = self.of_address.get_mut(&peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                self.of_address.remove(&peer);
            }
        }
    }

    /// At most once in [`SAY_EVERY`], however many come.
    fn say(&mut self, has_room: bool, peer: IpAddr) {
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            let connections = self.by_number.len();
            warn!(%peer, connections, turned_away = !has_room, "too many connections: those that are idle or slow are closed");
            self.said = Some(Instant::now());
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().leave(self.number);
    }
}

/// What counts as one address: of IPv6 what one customer of a network gets.
fn counted(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(connections: usize, per_address: usize) -> Seats {
        Seats::new(Limits { connections, per_address }, Metrics::default())
    }

    fn activity() -> Arc<Activity> {
        Arc::new(Activity::new(Duration::from_secs(30)))
    }

    fn take(seats: &Seats, peer: &str) -> Option<Seat> {
        seats.take(peer.parse().unwrap(), activity())
    }

    fn numbers(seats: &Seats) -> Vec<u64> {
        seats.lock().by_number.keys().copied().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_idle_longest_goes_first() {
        let seats = seats(2, 9);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(take(&seats, "192.0.2.1").unwrap());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(numbers(&seats), [1, 2]);
        held.remove(0);
        assert_eq!(numbers(&seats), [1, 2], "whose place was given away gives up nobody else's");
        held.clear();
        assert!(numbers(&seats).is_empty());
        assert!(seats.lock().of_address.is_empty());
    }

    #[tokio::test]
    async fn each_address_has_its_share() {
        let seats = seats(100, 2);
        let mut held: Vec<_> =
            ["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"].map(|peer| take(&seats, peer)).into();
        assert_eq!(numbers(&seats), [1, 2, 3], "an address takes its own places only");
        held.extend(["2001:db8::1", "2001:db8::2:1", "2001:db8::3"].map(|peer| take(&seats, peer)));
        assert_eq!(numbers(&seats), [1, 2, 3, 5, 6], "of a /64 there is one share");
        held.extend((0..9).map(|_| take(&seats, "127.0.0.1")));
        held.extend((0..9).map(|_| take(&seats, "::1")));
        assert_eq!(numbers(&seats).len(), 23, "a proxy on this machine speaks for many");
    }
}
