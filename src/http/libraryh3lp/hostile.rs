//! Whatever somebody sends, the answer is JSON, and the mistake is theirs.

#![cfg(test)]

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;

use super::VERSIONS;
use crate::http::testing::{Reply, Rig};

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"];

const PATHS: [&str; 14] = [
    "/auth/login",
    "/auth/logout",
    "/queues",
    "/queues/",
    "/queues/4",
    "/queues/x",
    "/queues/3/operators",
    "/queues/3/operators/6",
    "/users",
    "/users/6",
    "/users/6/assignments",
    "/users/6/assignments/3/",
    "/users/6/assignments/%ff",
    "/nothing",
];

const CONTENT_TYPES: [&str; 12] = [
    "",
    "application/json",
    "application/json; charset=\"",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded;;;=",
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=\"",
    "multipart/form-data",
    "multipart/mixed; boundary=b",
    "text/plain",
    "b\u{e4}d",
    ";",
];

/// Bodies that mean something, with what they are.
const BODIES: [(&str, &[u8]); 6] = [
    (
        "application/json",
        br#"{"name": "new\u00e4", "userId": 5, "queueId": "4", "enabled": null, "email": "a@b", "type": "queue"}"#,
    ),
    ("", br#"{"_method": "PUT", "jid": "a@b", "transcripts": true, "more": [1, {"deep": [[]]}]}"#),
    ("application/x-www-form-urlencoded", b"name=new&userId=5&enabled=1&_method=put&email=%40%ff&avatar=+&"),
    (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nnew\r\n--b\r\nContent-Disposition: form-data; name=_method\r\n\r\nDELETE\r\n--b--\r\n",
    ),
    (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"x\"\r\nContent-Type: image/png\r\n\r\n\xff\r\n--b--",
    ),
    ("application/json", b"{}"),
];

/// A body and what it is said to be.
fn bodies() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let damage = (any::<prop::sample::Index>(), 0..12_usize, vec(any::<u8>(), 0..4));
    prop_oneof![
        1 => (select(&CONTENT_TYPES[..]), vec(any::<u8>(), 0..200)),
        1 => (select(&CONTENT_TYPES[..]), select(&BODIES[..])).prop_map(|(of, (_, body))| (of, body.to_vec())),
        // Something is cut out, and something else put in.
        6 => (select(&BODIES[..]), vec(damage, 0..3)).prop_map(|((of, body), damages)| {
            let damaged = |body: Vec<u8>, (at, cut, put): (prop::sample::Index, usize, Vec<u8>)| {
                let at = at.index(body.len() + 1);
                let behind = body.get(at + cut..).unwrap_or_default();
                [&body[..at], &put, behind].concat()
            };
            (of, damages.into_iter().fold(body.to_vec(), damaged))
        }),
    ]
}

/// Why this is no answer that a client of this API understands.
fn complaint(method: &str, reply: &Reply) -> Option<String> {
    let content_type = reply.header("content-type");
    if content_type != Some("application/json; charset=utf-8") {
        return Some(format!("its type is {content_type:?}"));
    }
    let body = match serde_json::from_str::<Value>(&reply.body) {
        _ if method == "HEAD" => return None,
        Ok(body) => body,
        Err(error) => return Some(format!("its body is not JSON: {error}")),
    };
    let failed = body.get("success") == Some(&Value::Null);
    let says_why = body["message"].as_str().is_some_and(|why| !why.is_empty()) && body["message"] == body["error"];
    match reply.status.as_u16() {
        200 if !failed || says_why => None,
        400 | 401 | 404 | 405 | 413 | 415 if failed && says_why => None,
        other => Some(format!("{other} with {body}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_can_be_understood(requests in vec((
        select(&METHODS[..]),
        select(&VERSIONS[..]),
        select(&PATHS[..]),
        prop_oneof![Just(String::new()), Just("_method=delete".to_owned()), "[!$-;=?-Z_a-z%&+\u{e4}]{0,20}"],
        bodies(),
    ), 1..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let rig = runtime.block_on(Rig::new());
        for (method, (prefix, _), path, query, (content_type, body)) in requests {
            let mut headers = vec![("cookie", "libraryh3lp-session=boss")];
            headers.extend(Some(("content-type", content_type)).filter(|(_, value)| !value.is_empty()));
            let request = format!("{method} {prefix}{path}?{query}");
            let reply = runtime.block_on(rig.send(&request, &body, &headers));
            let complaint = complaint(method, &reply);
            prop_assert!(complaint.is_none(), "{request} {content_type:?}: {}", complaint.unwrap_or_default());
        }
    }
}
