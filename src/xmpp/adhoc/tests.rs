//! Every command, stage and error, as a client sees them.

#![cfg(test)]

use minidom::Element;
use xmpp_parsers::ns;

use super::*;
use crate::{
    domain::{AccountId, QueueId, Show, SuspensionFields, UserId, WhoMayFollow},
    xmpp::testing::{Rig, error, jid, name},
};

const HERE: &str = "queues.localhost";
const LAW: &str = "law@queues.localhost";

/// A client that runs commands.
struct Client<'r> {
    rig: &'r mut Rig,
    jid: String,
    at: &'static str,
    node: &'static str,
    session: String,
    /// The hidden fields of the last form.
    hidden: Vec<(String, String)>,
}

impl<'r> Client<'r> {
    fn new(rig: &'r mut Rig, who: &str, at: &'static str, node: &'static str) -> Self {
        let jid = if who.contains('.') { who.to_owned() } else { format!("{who}@localhost/phone") };
        Self { rig, jid, at, node, session: String::new(), hidden: Vec::new() }
    }

    /// Begins.
    fn run(&mut self) -> String {
        self.send(&format!("node='{}'", self.node), "")
    }

    /// Goes on with what was filled in; what is hidden comes back by itself.
    fn go(&mut self, action: &str, fields: &[(&str, &str)]) -> String {
        let hidden = self.hidden.clone();
        let hidden = hidden.iter().map(|(var, value)| (&**var, &**value));
        let field = |(var, value)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = hidden.chain(fields.iter().copied()).map(field).collect();
        self.bare(action, &format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"))
    }

    fn bare(&mut self, action: &str, payload: &str) -> String {
        self.send(&format!("node='{}' sessionid='{}' action='{action}'", self.node, self.session), payload)
    }

    fn send(&mut self, attributes: &str, payload: &str) -> String {
        let command = format!("<command xmlns='{NS}' {attributes}>{payload}</command>");
        let answer = self.rig.ask(&self.jid, self.at, "set", &command);
        assert_eq!((answer.attr("from"), answer.attr("to")), (Some(self.at), Some(&*self.jid)));
        if answer.attr("type") == Some("error") {
            let is_about = answer.has_child("command", NS);
            assert!(is_about || answer_is_of_nobody(&answer), "the error says what it is about");
            return error(&answer);
        }
        let command = answer.get_child("command", NS).unwrap();
        self.session = command.attr("sessionid").unwrap().to_owned();
        self.show(command)
    }

    fn show(&mut self, command: &Element) -> String {
        let mut lines = vec![command.attr("status").unwrap().to_owned()];
        for part in command.children() {
            match part.name() {
                "actions" => {
                    let offered: Vec<_> = part.children().map(Element::name).collect();
                    lines[0] += &format!(" {} execute={}", offered.join(","), part.attr("execute").unwrap());
                }
                "note" => lines.push(format!("{}: {}", part.attr("type").unwrap(), part.text())),
                _ => self.show_form(part, &mut lines),
            }
        }
        lines.join("\n")
    }

    fn show_form(&mut self, form: &Element, lines: &mut Vec<String>) {
        self.hidden.clear();
        lines.push(form.get_child("title", ns::DATA_FORMS).unwrap().text());
        let value = |field: &Element| field.get_child("value", ns::DATA_FORMS).map(Element::text);
        for part in form.children() {
            let attr = |name| part.attr(name).unwrap_or_default().to_owned();
            // What a field is that does not say (XEP-0004 section 3.3).
            let kind = part.attr("type").unwrap_or("text-single");
            match part.name() {
                "field" if kind == "hidden" => self.hidden.push((attr("var"), value(part).unwrap())),
                "field" => {
                    let options = part.children().filter(|child| child.name() == "option").map(|option| {
                        let value = value(option).unwrap();
                        let label = option.attr("label").unwrap();
                        if label == value { value } else { format!("{value}={label:?}") }
                    });
                    let required = if part.has_child("required", ns::DATA_FORMS) { "!" } else { "" };
                    let options = options.collect::<Vec<_>>().join(" ");
                    let chosen = value(part).map(|value| format!(" ({value})")).unwrap_or_default();
                    lines.push(format!("{}{required} {kind}{chosen} {options}", attr("var")).trim_end().into());
                }
                "item" => {
                    lines.push(part.children().filter_map(value).collect::<Vec<_>>().join(" | "));
                }
                _ => {}
            }
        }
    }
}

fn run(rig: &mut Rig, who: &str, at: &'static str, node: &'static str) -> String {
    Client::new(rig, who, at, node).run()
}

/// Where nothing is that they may know of, nobody knows commands.
fn answer_is_of_nobody(answer: &Element) -> bool {
    error(answer) == "error cancel service-unavailable"
}

const FORBIDDEN: &str = "error cancel \"you may not do this\" forbidden";
const BAD_ACTION: &str = "error modify \"this is not what can be done now\" bad-action bad-request";

#[tokio::test]
async fn my_queues() {
    let mut rig = Rig::new();
    rig.see("ann", Show::Chat);
    for at in [HERE, LAW] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(run(&mut rig, "ann", at, "my-queues"), @r"
            completed
            info: You staff 2 queues.
            My queues
            law | chat | 1 of 2 operators takes work now | enabled | 
            tax | chat | The one operator takes work now | enabled | 
            ");
        }
    }
    let mut ann = Client::new(&mut rig, "ann", HERE, "my-queues");
    ann.run();
    assert_eq!(
        ann.go("complete", &[]),
        "error cancel \"this form is open for too long: begin anew\" not-allowed session-expired"
    );
    assert_eq!(ann.bare("prev", ""), BAD_ACTION);
    assert_eq!(run(&mut rig, "sue", HERE, "my-queues"), FORBIDDEN, "she is no user");
}

