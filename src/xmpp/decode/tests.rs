//! What stanzas mean, case by case.
#![cfg(test)]

use super::*;

fn meaning(stanza: &str) -> Meaning {
    decode(&Parser::default().parse(stanza.as_bytes()).unwrap(), &Ours::example())
}

fn ann() -> BareJid {
    BareJid::parse("ann@localhost").unwrap()
}

fn check_seen(children: &str, show: Show, priority: i8, status: Option<&str>, known_show: bool) {
    let stanza = format!("<presence from='ann@localhost/desk' to='staffing@queues.localhost'>{children}</presence>");
    let seen = Seen { show, priority, status: status.map(Into::into), known_show };
    let expected = Input::Seen { user: ann(), resource: "desk".into(), seen };
    assert_eq!(meaning(&stanza), Meaning::Input(expected), "{children}");
}

#[test]
fn what_a_presence_says_is_taken_leniently() {
    check_seen("", Show::Available, 0, None, true);
    check_seen("<show>chat</show>", Show::Chat, 0, None, true);
    check_seen("<show> dnd\n</show>", Show::Dnd, 0, None, true);
    check_seen("<show>xa</show><show>chat</show>", Show::Xa, 0, None, true);
    check_seen("<show/>", Show::Available, 0, None, false);
    check_seen("<show>online</show>", Show::Available, 0, None, false);
    check_seen("<show>unavailable</show>", Show::Available, 0, None, false);
    check_seen("<show>available</show>", Show::Available, 0, None, false);
    check_seen("<show xmlns='urn:x'>dnd</show>", Show::Available, 0, None, true);
    check_seen("<show xmlns='jabber:client'>dnd</show>", Show::Dnd, 0, None, true);
    check_seen("<priority>-5</priority>", Show::Available, -5, None, true);
    check_seen("<priority> +7 </priority>", Show::Available, 7, None, true);
    for rubbish in ["", "999", "-129", "abc", "1.5"] {
        check_seen(&format!("<priority>{rubbish}</priority>"), Show::Available, 0, None, true);
    }
    check_seen("<status>lunch</status><status>no</status>", Show::Available, 0, Some("lunch"), true);
    check_seen("<status/>", Show::Available, 0, None, true);
    let long = format!("x{}", "é".repeat(1_000));
    check_seen(&format!("<status>{long}</status>"), Show::Available, 0, Some(&long[..1_023]), true);
    check_seen("<weird/><x xmlns='y'>z</x>", Show::Available, 0, None, true);
}

fn of_watcher(from: &str, kind: &str) -> Meaning {
    meaning(&format!("<presence from='{from}' to='staffing@queues.localhost' type='{kind}'/>"))
}

#[test]
fn presence_for_the_watcher() {
    let desk = || Some("desk".into());
    let is = |from, kind, input| assert_eq!(of_watcher(from, kind), Meaning::Input(input), "{from} {kind}");
    is("ann@localhost/desk", "unavailable", Input::Gone { user: ann(), resource: desk() });
    is("ann@localhost", "unavailable", Input::Gone { user: ann(), resource: None });
    is("ann@localhost", "error", Input::Gone { user: ann(), resource: None });
    is("ann@localhost/desk", "error", Input::Gone { user: ann(), resource: desk() });
    is("Ann@localhost", "subscribed", Input::Approved { user: ann() });
    is("ann@localhost", "unsubscribed", Input::Refused { user: ann() });
    is("ann@localhost/desk", "subscribe", Input::Knocked { from: ann() });
    let weird = Meaning::Dropped { from: Some(ann()), reason: "unknown-presence-type" };
    assert_eq!(of_watcher("ann@localhost", "weird"), weird);
    for (from, kind) in [
        ("ann@localhost", "unsubscribe"),
        ("ann@localhost/desk", "probe"),
        ("localhost", "unavailable"),
        ("law@queues.localhost/x", "unavailable"),
    ] {
        assert_eq!(of_watcher(from, kind), Meaning::Nothing, "{from} {kind}");
    }
    let nothing = |stanza: &str| assert_eq!(meaning(stanza), Meaning::Nothing, "{stanza}");
    nothing("<presence from='ann@localhost' to='staffing@queues.localhost'/>");
    nothing("<presence from='ann@localhost/desk' to='staffing@queues.localhost/x'/>");
    nothing("<presence from='ann@localhost/desk' to='staffing@elsewhere'/>");
    nothing("<presence to='staffing@queues.localhost'/>");
}

