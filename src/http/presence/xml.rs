//! Presence as XML: row 26.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::HeaderValue,
    response::Response,
};

use super::{Asked, Board, PRIORITY, RESOURCE, answer, etag, words};
use crate::domain::Show;

pub(super) async fn xml(State(board): State<Arc<Board>>, request: Request) -> Response {
    let show = board.show(&request);
    let body = || document(&Asked::of(request.uri()), show);
    answer(request.headers(), HeaderValue::from_static(etag(show)), "text/xml; charset=utf-8", body)
}

fn document(asked: &Asked<'_>, show: Show) -> String {
    let (user, server) = (escaped(&asked.name), escaped(&asked.domain));
    let status = words(show);
    format!(
        r#"<presence user="{user}" server="{server}"><resource show="{show}" name="{RESOURCE}" priority="{PRIORITY}" status="{status}"/></presence>"#
    )
}

/// What may stand between quotes. What no XML may have (XML 1.0 section 2.2) becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A parser would make spaces of these.
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use minidom::Element;
    use proptest::prelude::*;

    use super::*;
    use crate::http::testing::Rig;

    fn parsed(text: &str) -> Element {
        Element::from_reader_with_prefixes(text.as_bytes(), "of-nothing".to_owned()).unwrap()
    }

    #[tokio::test]
    async fn one_resource_whatever_the_show() {
        let mut rig = Rig::new().await;
        let path = "GET /presence/jid/law/queues.example.org/xml";
        let reply = rig.send(path, "", &[]).await;
        assert_eq!(reply.header("content-type"), Some("text/xml; charset=utf-8"));
        insta::assert_snapshot!(reply.line(), @r#"200 <presence user="law" server="queues.example.org"><resource show="unavailable" name="libraryh3lp" priority="5" status="Offline"/></presence>"#);
        rig.link_up().await;
        rig.hear("ann", Show::Dnd, Some("at the dentist")).await;
        insta::assert_snapshot!(rig.send(path, "", &[]).await.line(), @r#"200 <presence user="law" server="queues.example.org"><resource show="dnd" name="libraryh3lp" priority="5" status="Busy"/></presence>"#);
        rig.hear("ann", Show::Chat, None).await;
        assert!(rig.send(path, "", &[]).await.body.contains(r#"show="available""#), "it is capped");
        let odd = rig.send("GET /presence/jid/%3Ca%20b%22%26%00%ff/queues.example.org/xml", "", &[]).await;
        insta::assert_snapshot!(odd.line(), @r#"200 <presence user="&lt;a b&quot;&amp;��" server="queues.example.org"><resource show="unavailable" name="libraryh3lp" priority="5" status="Offline"/></presence>"#);
    }

    proptest! {
        #[test]
        fn it_says_what_was_asked_and_nothing_else(name in any::<String>(), domain in any::<String>()) {
            let asked = Asked { name: name.as_str().into(), domain: domain.as_str().into() };
            let root = parsed(&document(&asked, Show::Away));
            let printable = |text: &str| {
                let printable = |c| if matches!(c, '\0'..' ' | '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c };
                text.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { c } else { printable(c) }).collect::<String>()
            };
            prop_assert_eq!(root.attr("user"), Some(&*printable(&name)));
            prop_assert_eq!(root.attr("server"), Some(&*printable(&domain)));
            let resources: Vec<_> = root.children().collect();
            prop_assert_eq!(resources.len(), 1);
            prop_assert_eq!((resources[0].name(), resources[0].attr("show")), ("resource", Some("away")));
        }
    }
}
