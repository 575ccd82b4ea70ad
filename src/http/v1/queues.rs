//! Queues: are they open, and why?

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Json, Member, Site,
    params::{At, Params, flag, limit, linked, page, show},
    problem::{self, Problem},
    words::{moment, reasons_schema, show_schema, words},
};
use crate::{
    clock::Clock,
    domain::{Desk, QueueId, QueueView, Refusal, Show},
};

/// A queue and what is published of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
pub(super) struct QueueBody<'a> {
    /// Its number, which no other thing ever gets.
    id: u32,
    /// Its name.
    name: &'a str,
    /// Its address, whose presence can be followed.
    jid: String,
    /// The best show among its enabled operators.
    #[schema(schema_with = show_schema)]
    show: &'static str,
    /// The same in a sentence.
    status: String,
    /// Whether anybody takes work now.
    open: bool,
    /// How many enabled operators take work now.
    ready: u32,
    /// How many operators are enabled.
    enabled: u32,
    /// How many operators are assigned.
    operators: usize,
    /// Kept for the account.
    email: Option<&'a str>,
    /// Kept for the account.
    avatar: Option<&'a str>,
    /// Since when the show is what it is; null when it has not changed since rosterd was started.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Changes when any of the queue's own fields does, by no presence and no operator.
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = reasons_schema, required = false)]
    reasons: Option<Vec<&'static str>>,
}

/// Queues, by number.
#[derive(Serialize, ToSchema)]
#[schema(as = Queues)]
struct Page<'a> {
    queues: Vec<QueueBody<'a>>,
    /// What to ask for as `after` for the next page; null after the last one. A page may have fewer than `limit`.
    next: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only those whose number is above this: `next` of the page before.
    #[param(maximum = 4_294_967_295_i64)]
    after: Option<u32>,
    /// The most on a page: 100 where nothing is said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only the one with this name.
    name: Option<String>,
    /// Only those where somebody takes work now, or nobody.
    #[serde(default, deserialize_with = "flag")]
    open: Option<bool>,
    /// Only those with this show.
    #[serde(default, deserialize_with = "show")]
    #[param(schema_with = show_schema)]
    show: Option<Show>,
    /// With the reasons.
    #[serde(default, deserialize_with = "flag")]
    explain: Option<bool>,
}

/// How one thing is to be shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Shown {
    /// With the reasons, and of users with their clients.
    #[serde(default, deserialize_with = "flag")]
    pub(super) explain: Option<bool>,
}

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// Lists queues: which are open?
#[utoipa::path(get, path = "/queues", operation_id = "listQueues", tag = "queues", params(Wanted), responses(
    (status = 200, description = "A page of queues", body = Page<'static>,
        headers(("Link" = String, description = "The next page (RFC 8288)"))),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn list(
    State(site): State<Site>,
    Member(caller): Member,
    uri: OriginalUri,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    let limit = limit(wanted.limit)?;
    let is_wanted = |queue: &QueueView<'_>| {
        wanted.open.is_none_or(|open| open == (queue.published.ready > 0))
            && wanted.show.is_none_or(|show| show == queue.published.show)
    };
    let explain = wanted.explain.unwrap_or_default();
    let (body, next) = site.desk.read(|desk| {
        let (books, after) = (desk.books(caller.account), wanted.after.and_then(QueueId::new));
        let named = wanted.name.as_deref().map(|name| books.queue_named(name));
        let all = named.is_none().then(|| books.queues_after(after));
        let named = named.flatten().filter(|queue| after.is_none_or(|after| queue.queue.id > after));
        let queues = all.into_iter().flatten().chain(named);
        let (queues, next) = page(
            queues,
            limit,
            |queue| queue.queue.id.get(),
            |queue| is_wanted(&queue).then(|| body(desk, site.desk.clock(), queue, explain)),
        );
        (Json::of(&Page { queues, next }), next)
    });
    Ok(linked(&uri, body, next))
}

/// Shows one queue: is it open, and why not?
#[utoipa::path(get, path = "/queues/{queue}", operation_id = "getQueue", tag = "queues", params(("queue" = u32, Path, description = "Its number"), Shown), responses(
    (status = 200, description = "The queue", body = QueueBody<'static>),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn one(
    State(site): State<Site>,
    Member(caller): Member,
    At(queue): At<u32>,
    Params(shown): Params<Shown>,
) -> Result<Json, Problem> {
    let explain = shown.explain.unwrap_or_default();
    let answer = |desk: &Desk| {
        let queue = desk.books(caller.account).queue(QueueId::new(queue)?)?;
        Some(Json::of(&body(desk, site.desk.clock(), queue, explain)))
    };
    site.desk.read(answer).ok_or_else(|| Problem::missing(&Refusal::NoQueue))
}

fn body<'a>(
    desk: &'a Desk,
    clock: &Clock,
    QueueView { queue, published }: QueueView<'a>,
    explain: bool,
) -> QueueBody<'a> {
    QueueBody {
        id: queue.id.get(),
        name: queue.name.as_str(),
        jid: format!("{}@{}", queue.name, desk.policy().domain),
        show: published.show.as_str(),
        status: published.to_string(),
        open: published.ready > 0,
        ready: published.ready,
        enabled: published.enabled,
        operators: desk.books(queue.account).operator_count(queue.id).unwrap_or_default(),
        email: queue.email.as_deref(),
        avatar: queue.avatar.as_deref(),
        since: moment(clock, desk.queue_since(queue.id)),
        version: desk.queue_version(queue.id).map(|version| version.to_string()).unwrap_or_default(),
        reasons: explain.then(|| words(&desk.why_queue(queue.id))),
    }
}
