//! Tokens of the API, for programs.

use axum::http::HeaderMap;

use super::{Failure, Found, Site, TOUCH_EVERY, credentials, hashed, unix_now};
use crate::domain::{Edit, Who};

/// The token that a request shows.
pub(super) fn shown(headers: &HeaderMap) -> Option<&str> {
    credentials(headers, "bearer")
}

/// Who shows this token. It is found by its hash, so how long that takes tells nothing of the tokens that there are.
pub(super) fn find(site: &Site, token: &str) -> Result<Found, Failure> {
    let now = unix_now();
    let found = site.desk.read(|desk| {
        let token = desk.token(&hashed(token), now)?;
        let (account, name) = (token.account, token.name.clone());
        let is_due = token.used.is_none_or(|used| now.since(used) >= TOUCH_EVERY);
        let touch = is_due.then(|| Edit::TouchToken { account, name: name.clone(), now });
        Some(Found { account, role: token.role, who: Who::Token { account, name }, touch })
    });
    found.ok_or_else(|| Failure::unauthenticated().saying("there is no such token, or it has expired").denying_token())
}
