//! What a query asks for, and answers that come in pages.

use std::fmt::Display;

use axum::{
    extract::{FromRequestParts, OriginalUri, Path, Query},
    http::{HeaderValue, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{
    Json, Site,
    problem::{Kind, Problem},
};
use crate::{
    clock,
    domain::{Reason, Show, UnixTime},
};

/// The most things on a page, and how many there are where nothing is asked for.
const LIMIT_MOST: usize = 1_000;
const LIMIT: usize = 100;
/// The most things that are looked at for one page: a reader holds nobody up.
const LOOK_MOST: usize = 10_000;

/// The parameters of a query; one that there is not, or that is not as it should be, is a problem that says what there is.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Site> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Site) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri).map_err(|error| {
            // What comes after the library's own words says what is wrong.
            let text = error.body_text();
            Problem::bad(text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text).to_owned())
        })?;
        Ok(Self(query.0))
    }
}

/// The numbers in a path. What is no number is not there.
#[derive(Debug)]
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Site> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let missing = |_| Problem::new(Kind::NotFound, "there is no such resource");
        Path::from_request_parts(parts, site).await.map(|Path(at)| Self(at)).map_err(missing)
    }
}

/// `1` or `true`, `0` or `false`.
pub(super) fn flag<'de, D: Deserializer<'de>>(text: D) -> Result<Option<bool>, D::Error> {
    match &*String::deserialize(text)? {
        "1" | "true" => Ok(Some(true)),
        "0" | "false" => Ok(Some(false)),
        other => Err(serde::de::Error::custom(format!("{other:?} is neither true nor false"))),
    }
}

/// One of the six words of availability.
pub(super) fn show<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Show>, D::Error> {
    let word = String::deserialize(text)?;
    let known = || Show::ALL.map(Show::as_str).join(", ");
    Show::from_word(&word)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("{word:?} is no show: there are {}", known())))
}

/// The name of a reason.
pub(super) fn reason<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Reason>, D::Error> {
    let word = String::deserialize(text)?;
    let unknown = || serde::de::Error::custom(format!("{word:?} is not the name of a reason"));
    Reason::parse(&word).map(Some).ok_or_else(unknown)
}

/// A moment of RFC 3339.
pub(super) fn moment<'de, D: Deserializer<'de>>(text: D) -> Result<Option<UnixTime>, D::Error> {
    clock::read(&String::deserialize(text)?).map(Some).map_err(serde::de::Error::custom)
}

/// How many there may be on a page.
pub(super) fn limit(wanted: Option<usize>) -> Result<usize, Problem> {
    let limit = wanted.unwrap_or(LIMIT);
    if (1..=LIMIT_MOST).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::bad(format!("limit must be from 1 to {LIMIT_MOST}")))
    }
}

/// The first `limit` things of which there is something to say, and what to ask for to go on; `None` after the last.
pub(super) fn page<V, T>(
    views: impl Iterator<Item = V>,
    limit: usize,
    number: impl Fn(&V) -> u32,
    mut say: impl FnMut(V) -> Option<T>,
) -> (Vec<T>, Option<u32>) {
    let (mut page, mut last) = (Vec::new(), None);
    for (looked, view) in views.enumerate() {
        if page.len() == limit || looked == LOOK_MOST {
            return (page, last);
        }
        last = Some(number(&view));
        page.extend(say(view));
    }
    (page, None)
}

/// An answer that names the next page in a header too (RFC 8288).
pub(super) fn linked(OriginalUri(uri): &OriginalUri, body: Json, next: Option<impl Display>) -> Response {
    let mut response = body.into_response();
    let link = next.and_then(|next| HeaderValue::try_from(link(uri, next)).ok());
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    response
}

fn link(uri: &Uri, next: impl Display) -> String {
    let others = uri.query().unwrap_or_default().split('&');
    let others = others.filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
    let query: Vec<_> = others.map(ToOwned::to_owned).chain([format!("after={next}")]).collect();
    format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let odd = |number: u32| (number % 2 == 1).then_some(number);
        let check = |from: u32, to: u32, limit| page(from..to, limit, |number| *number, odd);
        assert_eq!(check(1, 6, 10), (vec![1, 3, 5], None));
        assert_eq!(check(1, 6, 2), (vec![1, 3], Some(3)));
        assert_eq!(check(4, 6, 2), (vec![5], None));
        assert_eq!(check(1, 1, 2), (vec![], None));
        let (found, next) = page(1..100_000_u32, 1, |number| *number, |_| None::<u32>);
        assert_eq!((found.len(), next), (0, Some(10_000)), "nobody is held up for long");
    }

    #[test]
    fn links() {
        let check = |uri: &str| link(&uri.parse().unwrap(), 7);
        assert_eq!(check("/v1/users"), "</v1/users?after=7>; rel=\"next\"");
        assert_eq!(check("/v1/users?after=3&limit=2&show=away"), "</v1/users?limit=2&show=away&after=7>; rel=\"next\"");
    }
}
