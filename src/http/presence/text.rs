//! Presence as one word: row 25.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::HeaderValue,
    response::Response,
};

use super::{Board, answer, etag};

pub(super) async fn text(State(board): State<Arc<Board>>, request: Request) -> Response {
    let show = board.show(&request);
    answer(request.headers(), HeaderValue::from_static(etag(show)), "text/plain; charset=utf-8", || show.as_str())
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
}
