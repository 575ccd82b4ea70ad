//! How often somebody may try in vain: of an address, and of a name.
//!
//! Each has a bucket of attempts that fills again with time (GCRA: kept as the moment at which it will be full). A failure
//! takes one out; who finds it empty is not looked at, and told how long to wait. So nothing is ever locked for good: an
//! attempt comes back every few seconds. Whoever attacks a name could still take each of these away from its owner, so
//! the bucket of a name does not concern addresses at which that login has been let in before.
//!
//! Tokens have buckets of their own: a program with one that was revoked asks again and again, and guesses nothing. And since
//! whoever has an IPv6 /48 has 65,536 addresses as they are counted here, it has a bucket too, of eight times the size, which
//! does not concern who has been let in from their part of it before.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How many are remembered, of each kind: about 8 MB. When there are more, those that could try most again are forgotten;
/// each costs whoever wants that a password's check.
const MOST: usize = 65_536;
/// How many are forgotten at a time.
const FORGET: usize = MOST / 8;

/// Attempts that may fail at once, and how long it takes until one comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) every: Duration,
}

/// How much larger the bucket of an IPv6 /48 is, and how much faster it fills again.
const SITE: u32 = 8;

/// An address as it is counted: of IPv6 the network, since everybody has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

impl Network {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            IpAddr::V4(address) => Self(address.into()),
        }
    }

    /// The /48 that it is in; `None` of IPv4.
    fn site(self) -> Option<Self> {
        match self.0 {
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                Some(Self(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()))
            }
            IpAddr::V4(_) => None,
        }
    }
}

/// Buckets, each with its own failures.
#[derive(Debug)]
struct Buckets<K> {
    rate: Rate,
    full_at: HashMap<K, Instant>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    fn new(rate: Rate) -> Self {
        Self { rate, full_at: HashMap::new() }
    }

    /// How long until there is an attempt again; nothing when there is one.
    fn wait(&self, key: &K, now: Instant) -> Duration {
        let Some(full_at) = self.full_at.get(key) else { return Duration::ZERO };
        let missing = full_at.saturating_duration_since(now).min(self.rate.every * self.rate.burst);
        (missing + self.rate.every).saturating_sub(self.rate.every * self.rate.burst)
    }

    fn fail(&mut self, key: K, now: Instant) {
        if self.full_at.len() >= MOST && !self.full_at.contains_key(&key) {
            self.forget(now);
        }
        let most = now + self.rate.every * self.rate.burst;
        let full_at = self.full_at.entry(key).or_insert(now);
        *full_at = ((*full_at).max(now) + self.rate.every).min(most);
    }

    /// Makes room: forgets the full ones, and if that is not enough those that are nearest to it.
    fn forget(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() <= MOST - FORGET {
            return;
        }
        let mut moments: Vec<_> = self.full_at.values().copied().collect();
        let (_, limit, _) = moments.select_nth_unstable(FORGET);
        let limit = *limit;
        let mut left = FORGET;
        self.full_at.retain(|_, full_at| {
            let goes = left > 0 && *full_at <= limit;
            left -= usize::from(goes);
            !goes
        });
    }
}

/// Everybody who has tried in vain of late.
#[derive(Debug)]
pub(in crate::http) struct Throttle {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    networks: Buckets<Network>,
    sites: Buckets<Network>,
    tokens: Buckets<Network>,
    names: Buckets<Box<str>>,
    /// Who was let in where, and when.
    known: HashMap<(Box<str>, Network), Instant>,
}

impl Throttle {
    pub(super) fn new(network: Rate, name: Rate) -> Self {
        let [networks, sites, tokens] = [network, of_site(network), network].map(Buckets::new);
        let (names, known) = (Buckets::new(name), HashMap::new());
        Self { kept: Mutex::new(Kept { networks, sites, tokens, names, known }) }
    }

    /// Others may fail from now on. An empty bucket has as long to fill as before, or as the new one has, where that is shorter.
    pub(super) fn set_rates(&self, network: Rate, name: Rate) {
        self.kept(|kept| {
            (kept.networks.rate, kept.names.rate) = (network, name);
            (kept.sites.rate, kept.tokens.rate) = (of_site(network), network);
        });
    }

