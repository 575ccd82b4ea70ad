//! Presence as JavaScript: row 27. It sets some variables, and calls a function where the page names one.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    extract::{Query, Request, State},
    http::{HeaderValue, Uri},
    response::Response,
};

use super::{Asked, Board, PRIORITY, RESOURCE, answer, etag, words};
use crate::domain::Show;

/// The tag does not cover the random id, so that asking again is cheap; it is a weak one for that (RFC 9110 section 8.8.1).
pub(super) async fn js(State(board): State<Arc<Board>>, request: Request) -> Response {
    let show = board.show(&request);
    let tag = HeaderValue::from_str(&format!("W/{}", etag(show))).expect("a show and a version are plain");
    let body = || script(&Asked::of(request.uri()), show, &random_id(), callback(request.uri()).as_deref());
    answer(request.headers(), tag, "application/javascript; charset=utf-8", body)
}

/// The word `unavailable` occurs in it where that is the show, and nowhere else: there are pages that only look for it.
fn script(asked: &Asked<'_>, show: Show, id: &str, callback: Option<&str>) -> String {
    let (user, server) = (literal(&asked.name), literal(&asked.domain));
    let status = literal(words(show));
    let mut script = format!(
        "var jabber_user = {user};\n\
         var jabber_server = {server};\n\
         var jabber_resources = [{{\"name\": \"{RESOURCE}\", \"priority\": {PRIORITY}, \"show\": \"{show}\", \"status\": {status}}}];\n\
         var jabber_client_id = \"{id}\";\n"
    );
    if let Some(name) = callback {
        script += &format!("{}();\n", veiled(name));
    }
    script
}

/// The function that is to be called: the first `cb`, where it is the name of something.
fn callback(uri: &Uri) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let (_, name) = pairs.into_iter().find(|(key, _)| key == "cb")?;
    is_name(&name).then_some(name)
}

/// `^[A-Za-z_$][A-Za-z0-9_$.]{0,127}$`
fn is_name(text: &str) -> bool {
    let is_first = |c: &char| c.is_ascii_alphabetic() || matches!(c, '_' | '$');
    text.len() <= 128
        && text.chars().next().is_some_and(|c| is_first(&c))
        && text.chars().all(|c| is_first(&c) || c.is_ascii_digit() || c == '.')
}

/// A string literal that nothing can break out of, in whatever encoding the page is: all that is not plain is escaped.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut units = [0; 2];
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || " .,:;@_-".contains(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    format!("\"{}\"", veiled(&out))
}

/// The same to whoever runs it, but without a word that pages look for. An escape is as good in a name as in a literal.
fn veiled(text: &str) -> String {
    text.replace(Show::Unavailable.as_str(), "\\u0075navailable")
}

