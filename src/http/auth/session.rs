//! Sessions: the cookie, and what begins and ends them.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};

use super::{Found, Known, Site, hashed, random_token, unix_now, watch};
use crate::{
    domain::{By, Edit, Refusal, TokenHash, Who},
    engine::EditError,
};

/// The name of the cookie that holds a session's token.
pub(in crate::http) const COOKIE: &str = "libraryh3lp-session";
/// Cookies of our name that are looked at in one request.
const COOKIES_MOST: usize = 4;

/// Whose session the request's cookie is.
pub(super) fn find(site: &Site, headers: &HeaderMap) -> Option<Found> {
    let (now, cookies) = (unix_now(), tokens(headers));
    site.desk.read(|desk| {
        let session = cookies.iter().find_map(|token| desk.session(token, now))?;
        let (_, login) = desk.login(&session.login)?;
        let is_due = desk.is_touch_due(session, now);
        let (account, touch) = (session.account, is_due.then_some(Edit::TouchSession { token: session.token, now }));
        let who = Who::Login { account, name: session.login.clone() };
        Some(Found { account, role: login.role, who, touch })
    })
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum SessionError {
    #[error("the operating system gives no random bytes for a session's token")]
    NoToken(#[source] getrandom::Error),
    /// The password was changed while it was checked.
    #[error("the password has changed")]
    Outdated,
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// Opens a session, and gives the cookie that holds its token. One of the same login whose cookie came along ends.
pub(in crate::http) async fn open_session(
    site: &Site,
    known: &Known,
    from: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<HeaderValue, SessionError> {
    let (token, hash) = random_token("").map_err(SessionError::NoToken)?;
    let edit = Edit::OpenSession {
        login: known.name.clone(),
        password_hash: known.hash.clone(),
        token: hash,
        instead_of: tokens(headers),
        from,
        now: unix_now(),
    };
    watch::note_caller(known.account, &known.who());
    site.desk.edit(By { who: known.who(), from }, edit).await.map_err(|error| match error {
        EditError::Refused(Refusal::PasswordChanged | Refusal::NoLogin | Refusal::Ended) => SessionError::Outdated,
        error @ (EditError::Refused(_) | EditError::Store(_) | EditError::Stopping) => SessionError::Edit(error),
    })?;
    Ok(cookie(&token, ""))
}

/// Closes the sessions whose cookies are in the request, and gives the cookie that takes them away.
pub(in crate::http) async fn close_sessions(
    site: &Site,
    from: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<HeaderValue, EditError> {
    for token in tokens(headers) {
        let session = site.desk.read(|desk| desk.session(&token, unix_now()).cloned());
        if let Some(session) = session {
            let who = Who::Login { account: session.account, name: session.login };
            match site.desk.edit(By { who, from }, Edit::CloseSession { token }).await {
                // It has ended with the login.
                Ok(_) | Err(EditError::Refused(_)) => {}
                Err(error @ (EditError::Store(_) | EditError::Stopping)) => return Err(error),
            }
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
pub(in crate::http) fn has_session(headers: &HeaderMap) -> bool {
    !tokens(headers).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let check = |values: &[&str]| {
            tokens(&values.iter().map(|value| (header::COOKIE, value.parse().unwrap())).collect::<HeaderMap>())
        };
        assert_eq!(check(&["libraryh3lp-session=abc"]), [hashed("abc")]);
        assert_eq!(check(&["libraryh3lp-timezone=CET; libraryh3lp-session=abc;"]), [hashed("abc")]);
        assert_eq!(check(&["a=b", "libraryh3lp-session=\"abc\""]), [hashed("abc")]);
        assert_eq!(check(&["libraryh3lp-session=a; libraryh3lp-session=b"]), [hashed("a"), hashed("b")]);
        assert_eq!(check(&["xlibraryh3lp-session=abc", "nonsense"]), []);
        assert_eq!(check(&["libraryh3lp-session=a;"; 9]).len(), COOKIES_MOST);
    }

    #[test]
    fn a_cookie_does_not_show() {
        assert_eq!(format!("{:?}", cookie("secret", "")), "Sensitive");
    }
}
