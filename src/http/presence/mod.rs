//! Presence for web pages: how one queue is, for everybody, and hundreds of times a second.

mod described;
mod image;
mod js;
mod picture;
mod text;
mod xml;

use std::{borrow::Cow, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use percent_encoding::percent_decode_str;
use tracing::debug;

use super::{Current, Failure, Settings, libraryh3lp::VERSIONS};
use crate::{
    domain::{BareJid, Desk, Name, Show},
    engine::Handle,
};

pub(super) use described::description;

/// The prefixes behind which all of it is, each with what names of operations end with.
const PREFIXES: [(&str, &str); 5] = [("", ""), VERSIONS[0], VERSIONS[1], VERSIONS[2], VERSIONS[3]];

/// The one resource that is told of, whoever is there: pages look at the first, or at the last.
const RESOURCE: &str = "libraryh3lp";
const PRIORITY: u8 = 5;

/// What is served to everybody, and from where.
#[derive(Debug)]
struct Board {
    desk: Handle,
    settings: Current,
}

/// A format, and what is said of it.
struct Format {
    /// Where it is, behind a prefix.
    path: &'static str,
    serve: MethodRouter<Arc<Board>>,
    name: &'static str,
    says: &'static str,
    content_type: &'static str,
}

/// Everything that is served.
fn formats() -> [Format; 7] {
    const IMAGE: &str = "image/svg+xml";
    let format = |path, serve, name, says, content_type| Format { path, serve, name, says, content_type };
    [
        format(
            "/presence/jid/{name}/{domain}/text",
            get(text::text),
            "Text",
            "Tells the presence of a queue in one word.",
            "text/plain",
        ),
        format(
            "/presence/jid/{name}/{domain}/xml",
            get(xml::xml),
            "Xml",
            "Tells the presence of a queue in XML.",
            "text/xml",
        ),
        format(
            "/presence/jid/{name}/{domain}/js",
            get(js::js),
            "Js",
            "Tells the presence of a queue to a script, and calls it.",
            "application/javascript",
        ),
        format(
            "/presence/jid/{name}/{domain}/image",
            get(image::current),
            "Image",
            "Shows the presence of a queue as a picture.",
            IMAGE,
        ),
        format(
            "/presence/jid/{name}/{domain}/image/{theme}",
            get(image::themed),
            "ThemedImage",
            "Shows the presence of a queue as a picture of a theme.",
            IMAGE,
        ),
        format(
            "/presence/jid/{name}/{domain}/image/theme/{theme}",
            get(image::themed),
            "ImageOfTheme",
            "Shows the presence of a queue as a picture of a theme.",
            IMAGE,
        ),
        format(
            "/presence/image/{theme}/{show}",
            get(image::fixed),
            "FixedImage",
            "Shows the picture of one show.",
            IMAGE,
        ),
    ]
}

/// Every format, behind no prefix and behind that of each version. What it does not have, it says in its own words.
pub(super) fn routes(settings: Current, desk: Handle) -> Router {
    let board = Board { desk, settings };
    let mut routes = Router::new();
    for Format { path, serve, .. } in formats() {
        for (prefix, _) in PREFIXES {
            routes = routes.route(&format!("{prefix}{path}"), serve.clone());
        }
    }
    routes.method_not_allowed_fallback(async || refuse(Failure::method_not_allowed())).with_state(Arc::new(board))
}

/// Who a page asks about: `/presence/jid/{name}/{domain}/...`, as it stands there.
struct Asked<'a> {
    name: Cow<'a, str>,
    domain: Cow<'a, str>,
}

impl<'a> Asked<'a> {
    fn of(uri: &'a Uri) -> Self {
        let rest = uri.path().split_once("/presence/jid/").map_or("", |(_, rest)| rest);
        let mut parts = rest.split('/');
        // What is no UTF-8 gets characters that nobody's name can have.
        let mut next = || percent_decode_str(parts.next().unwrap_or_default()).decode_utf8_lossy();
        Self { name: next(), domain: next() }
    }
}