/// 128 bits, in hexadecimal digits.
fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::testing::Rig;

    const PATH: &str = "GET /presence/jid/law/queues.example.org/js";

    fn without_id(reply: &str) -> String {
        let (before, rest) = reply.split_once("var jabber_client_id = \"").unwrap();
        let (id, after) = rest.split_once('"').unwrap();
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        format!("{before}var jabber_client_id = \"ID\"{after}")
    }

    #[tokio::test]
    async fn globals_and_a_call() {
        let mut rig = Rig::new().await;
        rig.link_up().await;
        let reply = rig.send(&format!("{PATH}?_=1&cb=desk.show_it&cb=evil"), "", &[]).await;
        assert_eq!(reply.header("content-type"), Some("application/javascript; charset=utf-8"));
        insta::assert_snapshot!(without_id(&reply.line()), @r#"
        200 var jabber_user = "law";
        var jabber_server = "queues.example.org";
        var jabber_resources = [{"name": "libraryh3lp", "priority": 5, "show": "unavailable", "status": "Offline"}];
        var jabber_client_id = "ID";
        desk.show_it();
        "#);
        rig.hear("ann", Show::Chat, None).await;
        let reply = rig.send(PATH, "", &[]).await;
        assert!(reply.body.contains(r#""show": "available""#) && !reply.body.contains("()"), "{}", reply.body);
        assert_ne!(reply.body, rig.send(PATH, "", &[]).await.body, "the id is a new one each time");
    }

    #[tokio::test]
    async fn asking_again_is_cheap() {
        let mut rig = Rig::new().await;
        let tag = rig.send(PATH, "", &[]).await.header("etag").unwrap().to_owned();
        assert!(tag.starts_with("W/\""), "what is random is not covered: {tag}");
        assert_eq!(rig.send(PATH, "", &[("if-none-match", &tag)]).await.line(), "304 ");
        rig.link_up().await;
        rig.hear("ann", Show::Away, None).await;
        let reply = rig.send(PATH, "", &[("if-none-match", &tag)]).await;
        assert!(reply.line().starts_with("200 ") && reply.header("etag") != Some(&tag), "{reply:?}");
    }

    #[test]
    fn callbacks() {
        let check = |query: &str| callback(&format!("/js{query}").parse().unwrap());
        assert_eq!(check("?cb=f"), Some("f".to_owned()));
        assert_eq!(check("?_=17&cb=%24.page.f1_"), Some("$.page.f1_".to_owned()));
        assert_eq!(check(&format!("?cb={}", "f".repeat(128))), Some("f".repeat(128)));
        let long = format!("?cb={}", "f".repeat(129));
        for query in ["", "?", "?cb", "?cb=", "?cb=1f", "?cb=.f", "?cb=f()", "?cb=f;x", "?cb=f%0a", "?cb=%c3%bc", &long]
        {
            assert_eq!(check(query), None, "{query}");
        }
    }

    #[test]
    fn what_is_online_does_not_say_unavailable() {
        let asked = Asked { name: "unavailable".into(), domain: "unavailable.example.org".into() };
        for show in Show::ALL {
            let script = script(&asked, show, "0", Some("on.unavailable"));
            let times = script.matches("unavailable").count();
            assert_eq!(times, usize::from(show == Show::Unavailable), "{script}");
        }
        assert_eq!(literal("unavailable"), r#""\u0075navailable""#);
    }

    /// What a program reads in a literal, after JSON's rules, which are JavaScript's here.
    fn read(literal: &str) -> String {
        serde_json::from_str(literal).unwrap()
    }

    proptest! {
        #[test]
        fn nothing_breaks_out_of_a_literal(
            text in prop_oneof![any::<String>(), "(</script>|<!--|\\*/|\u{2028}|\u{2029}|[\"'`\\\\\r\n]|unavailable|\\$\\{x\\}|x){0,9}"]
        ) {
            let literal = literal(&text);
            prop_assert_eq!(read(&literal), text);
            let inside = &literal[1..literal.len() - 1];
            let plain = |c: char| c.is_ascii_alphanumeric() || " .,:;@_-\\".contains(c);
            prop_assert!(inside.chars().all(plain), "{}", inside);
            prop_assert!(!inside.contains("unavailable"));
        }

        #[test]
        fn a_script_is_five_statements(name in any::<String>(), domain in any::<String>(), cb in any::<Option<String>>()) {
            let cb = cb.filter(|name| is_name(name));
            let asked = Asked { name: name.as_str().into(), domain: domain.as_str().into() };
            let script = script(&asked, Show::Away, "0", cb.as_deref());
            let lines: Vec<_> = script.lines().collect();
            prop_assert_eq!(lines.len(), 4 + usize::from(cb.is_some()));
            prop_assert_eq!(lines[0].strip_prefix("var jabber_user = ").and_then(|it| it.strip_suffix(';')).map(read), Some(name));
            prop_assert_eq!(lines[1].strip_prefix("var jabber_server = ").and_then(|it| it.strip_suffix(';')).map(read), Some(domain));
            let list = lines[2].strip_prefix("var jabber_resources = ").and_then(|it| it.strip_suffix(';')).unwrap();
            let list: serde_json::Value = serde_json::from_str(list).unwrap();
            prop_assert_eq!(list.as_array().map(Vec::len), Some(1));
        }
    }
}