    fn kept<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A token that somebody at this address showed is wrong: counts it, or says how long they have to wait until they are
    /// told that of one.
    pub(super) fn fail_token(&self, from: Option<IpAddr>) -> Result<(), Duration> {
        let Some(from) = from.map(Network::of) else { return Ok(()) };
        let now = Instant::now();
        self.kept(|kept| {
            or_wait(kept.tokens.wait(&from, now))?;
            kept.tokens.fail(from, now);
            Ok(())
        })
    }

    /// How long somebody at this address has to wait before a password is looked at.
    fn check_address(&self, from: Option<IpAddr>) -> Result<(), Duration> {
        let Some(from) = from else { return Ok(()) };
        or_wait(self.kept(|kept| kept.networks.wait(&Network::of(from), Instant::now())))
    }

    /// The same, where they want to log in as `name`. `is_known`: whether that login has been let in there before, as far as
    /// others know.
    pub(super) fn check(
        &self,
        from: Option<IpAddr>,
        name: &str,
        is_known: impl FnOnce() -> bool,
    ) -> Result<(), Duration> {
        self.check_address(from)?;
        let now = Instant::now();
        let wait = self.kept(|kept| {
            let key = from.map(|from| (Box::from(name), Network::of(from)));
            let was_here = key.is_some_and(|key| kept.known.contains_key(&key));
            if was_here {
                return Duration::ZERO;
            }
            let site = from.and_then(|from| Network::of(from).site());
            let of_site = site.map_or(Duration::ZERO, |site| kept.sites.wait(&site, now));
            kept.names.wait(&Box::from(name), now).max(of_site)
        });
        if wait.is_zero() || is_known() { Ok(()) } else { Err(wait) }
    }

    /// A name and a password were wrong.
    pub(super) fn fail(&self, from: Option<IpAddr>, name: &str) {
        let now = Instant::now();
        self.kept(|kept| {
            if let Some(from) = from.map(Network::of) {
                kept.networks.fail(from, now);
                if let Some(site) = from.site() {
                    kept.sites.fail(site, now);
                }
            }
            kept.names.fail(name.into(), now);
        });
    }

    /// A login was let in at an address. That gives back no attempt: who has one good password might try others.
    pub(super) fn succeed(&self, from: Option<IpAddr>, name: &str) {
        let Some(from) = from else { return };
        let now = Instant::now();
        self.kept(|kept| {
            if kept.known.len() >= MOST {
                let mut moments: Vec<_> = kept.known.values().copied().collect();
                let (_, limit, _) = moments.select_nth_unstable(FORGET);
                let limit = *limit;
                kept.known.retain(|_, moment| *moment > limit);
            }
            kept.known.insert((name.into(), Network::of(from)), now);
        });
    }
}

fn of_site(network: Rate) -> Rate {
    Rate { burst: network.burst.saturating_mul(SITE), every: network.every / SITE }
}