impl Board {
    /// What is shown to the public of whom the request names. Who is not there is `unavailable`, and so is who is not to be
    /// seen.
    fn show(&self, request: &Request) -> Show {
        let settings = self.settings.get();
        let show = self.desk.read(|desk| show_of(desk, &settings, &Asked::of(request.uri())));
        debug!(%show, "presence read");
        show
    }
}

fn show_of(desk: &Desk, settings: &Settings, asked: &Asked<'_>) -> Show {
    let Asked { name, domain } = asked;
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

/// A show in words, for people. Neither how many are there nor what they say of themselves is anybody's business.
const fn words(show: Show) -> &'static str {
    match show {
        Show::Chat => "Chat now",
        Show::Available => "Online",
        Show::Dnd => "Busy",
        Show::Away => "Away",
        Show::Xa => "Away longer",
        Show::Unavailable => "Offline",
    }
}

/// What names an answer: besides its URL it depends on the show, and on the release that wrote it.
const fn etag(show: Show) -> &'static str {
    match show {
        Show::Chat => concat!("\"chat-", env!("CARGO_PKG_VERSION"), "\""),
        Show::Available => concat!("\"available-", env!("CARGO_PKG_VERSION"), "\""),
        Show::Dnd => concat!("\"dnd-", env!("CARGO_PKG_VERSION"), "\""),
        Show::Away => concat!("\"away-", env!("CARGO_PKG_VERSION"), "\""),
        Show::Xa => concat!("\"xa-", env!("CARGO_PKG_VERSION"), "\""),
        Show::Unavailable => concat!("\"unavailable-", env!("CARGO_PKG_VERSION"), "\""),
    }
}

/// What every answer has: any page may read it, and keep it, but must ask each time whether it still holds.
const COMMON: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// What `body` makes, or nothing when the client has what `etag` names already.
fn answer<B: IntoResponse>(
    headers: &HeaderMap,
    etag: HeaderValue,
    content_type: &'static str,
    body: impl FnOnce() -> B,
) -> Response {
    let is_known = has_already(headers, etag.as_bytes());
    let tag = [(header::ETAG, etag)];
    if is_known {
        return (StatusCode::NOT_MODIFIED, COMMON, tag).into_response();
    }
    (COMMON, tag, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body()).into_response()
}

/// A failure that any page may read.
pub(super) fn refuse(failure: Failure) -> Response {
    (COMMON, failure).into_response()
}