#[test]
fn presence_for_the_component() {
    let of = |from: &str, more: &str| meaning(&format!("<presence from='{from}' to='queues.localhost' {more}"));
    let relayed = |seen| Meaning::Input(Input::Relayed { user: ann(), resource: "desk".into(), seen });
    let seen = Seen { show: Show::Xa, priority: 3, status: None, known_show: true };
    let xa = "><show>xa</show><priority>3</priority></presence>";
    assert_eq!(of("ann@localhost/desk", xa), relayed(Some(seen)));
    assert_eq!(of("ann@localhost/desk", "type='unavailable'/>"), relayed(None));
    for (from, more) in [
        ("ann@localhost", "/>"),
        ("ann@localhost", "type='unavailable'/>"),
        ("localhost", "/>"),
        ("law@queues.localhost/x", "/>"),
        ("ann@localhost/desk", "type='subscribe'/>"),
        ("ann@localhost/desk", "type='error'/>"),
        ("ann@localhost/desk", "type='weird'/>"),
    ] {
        assert_eq!(of(from, more), Meaning::Nothing, "{from} {more}");
    }
}

#[test]
fn only_the_users_server_says_what_is_granted() {
    let said = |from: &str, to: &str, perms: &str| {
        let privilege = format!("<privilege xmlns='urn:xmpp:privilege:2'>{perms}</privilege>");
        meaning(&format!("<message from='{from}' to='{to}'>{privilege}</message>"))
    };
    let of = |perms: &str| said("localhost", "queues.localhost", perms);
    let is = |perms: &str, roster, presence| {
        assert_eq!(of(perms), Meaning::Input(Input::Granted(Grants { roster, presence })), "{perms}");
    };
    is("<perm access='roster' type='both'/><perm access='presence' type='managed_entity'/>", true, true);
    is("<perm access='roster' type='set'/>", true, false);
    is("<perm access='roster' type='get'/><perm access='presence' type='roster'/>", false, true);
    is("<perm access='roster' type='none'/><perm access='presence' type='none'/>", false, false);
    is("<perm access='message' type='both'/><x><perm access='roster' type='both'/></x>", false, false);
    is("<perm access='roster' type='both' xmlns='urn:x'/><perm access='roster'/>", false, false);
    is("", false, false);
    let perms = "<perm access='roster' type='both'/>";
    for from in ["ann@localhost", "ann@localhost/x", "localhost/x", "elsewhere", "queues.localhost"] {
        assert_eq!(said(from, "queues.localhost", perms), Meaning::Nothing, "{from}");
    }
    for to in ["staffing@queues.localhost", "law@queues.localhost", "queues.localhost/x", "localhost"] {
        assert_eq!(said("localhost", to, perms), Meaning::Nothing, "{to}");
    }
}

#[test]
fn presence_for_a_queue() {
    let of =
        |kind: &str| meaning(&format!("<presence from='ann@localhost/x' to='Law@queues.localhost' type='{kind}'/>"));
    let law = || Name::parse("law", 60).unwrap();
    assert_eq!(of("subscribe"), Meaning::Follow { queue: law(), jid: ann(), follow: true });
    assert_eq!(of("unsubscribe"), Meaning::Follow { queue: law(), jid: ann(), follow: false });
    assert_eq!(of("probe"), Meaning::Input(Input::Probed { queue: law(), from: ann() }));
    for kind in ["unavailable", "subscribed", "unsubscribed", "error", "weird"] {
        assert_eq!(of(kind), Meaning::Nothing, "{kind}");
    }
    let wall = meaning("<presence from='wall.localhost/x' to='law@queues.localhost' type='subscribe'/>");
    let jid = BareJid::of_follower("wall.localhost").unwrap();
    assert_eq!(wall, Meaning::Follow { queue: law(), jid, follow: true });
    let long = "x".repeat(61);
    let stanza = format!("<presence from='ann@localhost/x' to='{long}@queues.localhost' type='subscribe'/>");
    assert_eq!(meaning(&stanza), Meaning::Nothing);
}