fn or_wait(wait: Duration) -> Result<(), Duration> {
    if wait.is_zero() { Ok(()) } else { Err(wait) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Rate = Rate { burst: 3, every: Duration::from_secs(10) };
    const NAME: Rate = Rate { burst: 2, every: Duration::from_secs(30) };

    fn throttle() -> Throttle {
        Throttle::new(NETWORK, NAME)
    }

    fn at(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    fn seconds(result: Result<(), Duration>) -> u64 {
        result.err().map_or(0, |wait| wait.as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_may_fail_some_times_and_then_now_and_then() {
        let (throttle, here, there) = (throttle(), at("192.0.2.7"), at("192.0.2.8"));
        for _ in 0..3 {
            assert_eq!(throttle.check_address(here), Ok(()));
            throttle.fail(here, "x");
        }
        assert_eq!(seconds(throttle.check_address(here)), 10);
        assert_eq!(throttle.check_address(there), Ok(()));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(seconds(throttle.check_address(here)), 1);
        // Whoever goes on all the same waits no longer than that.
        (0..100).for_each(|_| throttle.fail(here, "x"));
        assert_eq!(seconds(throttle.check_address(here)), 10);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(throttle.check_address(here), Ok(()));
        throttle.fail(here, "x");
        assert_eq!(seconds(throttle.check_address(here)), 10);
        tokio::time::advance(Duration::from_secs(30)).await;
        for _ in 0..3 {
            assert_eq!(throttle.check_address(here), Ok(()));
            throttle.fail(here, "x");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_ipv6_the_network_counts() {
        let throttle = throttle();
        for host in ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1::3"] {
            throttle.fail(at(host), "x");
        }
        assert!(throttle.check_address(at("2001:db8:0:1::4")).is_err());
        assert!(throttle.check_address(at("2001:db8:0:2::4")).is_ok());
        (0..3).for_each(|_| throttle.fail(at("::ffff:192.0.2.7"), "x"));
        assert!(throttle.check_address(at("192.0.2.7")).is_err(), "it is the same address");
        assert!(throttle.check_address(at("::ffff:192.0.2.8")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_site_there_are_eight_times_as_many() {
        let throttle = throttle();
        let host = |number: u32| at(&format!("2001:db8:0:{number:x}::1"));
        throttle.succeed(host(1), "boss");
        for number in 0..24 {
            assert_eq!(throttle.check(host(number), &format!("name{number}"), || false), Ok(()));
            throttle.fail(host(number), &format!("name{number}"));
        }
        let wait = throttle.check(host(100), "kim", || false).unwrap_err();
        assert_eq!(wait, Duration::from_millis(1_250));
        assert_eq!(throttle.check(at("2001:db8:1::1"), "kim", || false), Ok(()), "another has its own");
        assert_eq!(throttle.check(host(1), "boss", || false), Ok(()), "who has been let in there goes on");
        assert_eq!(throttle.check(host(100), "boss", || true), Ok(()), "so does who has a session there");
        tokio::time::advance(wait).await;
        assert_eq!(throttle.check(host(100), "kim", || false), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn other_rates_hold_for_tokens_and_sites_too() {
        let (throttle, here) = (throttle(), at("2001:db8::1"));
        throttle.set_rates(Rate { burst: 1, ..NETWORK }, NAME);
        assert_eq!(throttle.fail_token(here), Ok(()));
        assert_eq!(seconds(throttle.fail_token(here)), 10);
        for number in 0..8 {
            throttle.fail(at(&format!("2001:db8:0:{number:x}::1")), &format!("name{number}"));
        }
        assert!(throttle.check(at("2001:db8:0:99::1"), "kim", || false).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_cost_no_attempts_to_log_in() {
        let (throttle, here) = (throttle(), at("192.0.2.7"));
        (0..3).for_each(|_| assert_eq!(throttle.fail_token(here), Ok(())));
        assert_eq!(seconds(throttle.fail_token(here)), 10);
        assert_eq!(throttle.fail_token(at("192.0.2.8")), Ok(()));
        assert_eq!(throttle.check(here, "boss", || false), Ok(()));
        (0..3).for_each(|_| throttle.fail(here, "boss"));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(throttle.fail_token(here), Ok(()), "nor the other way round");
    }

    #[tokio::test(start_paused = true)]
    async fn who_attacks_a_name_does_not_lock_its_owner_out() {
        let (throttle, home) = (throttle(), at("192.0.2.1"));
        throttle.succeed(home, "boss");
        for host in 10..30_u8 {
            throttle.fail(at(&format!("192.0.2.{host}")), "boss");
        }
        assert_eq!(seconds(throttle.check(at("192.0.2.200"), "boss", || false)), 30);
        assert_eq!(throttle.check(home, "boss", || false), Ok(()), "they have been here");
        assert_eq!(throttle.check(at("192.0.2.200"), "boss", || true), Ok(()), "they have a session there");
        assert_eq!(throttle.check(at("192.0.2.200"), "kim", || false), Ok(()));
        assert!(throttle.check(home, "kim", || false).is_ok());
        // A minute after the attack is over, they get in wherever they are.
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(throttle.check(at("192.0.2.200"), "boss", || false), Ok(()));
        // Those who have been here may not try for ever either.
        (0..3).for_each(|_| throttle.fail(home, "boss"));
        assert!(throttle.check(home, "boss", || true).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_stays_within_bounds() {
        let throttle = throttle();
        let host = |number: usize| at(&format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255));
        (0..3).for_each(|_| throttle.fail(at("192.0.2.7"), "boss"));
        for number in 0..2 * MOST {
            throttle.fail(host(number), &format!("name{number}"));
            throttle.succeed(host(number), "boss");
        }
        throttle.kept(|kept| {
            assert!(kept.networks.full_at.len() <= MOST && kept.names.full_at.len() <= MOST);
            assert!(kept.known.len() <= MOST);
        });
        // Who has least left is forgotten last.
        assert!(throttle.check_address(at("192.0.2.7")).is_err());
        assert!(throttle.check(at("192.0.2.9"), "boss", || false).is_err());
    }
}
