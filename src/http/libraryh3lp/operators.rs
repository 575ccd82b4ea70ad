//! The operators of a queue: rows 7 to 11.

use axum::extract::State;

use super::{AtQueue, AtUser, Caller, Failure, Fields, Json, Site, objects::Operator, queues};
use crate::{
    domain::{Edit, OperatorView, QueueId, Refusal, UserId},
    engine::EditError,
};

pub(super) async fn list(State(site): State<Site>, caller: Caller, AtQueue(queue): AtQueue) -> Result<Json, Failure> {
    site.desk.read(|desk| {
        let operators = desk.books(caller.account).operators(queue).ok_or_else(queues::missing)?;
        Ok(Json::of(&operators.map(Operator::from).collect::<Vec<_>>()))
    })
}

pub(super) async fn assign(
    State(site): State<Site>,
    caller: Caller,
    AtQueue(queue): AtQueue,
    fields: Fields,
) -> Result<Json, Failure> {
    site.desk.read(|desk| desk.books(caller.account).queue(queue).map(|_| ())).ok_or_else(queues::missing)?;
    fields.need("userId")?;
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
    switch(&site, caller, queue, user, &fields, |view| Json::of(&[Operator::from(view)])).await
}

/// Enables or suspends, or leaves alone where the fields say neither, and answers from what came of it.
pub(super) async fn switch(
    site: &Site,
    caller: Caller,
    queue: QueueId,
    user: UserId,
    fields: &Fields,
    answer: impl FnOnce(OperatorView<'_>) -> Json,
) -> Result<Json, Failure> {
    let (account, enabled) = (caller.account, fields.switch("enabled"));
    site.desk.edit(caller.by, Edit::Enable { account, queue, user, enabled }).await.map_err(Failure::of_edit)?;
    site.desk.read(|desk| desk.books(account).operator(queue, user).map(answer)).ok_or_else(Failure::not_found)
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
