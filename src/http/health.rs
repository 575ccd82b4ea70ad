//! Whether the process is alive, and whether it does its work: for supervisors and load balancers, without login.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{ToSchema, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Json, Site};
use crate::{domain::LinkPhase, engine::Handle, telemetry};

#[derive(Serialize, ToSchema)]
#[schema(as = Alive)]
struct AliveBody {
    alive: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
struct ReadyBody {
    ready: bool,
    /// Why not: `store-failed`, `link-down`, `sweeping`.
    reasons: Vec<&'static str>,
}

/// What is served, and its description.
pub(super) fn routes() -> (Router<Site>, OpenApi) {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready)).split_for_parts()
}

/// Says that the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses(
    (status = 200, description = "It is", body = AliveBody)
))]
async fn alive() -> Json {
    Json::of(&AliveBody { alive: true })
}

/// Says whether everybody has been heard, the link is up and the store is good, and if not, why.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "All is well", body = ReadyBody),
    (status = 503, description = "Not all is well", body = ReadyBody),
))]
async fn ready(State(site): State<Site>) -> Response {
    // Without login only what is wrong: the details name addresses and files of the machine.
    let reasons: Vec<_> = reasons(&site.desk).into_iter().map(|(name, _)| name).collect();
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json::of(&ReadyBody { ready, reasons })).into_response()
}

/// What keeps the daemon from its work: a name, and more in words for who may know.
pub(super) fn reasons(desk: &Handle) -> Vec<(&'static str, String)> {
    let store = desk.failure().map(|failure| ("store-failed", telemetry::chain(&*failure)));
    let link = desk.read(|desk| match desk.link() {
        LinkPhase::Up => None,
        LinkPhase::Down => Some(("link-down", desk.link_trouble().unwrap_or("not connected yet").to_owned())),
        LinkPhase::Sweeping { done, total } => Some(("sweeping", format!("{done} of {total} users have been asked"))),
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
        insta::assert_snapshot!(ready(&rig).await, @r#"503 {"ready":false,"reasons":["link-down"]}"#);
        rig.link_up().await;
        insta::assert_snapshot!(ready(&rig).await, @r#"200 {"ready":true,"reasons":[]}"#);
        rig.link_down("the server said: \"no\"").await;
        insta::assert_snapshot!(ready(&rig).await, @r#"503 {"ready":false,"reasons":["link-down"]}"#);
        rig.break_store();
        rig.ask("boss", "DELETE /2011-12-03/queues/3", "").await;
        insta::assert_snapshot!(ready(&rig).await, @r#"503 {"ready":false,"reasons":["store-failed","link-down"]}"#);
        assert_eq!(rig.send("GET /healthz", "", &[]).await.status.as_u16(), 200);
    }

    #[tokio::test]
    async fn while_it_sweeps() {
        let mut rig = Rig::new().await;
        rig.start_sweep().await;
        let reply = rig.send("GET /readyz", "", &[]).await;
        assert_eq!(reply.status.as_u16(), 503);
        assert!(reply.body.contains(r#""reasons":["sweeping"]"#), "{}", reply.body);
    }
}
