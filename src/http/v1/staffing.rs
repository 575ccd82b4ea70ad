//! Changes of the operators of a queue: many at once, all or none, and only where nobody else changed them meanwhile.

use axum::{
    extract::{DefaultBodyLimit, State},
    http::HeaderMap,
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Json, Member, Site,
    items::{Body, NamedOperatorChange, OperatorChange, WantedOperator, if_match},
    operators::{self, OperatorBody, Page, answer_one, tagged},
    params::At,
    problem::{self, Problem},
    words::Depth,
};
use crate::{
    domain::{By, Edit, Outcome, QueueId, ROWS_MOST, Refusal, Staffing, UserId, Version},
    engine::EditError,
    http::auth::Caller,
};

/// The most bytes of a list: reasons in any script, and spaces between everything.
pub(super) const BODY_MOST: usize = 1_500 * ROWS_MOST;

pub(super) fn routes() -> OpenApiRouter<Site> {
    let many = OpenApiRouter::new().routes(routes!(replace, change)).layer(DefaultBodyLimit::max(BODY_MOST));
    many.merge(OpenApiRouter::new().routes(routes!(change_one)))
}

/// Sets all operators of a queue: assigns, unassigns, enables and suspends until they are as the list says. All or nothing.
///
/// For queues of at most 1,000 operators. A user who stays as they are is not touched.
#[utoipa::path(put, path = "/queues/{queue}/operators", operation_id = "replaceOperators", tag = "operators", request_body = inline(Vec<WantedOperator>), params(
    ("queue" = u32, Path, description = "The number of the queue"),
    ("If-Match" = Option<String>, Header, pattern = r#"^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$"#, description = "Only while the operators have this version")), responses(
    (status = 200, description = "It is so now", body = Page<'static>,
        headers(("ETag" = String, description = "The version of all operators of the queue"))),
    (status = 412, description = "The operators have another version", body = problem::Body<'static>, content_type = "application/problem+json"),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn replace(
    State(site): State<Site>,
    Member(caller): Member,
    At(queue): At<u32>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let rows = body.wanted(site.desk.clock().now())?;
    let users = rows.iter().map(|(user, _)| *user).collect();
    staff(&site, caller, queue, if_match(&headers), Staffing::Exactly(rows), users).await
}

/// Enables and suspends some operators of a queue. All or nothing; nobody is assigned or unassigned.
#[utoipa::path(patch, path = "/queues/{queue}/operators", operation_id = "changeOperators", tag = "operators", request_body = inline(Vec<NamedOperatorChange>), params(
    ("queue" = u32, Path, description = "The number of the queue"),
    ("If-Match" = Option<String>, Header, pattern = r#"^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$"#, description = "Only while the operators have this version")), responses(
    (status = 200, description = "It is so now; only those that were named are listed", body = Page<'static>,
        headers(("ETag" = String, description = "The version of all operators of the queue"))),
    (status = 412, description = "The operators have another version", body = problem::Body<'static>, content_type = "application/problem+json"),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn change(
    State(site): State<Site>,
    Member(caller): Member,
    At(queue): At<u32>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let rows = body.changes(site.desk.clock().now())?;
    let users = rows.iter().map(|(user, _, _)| *user).collect();
    staff(&site, caller, queue, if_match(&headers), Staffing::Change(rows), users).await
}

async fn staff(
    site: &Site,
    caller: Caller,
    queue: u32,
    versions: Option<Vec<Version>>,
    staffing: Staffing,
    mut users: Vec<UserId>,
) -> Result<Response, Problem> {
    let missing = || Problem::missing(&Refusal::NoQueue);
    let (queue, account) = (QueueId::new(queue).ok_or_else(missing)?, caller.account);
    let version = edit(site, caller.by, Edit::Staff { account, queue, versions, staffing }).await?;
    users.sort_unstable();
    site.desk.read(|desk| {
        let (books, clock) = (desk.books(account), site.desk.clock());
        let rows = users.into_iter().filter_map(|user| books.operator(queue, user));
        let operators = rows.map(|row| operators::body(desk, clock, &row, Depth::SHORT)).collect();
        let page = Page { queue: queue.get(), version: version.to_string(), operators, next: None };
        Ok(tagged(version, Json::of(&page)))
    })
}

/// Has operators changed, and gives the version that they had then. It is not read from the desk afterwards: who is answered
/// with that of somebody else's later change, which they were not told of, could undo it.
async fn edit(site: &Site, by: By, edit: Edit) -> Result<Version, EditError> {
    match site.desk.edit(by, edit).await? {
        Outcome::Staffed(version) => Ok(version),
        Outcome::Account(_) | Outcome::Queue(_) | Outcome::User(_) | Outcome::Done => Err(Refusal::Changed.into()),
    }
}

/// Enables or suspends one operator.
#[utoipa::path(patch, path = "/queues/{queue}/operators/{user}", operation_id = "changeOperator", tag = "operators", request_body = OperatorChange, params(
    ("queue" = u32, Path, description = "The number of the queue"),
    ("user" = u32, Path, description = "The number of the user"),
    ("If-Match" = Option<String>, Header, pattern = r#"^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$"#, description = "Only while the operators have this version")), responses(
    (status = 200, description = "It is so now", body = OperatorBody<'static>,
        headers(("ETag" = String, description = "The version of all operators of the queue"))),
    (status = 412, description = "The operators have another version", body = problem::Body<'static>, content_type = "application/problem+json"),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn change_one(
    State(site): State<Site>,
    Member(caller): Member,
    At((queue, user)): At<(u32, u32)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let missing = || Problem::missing(&Refusal::NotAssigned);
    let (queue, user) = QueueId::new(queue).zip(UserId::new(user)).ok_or_else(missing)?;
    let (enabled, fields) = body.change(site.desk.clock().now())?;
    let staffing = Staffing::Change(vec![(user, enabled, fields)]);
    let (account, versions) = (caller.account, if_match(&headers));
    let staff = Edit::Staff { account, queue, versions, staffing };
    let version = edit(&site, caller.by.clone(), staff).await.map_err(|error| match error {
        // The path names them, not the body.
        EditError::Refused(Refusal::Items(_)) => missing(),
        error @ (EditError::Refused(_) | EditError::Store(_) | EditError::Stopping) => error.into(),
    })?;
    answer_one(&site, &caller, (queue, user), None, Some(version))
}
