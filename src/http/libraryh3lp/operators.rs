//! The operators of a queue: rows 7 to 11.

use axum::{
    Router,
    extract::State,
    routing::{get, put},
};
use serde::Serialize;

use super::{AtQueue, AtUser, Caller, Failure, Fields, Json, Site, queues};
use crate::{
    domain::{Edit, OperatorView, Refusal, UserId},
    engine::EditError,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperatorBody<'a> {
    queue_id: u32,
    queue: &'a str,
    queue_show: &'static str,
    user_id: u32,
    user: &'a str,
    user_show: &'static str,
    /// `true`, or null for suspended: never false.
    enabled: Option<bool>,
}

impl<'a> From<OperatorView<'a>> for OperatorBody<'a> {
    fn from(view: OperatorView<'a>) -> Self {
        Self {
            queue_id: view.queue.queue.id.get(),
            queue: view.queue.queue.name.as_str(),
            queue_show: view.queue.published.show.as_str(),
            user_id: view.user.id.get(),
            user: view.user.name,
            user_show: view.user.show.as_str(),
            enabled: view.enabled.then_some(true),
        }
    }
}

pub(super) fn routes(prefix: &str) -> Router<Site> {
    Router::new()
        .route(&format!("{prefix}/queues/{{queue}}/operators"), get(list).post(assign))
        .route(&format!("{prefix}/queues/{{queue}}/operators/{{user}}"), put(enable).patch(enable).delete(unassign))
}

async fn list(State(site): State<Site>, caller: Caller, AtQueue(queue): AtQueue) -> Result<Json, Failure> {
    site.desk.read(|desk| {
        let operators = desk.books(caller.account).operators(queue).ok_or_else(queues::missing)?;
        Ok(Json::of(&operators.map(OperatorBody::from).collect::<Vec<_>>()))
    })
}

async fn assign(
    State(site): State<Site>,
    caller: Caller,
    AtQueue(queue): AtQueue,
    fields: Fields,
) -> Result<Json, Failure> {
    site.desk.read(|desk| desk.books(caller.account).queue(queue).map(|_| ())).ok_or_else(queues::missing)?;
    let user = fields.id("userId").and_then(UserId::new);
    let user = user.ok_or_else(|| Failure::refused(Refusal::NoUser.to_string()))?;
    let edit = Edit::Assign { account: caller.account, queue, user };
    let of_the_body = |refusal: &Refusal| *refusal == Refusal::NoUser;
    site.desk.edit(caller.by, edit).await.map_err(|error| Failure::of_edit_but(error, of_the_body))?;
    Ok(Json::success())
}

/// Enables or suspends, and shows what came of it. The same from both sides.
pub(super) async fn enable(
    State(site): State<Site>,
    caller: Caller,
    AtQueue(queue): AtQueue,
    AtUser(user): AtUser,
    fields: Fields,
) -> Result<Json, Failure> {
    let (account, enabled) = (caller.account, fields.switch("enabled"));
    site.desk.edit(caller.by, Edit::Enable { account, queue, user, enabled }).await.map_err(Failure::of_edit)?;
    site.desk.read(|desk| {
        let view = desk.books(account).operator(queue, user).ok_or_else(Failure::not_found)?;
        Ok(Json::of(&[OperatorBody::from(view)]))
    })
}

/// Ends an assignment; one that is not there is no 404 in this API. The same from both sides.
pub(super) async fn unassign(
    State(site): State<Site>,
    caller: Caller,
    queue: Result<AtQueue, Failure>,
    user: Result<AtUser, Failure>,
) -> Result<Json, Failure> {
    let no_assignment = || Failure::refused(Refusal::NotAssigned.to_string());
    let (Ok(AtQueue(queue)), Ok(AtUser(user))) = (queue, user) else { return Err(no_assignment()) };
    match site.desk.edit(caller.by, Edit::Unassign { account: caller.account, queue, user }).await {
        Ok(_) => Ok(Json::success()),
        Err(EditError::Refused(Refusal::NoQueue | Refusal::NoUser | Refusal::NotAssigned)) => Err(no_assignment()),
        Err(error) => Err(Failure::of_edit(error)),
    }
}
