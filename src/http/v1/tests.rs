//! What clients are answered, against a small world.

#![cfg(test)]

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::{
    domain::{AccountId, Cause, Edit, Outcome, QueueFields, Show, UserFields},
    http::testing::{Reply, Rig, name},
};

/// A reply with what changes from run to run made the same: versions by their first place in it, moments by `MOMENT`.
fn shown(reply: &Reply) -> String {
    let mut versions = Vec::new();
    let is_version = |word: &str| word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let is_moment = |word: &str| word.starts_with("2026-11-22T02:3") && word.len() == 20;
    let line = reply.line();
    let words = line.split('"').map(|word| match word {
        word if is_version(word) => {
            let place = versions.iter().position(|known| *known == word).unwrap_or_else(|| {
                versions.push(word);
                versions.len() - 1
            });
            format!("V{}", place + 1)
        }
        word if is_moment(word) => "MOMENT".to_owned(),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join("\"")
}

async fn get(rig: &Rig, path: &str) -> Reply {
    rig.ask("boss", &format!("GET /v1/{path}"), "").await
}

async fn value(rig: &Rig, path: &str) -> Value {
    let reply = get(rig, path).await;
    assert_eq!(reply.status.as_u16(), 200, "{path}: {}", reply.body);
    serde_json::from_str(&reply.body).unwrap()
}

/// Sends to the operators of law, with `If-Match` where there is one.
async fn send(rig: &Rig, method: &str, path: &str, tag: Option<&str>, body: Value) -> Reply {
    let request = format!("{method} /v1/queues/3/operators{path}");
    let cookie = ("cookie", "libraryh3lp-session=boss");
    let tag = tag.map(|tag| ("if-match", tag));
    rig.send(&request, &body.to_string(), &[cookie].into_iter().chain(tag).collect::<Vec<_>>()).await
}

/// The operators of law: `5 on, 6 off lunch 2026-11-22T03:30:00Z`.
async fn rows(rig: &Rig) -> String {
    let page = value(rig, "queues/3/operators").await;
    let row = |row: &Value| {
        let word = if row["enabled"] == true { "on" } else { "off" };
        let more =
            ["reason", "until"].map(|field| row[field].as_str().map(|text| format!(" {text}")).unwrap_or_default());
        format!("{} {word}{}", row["user"], more.concat())
    };
    page["operators"].as_array().unwrap().iter().map(row).collect::<Vec<_>>().join(", ")
}

fn tag(reply: &Reply) -> String {
    reply.header("etag").unwrap().to_owned()
}

#[tokio::test]
async fn queues_say_whether_they_are_open_and_why() {
    let mut rig = Rig::new().await;
    rig.link_up().await;
    insta::assert_snapshot!(shown(&get(&rig, "queues").await), @r#"200 {"queues":[{"id":3,"name":"law","jid":"law@queues.example.org","show":"unavailable","status":"The one operator takes no work now","open":false,"ready":0,"enabled":1,"operators":2,"email":null,"avatar":null,"since":null,"version":"V1"},{"id":4,"name":"tax","jid":"tax@queues.example.org","show":"unavailable","status":"No operator is enabled","open":false,"ready":0,"enabled":0,"operators":0,"email":null,"avatar":null,"since":null,"version":"V2"}],"next":null}"#);
    rig.hear("ann", Show::Chat, None).await;
    insta::assert_snapshot!(shown(&get(&rig, "queues/3?explain=1").await), @r#"200 {"id":3,"name":"law","jid":"law@queues.example.org","show":"chat","status":"The one operator takes work now","open":true,"ready":1,"enabled":1,"operators":2,"email":null,"avatar":null,"since":"MOMENT","version":"V1","reasons":["show-chat"]}"#);
    let numbers = async |query: &str| {
        let page = value(&rig, &format!("queues?{query}")).await;
        page["queues"].as_array().unwrap().iter().map(|queue| queue["id"].to_string()).collect::<Vec<_>>().join(" ")
    };
    for (query, expected) in [
        ("", "3 4"),
        ("open=true", "3"),
        ("open=0", "4"),
        ("show=chat", "3"),
        ("show=unavailable", "4"),
        ("show=dnd", ""),
        ("after=3", "4"),
        ("limit=1", "3"),
    ] {
        assert_eq!(numbers(query).await, expected, "{query}");
    }
    assert_eq!(
        get(&rig, "queues?limit=1&show=chat").await.header("link"),
        Some("</v1/queues?limit=1&show=chat&after=3>; rel=\"next\"")
    );
    assert_eq!(get(&rig, "queues?limit=2").await.header("link"), None);
}

#[tokio::test]
async fn users_say_who_is_not_seen_and_why() {
    let mut rig = Rig::new().await;
    rig.link_up().await;
    rig.hear("ann", Show::Away, Some("lunch")).await;
    insta::assert_snapshot!(shown(&get(&rig, "users?explain=1").await), @r#"200 {"users":[{"id":5,"name":"ann","jid":"ann@example.org","email":null,"show":"away","ready":false,"status":"lunch","since":"MOMENT","version":"V1","reasons":["show-away"],"resources":[{"name":"desk","show":"away","priority":0,"status":"lunch","state":"heard","since":"MOMENT"}]},{"id":6,"name":"bob","jid":"bob@example.org","email":null,"show":"unavailable","ready":false,"status":null,"since":null,"version":"V2","reasons":["not-approved"],"resources":[]}],"next":null}"#);
    insta::assert_snapshot!(shown(&get(&rig, "users/5").await), @r#"200 {"id":5,"name":"ann","jid":"ann@example.org","email":null,"show":"away","ready":false,"status":"lunch","since":"MOMENT","version":"V1"}"#);
    let names = async |query: &str| {
        let page = value(&rig, &format!("users?{query}")).await;
        page["users"].as_array().unwrap().iter().map(|user| user["name"].to_string()).collect::<Vec<_>>().join(" ")
    };
    for (query, expected) in [
        ("reason=not-approved", "\"bob\""),
        ("show=away", "\"ann\""),
        ("show=away&reason=not-approved", ""),
        ("limit=1", "\"ann\""),
        ("limit=1&after=5", "\"bob\""),
        ("after=6", ""),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn operators_say_who_is_next() {
    let mut rig = Rig::new().await;
    rig.link_up().await;
    rig.hear("ann", Show::Chat, Some("here")).await;
    rig.hear("bob", Show::Chat, None).await;
    let change = send(&rig, "PATCH", "/6", None, json!({ "reason": "lunch", "until": "2026-11-22T03:30:00Z" })).await;
    assert_eq!(change.status.as_u16(), 200, "{}", change.body);
    insta::assert_snapshot!(shown(&get(&rig, "queues/3/operators?explain=1").await), @r#"200 {"queue":3,"version":"V1","operators":[{"user":5,"name":"ann","jid":"ann@example.org","enabled":true,"reason":null,"until":null,"ready":true,"show":"chat","status":"here","since":"MOMENT","reasons":["show-chat"],"resources":[{"name":"desk","show":"chat","priority":0,"status":"here","state":"heard","since":"MOMENT"}]},{"user":6,"name":"bob","jid":"bob@example.org","enabled":false,"reason":"lunch","until":"2026-11-22T03:30:00Z","ready":false,"show":"chat","status":null,"since":"MOMENT","reasons":["suspended","show-chat"],"resources":[{"name":"desk","show":"chat","priority":0,"status":null,"state":"heard","since":"MOMENT"}]}],"next":null}"#);
    insta::assert_snapshot!(shown(&get(&rig, "queues/3/operators/6").await), @r#"200 {"user":6,"name":"bob","jid":"bob@example.org","enabled":false,"reason":"lunch","until":"2026-11-22T03:30:00Z","ready":false,"show":"chat","status":null,"since":"MOMENT"}"#);
    let users = async |query: &str| {
        let page = value(&rig, &format!("queues/3/operators?{query}")).await;
        page["operators"].as_array().unwrap().iter().map(|row| row["user"].to_string()).collect::<Vec<_>>().join(" ")
    };
    for (query, expected) in [
        ("ready=1", "5"),
        ("ready=false", "6"),
        ("enabled=false", "6"),
        ("show=chat", "5 6"),
        ("show=chat&enabled=1", "5"),
        ("limit=1", "5"),
        ("after=5", "6"),
    ] {
        assert_eq!(users(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_moment_is_one_of_peoples_clock() {
    let mut rig = Rig::new().await;
    assert_eq!(value(&rig, "queues/3").await["since"], Value::Null, "it has not changed since the start");
    rig.link_up().await;
    rig.hear("ann", Show::Chat, None).await;
    for (path, field) in [("queues/3", "since"), ("users/5", "since"), ("queues/3/operators/5", "since")] {
        let since = value(&rig, path).await[field].as_str().map(ToOwned::to_owned);
        assert!(since.as_deref().is_some_and(|since| since.starts_with("2026-11-22T02:3")), "{path}: {since:?}");
    }
    rig.link_down("test").await;
    let resources = value(&rig, "users/5?explain=1").await["resources"].clone();
    assert_eq!(resources, json!([]), "nothing seen outlives its link");
}

#[tokio::test]
async fn problems_say_what_is_wrong() {
    let rig = Rig::new().await;
    let check = async |request: &str, kind: &str, status: u16, detail: &str| {
        let reply = rig.ask("boss", request, "").await;
        assert_eq!(reply.header("content-type"), Some("application/problem+json; charset=utf-8"), "{request}");
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(reply.status.as_u16(), status, "{request}: {body}");
        assert_eq!((&body["type"], &body["status"]), (&json!(format!("/docs#{kind}")), &json!(status)), "{request}");
        let said = body["detail"].as_str().unwrap();
        assert!(said.contains(detail), "{request}: {said}");
    };
    for path in ["users/8", "users/3", "users/0"] {
        check(&format!("GET /v1/{path}"), "not-found", 404, "there is no such user").await;
    }
    for path in ["queues/7", "queues/5", "queues/0", "queues/7/operators", "queues/5/operators"] {
        check(&format!("GET /v1/{path}"), "not-found", 404, "there is no such queue").await;
    }
    for path in ["queues/4/operators/5", "queues/7/operators/8", "queues/3/operators/8"] {
        check(&format!("GET /v1/{path}"), "not-found", 404, "not assigned").await;
    }
    for path in ["users/x", "users/-1", "queues/x/operators", "queues/3/operators/x", "nothing"] {
        check(&format!("GET /v1/{path}"), "not-found", 404, "there is no such resource").await;
    }
    check("DELETE /v1/users", "method-not-allowed", 405, "does not support").await;
    for path in ["users?limit=0", "queues?limit=1001", "queues/3/operators?limit=0"] {
        check(&format!("GET /v1/{path}"), "bad-request", 400, "limit must be from 1 to 1000").await;
    }
    check("GET /v1/users?reason=x", "bad-request", 400, "\"x\" is not the name of a reason").await;
    check("GET /v1/queues?open=maybe", "bad-request", 400, "neither true nor false").await;
    check("GET /v1/queues?show=online", "bad-request", 400, "there are chat, available, dnd").await;
    check("GET /v1/queues?opened=1", "bad-request", 400, "`after`, `limit`, `name`, `open`, `show`, `explain`").await;
    check("GET /v1/queues/3?after=1", "bad-request", 400, "expected `explain`").await;
    for path in ["users?limit=x", "users?after=-1", "queues?show=chat&show=xa", "users/5?explain=2"] {
        check(&format!("GET /v1/{path}"), "bad-request", 400, "").await;
    }
    let reply = rig.send("GET /v1/users", "", &[]).await;
    assert_eq!(reply.status.as_u16(), 401);
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"rosterd\", charset=\"UTF-8\""));
}

#[tokio::test]
async fn all_operators_are_set_at_once() {
    let rig = Rig::new().await;
    let put = async |body: Value| send(&rig, "PUT", "", None, body).await;
    assert_eq!(rows(&rig).await, "5 on, 6 off");
    let lunch = json!([
        { "user": 6, "enabled": true },
        { "user": 5, "enabled": false, "reason": "lunch", "until": "2026-11-22T03:30:00Z" },
    ]);
    let reply = put(lunch.clone()).await;
    insta::assert_snapshot!(shown(&reply), @r#"200 {"queue":3,"version":"V1","operators":[{"user":5,"name":"ann","jid":"ann@example.org","enabled":false,"reason":"lunch","until":"2026-11-22T03:30:00Z","ready":false,"show":"unavailable","status":null,"since":null},{"user":6,"name":"bob","jid":"bob@example.org","enabled":true,"reason":null,"until":null,"ready":false,"show":"unavailable","status":null,"since":null}],"next":null}"#);
    assert_eq!(rows(&rig).await, "5 off lunch 2026-11-22T03:30:00Z, 6 on");
    let again = put(lunch).await;
    assert_eq!((again.body, again.headers.get("etag")), (reply.body.clone(), reply.headers.get("etag")), "it is so");
    put(json!([{ "user": 6, "enabled": false }])).await;
    assert_eq!(rows(&rig).await, "6 off", "who is not named is unassigned");
    put(json!([{ "user": 6, "enabled": false }, { "user": 5, "enabled": true, "reason": null }])).await;
    assert_eq!(rows(&rig).await, "5 on, 6 off");
    put(json!([])).await;
    assert_eq!(rows(&rig).await, "");
}

#[tokio::test]
async fn only_those_who_are_named_change() {
    let rig = Rig::new().await;
    let patch = async |body: Value| send(&rig, "PATCH", "", None, body).await;
    let reply =
        patch(json!([{ "user": 5, "enabled": false, "reason": "lunch", "until": "2026-11-22T03:30:00Z" }])).await;
    assert_eq!(serde_json::from_str::<Value>(&reply.body).unwrap()["operators"].as_array().unwrap().len(), 1);
    assert_eq!(rows(&rig).await, "5 off lunch 2026-11-22T03:30:00Z, 6 off");
    patch(json!([{ "user": 5, "reason": null }, { "user": 6, "until": "2026-11-22T04:00:00+01:00" }])).await;
    assert_eq!(rows(&rig).await, "5 off 2026-11-22T03:30:00Z, 6 off 2026-11-22T03:00:00Z");
    patch(json!([{ "user": 5, "enabled": false, "reason": "ill" }, { "user": 6, "enabled": true }])).await;
    assert_eq!(rows(&rig).await, "5 off ill, 6 on", "who is suspended anew has no end unless one is named");
    let reply = send(&rig, "PATCH", "/5", None, json!({ "enabled": true })).await;
    assert_eq!(reply.status.as_u16(), 200);
    assert_eq!(rows(&rig).await, "5 on, 6 on");
    // Time passes.
    send(&rig, "PATCH", "/5", None, json!({ "enabled": false, "until": "2026-11-22T03:00:00Z" })).await;
    rig.wall.store(1_795_316_400, Ordering::SeqCst);
    while rows(&rig).await != "5 on, 6 on" {
        patch(json!([])).await;
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_and_nothing_is_changed() {
    let rig = Rig::new().await;
    let check = async |method: &str, path: &str, body: Value, expected: &str| {
        let reply = send(&rig, method, path, None, body).await;
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        let errors = problem["errors"].as_array().into_iter().flatten();
        let errors = errors
            .map(|error| format!("{}: {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap()));
        let kind = problem["type"].as_str().unwrap().trim_start_matches("/docs#").to_owned();
        let said =
            [format!("{} {kind}", reply.status.as_u16())].into_iter().chain(errors).collect::<Vec<_>>().join("\n");
        assert_eq!(said, expected, "{method} {path}");
        assert_eq!(rows(&rig).await, "5 on, 6 off", "{method} {path}");
    };
    check(
        "PUT",
        "",
        json!([
            { "user": 5, "enabled": false },
            { "user": "6", "enabled": null, "untill": 1 },
            7,
            { "enabled": true, "reason": "x" },
            { "user": 5 },
            { "user": 6, "enabled": false, "reason": "a\nb", "until": "soon" },
            { "user": 6, "enabled": false, "until": "2026-11-22T02:30:00Z", "a/b~": [] },
        ]),
        "422 invalid-items\n/1/enabled: must be true or false\n/1/untill: is not known\n/1/user: must be the number of a user\n\
         /2: must be an object\n/3/enabled: who is enabled has neither a reason nor an end of a suspension\n\
         /4/enabled: is missing\n/5/reason: the reason contains '\\n', which is not allowed\n\
         /5/until: \"soon\" is no moment: write it as in 2026-11-22T02:30:00Z (RFC 3339)\n\
         /6/a~1b~0: is not known\n/6/until: has passed",
    )
    .await;
    let twice = json!([{ "user": 5, "enabled": false }, { "user": 5, "enabled": false }]);
    for method in ["PUT", "PATCH"] {
        check(method, "", twice.clone(), "409 conflict\n/1/user: the user is named twice").await;
    }
    // Another account's user is as one who is not there.
    let others =
        json!([{ "user": 8, "enabled": true }, { "user": 99, "enabled": true }, { "user": 5, "enabled": false }]);
    let nobody = "422 invalid-items\n/0/user: there is no such user\n/1/user: there is no such user";
    check("PUT", "", others.clone(), nobody).await;
    check("PATCH", "", others, nobody).await;
    check("PUT", "", json!({ "user": 5 }), "400 bad-request").await;
    check("PATCH", "/8", json!({ "enabled": true }), "404 not-found").await;
    check(
        "PATCH",
        "/5",
        json!({ "user": 5, "until": 7 }),
        "422 invalid-items\n/until: must be a text, or null\n/user: is not known",
    )
    .await;
    let many: Vec<_> = (0..1_001).map(|_| json!({ "user": 5, "enabled": true })).collect();
    check("PUT", "", json!(many), "422 too-many").await;
    check("PATCH", "", json!(many), "422 too-many").await;
    let reply = rig.ask("boss", "PUT /v1/queues/3/operators", "[").await;
    assert_eq!(reply.status.as_u16(), 400, "{}", reply.body);
    let reply = rig.ask("boss", "PUT /v1/queues/3/operators", &" ".repeat(1_500_001)).await;
    assert_eq!(reply.status.as_u16(), 413, "{}", reply.body);
    for (account, request) in [("rival", "PUT /v1/queues/3/operators"), ("boss", "PATCH /v1/queues/99/operators")] {
        let reply = rig.ask(account, request, "[]").await;
        assert_eq!(reply.status.as_u16(), 404, "{}", reply.body);
    }
    // What can be said in a list fits.
    let reason = "\u{1f35c}".repeat(Cause::MOST);
    let full =
        json!({ "user": 4_294_967_295_u32, "enabled": false, "reason": reason, "until": "2026-11-22T03:30:00+01:00" });
    assert!(full.to_string().len() * 1_000 < super::staffing::BODY_MOST);
}

#[tokio::test]
async fn no_change_is_lost_to_another() {
    let rig = Rig::new().await;
    let first = tag(&get(&rig, "queues/3/operators").await);
    assert_eq!(tag(&get(&rig, "queues/3/operators/6").await), first);
    let off = |user: u32| json!([{ "user": user, "enabled": false, "reason": "x" }]);
    let done = send(&rig, "PATCH", "", Some(&first), off(5)).await;
    assert_eq!(done.status.as_u16(), 200, "{}", done.body);
    let second = tag(&done);
    assert_ne!(first, second);
    for (method, path, body) in
        [("PATCH", "", off(6)), ("PUT", "", json!([])), ("PATCH", "/6", json!({ "enabled": true }))]
    {
        for stale in [&*first, "\"0\"", "W/\"x\"", ""] {
            let reply = send(&rig, method, path, Some(stale), body.clone()).await;
            assert_eq!(reply.status.as_u16(), 412, "{method} {path} {stale}: {}", reply.body);
            assert!(reply.body.contains("/docs#version-mismatch"), "{}", reply.body);
        }
    }
    assert_eq!(tag(&get(&rig, "queues/3/operators").await), second, "nothing was changed");
    let either = format!("{first}, {second}");
    assert_eq!(send(&rig, "PATCH", "", Some(&either), json!([])).await.status.as_u16(), 200);
    assert_eq!(send(&rig, "PATCH", "", Some("*"), json!([])).await.status.as_u16(), 200);
    // Of those who come at the same moment with the same version, one is first.
    let writes = (0..8).map(|place| {
        let body = json!([{ "user": 5 + place % 2, "enabled": false, "reason": format!("{place}") }]);
        send(&rig, "PATCH", "", Some(&second), body)
    });
    let replies = futures::future::join_all(writes).await;
    let good = replies.iter().filter(|reply| reply.status.as_u16() == 200).count();
    let stale = replies.iter().filter(|reply| reply.status.as_u16() == 412).count();
    assert_eq!((good, stale), (1, 7));
    // What is the same again has the same version.
    send(&rig, "PUT", "", None, json!([{ "user": 5, "enabled": true }, { "user": 6, "enabled": false }])).await;
    assert_eq!(tag(&get(&rig, "queues/3/operators").await), first);
}

#[tokio::test]
async fn an_answer_has_the_version_of_its_own_change() {
    for (method, path, body) in [
        ("PATCH", "", json!([{ "user": 5, "enabled": false }])),
        ("PUT", "", json!([{ "user": 5, "enabled": false }, { "user": 6, "enabled": false }])),
        ("PATCH", "/5", json!({ "enabled": false })),
    ] {
        let rig = Rig::new().await;
        let store = rig.hold_store();
        let mut first = Box::pin(send(&rig, method, path, None, body));
        assert!(futures::poll!(&mut first).is_pending(), "it waits for the store");
        drop(store);
        // It is stored, then somebody else changes something, and only then the first answer is written.
        assert_eq!(send(&rig, "PATCH", "/6", None, json!({ "enabled": true })).await.status.as_u16(), 200);
        let first = tag(&first.await);
        // Who was told nothing of the other change can not undo it.
        let undo = json!([{ "user": 5, "enabled": false }, { "user": 6, "enabled": false }]);
        let undone = send(&rig, "PUT", "", Some(&first), undo).await;
        assert_eq!(undone.status.as_u16(), 412, "{method} {path}: {}", undone.body);
    }
}

#[tokio::test]
async fn versions_differ_with_what_was_decided_and_not_with_what_is_seen() {
    let mut rig = Rig::new().await;
    let version = async |rig: &Rig, path: &str| value(rig, path).await["version"].as_str().unwrap().to_owned();
    let all = async |rig: &Rig| {
        let paths = ["queues/3", "users/5", "queues/3/operators", "queues/4/operators"];
        let mut versions = Vec::new();
        for path in paths {
            versions.push(version(rig, path).await);
        }
        versions
    };
    let before = all(&rig).await;
    rig.link_up().await;
    rig.hear("ann", Show::Chat, Some("x")).await;
    assert_eq!(all(&rig).await, before);
    let account = AccountId::new(1).unwrap();
    let fields = QueueFields { email: Some(Some("law@example.org".into())), ..QueueFields::default() };
    let queue = crate::domain::QueueId::new(3).unwrap();
    rig.edit(Edit::UpdateQueue { account, queue, fields }).await;
    let after = all(&rig).await;
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1..], before[1..]);
    let user = crate::domain::UserId::new(5).unwrap();
    rig.edit(Edit::UpdateUser {
        account,
        user,
        fields: UserFields { name: Some(name("kim")), ..UserFields::default() },
    })
    .await;
    let renamed = all(&rig).await;
    assert_ne!(renamed[1], after[1]);
    assert_eq!(renamed[2..], after[2..]);
    // A start reads the same from the store.
    let policy = rig.desk.read(|desk| desk.policy().clone());
    let again = crate::domain::Desk::restore(policy, rig.records(), tokio::time::Instant::now().into_std()).unwrap();
    assert_eq!(again.operators_version(queue).unwrap().to_string(), renamed[2]);
    assert_eq!(again.queue_version(queue).unwrap().to_string(), renamed[0]);
    assert_eq!(again.user_version(user).unwrap().to_string(), renamed[1]);
}

#[tokio::test]
async fn a_queue_of_many_can_not_be_set_as_a_whole() {
    let rig = Rig::new().await;
    let account = AccountId::new(1).unwrap();
    let queue = crate::domain::QueueId::new(3).unwrap();
    for place in 0..1_000 {
        let edit = Edit::CreateUser { account, name: name(&format!("u{place}")), fields: UserFields::default() };
        let Outcome::User(user) = rig.edit(edit).await else { panic!("a user was asked for") };
        rig.edit(Edit::Assign { account, queue, user }).await;
    }
    let reply = send(&rig, "PUT", "", None, json!([])).await;
    assert_eq!(reply.status.as_u16(), 422, "{}", reply.body);
    assert!(reply.body.contains("/docs#too-many"));
    let mut seen = 0;
    let mut path = "queues/3/operators?limit=400".to_owned();
    let mut sizes = Vec::new();
    loop {
        let page = value(&rig, &path).await;
        sizes.push(page["operators"].as_array().unwrap().len());
        seen += sizes.last().unwrap();
        let Some(next) = page["next"].as_u64() else { break };
        path = format!("queues/3/operators?limit=400&after={next}");
    }
    assert_eq!((seen, sizes), (1_002, vec![400, 400, 202]));
    let rows: Vec<_> = value(&rig, "queues/3/operators?limit=1000").await["operators"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!({ "user": row["user"], "enabled": false }))
        .collect();
    assert_eq!(send(&rig, "PATCH", "", None, json!(rows)).await.status.as_u16(), 200);
    assert_eq!(value(&rig, "queues/3").await["enabled"], json!(2));
}

#[tokio::test]
async fn a_name_is_found_among_very_many() {
    let rig = Rig::new().await;
    let account = rig.desk.read(|desk| desk.login(&name("boss")).unwrap().0.id);
    let create = |number: usize| {
        let create = Edit::CreateUser { account, name: name(&format!("user{number}")), fields: UserFields::default() };
        rig.edit(create)
    };
    // As many as are looked at for one page, and one more.
    for from in (0..11_000).step_by(1_000) {
        futures::future::join_all((from..from + 1_000).map(create)).await;
    }
    let last = create(11_000).await;
    let Outcome::User(last) = last else { panic!("a user was asked for") };
    let page = value(&rig, "users?name=user11000").await;
    assert_eq!((&page["users"][0]["id"], &page["next"]), (&json!(last.get()), &Value::Null));
    for query in
        ["users?name=eve", "users?name=law", "users?name=USER11000", "queues?name=user11000", "queues?name=law&open=1"]
    {
        let page = value(&rig, query).await;
        let things = page["users"].as_array().or(page["queues"].as_array()).unwrap();
        assert!(things.is_empty() && page["next"].is_null(), "{query}: {page}");
    }
    assert_eq!(value(&rig, "queues?name=law").await["queues"][0]["id"], 3);
    assert_eq!(value(&rig, "queues?name=law&after=3").await["queues"], json!([]));
}
