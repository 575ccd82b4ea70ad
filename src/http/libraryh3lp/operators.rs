//! The operators of a queue: rows 7 to 11.

use axum::extract::State;

use super::{AtQueue, AtUser, Caller, Failure, Fields, Json, Site, objects::Operator, queues};
use crate::{
    clock,
    domain::{Cause, Edit, OperatorView, QueueId, Refusal, SuspensionFields, UnixTime, UserId},
    engine::EditError,
};

/// The most characters of a moment.
const UNTIL_MOST: usize = 64;

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
    let suspension = suspension(fields, site.desk.clock().now())?;
    let edit = Edit::Enable { account, queue, user, enabled, suspension };
    site.desk.edit(caller.by, edit).await.map_err(Failure::of_edit)?;
    site.desk.read(|desk| desk.books(account).operator(queue, user).map(answer)).ok_or_else(Failure::not_found)
}

/// Why and until when, which only our own clients say. Who suspends and names no end suspends for good.
fn suspension(fields: &Fields, now: UnixTime) -> Result<SuspensionFields, Failure> {
    let cause = fields.removable_text("reason", Cause::MOST)?;
    let cause = cause.map(|text| text.map(|text| Cause::parse(&text)).transpose()).transpose();
    let until = fields.removable_text("until", UNTIL_MOST)?;
    let until = until.map(|text| text.map(|text| clock::read(&text)).transpose()).transpose();
    let (cause, until) = (cause.map_err(Failure::refused)?, until.map_err(Failure::refused)?);
    if until.flatten().is_some_and(|until| until <= now) {
        return Err(Failure::refused("until has passed"));
    }
    Ok(SuspensionFields { cause, until: until.or(fields.switch("enabled").map(|_| None)) })
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::{
        domain::{AccountId, QueueId, UserId},
        http::testing::Rig,
    };

    #[tokio::test]
    async fn a_suspension_has_a_reason_and_an_end_that_old_clients_do_not_see() {
        let rig = Rig::new().await;
        let put = async |body: &str| rig.ask("boss", "PUT /2011-12-03/queues/3/operators/6", body).await.line();
        let row = || {
            let (account, queue) = (AccountId::new(1).unwrap(), QueueId::new(3).unwrap());
            rig.desk.read(|desk| {
                let view = desk.books(account).operator(queue, UserId::new(6).unwrap()).unwrap();
                format!("{} {:?} {:?}", view.enabled, view.cause.map(ToString::to_string), view.until.map(|it| it.0))
            })
        };
        let reply = put(r#"{"enabled": null, "reason": "lunch", "until": "2026-11-22T03:30:00+01:00"}"#).await;
        assert!(reply.contains("until has passed"), "{reply}");
        assert_eq!(row(), "false None None");
        let reply = put(r#"{"enabled": null, "reason": "lunch", "until": "2026-11-22T03:30:00Z"}"#).await;
        assert_eq!(row(), r#"false Some("lunch") Some(1795318200)"#);
        assert!(!reply.contains("lunch") && reply.starts_with("200 [{"), "{reply}");
        put("{}").await;
        assert_eq!(row(), r#"false Some("lunch") Some(1795318200)"#, "nothing was asked for");
        put(r#"{"enabled": null}"#).await;
        assert_eq!(row(), r#"false Some("lunch") None"#, "who suspends anew names the end anew");
        put(r#"{"until": "2026-11-22T03:30:00Z", "reason": null}"#).await;
        assert_eq!(row(), "false None Some(1795318200)");
        rig.wall.store(1_795_318_200, Ordering::SeqCst);
        while row() != "true None None" {
            // This wakes the engine, and asks for nothing.
            put("{}").await;
        }
        rig.wall.store(1_795_314_600, Ordering::SeqCst);
        put(r#"{"enabled": false, "reason": "x"}"#).await;
        put(r#"{"enabled": true, "reason": "x"}"#).await;
        assert_eq!(row(), "true None None");
        for bad in [r#"{"enabled": null, "until": "soon"}"#, r#"{"enabled": null, "reason": "a\nb"}"#] {
            let reply = put(bad).await;
            assert!(reply.starts_with(r#"200 {"success":null"#), "{reply}");
        }
        assert_eq!(row(), "true None None");
    }
}