/// Whether `If-None-Match` names `etag` (RFC 9110 section 13.1.2), weak or not.
fn has_already(headers: &HeaderMap, etag: &[u8]) -> bool {
    fn opaque(tag: &[u8]) -> &[u8] {
        tag.strip_prefix(b"W/").unwrap_or(tag)
    }
    let lists = headers.get_all(header::IF_NONE_MATCH).into_iter().map(HeaderValue::as_bytes);
    let mut tags = lists.flat_map(|list| list.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    tags.any(|tag| tag == b"*" || opaque(tag) == opaque(etag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::Rig;

    /// Every format of one queue, and the picture of a show.
    const FORMATS: [&str; 7] = [
        "jid/law/queues.example.org/text",
        "jid/law/queues.example.org/xml",
        "jid/law/queues.example.org/js?cb=f",
        "jid/law/queues.example.org/image",
        "jid/law/queues.example.org/image/badge",
        "jid/law/queues.example.org/image/theme/badge",
        "image/badge/unavailable",
    ];

    #[tokio::test]
    async fn every_prefix_and_method() {
        let rig = Rig::new().await;
        for prefix in ["", "/2011-12-03", "/2013-07-21", "/2016-02-10", "/api"] {
            for format in FORMATS {
                let path = format!("{prefix}/presence/{format}");
                let get = rig.send(&format!("GET {path}"), "{}", &[]).await;
                assert_eq!(get.status, 200, "{path}");
                let head = rig.send(&format!("HEAD {path}"), "", &[]).await;
                assert_eq!(head.line(), "200 ", "{path}");
                assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()), "{path}");
                for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
                    let refused = rig.send(&format!("{method} {path}"), "", &[]).await;
                    assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, Some("GET,HEAD")), "{path}");
                    assert_eq!(refused.header("access-control-allow-origin"), Some("*"), "{path}");
                    assert!(refused.body.contains("does not support this method"), "{path}");
                }
            }
            for path in ["", "/", "/jid/law/queues.example.org", "/jid/law/queues.example.org/gif", "/image/badge"] {
                let reply = rig.send(&format!("GET {prefix}/presence{path}"), "", &[]).await;
                assert!(reply.line().starts_with("404 {\"success\":null,"), "{path}: {reply:?}");
            }
        }
    }

    #[tokio::test]
    async fn headers_and_revalidation() {
        let mut rig = Rig::new().await;
        for format in FORMATS {
            let path = format!("GET /presence/{format}");
            let reply = rig.send(&path, "", &[]).await;
            let tag = reply.header("etag").unwrap();
            assert_eq!(tag.trim_start_matches("W/"), etag(Show::Unavailable), "{path}");
            let again = rig.send(&path, "", &[("if-none-match", &format!("\"x\", {tag}"))]).await;
            assert_eq!(again.line(), "304 ", "{path}");
            let (mut had, mut has) = (reply.headers.clone(), again.headers);
            for left_out in ["content-type", "content-length"] {
                had.remove(left_out);
                has.remove(left_out);
            }
            assert_eq!(had, has, "{path}");
            assert_eq!(rig.send(&path, "", &[("if-none-match", "\"away\"")]).await.status, 200, "{path}");
        }
        let reply = rig.send("GET /presence/jid/law/queues.example.org/text?_=1234", "", &[]).await;
        let mut headers: Vec<_> = reply.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.sort();
        insta::assert_snapshot!(headers.join("\n").replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
        access-control-allow-origin: "*"
        cache-control: "no-cache"
        content-length: "11"
        content-type: "text/plain; charset=utf-8"
        cross-origin-resource-policy: "cross-origin"
        etag: "\"unavailable-VERSION\""
        x-content-type-options: "nosniff"
        "#);

        rig.link_up().await;
        rig.hear("ann", Show::Away, None).await;
        for format in &FORMATS[..6] {
            let held = [("if-none-match", etag(Show::Unavailable))];
            let reply = rig.send(&format!("GET /presence/{format}"), "", &held).await;
            assert_eq!(reply.status, 200, "{format}: it has changed");
        }
    }

    #[test]
    fn each_show_has_a_tag_of_its_own() {
        let tags = Show::ALL.map(etag);
        for (show, tag) in Show::ALL.into_iter().zip(tags) {
            assert_eq!(tag, format!("\"{show}-{}\"", env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn if_none_match() {
        let check = |values: &[&str]| {
            let value = |value: &&str| (header::IF_NONE_MATCH, value.parse().unwrap());
            let headers: HeaderMap = values.iter().map(value).collect();
            let [strong, weak] = ["\"away\"", "W/\"away\""].map(|etag| has_already(&headers, etag.as_bytes()));
            assert_eq!(strong, weak, "{values:?}");
            strong
        };
        assert!(check(&["\"away\""]));
        assert!(check(&["W/\"away\""]));
        assert!(check(&["\"chat\" , \"away\""]));
        assert!(check(&["\"chat\",W/\"away\",\"xa\""]));
        assert!(check(&["\"chat\"", "\"away\""]));
        assert!(check(&["*"]));
        assert!(!check(&["\"chat\""]));
        assert!(!check(&["away"]));
        assert!(!check(&["\"away"]));
        assert!(!check(&[""]));
        assert!(!check(&[]));
    }
}
