//! Presence as a picture: rows 28 and 29.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{Board, answer, etag, picture::Theme, refuse};
use crate::{domain::Show, http::Failure};

/// Who opens a picture as a page gets a picture, whatever finds its way into one: no scripts, no requests.
const POLICY: (HeaderName, HeaderValue) =
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));

/// The show of now, in the theme that is the usual one.
pub(super) async fn current(State(board): State<Arc<Board>>, request: Request) -> Response {
    drawn(request.headers(), Theme::Badge, board.show(&request))
}

/// The show of now.
pub(super) async fn themed(State(board): State<Arc<Board>>, request: Request) -> Response {
    let [_, theme] = last_two(request.uri());
    let Some(theme) = Theme::named(theme) else { return no_theme() };
    drawn(request.headers(), theme, board.show(&request))
}

/// The show that the path names.
pub(super) async fn fixed(request: Request) -> Response {
    let [theme, show] = last_two(request.uri());
    let Some(theme) = Theme::named(theme) else { return no_theme() };
    let Some(show) = Show::from_word(show) else { return no_such("show", &Show::ALL.map(Show::as_str)) };
    drawn(request.headers(), theme, show)
}

fn drawn(headers: &HeaderMap, theme: Theme, show: Show) -> Response {
    let tag = HeaderValue::from_static(etag(show));
    ([POLICY], answer(headers, tag, "image/svg+xml", || theme.draw(show))).into_response()
}

/// The last two parts of a path, as they stand there: names of ours need no escapes.
fn last_two(uri: &Uri) -> [&str; 2] {
    let mut parts = uri.path().rsplit('/');
    let last = parts.next().unwrap_or_default();
    [parts.next().unwrap_or_default(), last]
}

fn no_theme() -> Response {
    no_such("theme", &Theme::ALL.map(Theme::as_str))
}

fn no_such(what: &str, known: &[&str]) -> Response {
    let message = format!("there is no such {what}; there are {}", known.join(", "));
    refuse(Failure::new(StatusCode::NOT_FOUND, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::Rig;

    #[tokio::test]
    async fn the_show_of_now_in_every_theme() {
        let mut rig = Rig::new().await;
        rig.link_up().await;
        for show in [Show::Dnd, Show::Available, Show::Away, Show::Xa] {
            rig.hear("ann", show, None).await;
            for (path, theme) in [
                ("image", Theme::Badge),
                ("image/badge", Theme::Badge),
                ("image/theme/badge", Theme::Badge),
                ("image/dark?_=1", Theme::Dark),
                ("image/theme/icon", Theme::Icon),
            ] {
                let reply = rig.send(&format!("GET /presence/jid/law/queues.example.org/{path}"), "", &[]).await;
                assert_eq!(reply.line(), format!("200 {}", theme.draw(show)), "{path}");
                assert_eq!(reply.header("content-type"), Some("image/svg+xml"));
                assert_eq!(reply.header("content-security-policy"), Some("default-src 'none'; sandbox"));
                assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
                let tag = reply.header("etag").unwrap();
                let path = format!("GET /presence/image/{}/{show}", theme.as_str());
                assert_eq!(rig.send(&path, "", &[]).await.body, reply.body);
                assert_eq!(rig.send(&path, "", &[("if-none-match", tag)]).await.line(), "304 ");
            }
        }
    }

    #[tokio::test]
    async fn what_there_is_not_is_no_picture() {
        let rig = Rig::new().await;
        let themes = r#"404 {"success":null,"message":"there is no such theme; there are badge, dark, icon","error":"there is no such theme; there are badge, dark, icon"}"#;
        for path in [
            "jid/law/queues.example.org/image/gone",
            "jid/law/queues.example.org/image/theme/Badge",
            "jid/nobody/elsewhere.org/image/theme",
            "image/gone/away",
            "image/gone/gone",
        ] {
            let reply = rig.send(&format!("GET /presence/{path}"), "", &[]).await;
            assert_eq!(reply.line(), themes, "{path}");
            assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        }
        let reply = rig.send("GET /presence/image/badge/online", "", &[]).await;
        insta::assert_snapshot!(reply.line(), @r#"404 {"success":null,"message":"there is no such show; there are chat, available, dnd, away, xa, unavailable","error":"there is no such show; there are chat, available, dnd, away, xa, unavailable"}"#);
        assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
    }
}
