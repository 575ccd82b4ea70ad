//! Who did what with the account's things. For owners.

use std::time::Duration;

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Json, Member, Site,
    params::{Params, limit, linked, moment},
    problem::{self, Kind, Problem},
};
use crate::{
    domain::{Role, Search, UnixTime},
    engine::AuditError,
    http::{Failure, noted::PageBody},
    telemetry,
};

/// What who finds too many searching is told to wait.
const BUSY_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only entries older than that with this number: `next` of the page before.
    #[param(maximum = 18_446_744_073_709_551_615_u64)]
    after: Option<u64>,
    /// The most on a page: 100 where nothing is said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only what was done at this moment or later.
    #[serde(default, deserialize_with = "moment")]
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<UnixTime>,
    /// Only what was done before this moment.
    #[serde(default, deserialize_with = "moment")]
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<UnixTime>,
    /// Only what was done by whom this names: a login, a token, a JID, the number of a local user, or `rosterd`.
    who: Option<String>,
    /// Only deeds of this word, as `operator.suspend`, or of this kind, as `operator`.
    what: Option<String>,
    /// Only what is about the queue with this name or number.
    queue: Option<String>,
    /// Only what is about the user with this name or number.
    user: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Tells who did what, newest first. For owners of the account.
#[utoipa::path(get, path = "/audit", operation_id = "listAudit", tag = "audit", params(Wanted), responses(
    (status = 200, description = "A page of the audit log", body = PageBody,
        headers(("Link" = String, description = "The next page (RFC 8288)"))),
    (status = "default", description = "What went wrong", body = problem::Body<'static>, content_type = "application/problem+json"),
))]
async fn list(
    State(site): State<Site>,
    Member(caller): Member,
    uri: OriginalUri,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    caller.check_role(Role::Owner)?;
    let limit = limit(wanted.limit)?;
    let Wanted { after, since, until, who, what, queue, user, .. } = wanted;
    let search = Search { account: Some(caller.account), since, until, who, what, queue, user };
    let page = site.desk.audit(search, after, limit).await.map_err(|error| match error {
        AuditError::Busy => Problem::from(Failure::unavailable(error.to_string()).retrying_after(BUSY_WAIT)),
        AuditError::Store(error) => {
            tracing::error!(error = %telemetry::chain(&*error), "the audit log could not be read");
            Problem::new(Kind::Unavailable, "the audit log can not be read at present")
        }
    })?;
    let next = page.next;
    Ok(linked(&uri, Json::of(&PageBody::from(page)), next))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        domain::{Edit, Role},
        http::testing::{Rig, name},
    };

    async fn page(rig: &Rig, query: &str) -> Value {
        let reply = rig.ask("boss", &format!("GET /v1/audit{query}"), "").await;
        assert_eq!(reply.status.as_u16(), 200, "{query}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    /// What was done, oldest first.
    fn words(page: &Value) -> Vec<&str> {
        page["entries"].as_array().unwrap().iter().rev().map(|entry| entry["what"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn every_change_is_noted_with_who_made_it() {
        let rig = Rig::new().await;
        let last = page(&rig, "?limit=1").await["entries"][0]["number"].as_u64().unwrap();
        let v1 = "/2011-12-03";
        rig.ask("sue", &format!("PUT {v1}/queues/3/operators/5"), r#"{"enabled": null}"#).await;
        rig.ask_with_token("owner-token", &format!("PUT {v1}/queues/4"), r#"{"name": "vat", "email": "a@b.org"}"#)
            .await;
        rig.ask("boss", &format!("DELETE {v1}/users/6"), "").await;
        rig.ask("boss", &format!("POST {v1}/queues"), r#"{"name": "new"}"#).await;
        // What changes nothing, or is refused, leaves nothing behind.
        rig.ask("sue", &format!("PUT {v1}/queues/3/operators/5"), r#"{"enabled": null}"#).await;
        rig.ask("boss", &format!("PUT {v1}/queues/4"), r#"{"name": "vat"}"#).await;
        rig.ask("vic", &format!("DELETE {v1}/queues/4"), "").await;
        let mut page = page(&rig, "").await;
        let entries = page["entries"].as_array_mut().unwrap();
        entries.retain(|entry| entry["number"].as_u64().unwrap() > last);
        for entry in entries.iter_mut() {
            assert!(entry["time"].as_str().unwrap().ends_with('Z'));
            let entry = entry.as_object_mut().unwrap();
            entry.retain(|name, _| name != "time" && name != "number" && name != "account");
        }
        let expected = json!([
            { "by": { "kind": "login", "name": "boss", "from": null }, "what": "queue.create",
              "on": [{ "kind": "queue", "id": 9, "name": "new" }], "before": {}, "after": { "name": "new" } },
            { "by": { "kind": "login", "name": "boss", "from": null }, "what": "user.remove",
              "on": [{ "kind": "user", "id": 6, "name": "bob" }],
              "before": { "name": "bob", "jid": "bob@example.org" }, "after": {} },
            { "by": { "kind": "token", "name": "owner-token", "from": null }, "what": "queue.update",
              "on": [{ "kind": "queue", "id": 4, "name": "tax" }],
              "before": { "name": "tax" }, "after": { "name": "vat", "email": "a@b.org" } },
            { "by": { "kind": "login", "name": "sue", "from": null }, "what": "operator.suspend",
              "on": [{ "kind": "queue", "id": 3, "name": "law" }, { "kind": "user", "id": 5, "name": "ann" }],
              "before": { "enabled": "true" }, "after": { "enabled": "false" } },
        ]);
        assert_eq!(page["entries"], expected);
    }

    #[tokio::test]
    async fn the_role_that_somebody_has_is_no_news() {
        let rig = Rig::new().await;
        let number = async || page(&rig, "?limit=1").await["entries"][0]["number"].as_u64();
        let before = number().await;
        rig.edit(Edit::SetRole { login: name("vic"), role: Role::Viewer }).await;
        assert_eq!(number().await, before);
        rig.edit(Edit::SetRole { login: name("vic"), role: Role::Owner }).await;
        assert_ne!(number().await, before);
    }

    #[tokio::test]
    async fn it_is_the_owners_and_the_accounts_own() {
        let rig = Rig::new().await;
        for login in ["sue", "vic"] {
            let reply = rig.ask(login, "GET /v1/audit", "").await;
            assert_eq!(reply.status.as_u16(), 403);
            assert!(reply.body.contains("this needs the role owner"), "{}", reply.body);
        }
        assert_eq!(rig.ask_with_token("supervisor-token", "GET /v1/audit", "").await.status.as_u16(), 403);
        let reply = rig.ask("rival", "GET /v1/audit", "").await;
        assert!(reply.body.contains("ops") && !reply.body.contains("law"), "{}", reply.body);
        for secret in ["argon2", "pass:word", "password_hash", "hash"] {
            assert!(!page(&rig, "?limit=1000").await.to_string().contains(secret), "{secret}");
        }
    }

    #[tokio::test]
    async fn searches_and_pages() {
        let rig = Rig::new().await;
        assert_eq!(
            words(&page(&rig, "?queue=law").await),
            ["queue.create", "operator.assign", "operator.assign", "operator.suspend"]
        );
        assert_eq!(words(&page(&rig, "?queue=3&user=ann").await), ["operator.assign"]);
        assert_eq!(words(&page(&rig, "?what=operator.suspend").await), ["operator.suspend"]);
        assert_eq!(words(&page(&rig, "?what=user").await), ["user.create", "user.create"]);
        assert!(words(&page(&rig, "?what=use").await).is_empty());
        assert!(words(&page(&rig, "?who=nobody").await).is_empty());
        assert!(words(&page(&rig, "?until=2020-01-01T00:00:00Z").await).is_empty());
        let all = words(&page(&rig, "?limit=1000&since=2020-01-01T00:00:00Z&who=rosterd").await).len();
        let (mut seen, mut after) = (0, String::new());
        loop {
            let page = page(&rig, &format!("?limit=3{after}")).await;
            seen += words(&page).len();
            let Some(next) = page["next"].as_u64() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(seen, all);
        for query in ["?limit=0", "?limit=1001", "?since=yesterday", "?other=1"] {
            let reply = rig.ask("boss", &format!("GET /v1/audit{query}"), "").await;
            assert_eq!(reply.status.as_u16(), 400, "{query}");
        }
    }
}
