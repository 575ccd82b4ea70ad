//! Who asks: by a session's cookie, or by name and password (HTTP Basic, RFC 7617).

use std::{sync::Arc, time::SystemTime};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tracing::{debug, info};

use super::{Site, libraryh3lp::Failure};
use crate::{
    config::Secret,
    domain::{AccountId, By, Edit, Name, Refusal, TokenHash, UnixTime, Who},
    engine::EditError,
    password,
};

/// The name of the cookie that holds a session's token.
const COOKIE: &str = "libraryh3lp-session";
/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;
/// Seconds of use that are not noted, so that a busy session does not write all the time.
const TOUCH_EVERY: u64 = 3_600;
/// Cookies of our name that are looked at in one request.
const COOKIES_MOST: usize = 4;

/// The account that a request comes from. As an argument of a handler it lets nobody else in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) account: AccountId,
    /// Under what name an edit of theirs is made.
    pub(super) by: By,
}

impl Caller {
    fn new(account: AccountId) -> Self {
        Self { account, by: Who::Account(account).into() }
    }
}

impl FromRequestParts<Site> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Failure> {
        let now = now();
        let cookies = tokens(&parts.headers);
        if let Some((account, stale)) = site.desk.read(|desk| {
            let session = cookies.iter().find_map(|token| desk.session(token, now))?;
            let stale = now.since(session.used) >= TOUCH_EVERY;
            Some((session.account, stale.then_some(session.token)))
        }) {
            if let Some(token) = stale
                && let Err(error) = site.desk.edit(Who::Account(account), Edit::TouchSession { token, now }).await
            {
                // Who may come in may come in though it can not be written down.
                debug!(%error, "the use of a session could not be noted");
            }
            return Ok(Self::new(account));
        }
        let Some((name, password)) = basic(&parts.headers) else { return Err(unauthenticated(&parts.headers)) };
        match check_password(site, &name, password).await {
            Some(known) => Ok(Self::new(known.account)),
            None => Err(unauthenticated(&parts.headers)),
        }
    }
}

/// The 401 of a request with these headers. Browsers answer a challenge with a dialog, so pages and clients that log in by
/// cookie get none; curl and its like need one.
fn unauthenticated(headers: &HeaderMap) -> Failure {
    let is_page = headers.contains_key("sec-fetch-mode") || headers.contains_key(header::ORIGIN);
    let failure = Failure::unauthenticated();
    if is_page || headers.contains_key(header::COOKIE) { failure } else { failure.challenging() }
}

/// An account whose password was given.
pub(super) struct Known {
    pub(super) account: AccountId,
    pub(super) name: Name,
    hash: Box<str>,
}

/// The account with this name and password. A name that nobody has takes as long as a wrong password.
pub(super) async fn check_password(site: &Site, name: &str, password: Secret) -> Option<Known> {
    let found = Name::parse(name, Name::QUEUE_MOST).ok().and_then(|name| {
        site.desk.read(|desk| {
            let account = desk.account_named(&name)?;
            Some(Known { account: account.id, name: account.name.clone(), hash: account.password_hash.clone() })
        })
    });
    let known_name = found.as_ref().map(|known| known.name.clone());
    let known = site.hashing.check(found, password).await;
    if known.is_none() {
        // What was typed as a name may be a password.
        let account = known_name.as_ref().map_or("(unknown)", Name::as_str);
        info!(account, "login refused");
    }
    known
}

/// The passwords that are checked at a time: each takes a processor and 19 MiB for a while.
#[derive(Debug, Clone)]
pub(super) struct Hashing(Arc<Semaphore>);

impl Hashing {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors)))
    }

    async fn check(&self, found: Option<Known>, password: Secret) -> Option<Known> {
        let permit = self.0.clone().acquire_owned().await.ok()?;
        let work = move || {
            // Held until the work ends, even when who asked has gone.
            let _permit = permit;
            let Some(known) = found else {
                password::verify_nobody(password.reveal());
                return None;
            };
            password::verify(password.reveal(), &known.hash).then_some(known)
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("the operating system gives no random bytes for a session's token")]
    NoToken(#[source] getrandom::Error),
    /// The password was changed while it was checked.
    #[error("the password has changed")]
    Outdated,
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// Opens a session, and gives the cookie that holds its token.
pub(super) async fn open_session(site: &Site, known: &Known) -> Result<HeaderValue, SessionError> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(SessionError::NoToken)?;
    let token = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (account, password_hash) = (known.account, known.hash.clone());
    let edit = Edit::OpenSession { account, password_hash, token: hashed(&token), now: now() };
    site.desk.edit(Who::Account(account), edit).await.map_err(|error| match error {
        EditError::Refused(Refusal::PasswordChanged | Refusal::NoAccount) => SessionError::Outdated,
        error @ (EditError::Refused(_) | EditError::Store(_) | EditError::Stopping) => SessionError::Edit(error),
    })?;
    Ok(cookie(&token, ""))
}

/// Closes the sessions whose cookies are in the request, and gives the cookie that takes them away.
pub(super) async fn close_sessions(site: &Site, headers: &HeaderMap) -> Result<HeaderValue, EditError> {
    for token in tokens(headers) {
        let account = site.desk.read(|desk| desk.session(&token, now()).map(|session| session.account));
        if let Some(account) = account {
            site.desk.edit(Who::Account(account), Edit::CloseSession { token }).await?;
        }
    }
    Ok(cookie("", "; Max-Age=0"))
}

/// Lax is enough: nothing changes on a GET, and every other request from another site comes without the cookie.
fn cookie(token: &str, more: &str) -> HeaderValue {
    let text = format!("{COOKIE}={token}; Path=/; HttpOnly; Secure; SameSite=Lax{more}");
    let mut value = HeaderValue::try_from(text).expect("base64url and our own words are legal in a header");
    value.set_sensitive(true);
    value
}

/// What the tokens in the request's cookies hash to.
fn tokens(headers: &HeaderMap) -> Vec<TokenHash> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let ours = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, token)| hashed(token.trim_matches('"')));
    ours.take(COOKIES_MOST).collect()
}

/// Whether the request carries a session's cookie, of whatever worth.
pub(super) fn has_session(headers: &HeaderMap) -> bool {
    !tokens(headers).is_empty()
}

pub(super) fn hashed(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token).into())
}

/// Name and password of HTTP Basic.
fn basic(headers: &HeaderMap) -> Option<(String, Secret)> {
    let (scheme, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), Secret::new(password.to_owned())))
}

pub(super) fn now() -> UnixTime {
    // Before 1970 it is 1970.
    UnixTime(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn cookies_are_found_among_others() {
        let check = |values: &[&str]| tokens(&headers(&header::COOKIE, values));
        assert_eq!(check(&["libraryh3lp-session=abc"]), [hashed("abc")]);
        assert_eq!(check(&["libraryh3lp-timezone=CET; libraryh3lp-session=abc;"]), [hashed("abc")]);
        assert_eq!(check(&["a=b", "libraryh3lp-session=\"abc\""]), [hashed("abc")]);
        assert_eq!(check(&["libraryh3lp-session=a; libraryh3lp-session=b"]), [hashed("a"), hashed("b")]);
        assert_eq!(check(&["xlibraryh3lp-session=abc", "nonsense"]), []);
        assert_eq!(check(&["libraryh3lp-session=a;"; 9]).len(), COOKIES_MOST);
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

    #[test]
    fn a_cookie_does_not_show() {
        assert_eq!(format!("{:?}", cookie("secret", "")), "Sensitive");
    }
}