#[test]
fn a_follower_is_gone_for_good_or_not() {
    let check = |kind: &str, condition: &str, for_good: bool| {
        let stanza = format!(
            "<presence from='ann@localhost' to='law@queues.localhost' type='error'><error type='{kind}'>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        );
        let gone = Meaning::FollowerGone { queue: Name::parse("law", 60).unwrap(), jid: ann() };
        assert_eq!(meaning(&stanza), if for_good { gone } else { Meaning::Nothing }, "{kind} {condition}");
    };
    check("cancel", "gone", true);
    check("modify", "gone", true);
    check("cancel", "item-not-found", true);
    check("wait", "gone", false);
    check("wait", "item-not-found", false);
    for condition in [
        "remote-server-not-found",
        "remote-server-timeout",
        "recipient-unavailable",
        "service-unavailable",
        "not-allowed",
        "forbidden",
        "redirect",
        "resource-constraint",
        "internal-server-error",
        "undefined-condition",
    ] {
        check("cancel", condition, false);
        check("wait", condition, false);
    }
}

#[test]
fn what_can_not_be_addressed_is_dropped() {
    let is = |stanza, from, reason| {
        assert_eq!(meaning(stanza), Meaning::Dropped { from, reason }, "{stanza}");
    };
    is("<presence from='@' to='staffing@queues.localhost'/>", None, "bad-from");
    is("<presence from='ann@localhost/x' to='@'/>", Some(ann()), "bad-to");
    is("<presence from='ann@localhost/x'/>", Some(ann()), "bad-to");
    is("<iq from='ann@localhost/x' to='queues.localhost' type='get'/>", Some(ann()), "iq-without-id");
    is("<iq from='ann@localhost/x' to='queues.localhost' id='1'/>", Some(ann()), "unknown-iq-type");
}

#[test]
fn a_status_does_no_harm_in_a_terminal() {
    let stanza = "<presence from='ann@localhost/x' to='staffing@queues.localhost'><status>a\u{9b}2J\u{85}b ü</status></presence>";
    let Meaning::Input(Input::Seen { seen, .. }) = meaning(stanza) else { panic!("no presence") };
    assert_eq!(seen.status.as_deref(), Some("a\u{fffd}2J\u{85}b ü"));
}

#[test]
fn nobody_is_taken_for_somebody_with_a_similar_address() {
    let command = "<command xmlns='http://jabber.org/protocol/commands' node='suspend-me'/>";
    // Prosody has an account of each of these names, which is not ann's; and no server has such a domain.
    for from in ["\u{1d43}nn@localhost", "\u{2090}nn@localhost", "a\u{1d62}nn@localhost", "ann@localhos\u{1d57}"] {
        for stanza in [
            format!("<presence from='{from}/desk' to='staffing@queues.localhost'/>"),
            format!("<presence from='{from}' to='law@queues.localhost' type='subscribe'/>"),
            format!("<iq from='{from}/desk' to='law@queues.localhost' type='set' id='1'>{command}</iq>"),
        ] {
            let nobody = Meaning::Dropped { from: None, reason: "unstable-address" };
            assert_eq!(meaning(&stanza), nobody, "{stanza}");
            let nothing = glimpse(stanza.as_bytes(), &mut Parser::default(), &Ours::example());
            assert_eq!(nothing, Glimpse::default(), "{stanza}");
        }
    }
    // What servers prepare in the same way is somebody, and a resource is the business of its owner.
    for from in ["\u{fc}nn@localhost", "ann@b\u{fc}cher.example", "ANN@LocalHost", "ann@localhost/\u{1d43}"] {
        let stanza = format!("<presence from='{from}' to='law@queues.localhost' type='subscribe'/>");
        assert!(matches!(meaning(&stanza), Meaning::Follow { follow: true, .. }), "{from}");
    }
}

#[test]
fn what_is_dropped_is_glimpsed_at() {
    let glimpsed = |head: &str| glimpse(head.as_bytes(), &mut Parser::default(), &Ours::example());
    let desk = || "desk's".into();
    let check = |kind: &str, input| {
        let head = format!("<presence from=\"ann@localhost/desk&#39;s\" to='staffing@queues.localhost'{kind}/>");
        assert_eq!(glimpsed(&head), Glimpse { from: Some(ann()), input }, "{kind}");
    };
    check("", Some(Input::Unread { user: ann(), resource: desk() }));
    check(" xmlns='jabber:client'", Some(Input::Unread { user: ann(), resource: desk() }));
    check(" type='unavailable'", Some(Input::Gone { user: ann(), resource: Some(desk()) }));
    check(" type='subscribed'", Some(Input::Approved { user: ann() }));
    check(" type='unsubscribed'", Some(Input::Refused { user: ann() }));
    for kind in ["subscribe", "probe", "weird", ""] {
        check(&format!(" type='{kind}'"), None);
    }
    check(" xmlns='urn:x'", None);
    let relayed =
        |more: &str| glimpsed(&format!("<presence from='ann@localhost/x' to='queues.localhost'{more}/>")).input;
    assert_eq!(relayed(""), Some(Input::UnreadRelayed { user: ann(), resource: "x".into() }));
    let gone = Input::Relayed { user: ann(), resource: "x".into(), seen: None };
    assert_eq!(relayed(" type='unavailable'"), Some(gone));
    let from = |head: &str, from: Option<&str>| {
        let from = from.map(|from| BareJid::parse(from).unwrap());
        assert_eq!(glimpsed(head), Glimpse { from, input: None }, "{head}");
    };
    from("<message from='ann@localhost/x' to='staffing@queues.localhost'/>", Some("ann@localhost"));
    from("<presence from='ann@localhost/x' to='law@queues.localhost' type='subscribe'/>", Some("ann@localhost"));
    from("<presence from='Ann@localhost/x'/>", Some("ann@localhost"));
    from("<presence from='localhost' to='staffing@queues.localhost'/>", None);
    from("<presence from='@' to='staffing@queues.localhost'/>", None);
    from("<presence from='a&b@c' to='staffing@queues.localhost'/>", None);
    from("<x:presence from='ann@localhost/x' to='staffing@queues.localhost'/>", None);
    from("", None);
}

#[test]
fn requests_and_answers() {
    let of = |to: &str, kind: &str, payload: &str| {
        meaning(&format!("<iq from='ann@localhost/x' to='{to}' id='7' type='{kind}'>{payload}</iq>"))
    };
    let is = |kind, payload, expected| {
        let Meaning::Request(request) = of("law@queues.localhost", kind, payload) else { panic!("{payload}") };
        assert_eq!(request.query, expected);
        assert_eq!(request.target, Target::Queue(Name::parse("law", 60).unwrap()));
    };
    is("get", "<ping xmlns='urn:xmpp:ping'/>", Query::Ping);
    is("set", "<ping xmlns='urn:xmpp:ping'/>", Query::Other);
    is("get", "<query xmlns='jabber:iq:version'/>", Query::Version);
    is("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", Query::DiscoInfo { node: None });
    let page = Page::read(&Element::bare("query", ns::DISCO_ITEMS));
    let items = |node: Option<&str>| Query::DiscoItems { node: node.map(Into::into), page: page.clone() };
    is("get", "<query xmlns='http://jabber.org/protocol/disco#items' node=''/>", items(None));
    is("get", "<query xmlns='http://jabber.org/protocol/disco#items' node='a'/>", items(Some("a")));
    is("get", "<vCard xmlns='vcard-temp'/>", Query::Vcard);
    is("set", "<vCard xmlns='vcard-temp'/>", Query::Other);
    is("get", "<command xmlns='http://jabber.org/protocol/commands' node='a'/>", Query::Other);
    is("get", "<x xmlns='y'/>", Query::Other);
    is("get", "", Query::Other);
    let answer = |kind: &str, payload: &str| {
        let Meaning::Answer(answer) = of("staffing@queues.localhost", kind, payload) else { panic!("{payload}") };
        assert_eq!(answer.id, "7");
        answer.of_resource()
    };
    let (user, resource) = (BareJid::parse("ann@localhost").unwrap(), "x");
    let alive = Some(Input::Alive { user: user.clone(), resource: resource.into() });
    let doubted = Some(Input::Doubted { user, resource: resource.into() });
    let error =
        |condition| format!("<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    assert_eq!(answer("result", ""), alive);
    assert_eq!(answer("error", ""), alive);
    assert_eq!(answer("error", &error("feature-not-implemented")), alive);
    for condition in GONE {
        assert_eq!(answer("error", &error(condition)), doubted, "{condition}");
    }
    let message = |more: &str| meaning(&format!("<message from='ann@localhost/x' to='law@queues.localhost' {more}"));
    for silent in ["/>", "><composing xmlns='x'/></message>", "type='error'><body>no</body></message>"] {
        assert_eq!(message(silent), Meaning::Nothing, "{silent}");
    }
    assert!(matches!(message("id='1'><body>hello</body></message>"), Meaning::Message { id: Some(_), .. }));
    for kind in ["presence", "iq id='1' type='get'", "message"] {
        let foreign = format!("<{kind} xmlns='x' from='a@b/c' to='staffing@queues.localhost'/>");
        assert_eq!(meaning(&foreign), Meaning::Nothing, "{foreign}");
    }
}

#[test]
fn messages_of_our_own_are_told_from_those_of_others() {
    let of = |from: &str, kind: &str, id: &str| {
        meaning(&format!("<message from='{from}' to='x.b@queues.localhost' type='{kind}' id='{id}'/>"))
    };
    let ours = "x.a@queues.localhost";
    assert_eq!(of(ours, "headline", "echo-1"), Meaning::Echo { id: "echo-1".into(), is_error: false });
    assert_eq!(of(ours, "error", "echo-1"), Meaning::Echo { id: "echo-1".into(), is_error: true });
    assert_eq!(of(ours, "headline", "1"), Meaning::Nothing);
    assert_eq!(of("ann@localhost/x", "headline", "echo-1"), Meaning::Nothing);
}

#[test]
fn the_end_of_a_stream() {
    let error = meaning(
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>twice</text></stream:error>",
    );
    let expected = StreamError { condition: "conflict".into(), text: Some("twice".into()) };
    assert_eq!(error, Meaning::StreamError(expected));
    let expected = StreamError { condition: "undefined-condition".into(), text: None };
    assert_eq!(meaning("<stream:error/>"), Meaning::StreamError(expected));
}
