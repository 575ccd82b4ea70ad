//! Tokens of the API, for programs.

use std::net::IpAddr;

use axum::http::HeaderMap;

use super::{Failure, Found, Site, credentials, hashed, unix_now};
use crate::{
    domain::{Edit, TOUCH_EVERY, Who},
    metrics::Login,
};

/// The token that a request shows.
pub(super) fn shown(headers: &HeaderMap) -> Option<&str> {
    credentials(headers, "bearer")
}

/// Who shows this token. It is found by its hash, so how long that takes tells nothing of the tokens that there are.
/// One that is good is always let in: nobody comes upon one of those by trying.
pub(super) fn find(site: &Site, token: &str, from: Option<IpAddr>) -> Result<Found, Failure> {
    let now = unix_now();
    let found = site.desk.read(|desk| {
        let token = desk.token(&hashed(token), now)?;
        let (account, name) = (token.account, token.name.clone());
        let is_due = token.used.is_none_or(|used| now.since(used) >= TOUCH_EVERY);
        let touch = is_due.then(|| Edit::TouchToken { account, name: name.clone(), now });
        Some(Found { account, role: token.role, who: Who::Token { account, name }, touch })
    });
    let metrics = site.desk.metrics().http();
    if let Some(found) = found {
        metrics.login(Login::Accepted);
        return Ok(found);
    }
    let throttle = &site.doors.throttle;
    if let Err(wait) = throttle.check_address(from) {
        metrics.login(Login::Throttled);
        return Err(Failure::too_many(wait));
    }
    throttle.fail(from, None);
    metrics.login(Login::Refused);
    Err(Failure::unauthenticated().saying("there is no such token, or it has expired").denying_token())
}
