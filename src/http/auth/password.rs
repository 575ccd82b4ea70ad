//! Logins with name and password: over the login resource, or with each request (HTTP Basic).

use std::{net::IpAddr, time::Duration};

use tracing::{debug, info};

use super::{
    AccessSettings, Failure, Site,
    cache::{Mark, Remembered},
    hashing::{Busy, Hashing, Verdict},
    throttle::{Network, Rate, Throttle},
    unix_now,
};
use crate::{
    config::Secret,
    domain::{AccountId, By, Edit, Name, Role, Who},
    metrics::Login,
};

/// What who finds too many waiting is told to wait.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// The most characters of a name that are told apart.
const NAME_MOST: usize = 2 * Name::QUEUE_MOST;

/// What keeps those out who try.
#[derive(Debug)]
pub(in crate::http) struct Doors {
    hashing: Hashing,
    remembered: Remembered,
    pub(super) throttle: Throttle,
}

impl Doors {
    pub(in crate::http) fn new(settings: &AccessSettings) -> Self {
        let (network, name) = rates(settings);
        Self {
            hashing: Hashing::new(),
            remembered: Remembered::new(settings.basic_cache),
            throttle: Throttle::new(network, name),
        }
    }

    /// Keeps out by these settings from now on. Who has tried in vain has done so.
    pub(in crate::http) fn take_over(&self, settings: &AccessSettings) {
        self.remembered.set_most(settings.basic_cache);
        let (network, name) = rates(settings);
        self.throttle.set_rates(network, name);
    }
}

/// Of addresses, and of names.
fn rates(settings: &AccessSettings) -> (Rate, Rate) {
    let rate = |burst| Rate { burst, every: settings.attempt_every };
    (rate(settings.attempts_of_address), rate(settings.attempts_of_name))
}

/// A login whose password was given.
pub(in crate::http) struct Known {
    pub(in crate::http) account: AccountId,
    pub(in crate::http) name: Name,
    pub(super) role: Role,
    pub(super) hash: Box<str>,
}

