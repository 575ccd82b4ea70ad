//! Presence for web pages: one word about one queue, for everybody, and hundreds of times a second.

mod text;

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Settings, Site, libraryh3lp::VERSIONS};
use crate::domain::{BareJid, Desk, Name, Show};

/// Every format, behind no prefix and behind that of each version.
pub(super) fn routes() -> Router<Site> {
    let prefixes = VERSIONS.into_iter().map(|(prefix, _)| prefix).chain([""]);
    prefixes.fold(Router::new(), |routes, prefix| routes.merge(text::routes(prefix)))
}

/// What is shown to the public of `name@domain`. Who is not there is `unavailable`, and so is who is not to be seen.
fn public_show(settings: &Settings, desk: &Desk, name: &str, domain: &str) -> Show {
    let show = if domain.eq_ignore_ascii_case(&settings.domain) {
        let name = Name::parse(name, Name::QUEUE_MOST).ok();
        name.and_then(|name| desk.queue_by_name(&name)).map(|queue| queue.published.show)
    } else if settings.presence_of_users && domain.eq_ignore_ascii_case(&settings.user_domain) {
        let jid = Name::parse(name, Name::USER_MOST).ok().map(|name| BareJid::of(&name, &settings.user_domain));
        jid.and_then(|jid| desk.user_by_jid(&jid)).map(|user| user.show)
    } else {
        None
    };
    let show = show.unwrap_or(Show::Unavailable);
    if settings.presence_cap && show == Show::Chat { Show::Available } else { show }
}

/// A body that changes with the show only, or nothing when the client has it already.
fn answer(headers: &HeaderMap, etag: &'static str, content_type: &'static str, body: &'static str) -> Response {
    let common = [
        (header::ETAG, HeaderValue::from_static(etag)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    if has_already(headers, etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

/// Whether `If-None-Match` names `etag` (RFC 9110 section 13.1.2).
fn has_already(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match() {
        let check = |value: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
            has_already(&headers, "\"away\"")
        };
        assert!(check("\"away\""));
        assert!(check("W/\"away\""));
        assert!(check("\"chat\" , \"away\""));
        assert!(check("*"));
        assert!(!check("\"chat\""));
        assert!(!check("away"));
        assert!(!has_already(&HeaderMap::new(), "\"away\""));
    }
}
