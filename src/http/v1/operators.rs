//! The operators of a queue: who is next, who is suspended, why and until when?

use axum::{
    extract::{OriginalUri, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Json, Member, Site,
    params::{At, Params, flag, limit, linked, page, show},
    problem::{self, Problem},
    queues::Shown,
    words::{Depth, ResourceBody, moment, reasons_schema, resources, show_schema, words},
};
use crate::{
    clock::{self, Clock},
    domain::{Desk, OperatorView, QueueId, Refusal, Show, UserId, Version},
};

/// A user on a queue.
#[derive(Serialize, ToSchema)]
#[schema(as = Operator)]
pub(super) struct OperatorBody<'a> {
    /// The user's number.
    user: u32,
    /// The user's name.
    name: &'a str,
    /// Where their presence comes from.
    jid: &'a str,
    /// False: suspended, which counts for nothing whatever their show.
    enabled: bool,
    /// Why they are suspended.
    reason: Option<&'a str>,
    /// When rosterd enables them again.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Whether they take work now: enabled, and seen to be available.
    ready: bool,
    /// Their show.
    #[schema(schema_with = show_schema)]
    show: &'static str,
    /// The status text of the client that speaks for them.
    status: Option<&'a str>,
    /// Since when the show is what it is; null when it has not changed since rosterd was started.
    #[schema(format = DateTime)]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = reasons_schema, required = false)]
    reasons: Option<Vec<&'static str>>,
    /// Their connected clients, with `explain=1`, for owners of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resources: Option<Vec<ResourceBody<'a>>>,
}

/// The operators of a queue, by the number of the user.
#[derive(Serialize, ToSchema)]
#[schema(as = Operators)]
pub(super) struct Page<'a> {
    /// The queue's number.
    pub(super) queue: u32,
    /// Changes when anybody is assigned, unassigned, enabled or suspended, or why or until when; by no presence. As an entity
    /// tag it is what `If-Match` takes.
    pub(super) version: String,
    pub(super) operators: Vec<OperatorBody<'a>>,
    /// What to ask for as `after` for the next page; null after the last one. A page may have fewer than `limit`.
    pub(super) next: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only users whose number is above this: `next` of the page before.
    #[param(maximum = 4_294_967_295_i64)]
    after: Option<u32>,
    /// The most on a page: 100 where nothing is said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only those who are enabled, or suspended.
    #[serde(default, deserialize_with = "flag")]
    enabled: Option<bool>,
    /// Only those who take work now, or do not.
    #[serde(default, deserialize_with = "flag")]
    ready: Option<bool>,
    /// Only those with this show.
    #[serde(default, deserialize_with = "show")]
    #[param(schema_with = show_schema)]
    show: Option<Show>,
    /// With the reasons, and the clients.
    #[serde(default, deserialize_with = "flag")]
    explain: Option<bool>,
}

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// Lists the operators of a queue: who is next?
#[utoipa::path(get, path = "/queues/{queue}/operators", operation_id = "listOperators", tag = "operators",
    params(("queue" = u32, Path, description = "The number of the queue"), Wanted), responses(
    (status = 200, description = "A page of operators", body = Page<'static>, headers(
        ("ETag" = String, description = "The version of all operators of the queue"),
        ("Link" = String, description = "The next page (RFC 8288)"))),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn list(
    State(site): State<Site>,
    Member(caller): Member,
    At(queue): At<u32>,
    uri: OriginalUri,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    let limit = limit(wanted.limit)?;
    let missing = || Problem::missing(&Refusal::NoQueue);
    let queue = QueueId::new(queue).ok_or_else(missing)?;
    let answer = |desk: &Desk| {
        let depth = Depth::of(wanted.explain, &caller);
        let is_wanted = |it: &OperatorView<'_>| {
            wanted.enabled.is_none_or(|enabled| enabled == it.enabled)
                && wanted.ready.is_none_or(|ready| ready == is_ready(desk, it))
                && wanted.show.is_none_or(|show| show == it.user.show)
        };
        let operators = desk.books(caller.account).operators_after(queue, wanted.after.and_then(UserId::new))?;
        let (operators, next) = page(
            operators,
            limit,
            |it| it.user.id.get(),
            |it| is_wanted(&it).then(|| body(desk, site.desk.clock(), &it, depth)),
        );
        let version = desk.operators_version(queue)?;
        let body = Json::of(&Page { queue: queue.get(), version: version.to_string(), operators, next });
        Some((body, next, version))
    };
    let (body, next, version) = site.desk.read(answer).ok_or_else(missing)?;
    Ok(tagged(version, linked(&uri, body, next)))
}

/// Shows one operator of a queue.
#[utoipa::path(get, path = "/queues/{queue}/operators/{user}", operation_id = "getOperator", tag = "operators", params(
    ("queue" = u32, Path, description = "The number of the queue"),
    ("user" = u32, Path, description = "The number of the user"), Shown), responses(
    (status = 200, description = "The operator", body = OperatorBody<'static>,
        headers(("ETag" = String, description = "The version of all operators of the queue"))),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn one(
    State(site): State<Site>,
    Member(caller): Member,
    At((queue, user)): At<(u32, u32)>,
    Params(shown): Params<Shown>,
) -> Result<Response, Problem> {
    let missing = || Problem::missing(&Refusal::NotAssigned);
    let (queue, user) = QueueId::new(queue).zip(UserId::new(user)).ok_or_else(missing)?;
    answer_one(&site, &caller, (queue, user), shown.explain, None)
}

/// One operator, as they are now; with this version, or the one that all operators have now.
pub(super) fn answer_one(
    site: &Site,
    caller: &crate::http::auth::Caller,
    (queue, user): (QueueId, UserId),
    explain: Option<bool>,
    version: Option<Version>,
) -> Result<Response, Problem> {
    let answer = |desk: &Desk| {
        let operator = desk.books(caller.account).operator(queue, user)?;
        let depth = Depth::of(explain, caller);
        let body = Json::of(&body(desk, site.desk.clock(), &operator, depth));
        Some(tagged(version.or_else(|| desk.operators_version(queue))?, body))
    };
    site.desk.read(answer).ok_or_else(|| Problem::missing(&Refusal::NotAssigned))
}

fn is_ready(desk: &Desk, operator: &OperatorView<'_>) -> bool {
    operator.enabled && desk.takes_work(operator.user.id)
}

pub(super) fn body<'a>(desk: &'a Desk, clock: &Clock, it: &OperatorView<'a>, depth: Depth) -> OperatorBody<'a> {
    OperatorBody {
        user: it.user.id.get(),
        name: it.user.name,
        jid: it.user.jid.as_str(),
        enabled: it.enabled,
        reason: it.cause.map(crate::domain::Cause::as_str),
        until: it.until.map(clock::write),
        ready: is_ready(desk, it),
        show: it.user.show.as_str(),
        status: it.user.status,
        since: moment(clock, desk.user_since(it.user.id)),
        reasons: depth.reasons.then(|| words(&desk.why_operator(it.queue.queue.id, it.user.id))),
        resources: depth.clients.then(|| resources(desk, clock, it.user.id)),
    }
}

/// With the version as an entity tag. It names what people decided, not what is seen: replies are kept by nobody.
pub(super) fn tagged(version: Version, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let tag = HeaderValue::try_from(format!("\"{version}\"")).ok();
    response.headers_mut().extend(tag.map(|tag| (header::ETAG, tag)));
    response
}
