//! What the second version and all later shape anew: rows 21 to 24.

use axum::extract::State;

use super::{
    AtQueue, AtUser, Caller, Failure, Fields, Json, Site,
    objects::{ShortOperator, ShortQueue, ShortUser},
    operators, queues, users,
};

pub(super) async fn queues(State(site): State<Site>, caller: Caller) -> Json {
    site.desk.read(|desk| {
        let queues = desk.books(caller.account).queues();
        Json::of(&queues.map(ShortQueue::from).collect::<Vec<_>>())
    })
}

pub(super) async fn queue(State(site): State<Site>, caller: Caller, AtQueue(queue): AtQueue) -> Result<Json, Failure> {
    queues::read(&site, caller.account, queue, |view| Json::of(&ShortQueue::from(view)))
}

pub(super) async fn users(State(site): State<Site>, caller: Caller) -> Json {
    site.desk.read(|desk| {
        let users = desk.books(caller.account).users();
        Json::of(&users.map(ShortUser::from).collect::<Vec<_>>())
    })
}

pub(super) async fn user(State(site): State<Site>, caller: Caller, AtUser(user): AtUser) -> Result<Json, Failure> {
    users::read(&site, caller.account, user, |view| Json::of(&ShortUser::from(view)))
}

pub(super) async fn operators(
    State(site): State<Site>,
    caller: Caller,
    AtQueue(queue): AtQueue,
) -> Result<Json, Failure> {
    site.desk.read(|desk| {
        let operators = desk.books(caller.account).operators(queue).ok_or_else(queues::missing)?;
        Ok(Json::of(&operators.map(ShortOperator::from).collect::<Vec<_>>()))
    })
}

/// The object itself comes back, not a list with it.
pub(super) async fn enable(
    State(site): State<Site>,
    caller: Caller,
    AtQueue(queue): AtQueue,
    AtUser(user): AtUser,
    fields: Fields,
) -> Result<Json, Failure> {
    operators::switch(&site, caller, queue, user, &fields, |view| Json::of(&ShortOperator::from(view))).await
}
