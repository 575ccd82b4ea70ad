//! The assignments of a user: rows 12 to 15, the operators seen from the other side.

use axum::{
    Router,
    extract::State,
    routing::{get, put},
};

use super::{
    AtUser, Caller, Failure, Fields, Json, Site,
    operators::{OperatorBody, enable, unassign},
    users,
};
use crate::domain::{Edit, QueueId, Refusal};

pub(super) fn routes(prefix: &str) -> Router<Site> {
    Router::new()
        .route(&format!("{prefix}/users/{{user}}/assignments"), get(list).post(assign))
        .route(&format!("{prefix}/users/{{user}}/assignments/{{queue}}"), put(enable).patch(enable).delete(unassign))
}

async fn list(State(site): State<Site>, caller: Caller, AtUser(user): AtUser) -> Result<Json, Failure> {
    site.desk.read(|desk| {
        let assignments = desk.books(caller.account).assignments(user).ok_or_else(users::missing)?;
        Ok(Json::of(&assignments.map(OperatorBody::from).collect::<Vec<_>>()))
    })
}

async fn assign(
    State(site): State<Site>,
    caller: Caller,
    AtUser(user): AtUser,
    fields: Fields,
) -> Result<Json, Failure> {
    site.desk.read(|desk| desk.books(caller.account).user(user).map(|_| ())).ok_or_else(users::missing)?;
    let queue = fields.id("queueId").and_then(QueueId::new);
    let queue = queue.ok_or_else(|| Failure::refused(Refusal::NoQueue.to_string()))?;
    let edit = Edit::Assign { account: caller.account, queue, user };
    let of_the_body = |refusal: &Refusal| *refusal == Refusal::NoQueue;
    site.desk.edit(caller.by, edit).await.map_err(|error| Failure::of_edit_but(error, of_the_body))?;
    Ok(Json::success())
}
