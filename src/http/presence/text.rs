//! Presence as one word: row 25.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::HeaderValue,
    response::Response,
    routing::get,
};

use super::{Board, answer};
use crate::domain::Show;

pub(super) fn routes(prefix: &str) -> Router<Arc<Board>> {
    Router::new().route(&format!("{prefix}/presence/jid/{{name}}/{{domain}}/text"), get(text))
}

async fn text(State(board): State<Arc<Board>>, request: Request) -> Response {
    let show = board.show(&request);
    answer(request.headers(), HeaderValue::from_static(etag(show)), "text/plain; charset=utf-8", show.as_str())
}

/// As the word is all there is, it is the tag too.
const fn etag(show: Show) -> &'static str {
    match show {
        Show::Chat => "\"chat\"",
        Show::Available => "\"available\"",
        Show::Dnd => "\"dnd\"",
        Show::Away => "\"away\"",
        Show::Xa => "\"xa\"",
        Show::Unavailable => "\"unavailable\"",
    }
}

#[cfg(test)]
mod tests {
    use crate::{domain::Show, http::testing::Rig};

    async fn word(rig: &Rig, path: &str) -> String {
        rig.send(&format!("GET /presence/jid/{path}/text"), "", &[]).await.line()
    }

    #[tokio::test]
    async fn exactly_the_word() {
        let mut rig = Rig::new().await;
        rig.link_up().await;
        for (show, expected) in [
            (Show::Chat, "200 available"),
            (Show::Available, "200 available"),
            (Show::Dnd, "200 dnd"),
            (Show::Away, "200 away"),
            (Show::Xa, "200 xa"),
        ] {
            rig.hear("ann", show, None).await;
            assert_eq!(word(&rig, "law/queues.example.org").await, expected);
            assert_eq!(word(&rig, "LAW/Queues.Example.ORG").await, expected);
            assert_eq!(word(&rig, "law/queues.example.org").await, expected);
        }
    }

    #[tokio::test]
    async fn who_is_not_there_is_unavailable() {
        let mut rig = Rig::new().await;
        rig.link_up().await;
        rig.hear("ann", Show::Away, None).await;
        for path in [
            "tax/queues.example.org",
            "nobody/queues.example.org",
            "law/elsewhere.org",
            "law/example.org",
            "ann/queues.example.org",
            "ann/example.org",
            "a%20b/queues.example.org",
            "%ff/queues.example.org",
            "staffing/queues.example.org",
        ] {
            assert_eq!(word(&rig, path).await, "200 unavailable", "{path}");
        }
    }

    #[tokio::test]
    async fn the_true_word_and_the_users_where_that_is_set() {
        let mut rig = Rig::with(|settings| (settings.presence_cap, settings.presence_of_users) = (false, true)).await;
        rig.link_up().await;
        rig.hear("ann", Show::Chat, None).await;
        assert_eq!(word(&rig, "law/queues.example.org").await, "200 chat");
        assert_eq!(word(&rig, "Ann/example.org").await, "200 chat");
        assert_eq!(word(&rig, "bob/example.org").await, "200 unavailable");
    }

    #[tokio::test]
    async fn headers_and_revalidation() {
        let mut rig = Rig::new().await;
        let path = "GET /presence/jid/law/queues.example.org/text?_=1234";
        let reply = rig.send(path, "", &[]).await;
        let mut headers: Vec<_> = reply.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.sort();
        insta::assert_snapshot!(headers.join("\n"), @r#"
        access-control-allow-origin: "*"
        cache-control: "no-cache"
        content-length: "11"
        content-type: "text/plain; charset=utf-8"
        cross-origin-resource-policy: "cross-origin"
        etag: "\"unavailable\""
        x-content-type-options: "nosniff"
        "#);

        let again = rig.send(path, "", &[("if-none-match", "\"unavailable\"")]).await;
        assert_eq!(again.line(), "304 ");
        assert_eq!(again.header("etag"), Some("\"unavailable\""));
        assert_eq!(again.header("access-control-allow-origin"), Some("*"));
        rig.link_up().await;
        rig.hear("ann", Show::Away, None).await;
        assert_eq!(rig.send(path, "", &[("if-none-match", "\"unavailable\"")]).await.line(), "200 away");
    }

    #[tokio::test]
    async fn every_prefix_and_method() {
        let rig = Rig::new().await;
        for prefix in ["", "/2011-12-03", "/2013-07-21", "/2016-02-10", "/api"] {
            let path = format!("{prefix}/presence/jid/law/queues.example.org/text");
            assert_eq!(rig.send(&format!("GET {path}"), "", &[]).await.line(), "200 unavailable", "{path}");
            let head = rig.send(&format!("HEAD {path}"), "", &[]).await;
            assert_eq!((head.line().as_str(), head.header("content-length")), ("200 ", Some("11")), "{path}");
            let post = rig.send(&format!("POST {path}"), "", &[]).await;
            assert_eq!((post.status.as_u16(), post.header("allow")), (405, Some("GET,HEAD")), "{path}");
        }
        assert_eq!(rig.send("GET /presence/jid/law/queues.example.org/gif", "", &[]).await.status.as_u16(), 404);
    }
}
