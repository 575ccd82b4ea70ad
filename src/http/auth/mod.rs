//! Who asks: by a session's cookie, by name and password (HTTP Basic, RFC 7617), or by a token (Bearer, RFC 6750).

mod bearer;
mod cache;
mod hashing;
mod password;
mod session;
mod throttle;

use std::{net::IpAddr, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use sha2::{Digest, Sha256};
use tracing::debug;

use super::{
    Site,
    client::{Client, Proxies},
    libraryh3lp::Failure,
    watch,
};
use crate::{
    config::Secret,
    domain::{AccountId, By, Edit, Refusal, Role, TokenHash, Who},
    engine::unix_now,
};

pub(super) use password::{Doors, Known, Memory, check_password};
pub(super) use session::{COOKIE, SessionError, close_sessions, has_session, open_session};

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;
/// How tokens of the API begin, so that who searches for secrets in the wrong place finds them.
const TOKEN_PREFIX: &str = "rosterd_";

/// How those are kept out who try.
#[derive(Debug, Clone)]
pub struct AccessSettings {
    /// How long a password that was right with HTTP Basic is not checked again; nothing: each time.
    pub basic_cache: Duration,
    /// How many attempts of an address may fail at once.
    pub attempts_of_address: u32,
    /// How many attempts to log in with a name may fail at once.
    pub attempts_of_name: u32,
    /// How long it takes until there is one more attempt.
    pub attempt_every: Duration,
    /// The reverse proxies that are believed.
    pub proxies: Proxies,
}

impl Default for AccessSettings {
    /// What holds where nothing else is said.
    fn default() -> Self {
        Self {
            basic_cache: Duration::from_mins(5),
            attempts_of_address: 20,
            attempts_of_name: 10,
            attempt_every: Duration::from_secs(6),
            proxies: Proxies::default(),
        }
    }
}

/// Who a request comes from. As an argument of a handler it lets nobody else in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// Whose things they see.
    pub(super) account: AccountId,
    /// What they may do, as the request came in. Whether they may change something is decided with the change.
    role: Role,
    /// Under what name an edit of theirs is made.
    pub(super) by: By,
}

impl Caller {
    /// Lets them go on if they may do what `needed` may: for what is only read.
    pub(super) fn check_role(&self, needed: Role) -> Result<(), Failure> {
        let Self { role, .. } = *self;
        if role >= needed { Ok(()) } else { Err(Failure::forbidden(&Refusal::NeedsRole { needed, role })) }
    }
}

impl FromRequestParts<Site> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Failure> {
        let Client(from) = Client::from_request_parts(parts, site).await.unwrap_or_else(|never| match never {});
        let found = match session::find(site, &parts.headers) {
            Some(found) => Some(found),
            None => from_authorization(site, &parts.headers, from).await?,
        };
        let Found { account, role, who, touch } = found.ok_or_else(|| unauthenticated(&parts.headers))?;
        let by = By { who, from };
        watch::note_caller(account, &by.who);
        if let Some(touch) = touch
            && let Err(error) = site.desk.edit(by.clone(), touch).await
        {
            // Who may come in may come in though it can not be written down.
            debug!(%error, "the use of a session or a token could not be noted");
        }
        Ok(Self { account, role, by })
    }
}

/// Somebody who is who they say.
struct Found {
    account: AccountId,
    role: Role,
    who: Who,
    /// What notes that they were here, where it is time for that.
    touch: Option<Edit>,
}

async fn from_authorization(site: &Site, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Option<Found>, Failure> {
    if let Some(token) = bearer::shown(headers) {
        return bearer::find(site, token, from).map(Some);
    }
    let Some((name, password)) = basic(headers) else { return Ok(None) };
    let known = check_password(site, (&name, password), from, Memory::Some).await;
    let known = known.map_err(|denied| denied.answer(|| unauthenticated(headers)))?;
    Ok(Some(Found { account: known.account, role: known.role, who: known.who(), touch: None }))
}

/// Whether the request shows a token, of whatever worth.
pub(super) fn has_token(headers: &HeaderMap) -> bool {
    bearer::shown(headers).is_some()
}

/// The 401 of a request with these headers. Browsers answer a challenge with a dialog, so pages and clients that log in by
/// cookie get none; curl and its like need one.
fn unauthenticated(headers: &HeaderMap) -> Failure {
    let is_page = headers.contains_key("sec-fetch-mode") || headers.contains_key(header::ORIGIN);
    let failure = Failure::unauthenticated();
    if is_page || headers.contains_key(header::COOKIE) { failure } else { failure.challenging() }
}

/// What a session or a program shows, and what is kept of it.
fn random_token(prefix: &str) -> Result<(String, TokenHash), getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    let token = format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let hash = hashed(&token);
    Ok((token, hash))
}

/// A token of the API.
pub(super) fn make_token() -> Result<(String, TokenHash), getrandom::Error> {
    random_token(TOKEN_PREFIX)
}

pub(super) fn hashed(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token).into())
}

/// What stands behind the name of a scheme in the request's Authorization.
fn credentials<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let (scheme, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| credentials.trim())
}

/// Name and password of HTTP Basic.
fn basic(headers: &HeaderMap) -> Option<(String, Secret)> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials(headers, "basic")?).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), Secret::new(password.to_owned())))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn basic_credentials() {
        let check = |value: &str| {
            let found = basic(&headers(&header::AUTHORIZATION, &[value]));
            found.map(|(name, password)| format!("{name} {}", password.reveal()))
        };
        let encoded = BASE64_STANDARD.encode("ann:a:b c");
        assert_eq!(check(&format!("Basic {encoded}")), Some("ann a:b c".to_owned()));
        assert_eq!(check(&format!("bAsIc  {encoded} ")), Some("ann a:b c".to_owned()));
        assert_eq!(check(&format!("Bearer {encoded}")), None);
        assert_eq!(check("Basic"), None);
        assert_eq!(check("Basic !"), None);
        assert_eq!(check(&format!("Basic {}", BASE64_STANDARD.encode("no colon"))), None);
    }

    #[test]
    fn pages_are_not_challenged() {
        let check = |name: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::HeaderName::from_static(name), HeaderValue::from_static("x"))]);
            format!("{:?}", unauthenticated(&headers)).contains("rosterd")
        };
        assert!(check("accept"));
        assert!(check("authorization"));
        assert!(!check("cookie"));
        assert!(!check("sec-fetch-mode"));
        assert!(!check("origin"));
    }
}