impl Known {
    pub(super) fn who(&self) -> Who {
        Who::Login { account: self.account, name: self.name.clone() }
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Denied {
    /// There is no such login, or it has another password.
    Wrong,
    /// Too much was wrong of late, so this was not looked at.
    Wait(Duration),
    /// Too many wait for their turn.
    Busy,
}

impl Denied {
    /// What to answer, where `wrong` is for what is wrong.
    pub(in crate::http) fn answer(self, wrong: impl FnOnce() -> Failure) -> Failure {
        match self {
            Self::Wrong => wrong(),
            Self::Wait(wait) => Failure::too_many(wait),
            Self::Busy => Failure::unavailable("too many log in at present: try again").retrying_after(BUSY_WAIT),
        }
    }
}

/// Whether what is right is remembered for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Memory {
    Some,
    None,
}

/// The login with this name and password. A name that nobody has takes as long as a wrong password.
pub(in crate::http) async fn check_password(
    site: &Site,
    shown: (&str, Secret),
    from: Option<IpAddr>,
    memory: Memory,
) -> Result<Known, Denied> {
    let known = look_at(site, shown, from, memory).await;
    site.desk.metrics().http().login(match &known {
        Ok(_) => Login::Accepted,
        Err(Denied::Wrong) => Login::Refused,
        Err(Denied::Wait(_)) => Login::Throttled,
        Err(Denied::Busy) => Login::Busy,
    });
    known
}

async fn look_at(
    site: &Site,
    (name, password): (&str, Secret),
    from: Option<IpAddr>,
    memory: Memory,
) -> Result<Known, Denied> {
    let doors = &site.doors;
    let mut found = Name::parse(name, Name::QUEUE_MOST).ok().and_then(|name| find(site, name));
    let mark = found.as_ref().map(|known| doors.remembered.mark(known.name.as_str(), password.reveal(), &known.hash));
    let is_remembered =
        |mark: Option<Mark>| memory == Memory::Some && mark.is_some_and(|mark| doors.remembered.knows(mark));
    if is_remembered(mark) {
        return found.ok_or(Denied::Wrong);
    }
    // The same name in another spelling is the same name.
    let counted: String = found.as_ref().map_or(name, |known| known.name.as_str()).chars().take(NAME_MOST).collect();
    let counted = counted.to_lowercase();
    let check =
        || doors.throttle.check(from, &counted, || is_at_home(site, found.as_ref(), from)).map_err(Denied::Wait);
    check()?;
    let turn = doors.hashing.turn().await.map_err(|Busy| Denied::Busy)?;
    // Others may have failed meanwhile, or the same may have been right.
    if is_remembered(mark) {
        return found.ok_or(Denied::Wrong);
    }
    check()?;
    let hash = found.as_ref().map(|known| known.hash.clone());
    let verdict = doors.hashing.check(turn, password.clone(), hash).await;
    match (verdict, found.as_mut()) {
        (Verdict::Renewed(hash), Some(known)) => renew(site, known, hash, from).await,
        (Verdict::Right, Some(_)) => {}
        (Verdict::Wrong | Verdict::Right | Verdict::Renewed(_), _) => {
            doors.throttle.fail(from, &counted);
            // What was typed as a name may be a password.
            let login = found.as_ref().map_or("(unknown)", |known| known.name.as_str());
            info!(login, from = from.map(tracing::field::display), "login refused");
            return Err(Denied::Wrong);
        }
    }
    let known = found.ok_or(Denied::Wrong)?;
    doors.throttle.succeed(from, &counted);
    if memory == Memory::Some {
        doors.remembered.remember(doors.remembered.mark(known.name.as_str(), password.reveal(), &known.hash));
    }
    Ok(known)
}

fn find(site: &Site, name: Name) -> Option<Known> {
    site.desk.read(|desk| {
        let (account, login) = desk.login(&name)?;
        let (account, role, hash) = (account.id, login.role, login.password_hash.clone());
        Some(Known { account, name, role, hash })
    })
}

/// Whether the login has a session that began where this comes from.
fn is_at_home(site: &Site, known: Option<&Known>, from: Option<IpAddr>) -> bool {
    let (Some(known), Some(from)) = (known, from.map(Network::of)) else { return false };
    let is_there = |began: Option<IpAddr>| began.map(Network::of) == Some(from);
    site.desk.read(|desk| desk.sessions(&known.name, unix_now()).iter().any(|session| is_there(session.from)))
}

/// Keeps the password in the form that is made today. Where that can not be, the old one stays good.
async fn renew(site: &Site, known: &mut Known, hash: Box<str>, from: Option<IpAddr>) {
    let edit = Edit::Rehash { login: known.name.clone(), before: known.hash.clone(), after: hash.clone() };
    match site.desk.edit(By { who: known.who(), from }, edit).await {
        Ok(_) => known.hash = hash,
        Err(error) => debug!(%error, "a password could not be kept in its new form"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::{
        Tools,
        testing::{PASSWORD, Rig, name, settings},
    };

    struct World {
        rig: Rig,
        site: Site,
    }

    impl World {
        async fn new() -> Self {
            let (rig, settings) = (Rig::new().await, settings());
            let site = Arc::new(Tools::new(settings, rig.desk.clone()));
            Self { rig, site }
        }

        /// Logs in, and says how many passwords were checked until then.
        async fn try_in(&self, who: &str, password: &str, host: u8, memory: Memory) -> (Result<u32, Denied>, u64) {
            let from = Some(IpAddr::from([192, 0, 2, host]));
            let shown = (who, Secret::new(password.to_owned()));
            let result = check_password(&self.site, shown, from, memory).await;
            (result.map(|known| known.account.get()), self.site.doors.hashing.done())
        }
    }

    #[tokio::test]
    async fn basic_is_checked_once_in_a_while() {
        let world = World::new().await;
        let basic = async |password: &str| world.try_in("boss", password, 1, Memory::Some).await;
        assert_eq!(basic(PASSWORD).await, (Ok(1), 1));
        for _ in 0..50 {
            assert_eq!(basic(PASSWORD).await, (Ok(1), 1));
        }
        assert_eq!(basic("wrong").await, (Err(Denied::Wrong), 2));
        assert_eq!(basic("wrong").await, (Err(Denied::Wrong), 3), "what is wrong is not remembered");
        assert_eq!(world.try_in("boss", PASSWORD, 1, Memory::None).await, (Ok(1), 4), "a login is always checked");
        // Another password, and the end of the login, count at once.
        let password_hash = crate::password::hash("another").unwrap();
        world.rig.edit(Edit::SetPassword { login: name("boss"), password_hash }).await;
        assert_eq!(basic(PASSWORD).await, (Err(Denied::Wrong), 5));
        assert_eq!(basic("another").await, (Ok(1), 6));
        assert_eq!(world.try_in("vic", PASSWORD, 1, Memory::Some).await, (Ok(1), 7));
        world.rig.edit(Edit::RemoveLogin { login: name("vic") }).await;
        assert_eq!(world.try_in("vic", PASSWORD, 1, Memory::Some).await, (Err(Denied::Wrong), 8));
    }

    #[tokio::test]
    async fn many_at_once_are_checked_as_few() {
        let world = World::new().await;
        let all = (0..40).map(|_| world.try_in("boss", PASSWORD, 1, Memory::Some));
        let processors = std::thread::available_parallelism().unwrap().get() as u64;
        for (result, done) in futures::future::join_all(all).await {
            assert_eq!(result, Ok(1));
            // The first may still renew the form of the hash when the next have their turn.
            assert!(done <= 2 * processors + 1, "{done}");
        }
    }

    #[tokio::test]
    async fn a_password_in_an_outdated_form_is_kept_anew() {
        let world = World::new().await;
        let hash = || world.rig.desk.read(|desk| desk.login(&name("boss")).unwrap().1.password_hash.clone());
        assert!(crate::password::is_outdated(&hash()));
        assert!(world.try_in("boss", "wrong", 1, Memory::None).await.0.is_err());
        assert!(crate::password::is_outdated(&hash()));
        assert_eq!(world.try_in("boss", PASSWORD, 1, Memory::None).await.0, Ok(1));
        let new = hash();
        assert!(!crate::password::is_outdated(&new));
        assert_eq!(world.try_in("boss", PASSWORD, 1, Memory::None).await.0, Ok(1));
        assert_eq!(hash(), new);
    }

    #[tokio::test]
    async fn who_tries_too_often_is_not_looked_at() {
        let world = World::new().await;
        assert!(world.try_in("boss", PASSWORD, 1, Memory::None).await.0.is_ok());
        for _ in 0..10 {
            assert_eq!(world.try_in("BOSS", "wrong", 7, Memory::None).await.0, Err(Denied::Wrong));
        }
        let is_denied = |(result, done): (Result<u32, Denied>, u64)| {
            assert_eq!(done, 11, "nothing was checked");
            matches!(result, Err(Denied::Wait(wait)) if wait <= Duration::from_secs(6))
        };
        assert!(is_denied(world.try_in("boss", PASSWORD, 8, Memory::None).await), "nor is what would be right");
        assert_eq!(world.try_in("boss", PASSWORD, 1, Memory::None).await.0, Ok(1), "they have been let in there");
        for _ in 0..10 {
            assert_eq!(world.try_in("nobody", "x", 7, Memory::None).await.0, Err(Denied::Wrong));
        }
        let done = world.site.doors.hashing.done();
        let (result, after) = world.try_in("sue", PASSWORD, 7, Memory::None).await;
        assert!(matches!(result, Err(Denied::Wait(_))) && after == done, "the address has no attempt left");
    }

    #[tokio::test]
    async fn what_they_are_told() {
        let world = World::new().await;
        for _ in 0..10 {
            let fields = r#"{"username": "boss", "password": "wrong"}"#;
            assert_eq!(world.rig.send("POST /api/auth/login", fields, &[]).await.status.as_u16(), 401);
        }
        let fields = format!(r#"{{"username": "boss", "password": "{PASSWORD}"}}"#);
        let reply = world.rig.send("POST /api/auth/login", &fields, &[]).await;
        assert_eq!(reply.status.as_u16(), 429);
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=6).contains(&wait));
        let text = format!("too many attempts have failed: try again in {wait} seconds");
        assert_eq!(reply.body, format!(r#"{{"success":null,"message":"{text}","error":"{text}"}}"#));
        assert_eq!(world.rig.ask("boss", "GET /2011-12-03/queues", "").await.status.as_u16(), 200, "a session goes on");
        let busy = Denied::Busy.answer(Failure::unauthenticated);
        let (status, _, header) = busy.into_parts();
        assert_eq!((status.as_u16(), header.unwrap().1.to_str().unwrap().to_owned()), (503, "5".to_owned()));
    }
}
