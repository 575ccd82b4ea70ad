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
    let (now, hash) = (unix_now(), hashed(token));
    let found = site.desk.read(|desk| {
        let token = desk.token(&hash, now)?;
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
    // Who shows one that has expired guesses nothing.
    if !site.desk.read(|desk| desk.had_token(&hash)) {
        site.doors.throttle.fail_token(from).map_err(|wait| {
            metrics.login(Login::Throttled);
            Failure::too_many(wait)
        })?;
    }
    metrics.login(Login::Refused);
    Err(Failure::unauthenticated().saying("there is no such token, or it has expired").denying_token())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::Role,
        http::{
            Tools,
            testing::{Rig, name, settings},
        },
    };

    #[tokio::test]
    async fn one_that_has_expired_is_no_guess() {
        let (rig, settings) = (Rig::new().await, settings());
        let (hash, now) = (hashed("old"), unix_now());
        let (account, text, expires) = (name("boss"), name("old"), Some(now));
        rig.edit(Edit::AddToken { account, name: text, role: Role::Viewer, hash, now, expires }).await;
        let site = Arc::new(Tools::new(settings, rig.desk.clone()));
        let show = |token: &str| match find(&site, token, "192.0.2.7".parse().ok()) {
            Ok(_) => 200,
            Err(failure) => failure.into_parts().0.as_u16(),
        };
        assert!((0..50).all(|_| show("old") == 401));
        assert!((0..20).all(|_| show("guess") == 401));
        assert_eq!((show("guess"), show("old"), show("owner-token")), (429, 401, 200));
    }
}