#[tokio::test]
async fn suspend_me_and_resume_me() {
    let mut rig = Rig::new();
    rig.see("ann", Show::Chat);
    let mut ann = Client::new(&mut rig, "ann", HERE, "suspend-me");
    insta::assert_snapshot!(ann.run(), @r#"
    executing complete execute=complete
    Suspend me
    queue! list-single (@all) @all="All my queues" law tax
    reason text-single
    duration list-single (none) none="Until resumed" 15m="15 minutes" 30m="30 minutes" 1h="1 hour" 2h="2 hours" 4h="4 hours" 8h="8 hours" 24h="24 hours"
    "#);
    let done = ann.go("complete", &[("queue", "Law"), ("reason", " lunch &amp; a walk ")]);
    assert_eq!(done, "completed\ninfo: You are suspended on law: lunch & a walk");
    insta::assert_snapshot!(run(&mut rig, "ann", HERE, "my-queues"), @r"
    completed
    info: You staff 2 queues.
    My queues
    law | unavailable | The one operator takes no work now | suspended | lunch & a walk
    tax | chat | The one operator takes work now | enabled | 
    ");
    let mut ann = Client::new(&mut rig, "ann", LAW, "suspend-me");
    insta::assert_snapshot!(ann.run(), @r#"
    executing complete execute=complete
    Suspend me
    queue! list-single (law) law="law (suspended: lunch & a walk)" @all="All my queues" tax
    reason text-single
    duration list-single (none) none="Until resumed" 15m="15 minutes" 30m="30 minutes" 1h="1 hour" 2h="2 hours" 4h="4 hours" 8h="8 hours" 24h="24 hours"
    "#);
    assert_eq!(ann.go("execute", &[("queue", "@all")]), "completed\ninfo: You are suspended on 2 queues.");
    let mut ann = Client::new(&mut rig, "ann", HERE, "resume-me");
    insta::assert_snapshot!(ann.run(), @r#"
    executing complete execute=complete
    Resume me
    queue! list-single (@all) @all="All my queues" law="law (suspended: lunch & a walk)" tax="tax (suspended)"
    "#);
    assert_eq!(ann.go("complete", &[("queue", "tax")]), "completed\ninfo: You are enabled on tax again.");
    assert_eq!(ann.go("complete", &[("queue", "tax")]), "completed\ninfo: You are not suspended there.", "once more");
    assert_eq!(ann.go("complete", &[("queue", "@all")]), "completed\ninfo: You are enabled on law again.");
    assert_eq!(ann.run(), "completed\ninfo: You are not suspended anywhere.");
    assert!(
        rig.desk
            .records()
            .iter()
            .all(|it| !matches!(it, crate::domain::Record::Operator(it) if it.suspended.is_some()))
    );
}

#[tokio::test]
async fn a_suspension_has_an_end() {
    let mut rig = Rig::new();
    let mut ann = Client::new(&mut rig, "ann", HERE, "suspend-me");
    ann.run();
    let done = ann.go("complete", &[("queue", "law"), ("duration", "4h"), ("reason", "dentist")]);
    assert_eq!(done, "completed\ninfo: You are suspended on law until 2026-11-22 06:30 UTC: dentist");
    let done = ann.go("complete", &[("queue", "tax"), ("duration", "15m")]);
    assert_eq!(done, "completed\ninfo: You are suspended on tax until 2026-11-22 02:45 UTC.");
    let law = "suspended until 2026-11-22 06:30 UTC";
    assert!(run(&mut rig, "ann", HERE, "my-queues").contains(&format!("| {law} | dentist")));
    assert!(run(&mut rig, "bob", LAW, "who-is-on").contains(&format!("| {law} | dentist")));
    let resume = run(&mut rig, "ann", HERE, "resume-me");
    assert!(resume.contains(&format!("law ({law}: dentist)")) && resume.contains("tax (suspended until"), "{resume}");
    // Who says nothing of an end this time has none.
    let mut sue = Client::new(&mut rig, "sue", LAW, "suspend");
    sue.run();
    assert_eq!(sue.go("complete", &[("user", "ann@localhost")]), "completed\ninfo: ann is suspended on law.");
    assert!(run(&mut rig, "ann", HERE, "my-queues").contains("| suspended | dentist"));
    let mut sue = Client::new(&mut rig, "sue", LAW, "suspend");
    sue.run();
    let done = sue.go("complete", &[("user", "ann@localhost"), ("duration", "24h")]);
    assert_eq!(done, "completed\ninfo: ann is suspended on law until 2026-11-23 02:30 UTC.");
    let again = sue.go("complete", &[("user", "ann@localhost"), ("duration", "5m"), ("reason", "flu")]);
    assert!(again.contains("error: The duration is not one of those that you can choose from."), "{again}");
    assert!(again.contains("single (flu)") && again.contains("single (none)") && again.contains("(ann@"), "{again}");
}

#[tokio::test]
async fn what_was_filled_in_wrongly() {
    let mut rig = Rig::new();
    let mut ann = Client::new(&mut rig, "ann", HERE, "suspend-me");
    ann.run();
    let bad = |what: &str| format!("error modify {what:?} bad-payload bad-request");
    let note = |what: &str| format!("error: {}", super::sentence(what));
    let again = |answer: String, what: &str| {
        let is_again = answer.starts_with("executing complete execute=complete\n") && answer.contains("Suspend me");
        assert!(is_again && answer.contains(&note(what)), "{what}: {answer}");
        answer
    };
    again(ann.go("complete", &[]), "the queue is missing");
    assert_eq!(ann.bare("complete", ""), bad("the form is missing"));
    // Whether it is another's or nobody's is not told.
    for queue in ["far", "nothing", "a b", "@nobody"] {
        again(ann.go("complete", &[("queue", queue)]), "you staff no queue of this name");
    }
    // What was typed is there still, and can be mended.
    let long = "x".repeat(201);
    let typed = ann.go("complete", &[("queue", "tax"), ("duration", "4h"), ("reason", &long)]);
    let typed = again(typed, "the reason is longer than 200 characters");
    let stands = |what: &str| assert!(typed.contains(what), "{what}: {typed}");
    ["queue! list-single (tax)", "duration list-single (4h)", &format!("({long})")].into_iter().for_each(stands);
    let lines = ann.go("complete", &[("queue", "law"), ("reason", "a\nb")]);
    again(lines, "the reason contains '\\n', which is not allowed");
    let huge = "<field var='a'/>".repeat(33);
    let huge = format!("<x xmlns='jabber:x:data' type='submit'>{huge}</x>");
    assert_eq!(ann.bare("complete", &huge), bad("the form is too large"));
    assert_eq!(ann.go("complete", &[("queue", "law")]), "completed\ninfo: You are suspended on law.", "it goes on");
}

#[tokio::test(start_paused = true)]
async fn actions_and_sessions() {
    let mut rig = Rig::new();
    let mut ann = Client::new(&mut rig, "ann", HERE, "suspend-me");
    let bad_session = "error modify \"this form is open for too long: begin anew\" bad-request bad-sessionid";
    for action in ["next", "prev", "complete", "cancel"] {
        assert_eq!(ann.send(&format!("node='suspend-me' action='{action}'"), ""), bad_session, "{action}");
    }
    ann.run();
    assert_eq!(ann.bare("dance", ""), "error modify bad-request malformed-action");
    assert_eq!(ann.send("node='suspend-me' xml:lang='no language'", ""), "error modify bad-locale bad-request");
    assert!(ann.send("node='suspend-me' xml:lang='fr-ca'", "").starts_with("executing"), "in English");
    for action in ["next", "prev"] {
        assert_eq!(ann.go(action, &[("queue", "law")]), BAD_ACTION, "{action}");
    }
    let session = ann.session.clone();
    assert_eq!(ann.bare("cancel", ""), "canceled");
    assert_eq!(ann.session, session, "the session is the same to its end");
    // It is hers, at this address, for this command.
    let mut bob = Client::new(&mut rig, "bob", HERE, "suspend-me");
    bob.session.clone_from(&session);
    assert_eq!(bob.go("complete", &[("queue", "law")]), bad_session);
    let mut there = Client::new(&mut rig, "ann", LAW, "suspend-me");
    there.session.clone_from(&session);
    assert_eq!(there.go("complete", &[("queue", "law")]), bad_session);
    let mut other = Client::new(&mut rig, "ann", HERE, "resume-me");
    other.session.clone_from(&session);
    assert_eq!(other.go("complete", &[("queue", "law")]), bad_session);
    tokio::time::advance(std::time::Duration::from_secs(3_601)).await;
    let mut ann = Client::new(&mut rig, "ann", HERE, "suspend-me");
    ann.session = session;
    let expired = "error cancel \"this form is open for too long: begin anew\" not-allowed session-expired";
    assert_eq!(ann.go("complete", &[("queue", "law")]), expired);
    assert_eq!(ann.bare("cancel", ""), expired);
    assert_eq!(run(&mut rig, "ann", HERE, ""), "error cancel item-not-found");
    assert_eq!(run(&mut rig, "ann", HERE, "dance"), "error cancel item-not-found");
}

#[tokio::test]
async fn who_is_on() {
    let mut rig = Rig::new();
    rig.see("ann", Show::Chat);
    rig.see("bob", Show::Away);
    let mut ann = Client::new(&mut rig, "ann", HERE, "suspend-me");
    ann.run();
    ann.go("complete", &[("queue", "law"), ("reason", "lunch")]);
    insta::assert_snapshot!(run(&mut rig, "bob", LAW, "who-is-on"), @r"
    completed
    info: law: The one operator takes no work now.
    Who is on law
    bob | away | enabled | 
    ann | chat | suspended | lunch
    ");
    // Who does not staff it learns who answers, and no more.
    let mut eve = Client::new(&mut rig, "eve", HERE, "who-is-on");
    insta::assert_snapshot!(eve.run(), @r"
    executing complete execute=complete
    Who is on
    queue! list-single law tax far
    ");
    insta::assert_snapshot!(eve.go("complete", &[("queue", "law")]), @r"
    completed
    info: law: The one operator takes no work now.
    Who is on law
    bob | away | enabled | 
    ");
    assert_eq!(eve.go("complete", &[("queue", "far")]), "completed\ninfo: far: The one operator takes no work now.");
    assert_eq!(eve.go("next", &[("queue", "law")]), BAD_ACTION);
    assert_eq!(eve.bare("prev", ""), BAD_ACTION);
    let mut at_law = Client::new(&mut rig, "eve", LAW, "who-is-on");
    at_law.run();
    assert!(at_law.go("complete", &[]).contains("session-expired"), "it was over");
    insta::assert_snapshot!(run(&mut rig, "sue", LAW, "who-is-on"), @r"
    completed
    info: law: The one operator takes no work now.
    Who is on law
    bob | away | enabled | 
    ann | chat | suspended | lunch
    ");
}

#[tokio::test]
async fn whoever_was_not_looked_at_is_not_kept_quiet_about() {
    let mut rig = Rig::new();
    // The first two thousand operators are suspended, and offline.
    rig.more_users(2_000);
    let (account, queue) = (AccountId::new(1).unwrap(), QueueId::new(5).unwrap());
    for id in 9..2_009 {
        let user = UserId::new(id).unwrap();
        rig.edit(&Edit::Assign { account, queue, user });
        rig.edit(&Edit::Enable {
            account,
            queue,
            user,
            enabled: Some(id == 2_008),
            suspension: SuspensionFields::default(),
        });
    }
    rig.see("u1999", Show::Chat);
    assert_eq!(
        run(&mut rig, "sue", "tax@queues.localhost", "who-is-on"),
        "completed\ninfo: tax: 1 of 2 operators takes work now. There are more than are shown."
    );
}

#[tokio::test]
async fn nobody_learns_of_queues_that_they_may_not_see() {
    let mut rig = Rig::with(|policy| policy.who_may_follow = WhoMayFollow::Operators);
    let no_queue = "error: There is no such queue among those that you can choose from.";
    let mut eve = Client::new(&mut rig, "eve", HERE, "who-is-on");
    let first = eve.run();
    assert!(first.ends_with("list-single far"));
    for queue in ["law", "nothing"] {
        let answer = eve.go("complete", &[("queue", queue)]);
        assert!(answer.contains(no_queue) && answer.ends_with("list-single far"), "{queue}: {answer}");
    }
    for at in [LAW, "nothing@queues.localhost"] {
        for node in ["who-is-on", "my-queues", "suspend-me", "assign", "dance"] {
            let mut eve = Client::new(&mut rig, "eve", at, "");
            assert_eq!(eve.send(&format!("node='{node}'"), ""), "error cancel service-unavailable", "{at} {node}");
        }
    }
    for node in ["my-queues", "suspend-me", "resume-me", "who-is-on", "assign"] {
        assert_eq!(run(&mut rig, "nobody", HERE, node), FORBIDDEN);
        assert_eq!(run(&mut rig, "nobody@elsewhere.org/x", HERE, node), FORBIDDEN);
        assert_eq!(run(&mut rig, "elsewhere.org/server", HERE, node), FORBIDDEN);
    }
    assert!(run(&mut rig, "sue", LAW, "who-is-on").starts_with("completed"));
    assert!(run(&mut rig, "sue", HERE, "who-is-on").ends_with("list-single law tax"));
}

#[tokio::test]
async fn an_admin_assigns_and_unassigns() {
    let mut rig = Rig::new();
    for who in ["ann", "bob", "eve", "nobody"] {
        for node in ["assign", "unassign", "suspend", "resume"] {
            for at in [HERE, LAW] {
                assert_eq!(run(&mut rig, who, at, node), FORBIDDEN, "{who} {node}");
            }
        }
    }
    let mut sue = Client::new(&mut rig, "sue", HERE, "assign");
    insta::assert_snapshot!(sue.run(), @r"
    executing next execute=next
    Assign somebody
    queue! list-single law tax
    ");
    assert_eq!(sue.go("complete", &[("queue", "tax")]), BAD_ACTION, "there is more to come");
    assert_eq!(sue.go("prev", &[("queue", "tax")]), BAD_ACTION, "this is the first");
    let far = sue.go("next", &[("queue", "far")]);
    assert!(far.contains("no such queue") && far.ends_with("queue! list-single law tax"), "another account's: {far}");
    insta::assert_snapshot!(sue.go("execute", &[("queue", "tax")]), @r#"
    executing prev,complete execute=complete
    Assign somebody
    user! list-single bob@localhost="bob (bob@localhost)"
    "#);
    assert_eq!(sue.go("next", &[("user", "bob@localhost")]), BAD_ACTION, "this is the last");
    let hidden = sue.hidden.clone();
    assert!(sue.go("prev", &[]).ends_with("queue! list-single law tax"));
    sue.hidden.clone_from(&hidden);
    assert!(sue.bare("prev", "").ends_with("queue! list-single law tax"), "without what was filled in");
    sue.hidden.clone_from(&hidden);
    let no_user = "error: The account has no such user.";
    for user in ["eve@localhost", "nobody@localhost", "bob", ""] {
        let answer = sue.go("complete", &[("user", user)]);
        assert!(answer.contains(no_user) || answer.contains("The user is missing"), "{user}: {answer}");
        assert!(answer.contains("user! list-single bob@localhost"), "the same form: {answer}");
        assert_eq!(sue.hidden, hidden, "and the same stage");
    }
    assert_eq!(sue.go("complete", &[("user", "Bob@localhost")]), "completed\ninfo: bob is assigned to tax.");
    sue.hidden.clear();
    assert_eq!(sue.go("next", &[("queue", "tax")]), "completed\ninfo: Everybody is assigned to tax already.");

    let mut sue = Client::new(&mut rig, "sue", LAW, "unassign");
    insta::assert_snapshot!(sue.run(), @r#"
    executing complete execute=complete
    Unassign somebody
    user! list-single ann@localhost="ann (ann@localhost)" bob@localhost="bob (bob@localhost)"
    "#);
    assert_eq!(sue.bare("prev", ""), BAD_ACTION);
    assert_eq!(sue.go("complete", &[("user", "bob@localhost")]), "completed\ninfo: bob is assigned to law no longer.");
    let again = "completed\nerror: Nothing was changed: the user is not assigned to the queue.";
    assert_eq!(sue.go("complete", &[("user", "bob@localhost")]), again);
}

#[tokio::test]
async fn an_admin_suspends_and_resumes() {
    let mut rig = Rig::new();
    let mut sue = Client::new(&mut rig, "sue", LAW, "resume");
    assert_eq!(sue.run(), "completed\ninfo: Nobody is suspended on law.");
    let mut sue = Client::new(&mut rig, "sue", LAW, "suspend");
    insta::assert_snapshot!(sue.run(), @r#"
    executing complete execute=complete
    Suspend somebody
    user! list-single ann@localhost="ann (ann@localhost)" bob@localhost="bob (bob@localhost)"
    reason text-single
    duration list-single (none) none="Until resumed" 15m="15 minutes" 30m="30 minutes" 1h="1 hour" 2h="2 hours" 4h="4 hours" 8h="8 hours" 24h="24 hours"
    "#);
    let done = sue.go("complete", &[("user", "ann@localhost"), ("reason", "at the dentist's")]);
    assert_eq!(done, "completed\ninfo: ann is suspended on law: at the dentist's");
    assert!(run(&mut rig, "ann", HERE, "my-queues").contains("| suspended | at the dentist's"));
    let mut sue = Client::new(&mut rig, "sue", HERE, "resume");
    sue.run();
    assert!(sue.go("next", &[("queue", "law")]).ends_with("user! list-single ann@localhost=\"ann (ann@localhost)\""));
    assert_eq!(sue.go("complete", &[("user", "ann@localhost")]), "completed\ninfo: ann is enabled on law again.");
    // Who was unlinked meanwhile may no more, also with an open form.
    let mut sue = Client::new(&mut rig, "sue", LAW, "suspend");
    sue.run();
    sue.rig.edit(&Edit::UnlinkAdmin { name: name("acme"), jid: jid("sue") });
    assert_eq!(sue.go("complete", &[("user", "ann@localhost")]), FORBIDDEN);
}

#[tokio::test]
async fn where_there_are_too_many_one_is_typed() {
    let mut rig = Rig::new();
    rig.more_queues(CHOICES_MOST - 2);
    assert!(run(&mut rig, "sue", HERE, "assign").contains("list-single law tax q0"));
    assert!(run(&mut rig, "sue", HERE, "who-is-on").contains("text-single"), "far is one more");
    rig.more_queues_from(CHOICES_MOST - 2, 1);
    let mut sue = Client::new(&mut rig, "sue", HERE, "assign");
    assert!(sue.run().ends_with("queue! text-single"));
    assert!(sue.go("next", &[("queue", "q3")]).contains("user! list-single"));
    rig.more_users(CHOICES_MOST);
    let mut sue = Client::new(&mut rig, "sue", HERE, "assign");
    sue.run();
    assert!(sue.go("next", &[("queue", "q3")]).ends_with("user! jid-single"));
    assert_eq!(sue.go("complete", &[("user", "u7@localhost")]), "completed\ninfo: u7 is assigned to q3.");
    let mut u7 = Client::new(&mut rig, "u7", HERE, "suspend-me");
    u7.run();
    assert_eq!(u7.go("complete", &[("queue", "q3")]), "completed\ninfo: You are suspended on q3.");
}
