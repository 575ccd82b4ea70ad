//! Whether the process is alive, and whether it does its work: for supervisors and load balancers, without login.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::{Json, Site};
use crate::domain::LinkPhase;

#[derive(Serialize)]
struct AliveBody {
    alive: bool,
}

#[derive(Serialize)]
struct ReadyBody {
    ready: bool,
    /// Each a name, and where there is more to tell a colon and a sentence.
    reasons: Vec<String>,
}

pub(super) fn routes() -> Router<Site> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

async fn alive() -> Json {
    Json::of(&AliveBody { alive: true })
}

async fn ready(State(site): State<Site>) -> Response {
    let reasons = reasons(&site);
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json::of(&ReadyBody { ready, reasons })).into_response()
}

fn reasons(site: &Site) -> Vec<String> {
    // What the store says names files of the machine: that is for the log.
    let store = site.desk.failure().map(|_| "store-failed: nothing can be stored, the log says why".to_owned());
    let link = site.desk.read(|desk| match desk.link() {
        LinkPhase::Up => None,
        LinkPhase::Down => Some(format!("link-down: {}", desk.link_trouble().unwrap_or("not connected yet"))),
        LinkPhase::Sweeping { done, total } => Some(format!("sweeping: {done} of {total} users have been asked")),
    });
    store.into_iter().chain(link).collect()
}

#[cfg(test)]
mod tests {
    use crate::http::testing::Rig;

    #[tokio::test]
    async fn from_start_to_trouble() {
        let mut rig = Rig::new().await;
        let ready = async |rig: &Rig| rig.send("GET /readyz", "", &[]).await.line();
        insta::assert_snapshot!(rig.send("GET /healthz", "", &[]).await.line(), @r#"200 {"alive":true}"#);
        insta::assert_snapshot!(ready(&rig).await, @r#"503 {"ready":false,"reasons":["link-down: not connected yet"]}"#);
        rig.link_up().await;
        insta::assert_snapshot!(ready(&rig).await, @r#"200 {"ready":true,"reasons":[]}"#);
        rig.link_down("the server said: \"no\"").await;
        insta::assert_snapshot!(ready(&rig).await, @r#"503 {"ready":false,"reasons":["link-down: the server said: \"no\""]}"#);
        rig.break_store();
        rig.ask("boss", "DELETE /2011-12-03/queues/3", "").await;
        insta::assert_snapshot!(ready(&rig).await, @r#"503 {"ready":false,"reasons":["store-failed: nothing can be stored, the log says why","link-down: the server said: \"no\""]}"#);
        assert_eq!(rig.send("GET /healthz", "", &[]).await.status.as_u16(), 200);
    }

    #[tokio::test]
    async fn while_it_sweeps() {
        let mut rig = Rig::new().await;
        rig.start_sweep().await;
        let reply = rig.send("GET /readyz", "", &[]).await;
        assert_eq!(reply.status.as_u16(), 503);
        assert!(reply.body.contains(r#""reasons":["sweeping: "#), "{}", reply.body);
    }
}
