//! Users, each with the reasons for their show: who has not let us see their presence yet, for one.

use axum::{
    Router,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    routing::get,
};
use serde::{Deserialize, Serialize};

use super::{Json, Owner, Problem, Site};
use crate::domain::{Desk, Reason, Refusal, UserId, UserView};

/// The most users on a page, and how many there are where nothing is asked for.
const LIMIT_MOST: usize = 1_000;
const LIMIT: usize = 100;
/// The most users that are looked at for one page: a reader holds nobody up.
const LOOK_MOST: usize = 10_000;

#[derive(Serialize)]
struct UserBody<'a> {
    id: u32,
    name: &'a str,
    jid: &'a str,
    email: Option<&'a str>,
    show: &'static str,
    status: Option<&'a str>,
    reasons: Vec<&'static str>,
}

#[derive(Serialize)]
struct Page<'a> {
    users: Vec<UserBody<'a>>,
    /// What to ask for as `after` for the next page; nothing after the last one.
    next: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    after: Option<u32>,
    limit: Option<usize>,
    reason: Option<String>,
}

pub(super) fn routes() -> Router<Site> {
    Router::new().route("/users", get(list)).route("/users/{user}", get(one))
}

async fn list(
    State(site): State<Site>,
    Owner(account): Owner,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json, Problem> {
    let Query(Wanted { after, limit, reason }) = wanted.map_err(|error| bad(error.body_text()))?;
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MOST).contains(&limit) {
        return Err(bad(format!("limit must be from 1 to {LIMIT_MOST}")));
    }
    let unknown = |word: &str| bad(format!("{word:?} is not the name of a reason"));
    let reason = reason.map(|word| Reason::parse(&word).ok_or_else(|| unknown(&word))).transpose()?;
    site.desk.read(|desk| {
        let mut page = Page { users: Vec::new(), next: None };
        let users = desk.books(account).users_after(after.and_then(UserId::new));
        for (looked, user) in users.enumerate() {
            if page.users.len() == limit || looked == LOOK_MOST {
                return Ok(Json::of(&page));
            }
            page.next = Some(user.id.get());
            let reasons = desk.why_user(user.id);
            if reason.is_none_or(|reason| reasons.contains(&reason)) {
                page.users.push(body(&user, &reasons));
            }
        }
        page.next = None;
        Ok(Json::of(&page))
    })
}

async fn one(
    State(site): State<Site>,
    Owner(account): Owner,
    id: Result<Path<u32>, PathRejection>,
) -> Result<Json, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, Refusal::NoUser.to_string());
    let id = id.ok().and_then(|Path(id)| UserId::new(id)).ok_or_else(missing)?;
    let answer = |desk: &Desk| {
        let user = desk.books(account).user(id)?;
        Some(Json::of(&body(&user, &desk.why_user(id))))
    };
    site.desk.read(answer).ok_or_else(missing)
}

fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

fn body<'a>(user: &UserView<'a>, reasons: &[Reason]) -> UserBody<'a> {
    UserBody {
        id: user.id.get(),
        name: user.name,
        jid: user.jid.as_str(),
        email: user.email,
        show: user.show.as_str(),
        status: user.status,
        reasons: reasons.iter().map(|reason| reason.as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{domain::Show, http::testing::Rig};

    #[tokio::test]
    async fn who_has_not_approved_is_named() {
        let mut rig = Rig::new().await;
        rig.link_up().await;
        rig.hear("ann", Show::Away, Some("lunch")).await;
        let ann = r#"{"id":5,"name":"ann","jid":"ann@example.org","email":null,"show":"away","status":"lunch","reasons":["show-away"]}"#;
        let bob = r#"{"id":6,"name":"bob","jid":"bob@example.org","email":null,"show":"unavailable","status":null,"reasons":["not-approved"]}"#;
        let check = async |path: &str, expected: String| {
            assert_eq!(rig.ask("boss", &format!("GET /v1/users{path}"), "").await.line(), expected, "{path}");
        };
        check("", format!(r#"200 {{"users":[{ann},{bob}],"next":null}}"#)).await;
        check("?reason=not-approved", format!(r#"200 {{"users":[{bob}],"next":null}}"#)).await;
        check("?limit=1", format!(r#"200 {{"users":[{ann}],"next":5}}"#)).await;
        check("?limit=1&after=5", format!(r#"200 {{"users":[{bob}],"next":null}}"#)).await;
        check("?after=6", r#"200 {"users":[],"next":null}"#.to_owned()).await;
        check("/5", format!("200 {ann}")).await;
    }

    #[tokio::test]
    async fn problems_say_what_is_wrong() {
        let rig = Rig::new().await;
        let check = async |request: &str, title: &str, detail: &str| {
            let reply = rig.ask("boss", request, "").await;
            assert_eq!(reply.header("content-type"), Some("application/problem+json; charset=utf-8"), "{request}");
            let status = reply.status.as_u16();
            let body = format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#);
            assert_eq!(reply.body, body, "{request}");
        };
        for path in ["/v1/users/8", "/v1/users/3", "/v1/users/x", "/v1/users/-1", "/v1/users/0"] {
            check(&format!("GET {path}"), "Not Found", "there is no such user").await;
        }
        check("GET /v1/nothing", "Not Found", "there is no such resource").await;
        check("DELETE /v1/users", "Method Not Allowed", "the resource does not support this method").await;
        for path in ["?limit=0", "?limit=1001"] {
            check(&format!("GET /v1/users{path}"), "Bad Request", "limit must be from 1 to 1000").await;
        }
        check("GET /v1/users?reason=x", "Bad Request", r#"\"x\" is not the name of a reason"#).await;
        for path in ["?limit=x", "?after=-1", "?other=1"] {
            let reply = rig.ask("boss", &format!("GET /v1/users{path}"), "").await;
            assert_eq!(reply.status.as_u16(), 400, "{path}: {}", reply.body);
        }
        let reply = rig.send("GET /v1/users", "", &[]).await;
        assert_eq!(reply.status.as_u16(), 401);
        assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"rosterd\", charset=\"UTF-8\""));
    }
}
