//! Rows 1 to 20 of the contract, good and bad, each against a world of its own.

#![cfg(test)]

use crate::http::testing::{PASSWORD, Rig};

const V1: &str = super::V1;

/// The objects of the world, and short words for what comes back often.
const WORDS: [(&str, &str); 9] = [
    (
        "LAW",
        r#"{"id":3,"type":"queue","name":"law","enabled":null,"transcripts":null,"email":null,"avatar":null,"show":"unavailable","status":"The one operator takes no work now","jid":"law@queues.example.org"}"#,
    ),
    (
        "TAX",
        r#"{"id":4,"type":"queue","name":"tax","enabled":null,"transcripts":null,"email":null,"avatar":null,"show":"unavailable","status":"No operator is enabled","jid":"tax@queues.example.org"}"#,
    ),
    (
        "NEWQUEUE",
        r#"{"id":9,"type":"queue","name":"new","enabled":null,"transcripts":null,"email":null,"avatar":null,"show":"unavailable","status":"No operator is enabled","jid":"new@queues.example.org"}"#,
    ),
    (
        "ANN",
        r#"{"id":5,"type":"user","name":"ann","email":null,"show":"unavailable","status":null,"jid":"ann@example.org"}"#,
    ),
    (
        "BOB",
        r#"{"id":6,"type":"user","name":"bob","email":null,"show":"unavailable","status":null,"jid":"bob@example.org"}"#,
    ),
    (
        "NEWUSER",
        r#"{"id":9,"type":"user","name":"new","email":null,"show":"unavailable","status":null,"jid":"new@example.org"}"#,
    ),
    (
        "OP(ann)",
        r#"{"queueId":3,"queue":"law","queueShow":"unavailable","userId":5,"user":"ann","userShow":"unavailable","enabled":"#,
    ),
    (
        "OP(bob)",
        r#"{"queueId":3,"queue":"law","queueShow":"unavailable","userId":6,"user":"bob","userShow":"unavailable","enabled":"#,
    ),
    ("OK", r#"{"success":true}"#),
];

/// `METHOD /path body => status reply`, asked by `boss`. A reply `! text` is the failure object with this text; after `~`
/// stand pieces of a reply, divided by `|`.
const CASES: &str = r#"
# row 2
GET /queues => 200 [LAW,TAX]
GET /queues?since=yesterday&x= => 200 [LAW,TAX]
GET /queues {"malformed => 200 [LAW,TAX]
HEAD /queues => 200
# row 3
GET /queues/3 => 200 LAW
GET /queues/3 {} => 200 LAW
GET /queues/99 => 404 ! there is no such queue
GET /queues/0 => 404 ! there is no such queue
GET /queues/law => 404 ! there is no such queue
GET /queues/+3 => 404 ! there is no such queue
GET /queues/99999999999999999999 => 404 ! there is no such queue
GET /queues/5 => 404 ! there is no such queue
GET /queues/%ff => 404 ! there is no such queue
# row 4
POST /queues {"name": "new"} => 200 [NEWQUEUE]
POST /queues {"name": "NEW", "type": "queue"} => 200 [NEWQUEUE]
POST /queues {"name": "new", "email": "", "avatar": null, "transcripts": false, "unknown": [1]} => 200 [NEWQUEUE]
POST /queues {"name": "new", "email": "new@example.org", "avatar": "cat", "transcripts": true} => 200 ~ "email":"new@example.org"|"avatar":"cat"|"transcripts":true
POST /queues => 200 ! name is missing
POST /queues {} => 200 ! name is missing
POST /queues {"name": ""} => 200 ! name is missing
POST /queues {"name": null} => 200 ! name is missing
POST /queues {"name": 7} => 200 ! name must be a text
POST /queues {"name": "a b"} => 200 ! the name contains a space, which is not allowed
POST /queues {"name": "a@b"} => 200 ! the name contains '@', which is not allowed
POST /queues {"name": "a<b"} => 200 ! the name contains '<', which is not allowed
POST /queues {"name": "1234567890123456789012345678901234567890123456789012345678901"} => 200 ! the name is longer than 60 characters
POST /queues {"name": "law"} => 200 ! the name law is taken
POST /queues {"name": "LAW"} => 200 ! the name law is taken
POST /queues {"name": "ann"} => 200 ! the name ann is taken
POST /queues {"name": "ops"} => 200 ! the name ops is taken
POST /queues {"name": "staffing"} => 200 ! the name staffing is taken
POST /queues {"name": "new", "type": "gateway"} => 200 ! type must be queue, not "gateway"
POST /queues {"name": "new", "email": 7} => 200 ! email must be a text
POST /queues {"name => 400 ~ "success":null|the body is not JSON
POST /queues ["new"] => 400 ! the body must be a JSON object
# row 5
PUT /queues/4 {"name": "toll"} => 200 ~ [{"id":4,|"name":"toll"|"jid":"toll@queues.example.org"
PATCH /queues/4 {"email": "tax@example.org"} => 200 ~ [{"id":4,|"name":"tax"|"email":"tax@example.org"
PUT /queues/4 {"name": "tax"} => 200 [TAX]
PUT /queues/4 {} => 200 [TAX]
PUT /queues/4 => 200 [TAX]
PUT /queues/4 {"name": "law"} => 200 ! the name law is taken
PUT /queues/4 {"name": "ops"} => 200 ! the name ops is taken
PUT /queues/4 {"name": "a&b"} => 200 ! the name contains '&', which is not allowed
PUT /queues/99 {"name": "new"} => 404 ! there is no such queue
PUT /queues/99 {"name": "a&b"} => 404 ! there is no such queue
PUT /queues/4 {"name" => 400 ~ "success":null|the body is not JSON
# row 6
DELETE /queues/3 => 200 OK
DELETE /queues/3 {"malformed => 200 OK
DELETE /queues/99 => 404 ! there is no such queue
# row 7
GET /queues/3/operators => 200 [OP(ann)true},OP(bob)null}]
GET /queues/4/operators => 200 []
GET /queues/99/operators => 404 ! there is no such queue
# row 8
POST /queues/4/operators {"userId": 5} => 200 OK
POST /queues/4/operators {"userId": "5"} => 200 OK
POST /queues/3/operators {"userId": 6} => 200 OK
POST /queues/3/operators {"userId": 99} => 200 ! there is no such user
POST /queues/3/operators {"userId": "ann"} => 200 ! there is no such user
POST /queues/3/operators {} => 200 ! there is no such user
POST /queues/99/operators {"userId": 5} => 404 ! there is no such queue
POST /queues/3/operators {"userId" => 400 ~ "success":null|the body is not JSON
# row 9
PUT /queues/3/operators/5 {"enabled": true} => 200 [OP(ann)true}]
PUT /queues/3/operators/5 {"enabled": null} => 200 [OP(ann)null}]
PUT /queues/3/operators/5 {"enabled": false} => 200 [OP(ann)null}]
PATCH /queues/3/operators/6 {"enabled": true} => 200 [OP(bob)true}]
PUT /queues/3/operators/5 {"enabled": "yes"} => 200 [OP(ann)true}]
PUT /queues/3/operators/6 {"enabled": "yes"} => 200 [OP(bob)null}]
PUT /queues/3/operators/6 {"enabled": 7} => 200 [OP(bob)null}]
PUT /queues/3/operators/5 {} => 200 [OP(ann)true}]
PUT /queues/3/operators/5 => 200 [OP(ann)true}]
PUT /queues/99/operators/5 {"enabled": true} => 404 ! there is no such queue
PUT /queues/3/operators/99 {"enabled": true} => 404 ! there is no such user
PUT /queues/4/operators/5 {"enabled": true} => 404 ! the user is not assigned to the queue
PUT /queues/3/operators/5 {"enabled" => 400 ~ "success":null|the body is not JSON
# row 10
DELETE /queues/3/operators/5 => 200 OK
DELETE /queues/3/operators/5 {} => 200 OK
DELETE /queues/4/operators/5 => 200 ! the user is not assigned to the queue
DELETE /queues/3/operators/99 => 200 ! the user is not assigned to the queue
DELETE /queues/99/operators/5 => 200 ! the user is not assigned to the queue
DELETE /queues/3/operators/ann => 200 ! the user is not assigned to the queue
# row 11
GET /queues/3/operators/5 => 405 ! the resource does not support this method
POST /queues/3/operators/5 {} => 405 ! the resource does not support this method
PUT /queues/3/operators {} => 405 ! the resource does not support this method
DELETE /queues/3/operators => 405 ! the resource does not support this method
# row 12
GET /users/5/assignments => 200 [OP(ann)true}]
GET /users/6/assignments => 200 [OP(bob)null}]
GET /users/99/assignments => 404 ! there is no such user
GET /users/3/assignments => 404 ! there is no such user
# row 13
POST /users/5/assignments {"queueId": 4} => 200 OK
POST /users/5/assignments {"queueId": "4"} => 200 OK
POST /users/6/assignments {"queueId": 3} => 200 OK
POST /users/5/assignments {"queueId": 99} => 200 ! there is no such queue
POST /users/5/assignments {} => 200 ! there is no such queue
POST /users/99/assignments {"queueId": 3} => 404 ! there is no such user
# row 14
PUT /users/5/assignments/3 {"enabled": null} => 200 [OP(ann)null}]
PATCH /users/6/assignments/3 {"enabled": true} => 200 [OP(bob)true}]
PUT /users/6/assignments/3 {"enabled": "maybe"} => 200 [OP(bob)null}]
PUT /users/5/assignments/4 {"enabled": true} => 404 ! the user is not assigned to the queue
PUT /users/99/assignments/3 {"enabled": true} => 404 ! there is no such user
# row 15
DELETE /users/5/assignments/3 => 200 OK
DELETE /users/5/assignments/4 => 200 ! the user is not assigned to the queue
DELETE /users/99/assignments/3 => 200 ! the user is not assigned to the queue
# row 16
GET /users => 200 [ANN,BOB]
# row 17
GET /users/5 => 200 ANN
GET /users/99 => 404 ! there is no such user
GET /users/3 => 404 ! there is no such user
# row 18
POST /users {"name": "new"} => 200 [NEWUSER]
POST /users {"name": "new", "type": "user", "password": "secret", "email": null} => 200 [NEWUSER]
POST /users {"name": "new", "jid": "Other@Elsewhere.org", "email": "n@example.org"} => 200 ~ "name":"new"|"jid":"other@elsewhere.org"|"email":"n@example.org"
POST /users {} => 200 ! name is missing
POST /users {"name": "a/b"} => 200 ! the name contains '/', which is not allowed
POST /users {"name": "12345678901234567890123456789012345678901"} => 200 ! the name is longer than 40 characters
POST /users {"name": "eve"} => 200 ! the name eve is taken
POST /users {"name": "law"} => 200 ! the name law is taken
POST /users {"name": "new", "jid": "eve@example.org"} => 200 ! the JID eve@example.org is taken
POST /users {"name": "new", "jid": "ann@example.org"} => 200 ! the JID ann@example.org is taken
POST /users {"name": "new", "jid": "new@queues.example.org"} => 200 ! the JID new@queues.example.org is on the domain of the queues, where nobody can be
POST /users {"name": "new", "jid": "new@example.org/desk"} => 200 ~ "success":null|has a resource
POST /users {"name": "new", "jid": "example.org"} => 200 ~ "success":null|has no part before
POST /users {"name": "new", "type": "bot"} => 200 ! type must be user, not "bot"
# row 19
PUT /users/6 {"name": "bobby"} => 200 ~ [{"id":6,|"name":"bobby"|"jid":"bobby@example.org"
PATCH /users/6 {"jid": "bob@elsewhere.org"} => 200 ~ "name":"bob"|"jid":"bob@elsewhere.org"
PUT /users/6 {"email": "bob@example.org"} => 200 ~ "name":"bob"|"email":"bob@example.org"
PUT /users/6 {} => 200 [BOB]
PUT /users/6 {"name": "eve"} => 200 ! the name eve is taken
PUT /users/6 {"jid": "ann@example.org"} => 200 ! the JID ann@example.org is taken
PUT /users/99 {"name": "new"} => 404 ! there is no such user
# row 20
DELETE /users/5 => 200 OK
DELETE /users/99 => 404 ! there is no such user
# everything else
GET / => 404 ! there is no such resource
GET /nothing => 404 ! there is no such resource
GET /queues/ => 404 ! there is no such resource
GET /queues/3/transcripts => 404 ! there is no such resource
POST /transcripts {} => 404 ! there is no such resource
"#;

#[tokio::test]
async fn every_row() {
    for case in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (request, expected) = case.split_once(" => ").unwrap();
        let (method, rest) = request.split_once(' ').unwrap();
        let (path, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let rig = Rig::new().await;
        let reply = rig.ask("boss", &format!("{method} {V1}{path}"), body).await;
        let (status, expected) = expected.split_once(' ').unwrap_or((expected, ""));
        assert_eq!(reply.status.as_str(), status, "{case}: {}", reply.body);
        if let Some(text) = expected.strip_prefix("! ") {
            assert_eq!(reply.body, failure(text), "{case}");
        } else if let Some(pieces) = expected.strip_prefix("~ ") {
            pieces.split('|').for_each(|piece| assert!(reply.body.contains(piece), "{case}: {}", reply.body));
        } else {
            let expected = WORDS.iter().fold(expected.to_owned(), |text, (word, is)| text.replace(word, is));
            assert_eq!(reply.body, expected, "{case}");
        }
        assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"), "{case}");
    }
}

fn failure(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(r#"{{"success":null,"message":{text},"error":{text}}}"#)
}

/// Requests that name a QUEUE and a USER.
const WITH_IDS: [(&str, &str); 22] = [
    ("GET /queues/QUEUE", ""),
    ("PUT /queues/QUEUE", r#"{"name": "new"}"#),
    ("PATCH /queues/QUEUE", "{}"),
    ("DELETE /queues/QUEUE", ""),
    ("GET /queues/QUEUE/operators", ""),
    ("POST /queues/QUEUE/operators", r#"{"userId": 5}"#),
    ("POST /queues/QUEUE/operators", r#"{"userId": USER}"#),
    ("POST /queues/3/operators", r#"{"userId": USER}"#),
    ("PUT /queues/QUEUE/operators/USER", r#"{"enabled": null}"#),
    ("PUT /queues/QUEUE/operators/5", r#"{"enabled": null}"#),
    ("PUT /queues/3/operators/USER", r#"{"enabled": null}"#),
    ("DELETE /queues/QUEUE/operators/USER", ""),
    ("DELETE /queues/3/operators/USER", ""),
    ("GET /users/USER", ""),
    ("PUT /users/USER", r#"{"name": "new"}"#),
    ("DELETE /users/USER", ""),
    ("GET /users/USER/assignments", ""),
    ("POST /users/USER/assignments", r#"{"queueId": 3}"#),
    ("POST /users/5/assignments", r#"{"queueId": QUEUE}"#),
    ("PUT /users/USER/assignments/QUEUE", r#"{"enabled": null}"#),
    ("PUT /users/5/assignments/QUEUE", r#"{"enabled": null}"#),
    ("DELETE /users/USER/assignments/QUEUE", ""),
];

#[tokio::test]
async fn accounts_are_kept_apart() {
    let rig = Rig::new().await;
    let before = rig.records();
    for (request, body) in WITH_IDS {
        let ask = async |queue: &str, user: &str| {
            let request = request.replacen(' ', &format!(" {V1}"), 1);
            let fill = |text: &str| text.replace("QUEUE", queue).replace("USER", user);
            rig.ask("boss", &fill(&request), &fill(body)).await
        };
        let (unknown, foreign) = (ask("98", "99").await, ask("7", "8").await);
        assert_eq!(unknown, foreign, "{request} {body}");
        assert!(unknown.body.starts_with(r#"{"success":null"#), "{request} {body}: {}", unknown.body);
    }
    assert_eq!(rig.records(), before, "nothing was changed");
}

#[tokio::test]
async fn without_login_there_is_a_401_and_nothing_else() {
    let rig = Rig::new().await;
    let before = rig.records();
    let lists = [("GET /queues", ""), ("POST /queues", "{\"name"), ("GET /users", ""), ("POST /users", "")];
    for (request, body) in WITH_IDS.into_iter().chain(lists) {
        let request = request.replace("QUEUE", "3").replace("USER", "5").replacen(' ', &format!(" {V1}"), 1);
        let reply = rig.send(&request, body, &[]).await;
        assert_eq!(reply.line(), format!("401 {}", failure("log in first")), "{request}");
        assert!(reply.header("www-authenticate").is_some(), "{request}");
        let reply = rig.ask("nobody", &request, body).await;
        assert_eq!(reply.line(), format!("401 {}", failure("log in first")), "{request}");
        assert_eq!(reply.header("www-authenticate"), None, "{request}");
    }
    assert_eq!(rig.records(), before, "nothing was changed");
}

#[tokio::test]
async fn methods_that_are_not_supported() {
    let rig = Rig::new().await;
    for (path, allowed) in [
        ("/auth/login", "POST"),
        ("/auth/logout", "POST"),
        ("/queues", "GET,HEAD,POST"),
        ("/queues/3", "GET,HEAD,PUT,PATCH,DELETE"),
        ("/queues/3/operators", "GET,HEAD,POST"),
        ("/queues/3/operators/5", "PUT,PATCH,DELETE"),
        ("/users", "GET,HEAD,POST"),
        ("/users/5", "GET,HEAD,PUT,PATCH,DELETE"),
        ("/users/5/assignments", "GET,HEAD,POST"),
        ("/users/5/assignments/3", "PUT,PATCH,DELETE"),
    ] {
        let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];
        for method in all.into_iter().filter(|method| !allowed.split(',').any(|allowed| allowed == *method)) {
            let reply = rig.send(&format!("{method} {V1}{path}"), "", &[]).await;
            assert_eq!(reply.status.as_u16(), 405, "{method} {path}");
            assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
            if method != "HEAD" {
                assert_eq!(reply.body, failure("the resource does not support this method"), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn assigning_twice_keeps_what_is_there() {
    let rig = Rig::new().await;
    rig.ask("boss", &format!("POST {V1}/queues/3/operators"), r#"{"userId": 6}"#).await;
    let reply = rig.ask("boss", &format!("GET {V1}/users/6/assignments"), "").await;
    assert!(reply.body.contains(r#""enabled":null"#), "{}", reply.body);
    rig.ask("boss", &format!("POST {V1}/queues/4/operators"), r#"{"userId": 6}"#).await;
    let reply = rig.ask("boss", &format!("GET {V1}/queues/4/operators"), "").await;
    assert!(reply.body.contains(r#""enabled":true"#), "{}", reply.body);
}

#[tokio::test]
async fn what_is_deleted_takes_its_assignments_along() {
    let rig = Rig::new().await;
    rig.ask("boss", &format!("DELETE {V1}/queues/3"), "").await;
    assert_eq!(rig.ask("boss", &format!("GET {V1}/users/5/assignments"), "").await.line(), "200 []");
    assert_eq!(rig.ask("boss", &format!("DELETE {V1}/queues/3"), "").await.status.as_u16(), 404);
}

#[tokio::test]
async fn shows_are_told() {
    let mut rig = Rig::new().await;
    rig.link_up().await;
    rig.hear("ann", crate::domain::Show::Chat, Some("here")).await;
    rig.hear("bob", crate::domain::Show::Dnd, None).await;
    let ask = async |path: &str| rig.ask("boss", &format!("GET {V1}{path}"), "").await.line();
    insta::assert_snapshot!(ask("/queues/3").await, @r#"200 {"id":3,"type":"queue","name":"law","enabled":null,"transcripts":null,"email":null,"avatar":null,"show":"chat","status":"The one operator takes work now","jid":"law@queues.example.org"}"#);
    insta::assert_snapshot!(ask("/users/5").await, @r#"200 {"id":5,"type":"user","name":"ann","email":null,"show":"chat","status":"here","jid":"ann@example.org"}"#);
    insta::assert_snapshot!(ask("/queues/3/operators").await, @r#"200 [{"queueId":3,"queue":"law","queueShow":"chat","userId":5,"user":"ann","userShow":"chat","enabled":true},{"queueId":3,"queue":"law","queueShow":"chat","userId":6,"user":"bob","userShow":"dnd","enabled":null}]"#);
}

#[tokio::test]
async fn the_client_that_counts_speaks_for_its_user() {
    use crate::domain::{Merge, Show};
    for (merge, show, status) in [
        (Merge::MostAvailable, "chat", "call me"),
        (Merge::HighestPriority, "away", "at lunch"),
        (Merge::LeastAvailable, "xa", "back tomorrow"),
    ] {
        let mut rig = Rig::with_policy(|policy| policy.merge = merge).await;
        rig.link_up().await;
        rig.hear_client("ann", "desk", Show::Away, 5, Some("at lunch")).await;
        rig.hear_client("ann", "phone", Show::Chat, 1, Some("call me")).await;
        rig.hear_client("ann", "laptop", Show::Xa, 0, Some("back tomorrow")).await;
        // A negative priority never counts, whatever the policy looks for.
        rig.hear_client("ann", "robot", Show::Chat, -1, Some("beep")).await;
        let user = rig.ask("boss", &format!("GET {V1}/users/5"), "").await.line();
        let expected = format!(r#""show":"{show}","status":"{status}""#);
        assert!(user.contains(&expected), "{}: {user}", merge.as_str());
        let queue = rig.ask("boss", &format!("GET {V1}/queues/3"), "").await.line();
        assert!(queue.contains(&format!(r#""show":"{show}""#)), "{}: {queue}", merge.as_str());
        // The same in `rosterd status --json`, with what each client says, and why one of them does not count.
        let status_of = crate::http::admin::status(&rig.desk);
        let ann = status_of.queues[0].operators.iter().find(|it| it.name == "ann").unwrap();
        assert_eq!((ann.show.as_str(), ann.status.as_deref()), (show, Some(status)));
        assert_eq!(ann.reasons, [format!("show-{show}"), "negative-priority".to_owned()]);
        let clients: Vec<_> = ann.resources.iter().map(|it| (it.name.as_str(), it.priority)).collect();
        assert_eq!(clients, [("desk", 5), ("phone", 1), ("laptop", 0), ("robot", -1)]);
    }
}

#[tokio::test]
async fn versions() {
    let rig = Rig::new().await;
    let ask = async |version: &str| {
        let headers = [("cookie", "libraryh3lp-session=boss"), ("x-api-version", version)];
        rig.send(&format!("GET {V1}/queues/4"), "", &headers).await.line()
    };
    for (_, version) in super::VERSIONS {
        assert!(ask(version).await.starts_with("200 "), "{version}");
    }
    insta::assert_snapshot!(ask("2525-01-01").await, @r#"400 {"success":null,"message":"X-API-Version must be one of 2011-12-03, 2013-07-21, 2016-02-10, 2017-01-20","error":"X-API-Version must be one of 2011-12-03, 2013-07-21, 2016-02-10, 2017-01-20"}"#);
    for (prefix, _) in &super::VERSIONS[1..] {
        assert_eq!(rig.ask("boss", &format!("GET {prefix}/queues"), "").await.status.as_u16(), 404, "{prefix}");
    }
}

#[tokio::test]
async fn large_bodies() {
    let rig = Rig::new().await;
    let body = |bytes: usize| format!(r#"{{"name": "new", "x": "{}"}}"#, "x".repeat(bytes - 24));
    let fits = rig.ask("boss", &format!("POST {V1}/queues"), &body(64 * 1_024)).await;
    assert_eq!(fits.status.as_u16(), 200, "{}", fits.body);
    let large = rig.ask("boss", &format!("POST {V1}/queues"), &body(64 * 1_024 + 1)).await;
    insta::assert_snapshot!(large.line(), @r#"413 {"success":null,"message":"the body is too large","error":"the body is too large"}"#);
    let ignored = rig.ask("boss", &format!("GET {V1}/queues/4"), &body(64 * 1_024 + 1)).await;
    assert_eq!(ignored.status.as_u16(), 200);
}

#[tokio::test]
async fn a_store_that_fails() {
    let rig = Rig::new().await;
    rig.break_store();
    let first = rig.ask("boss", &format!("POST {V1}/queues"), r#"{"name": "new"}"#).await;
    insta::assert_snapshot!(first.line(), @r#"503 {"success":null,"message":"nothing can be stored at present, so nothing was changed","error":"nothing can be stored at present, so nothing was changed"}"#);
    let second = rig.ask("boss", &format!("DELETE {V1}/users/5"), "").await;
    assert_eq!(second.line(), first.line());
    let login = format!(r#"{{"username": "boss", "password": "{PASSWORD}"}}"#);
    assert_eq!(rig.send(&format!("POST {V1}/auth/login"), &login, &[]).await.line(), first.line());
    assert_eq!(rig.ask("boss", &format!("GET {V1}/users/5"), "").await.status.as_u16(), 200, "reads go on");
}

#[tokio::test]
async fn a_request_that_takes_too_long() {
    let rig = Rig::with(|settings| settings.request_timeout = std::time::Duration::from_millis(10)).await;
    let held = rig.hold_store();
    let reply = rig.ask("boss", &format!("DELETE {V1}/users/5"), "").await;
    drop(held);
    insta::assert_snapshot!(reply.line(), @r#"503 {"success":null,"message":"the request took longer than 10ms; what it asked for may still be done","error":"the request took longer than 10ms; what it asked for may still be done"}"#);
}
