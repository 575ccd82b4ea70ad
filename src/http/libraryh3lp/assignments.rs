//! The assignments of a user: rows 12 to 15, the operators seen from the other side.

use axum::extract::State;

use super::{AtUser, Caller, Failure, Fields, Json, Site, objects::Operator, users};
use crate::domain::{Edit, QueueId, Refusal};

pub(super) async fn list(State(site): State<Site>, caller: Caller, AtUser(user): AtUser) -> Result<Json, Failure> {
    site.desk.read(|desk| {
        let assignments = desk.books(caller.account).assignments(user).ok_or_else(users::missing)?;
        Ok(Json::of(&assignments.map(Operator::from).collect::<Vec<_>>()))
    })
}

pub(super) async fn assign(
    State(site): State<Site>,
    caller: Caller,
    AtUser(user): AtUser,
    fields: Fields,
) -> Result<Json, Failure> {
    site.desk.read(|desk| desk.books(caller.account).user(user).map(|_| ())).ok_or_else(users::missing)?;
    fields.need("queueId")?;
    let queue = fields.id("queueId").and_then(QueueId::new);
    let queue = queue.ok_or_else(|| Failure::refused(Refusal::NoQueue.to_string()))?;
    let edit = Edit::Assign { account: caller.account, queue, user };
    let of_the_body = |refusal: &Refusal| *refusal == Refusal::NoQueue;
    site.desk.edit(caller.by, edit).await.map_err(|error| Failure::of_edit_but(error, of_the_body))?;
    Ok(Json::success())
}
