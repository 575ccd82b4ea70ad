//! What the contract says beside its rows, which stand in `matrix`.

#![cfg(test)]

use super::{V1, VERSIONS};
use crate::http::testing::{PASSWORD, Rig};

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
    for ((prefix, _), (request, body)) in everywhere(&WITH_IDS) {
        let ask = async |queue: &str, user: &str| {
            let request = request.replacen(' ', &format!(" {prefix}"), 1);
            let fill = |text: &str| text.replace("QUEUE", queue).replace("USER", user);
            rig.ask("boss", &fill(&request), &fill(body)).await
        };
        let (unknown, foreign) = (ask("98", "99").await, ask("7", "8").await);
        assert_eq!(unknown, foreign, "{prefix} {request} {body}");
        assert!(unknown.body.starts_with(r#"{"success":null"#), "{prefix} {request} {body}: {}", unknown.body);
    }
    assert_eq!(rig.records(), before, "nothing was changed");
}

/// Each of the requests under each version.
fn everywhere<T: Copy>(requests: &[T]) -> impl Iterator<Item = ((&'static str, &'static str), T)> {
    VERSIONS.into_iter().flat_map(|version| requests.iter().map(move |request| (version, *request)))
}

#[tokio::test]
async fn without_login_there_is_a_401_and_nothing_else() {
    let rig = Rig::new().await;
    let before = rig.records();
    let more = [
        ("GET /queues", ""),
        ("POST /queues", "{\"name"),
        ("GET /users", ""),
        ("POST /users", ""),
        ("POST /queues/3?_method=DELETE", ""),
        ("POST /queues/3", r#"{"_method": "PUT", "name": "new"}"#),
    ];
    for ((prefix, _), (request, body)) in everywhere(&WITH_IDS).chain(everywhere(&more)) {
        let request = request.replace("QUEUE", "3").replace("USER", "5").replacen(' ', &format!(" {prefix}"), 1);
        let reply = rig.send(&request, body, &[]).await;
        assert_eq!(reply.line(), format!("401 {}", failure("log in first")), "{request}");
        assert!(reply.header("www-authenticate").is_some(), "{request}");
        let reply = rig.ask("nobody", &request, body).await;
        assert_eq!(reply.line(), format!("401 {}", failure("log in first")), "{request}");
        assert_eq!(reply.header("www-authenticate"), None, "{request}");
    }
    assert_eq!(rig.records(), before, "nothing was changed");
}

/// Every resource, with its methods.
const RESOURCES: [(&str, &str); 10] = [
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
];

#[tokio::test]
async fn methods_that_are_not_supported() {
    let rig = Rig::new().await;
    for ((prefix, _), (path, allowed)) in everywhere(&RESOURCES) {
        let is_allowed = |method: &str| allowed.split(',').any(|allowed| allowed == method);
        let check = async |request: &str, body: &str| {
            let reply = rig.send(request, body, &[]).await;
            assert_eq!(reply.status.as_u16(), 405, "{request}");
            assert_eq!(reply.header("allow"), Some(allowed), "{request}");
            if !request.starts_with("HEAD ") {
                assert_eq!(reply.body, failure("the resource does not support this method"), "{request}");
            }
        };
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            if !is_allowed(method) {
                check(&format!("{method} {prefix}{path}"), "").await;
                check(&format!("{method} {prefix}{path}/"), "").await;
            }
        }
        for method in ["PUT", "PATCH", "DELETE"].into_iter().filter(|method| !is_allowed(method)) {
            check(&format!("POST {prefix}{path}?_method={method}"), "").await;
            check(&format!("POST {prefix}{path}"), &format!("_method={}", method.to_lowercase())).await;
        }
        let reply = rig.send(&format!("OPTIONS {prefix}{path}"), "", &[("origin", "https://elsewhere.org")]).await;
        assert_eq!(reply.line(), r#"200 {"success":true}"#, "{path}");
        assert_eq!(reply.header("allow"), Some(allowed), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "no other site's pages may");
    }
}

#[tokio::test]
async fn methods_that_a_post_stands_for() {
    let rig = Rig::new().await;
    let before = rig.records();
    let unknown = format!("400 {}", failure("_method must be PUT, PATCH or DELETE"));
    for name in ["GET", "HEAD", "OPTIONS", "BREW", "PUT,DELETE", "%ff", "%20PUT"] {
        let request = format!("POST {V1}/queues/3?_method={name}");
        assert_eq!(rig.ask("boss", &request, "").await.line(), unknown, "{name}");
        assert_eq!(rig.ask("boss", &request, "name=toll").await.line(), unknown, "{name}");
        let reply = rig.ask("boss", &format!("POST {V1}/queues/3"), &format!("_method={name}")).await;
        assert_eq!(reply.line(), unknown, "{name}");
    }
    let number = rig.ask("boss", &format!("POST {V1}/queues/3?_method=PUT"), r#"{"_method": 7}"#).await;
    assert_eq!(number.line(), unknown);
    // None is named, or the one that it is.
    for query in ["_method=", "_method=post", "_method"] {
        let reply = rig.ask("boss", &format!("POST {V1}/queues?{query}"), "name=law").await;
        assert_eq!(reply.line(), format!("200 {}", failure("the name law is taken")), "{query}");
    }
    // Only a POST stands for something else.
    for method in ["GET", "PUT", "PATCH"] {
        let reply = rig.ask("boss", &format!("{method} {V1}/queues/3?_method=DELETE"), "{}").await;
        assert!(reply.body.contains(r#""id":3"#), "{method}: {}", reply.body);
    }
    // Nor does it get around what holds for a POST from another site's page.
    for (query, body) in [("?_method=DELETE", ""), ("", "_method=DELETE"), ("", r#"{"_method": "DELETE"}"#)] {
        let headers = [("cookie", "libraryh3lp-session=boss"), ("sec-fetch-site", "cross-site")];
        let reply = rig.send(&format!("POST {V1}/queues/3{query}"), body, &headers).await;
        assert_eq!(reply.status.as_u16(), 403, "{}", reply.body);
    }
    assert_eq!(rig.records(), before, "nothing was changed");
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
    for (prefix, _) in &VERSIONS[1..] {
        let ask = async |path: &str| rig.ask("boss", &format!("GET {prefix}{path}"), "").await.line();
        assert_eq!(ask("/queues/3").await, r#"200 {"id":3,"name":"law","show":"chat"}"#);
        assert_eq!(ask("/users/6").await, r#"200 {"id":6,"name":"bob","show":"dnd"}"#);
        let operators = r#"200 [{"id":5,"name":"ann","show":"chat","enabled":true},{"id":6,"name":"bob","show":"dnd","enabled":false}]"#;
        assert_eq!(ask("/queues/3/operators").await, operators);
    }
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
    for (prefix, _) in VERSIONS {
        let ask = async |versions: &[&str]| {
            let cookie = [("cookie", "libraryh3lp-session=boss")];
            let versions = versions.iter().map(|version| ("x-api-version", *version));
            rig.send(&format!("GET {prefix}/queues/4"), "", &cookie.into_iter().chain(versions).collect::<Vec<_>>())
                .await
        };
        let plain = ask(&[]).await;
        for (_, version) in VERSIONS {
            assert_eq!(ask(&[version]).await, plain, "what is spoken the path says, not {version}");
        }
        for versions in [&["2525-01-01"][..], &[""], &["2011-12-03", "1"]] {
            let refused = ask(versions).await.line();
            insta::allow_duplicates! {
                insta::assert_snapshot!(refused, @r#"400 {"success":null,"message":"X-API-Version must be one of 2011-12-03, 2013-07-21, 2016-02-10, 2017-01-20","error":"X-API-Version must be one of 2011-12-03, 2013-07-21, 2016-02-10, 2017-01-20"}"#);
            }
        }
    }
}

#[tokio::test]
async fn whatever_is_accepted_it_is_json() {
    let rig = Rig::new().await;
    for (path, accept) in [("/queues", "text/html"), ("/queues/99", "application/xml;q=0.9"), ("/nothing", "nonsense")]
    {
        let headers = [("cookie", "libraryh3lp-session=boss"), ("accept", accept), ("accept-charset", "iso-8859-1")];
        let reply = rig.send(&format!("GET {V1}{path}"), "", &headers).await;
        assert_eq!(reply, rig.ask("boss", &format!("GET {V1}{path}"), "").await, "{accept}");
    }
}

#[tokio::test]
async fn large_bodies() {
    let rig = Rig::new().await;
    let most = 64 * 1_024;
    let json = |bytes: usize| format!(r#"{{"name": "new", "x": "{}"}}"#, "x".repeat(bytes - 24));
    let form = |bytes: usize| format!("name=new&x={}", "x".repeat(bytes - 11));
    for body in [json(most), form(most)] {
        let fits = rig.ask("boss", &format!("POST {V1}/queues"), &body).await;
        assert!(fits.line().starts_with("200 [{"), "{}", fits.body);
        rig.ask("boss", &format!("DELETE {V1}/queues/{}", &fits.body[7..].split(',').next().unwrap()), "").await;
    }
    let jid = rig.ask("boss", &format!("POST {V1}/users"), &format!("name=new&jid={}", "x".repeat(2_048))).await;
    assert_eq!(jid.line(), format!("200 {}", failure("jid is longer than 2047 characters")));
    for body in [json(most + 1), form(most + 1)] {
        let large = rig.ask("boss", &format!("POST {V1}/queues"), &body).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(large.line(), @r#"413 {"success":null,"message":"the body is too large","error":"the body is too large"}"#);
        }
    }
}

#[tokio::test]
async fn bodies_that_can_not_be_read() {
    let rig = Rig::new().await;
    let before = rig.records();
    let multipart = "multipart/form-data; boundary=b";
    for (status, content_type, body, message) in [
        (
            400,
            "application/json",
            "{\"name\": \"law\",\n\"password\": \"s3cr3t",
            "the body is not JSON: EOF while parsing a string at line 2 column 19",
        ),
        (400, "application/json", "[\"new\"]", "the body must be a JSON object"),
        (
            400,
            "application/x-www-form-urlencoded",
            "{name=new",
            "the body is not JSON: key must be a string at line 1 column 2",
        ),
        (400, "", "new", "the body is neither a JSON object nor a form"),
        (400, "multipart/form-data", "--b--", "the Content-Type multipart/form-data has no boundary"),
        (400, multipart, "name=new", "the multipart body is malformed, or breaks off"),
        (
            415,
            "application/xml",
            "<name>new</name>",
            "the Content-Type must be application/json, application/x-www-form-urlencoded or multipart/form-data",
        ),
    ] {
        for request in [
            "POST /queues",
            "PUT /queues/3",
            "PATCH /users/5",
            "PUT /queues/3/operators/5",
            "POST /users/5/assignments",
            "POST /auth/login",
        ] {
            let headers = [("cookie", "libraryh3lp-session=boss"), ("content-type", content_type)];
            let headers = if content_type.is_empty() { &headers[..1] } else { &headers };
            let reply = rig.send(&request.replacen(' ', &format!(" {V1}"), 1), body, headers).await;
            assert_eq!(reply.line(), format!("{status} {}", failure(message)), "{request} {body}");
        }
    }
    assert_eq!(rig.records(), before, "nothing was changed");
}

#[tokio::test]
async fn files_are_not_taken() {
    let rig = Rig::new().await;
    let body = "--b\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"cat.png\"\r\nContent-Type: image/png\r\n\r\nmeow\r\n--b--\r\n";
    let ask = async |body: &str| {
        let headers = [("cookie", "libraryh3lp-session=boss"), ("content-type", "multipart/form-data; boundary=b")];
        rig.send(&format!("PUT {V1}/queues/3"), body, &headers).await.line()
    };
    assert_eq!(ask(body).await, format!("200 {}", failure("avatar must be a text, not a file")));
    assert!(ask(&body.replace("avatar", "unknown")).await.starts_with("200 [{"), "what is not known does not count");
    assert!(ask(&body.replace("cat.png", "").replace("meow", "")).await.starts_with("200 [{"), "none was chosen");
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
