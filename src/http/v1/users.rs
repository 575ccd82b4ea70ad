//! Users, and why they are shown as they are: who has not let us see their presence yet, for one.

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Json, Member, Site,
    params::{At, Params, flag, limit, linked, page, reason, show},
    problem::{self, Problem},
    queues::Shown,
    words::{Depth, ResourceBody, moment, reason_schema, reasons_schema, resources, show_schema, words},
};
use crate::{
    clock::Clock,
    domain::{Desk, Reason, Refusal, Show, UserId, UserView},
};

/// A user and what is shown of them.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
struct UserBody<'a> {
    /// Their number, which no other thing ever gets.
    id: u32,
    /// Their name.
    name: &'a str,
    /// Where their presence comes from.
    jid: &'a str,
    /// Kept for the account.
    email: Option<&'a str>,
    /// Their show.
    #[schema(schema_with = show_schema)]
    show: &'static str,
    /// Whether they are seen to take work, where they are enabled.
    ready: bool,
    /// The status text of the client that speaks for them.
    status: Option<&'a str>,
    /// Since when the show is what it is; null when it has not changed since rosterd was started.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Changes when any of the user's own fields does, by no presence and no assignment.
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = reasons_schema, required = false)]
    reasons: Option<Vec<&'static str>>,
    /// Their connected clients, with `explain=1`, for owners of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resources: Option<Vec<ResourceBody<'a>>>,
}

/// Users, by number.
#[derive(Serialize, ToSchema)]
#[schema(as = Users)]
struct Page<'a> {
    users: Vec<UserBody<'a>>,
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
    /// Only those with this show.
    #[serde(default, deserialize_with = "show")]
    #[param(schema_with = show_schema)]
    show: Option<Show>,
    /// Only those with this among their reasons.
    #[serde(default, deserialize_with = "reason")]
    #[param(schema_with = reason_schema)]
    reason: Option<Reason>,
    /// With the reasons, and the clients.
    #[serde(default, deserialize_with = "flag")]
    explain: Option<bool>,
}

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// Lists users: who is not seen, and why?
#[utoipa::path(get, path = "/users", operation_id = "listUsers", tag = "users", params(Wanted), responses(
    (status = 200, description = "A page of users", body = Page<'static>,
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
    let (body, next) = site.desk.read(|desk| {
        let depth = Depth::of(wanted.explain, &caller);
        let is_wanted = |user: &UserView<'_>| {
            wanted.show.is_none_or(|show| show == user.show)
                && wanted.reason.is_none_or(|reason| desk.why_user(user.id).contains(&reason))
        };
        let (books, after) = (desk.books(caller.account), wanted.after.and_then(UserId::new));
        let named = wanted.name.as_deref().map(|name| books.user_named(name));
        let all = named.is_none().then(|| books.users_after(after));
        let named = named.flatten().filter(|user| after.is_none_or(|after| user.id > after));
        let users = all.into_iter().flatten().chain(named);
        let (users, next) = page(
            users,
            limit,
            |user| user.id.get(),
            |user| is_wanted(&user).then(|| body(desk, site.desk.clock(), &user, depth)),
        );
        (Json::of(&Page { users, next }), next)
    });
    Ok(linked(&uri, body, next))
}

/// Shows one user.
#[utoipa::path(get, path = "/users/{user}", operation_id = "getUser", tag = "users", params(("user" = u32, Path, description = "Their number"), Shown), responses(
    (status = 200, description = "The user", body = UserBody<'static>),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn one(
    State(site): State<Site>,
    Member(caller): Member,
    At(user): At<u32>,
    Params(shown): Params<Shown>,
) -> Result<Json, Problem> {
    let answer = |desk: &Desk| {
        let user = desk.books(caller.account).user(UserId::new(user)?)?;
        let depth = Depth::of(shown.explain, &caller);
        Some(Json::of(&body(desk, site.desk.clock(), &user, depth)))
    };
    site.desk.read(answer).ok_or_else(|| Problem::missing(&Refusal::NoUser))
}

fn body<'a>(desk: &'a Desk, clock: &Clock, user: &UserView<'a>, depth: Depth) -> UserBody<'a> {
    UserBody {
        id: user.id.get(),
        name: user.name,
        jid: user.jid.as_str(),
        email: user.email,
        show: user.show.as_str(),
        ready: desk.takes_work(user.id),
        status: user.status,
        since: moment(clock, desk.user_since(user.id)),
        version: desk.user_version(user.id).map(|version| version.to_string()).unwrap_or_default(),
        reasons: depth.reasons.then(|| words(&desk.why_user(user.id))),
        resources: depth.clients.then(|| resources(desk, clock, user.id)),
    }
}
