//! How people are seen without a click, on a server in this process that lets us write rosters (XEP-0356), or does not.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use minidom::Element;
use rosterd::domain::{AccountId, Edit, Event, Grants, Onboarding, Outcome, Policy, QueueFields, QueueId, UserId};

use super::support::{
    component_server::{ComponentServer, Connection, soon},
    world::{World, settings},
};

const LAW: &str = "law@queues.localhost";
const WATCHER: &str = "staffing@queues.localhost";
const ANN: &str = "ann@localhost";

/// What `mod_privilege` says after the handshake.
const BOTH: &str = "<perm access='roster' type='both'/><perm access='message' type='outgoing'/>\
                    <perm access='presence' type='managed_entity'/>";
const ROSTER: &str = "<perm access='roster' type='set'/><perm access='presence' type='none'/>";

fn grant(from: &str, to: &str, perms: &str) -> String {
    format!("<message from='{from}' to='{to}'><privilege xmlns='urn:xmpp:privilege:2'>{perms}</privilege></message>")
}

/// What the server tells the component of a resource.
fn relayed(from: &str, what: &str) -> String {
    format!("<presence from='{from}' to='queues.localhost' {what}")
}

fn privileged(policy: &mut Policy) {
    policy.onboarding = Onboarding::Privilege;
}

fn grouped(policy: &mut Policy) {
    privileged(policy);
    policy.roster_group = Some("Queues".into());
}

fn account() -> AccountId {
    AccountId::new(1).unwrap()
}

fn ann() -> UserId {
    UserId::new(2).unwrap()
}

fn bob() -> UserId {
    UserId::new(3).unwrap()
}

fn law() -> QueueId {
    QueueId::new(4).unwrap()
}

/// A component that was let in, with these words of the server's behind the handshake.
async fn let_in(server: &ComponentServer, words: &str) -> Connection {
    server.accept_and_answer(&format!("<handshake/>{words}")).await
}

impl World {
    async fn grants(&mut self) -> Grants {
        loop {
            if let Event::Granted(grants) = soon("what is granted", self.events.recv()).await.unwrap() {
                return grants;
            }
        }
    }

    fn show(&self) -> &'static str {
        self.engine.read(|desk| desk.queues().next().unwrap().published.show.as_str())
    }

    async fn wait_show(&mut self, show: &str) {
        while self.show() != show {
            soon("another show", self.events.recv()).await.unwrap();
        }
    }

    fn followers(&self) -> Vec<String> {
        let records = self.engine.read(rosterd::domain::Desk::records);
        let followers = records.into_iter().filter_map(|record| match record.key() {
            rosterd::domain::Key::Subscriber(_, jid) => Some(jid.to_string()),
            rosterd::domain::Key::NextId
            | rosterd::domain::Key::Account(_)
            | rosterd::domain::Key::User(_)
            | rosterd::domain::Key::Queue(_)
            | rosterd::domain::Key::Operator(..)
            | rosterd::domain::Key::Session(_)
            | rosterd::domain::Key::Token(..) => None,
        });
        followers.collect()
    }

    async fn edit(&self, edit: Edit) {
        assert!(matches!(
            soon("an edit", self.engine.edit(rosterd::domain::Who::Daemon, edit)).await,
            Ok(Outcome::Done | Outcome::Queue(_))
        ));
    }
}

impl Connection {
    /// The next roster set: whose roster, and `contact subscription name group`; it is answered with a result or this error.
    async fn roster_set(&mut self, error: Option<&str>) -> (String, String) {
        let stanza = self.stanza_that(|it| it.name() == "iq" && it.attr("type") == Some("set")).await;
        assert_eq!(stanza.attr("from"), Some("queues.localhost"));
        let (user, id) = (stanza.attr("to").unwrap().to_owned(), stanza.attr("id").unwrap());
        let item = stanza.get_child("query", "jabber:iq:roster").unwrap().children().next().unwrap().clone();
        let group = item.get_child("group", "jabber:iq:roster").map(Element::text);
        let parts = ["jid", "subscription", "name"].map(|name| item.attr(name).map(ToOwned::to_owned));
        let words: Vec<_> = parts.into_iter().chain([group]).flatten().collect();
        let answer = match error {
            None => format!("<iq from='{user}' to='queues.localhost' id='{id}' type='result'/>"),
            Some(condition) => format!(
                "<iq from='{user}' to='queues.localhost' id='{id}' type='error'><error type='cancel'>\
                 <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            ),
        };
        self.send_raw(answer).await;
        (user, words.join(" "))
    }
}

fn set(user: &str, item: &str) -> (String, String) {
    (user.to_owned(), item.to_owned())
}

#[tokio::test]
async fn who_is_there_is_told_by_the_server_and_nobody_is_asked() {
    let server = ComponentServer::start();
    let mut world = World::start_with(settings(server.address()), privileged);
    let first = [
        grant("localhost", "queues.localhost", BOTH),
        relayed("ann@localhost/desk", "><show>dnd</show></presence>"),
        relayed("bob@localhost/phone", "/>"),
        relayed("law@queues.localhost/x", "/>"),
    ];
    let mut connection = let_in(&server, &first.concat()).await;
    assert_eq!(world.grants().await, Grants { roster: true, presence: true });
    world.swept().await;
    assert_eq!(world.show(), "dnd");
    connection.send_raw(relayed("ann@localhost/desk", "><show>chat</show></presence>")).await;
    world.wait_show("chat").await;
    connection.send_raw(relayed("ann@localhost/desk", "type='unavailable'/>")).await;
    world.wait_show("unavailable").await;
    // bob staffs nothing: he is no stranger, and nobody tells him anything. What is asked next is the first that is said.
    let answer = connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    assert_eq!(answer.attr("type"), Some("result"));
    assert_eq!(world.engine.read(|desk| desk.tally().strangers), 0);
    assert_eq!(world.engine.read(rosterd::domain::Desk::onboards_by), Some(Onboarding::Privilege));

    // He is assigned, so he is to be seen as he is now.
    world.edit(Edit::Assign { account: account(), queue: law(), user: bob() }).await;
    let first = connection.next_stanza().await;
    assert_eq!((first.name(), first.attr("to")), ("iq", Some("bob@localhost")), "{first:?}");
    let id = first.attr("id").unwrap();
    connection.send_raw(format!("<iq from='bob@localhost' to='queues.localhost' id='{id}' type='result'/>")).await;
    assert_eq!(connection.presence(WATCHER, "bob@localhost").await, "probe");
    connection.send_raw(format!("<presence from='bob@localhost/phone' to='{WATCHER}'/>")).await;
    world.wait_show("available").await;

    // And then no more.
    world.edit(Edit::Unassign { account: account(), queue: law(), user: bob() }).await;
    let expected = set("bob@localhost", &format!("{WATCHER} remove"));
    assert_eq!(connection.roster_set(None).await, expected);
    connection.send_raw(relayed("bob@localhost/phone", "><show>chat</show></presence>")).await;
    connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    assert_eq!(world.show(), "unavailable");
}

#[tokio::test]
async fn nothing_that_the_server_told_outlives_its_link() {
    let server = ComponentServer::start();
    let mut world = World::start_with(settings(server.address()), privileged);
    let first =
        grant("localhost", "queues.localhost", BOTH) + &relayed("ann@localhost/desk", "><show>chat</show></presence>");
    let connection = let_in(&server, &first).await;
    world.wait_show("chat").await;
    connection.hang_up().await;
    world.wait_show("unavailable").await;
    // This time the server grants nothing, so what comes as if it did is nothing, and ann is asked.
    let mut connection = let_in(&server, &relayed("ann@localhost/desk", "><show>chat</show></presence>")).await;
    assert_eq!(world.grants().await, Grants::default());
    assert_eq!(connection.presence(WATCHER, ANN).await, "probe");
    world.swept().await;
    assert_eq!(world.show(), "unavailable");
    assert!(connection.presence(WATCHER, ANN).await.starts_with("subscribe "));
    assert_eq!(world.engine.read(rosterd::domain::Desk::onboards_by), Some(Onboarding::Subscribe));
    connection.hang_up().await;
    // And this time it does again, with nobody there.
    let _connection = let_in(&server, &grant("localhost", "queues.localhost", BOTH)).await;
    assert_eq!(world.grants().await, Grants { roster: true, presence: true });
    world.swept().await;
    assert_eq!(world.show(), "unavailable");
    let why = world.engine.read(|desk| desk.why_user(ann()));
    assert_eq!(why, [rosterd::domain::Reason::Offline]);
}

#[tokio::test]
async fn only_the_users_server_grants_anything() {
    let server = ComponentServer::start();
    let mut world = World::start_with(settings(server.address()), grouped);
    let mut forged: Vec<_> = ["ann@localhost/desk", "ann@localhost", "localhost/x", "evil.org", "queues.localhost"]
        .map(|from| grant(from, "queues.localhost", BOTH))
        .to_vec();
    forged.push(grant("localhost", WATCHER, BOTH));
    forged.push(grant("localhost", LAW, BOTH));
    let wrapped = format!("<x xmlns='urn:x'>{}</x>", grant("localhost", "queues.localhost", BOTH));
    forged.push(format!("<message from='localhost' to='queues.localhost'>{wrapped}</message>"));
    forged.push(grant("localhost", "queues.localhost", BOTH).replace(":2'", ":1'"));
    forged.push(grant("localhost", "queues.localhost", BOTH).replace("<message ", "<message type='error' "));
    forged.push(relayed("ann@localhost/desk", "/>"));
    let mut connection = let_in(&server, &forged.concat()).await;
    assert_eq!(world.grants().await, Grants::default());
    assert_eq!(connection.presence(WATCHER, ANN).await, "probe");
    world.swept().await;
    // Nor later.
    connection.send_raw(forged.concat()).await;
    assert!(connection.presence(WATCHER, ANN).await.starts_with("subscribe "));
    connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
    assert_eq!(world.show(), "unavailable");
    assert_eq!(world.engine.read(rosterd::domain::Desk::onboards_by), Some(Onboarding::Subscribe));
}

#[tokio::test]
async fn who_asks_for_no_privilege_takes_none() {
    let server = ComponentServer::start();
    let mut world = World::start(settings(server.address()));
    let first = grant("localhost", "queues.localhost", BOTH) + &relayed("ann@localhost/desk", "/>");
    let mut connection = let_in(&server, &first).await;
    assert_eq!(connection.presence(WATCHER, ANN).await, "probe");
    world.swept().await;
    assert!(connection.presence(WATCHER, ANN).await.starts_with("subscribe "));
    assert_eq!(world.show(), "unavailable");
}

/// A server that lets us write rosters, and tells nothing by itself.
async fn roster_only(change: fn(&mut Policy)) -> (ComponentServer, Connection, World) {
    let server = ComponentServer::start();
    let mut world = World::start_with(settings(server.address()), change);
    let mut connection = let_in(&server, &grant("localhost", "queues.localhost", ROSTER)).await;
    assert_eq!(world.grants().await, Grants { roster: true, presence: false });
    assert_eq!(connection.presence(WATCHER, ANN).await, "probe");
    world.swept().await;
    (server, connection, world)
}

#[tokio::test]
async fn who_is_silent_is_written_for() {
    let (_server, mut connection, mut world) = roster_only(privileged).await;
    let expected = set(ANN, &format!("{WATCHER} from rosterd"));
    assert_eq!(connection.roster_set(None).await, expected);
    assert_eq!(connection.presence(WATCHER, ANN).await, "probe");
    connection.send_raw(format!("<presence from='{ANN}/desk' to='{WATCHER}'><show>xa</show></presence>")).await;
    world.wait_show("xa").await;
}

#[tokio::test]
async fn who_can_not_be_written_for_is_asked() {
    let (_server, mut connection, world) = roster_only(privileged).await;
    let expected = set(ANN, &format!("{WATCHER} from rosterd"));
    assert_eq!(connection.roster_set(Some("service-unavailable")).await, expected);
    assert!(connection.presence(WATCHER, ANN).await.starts_with("subscribe "));
    let why = world.engine.read(|desk| desk.why_user(ann()));
    assert_eq!(why, [rosterd::domain::Reason::NotApproved]);
}

#[tokio::test]
async fn no_client_can_answer_for_its_server() {
    let (_server, mut connection, world) = roster_only(privileged).await;
    let write = connection.stanza_that(|it| it.name() == "iq" && it.attr("type") == Some("set")).await;
    let id = write.attr("id").unwrap();
    for from in ["ann@localhost/desk", "bob@localhost", "localhost"] {
        connection.send_raw(format!("<iq from='{from}' to='queues.localhost' id='{id}' type='result'/>")).await;
    }
    for guess in ["roster-staffing", "roster-0000000000000000-staffing"] {
        connection.send_raw(format!("<iq from='{ANN}' to='queues.localhost' id='{guess}' type='result'/>")).await;
    }
    // Nothing was believed: what comes next is the answer to somebody else.
    let asked =
        "<iq from='bob@localhost/x' to='law@queues.localhost' id='b' type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
    connection.send_raw(asked).await;
    assert_eq!(connection.next_stanza().await.attr("id"), Some("b"));
    assert_ne!(world.engine.read(|desk| desk.why_user(ann())), [rosterd::domain::Reason::NotApproved]);
    connection.send_raw(format!("<iq from='{ANN}' to='queues.localhost' id='{id}' type='result'/>")).await;
    assert_eq!(connection.presence(WATCHER, ANN).await, "probe");
}

#[tokio::test]
async fn what_was_under_way_when_the_link_died_is_written_again() {
    let (server, mut connection, mut world) = roster_only(privileged).await;
    connection.stanza_that(|it| it.name() == "iq" && it.attr("type") == Some("set")).await;
    connection.hang_up().await;
    let mut connection = let_in(&server, &grant("localhost", "queues.localhost", ROSTER)).await;
    let expected = set(ANN, &format!("{WATCHER} from rosterd"));
    assert_eq!(connection.roster_set(None).await, expected);
    world.swept().await;
}

#[tokio::test]
async fn who_revokes_is_seen_no_longer_whatever_the_server_tells() {
    let server = ComponentServer::start();
    let mut world = World::start_with(settings(server.address()), privileged);
    let chat = relayed("ann@localhost/desk", "><show>chat</show></presence>");
    let connection = let_in(&server, &(grant("localhost", "queues.localhost", BOTH) + &chat)).await;
    world.swept().await;
    connection.send_raw(format!("<presence from='{ANN}' to='{WATCHER}' type='unsubscribed'/>{chat}")).await;
    world.wait_show("unavailable").await;
    connection.send_raw(relayed("ann@localhost/desk", "><show>dnd</show></presence>")).await;
    world.fact(|fact| fact.contains("Dnd")).await;
    let why = world.engine.read(|desk| desk.why_user(ann()));
    assert_eq!(why, [rosterd::domain::Reason::Refused]);
}

/// Ann's client is silent, and its server, when it is pinged, says what some clients say too.
#[tokio::test]
async fn a_doubt_is_settled_where_nobody_was_in_the_roster() {
    let server = ComponentServer::start();
    let mut world = World::start_with(settings(server.address()), |policy| {
        privileged(policy);
        policy.ping_after = Some(std::time::Duration::from_millis(200));
    });
    let chat = relayed("ann@localhost/desk", "><show>chat</show></presence>");
    let mut connection = let_in(&server, &(grant("localhost", "queues.localhost", BOTH) + &chat)).await;
    world.swept().await;
    let ping = connection.stanza_that(|it| it.attr("to") == Some("ann@localhost/desk")).await;
    let id = ping.attr("id").unwrap();
    connection
        .send_raw(format!(
            "<iq from='{ANN}/desk' to='{WATCHER}' id='{id}' type='error'><error type='cancel'>\
             <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        ))
        .await;
    let expected = set(ANN, &format!("{WATCHER} from rosterd"));
    assert_eq!(connection.roster_set(None).await, expected);
    assert_eq!(connection.presence(WATCHER, ANN).await, "probe");
    connection.send_raw(format!("<presence from='{ANN}/desk' to='{WATCHER}'><show>chat</show></presence>")).await;
    world.fact(|fact| fact.starts_with("Seen")).await;
    assert_eq!(world.show(), "chat");
}

#[tokio::test]
async fn queues_stand_in_the_rosters_of_their_operators() {
    let (_server, mut connection, world) = roster_only(grouped).await;
    // ann staffed law before: in which order she is written for does not matter.
    let mut sets = [connection.roster_set(None).await, connection.roster_set(None).await];
    sets.sort();
    let (of_law, of_watcher) = (format!("{LAW} to law Queues"), format!("{WATCHER} from rosterd"));
    assert_eq!(sets, [set(ANN, &of_law), set(ANN, &of_watcher)]);
    // She is told of it from now on, and that is kept.
    assert_eq!(connection.presence(LAW, ANN).await, "subscribed");
    assert_eq!(connection.presence(LAW, ANN).await, "unavailable The one operator takes no work now");
    assert_eq!(world.followers(), [ANN]);

    world.edit(Edit::Assign { account: account(), queue: law(), user: bob() }).await;
    let mut sets = [connection.roster_set(None).await, connection.roster_set(None).await];
    sets.sort();
    assert_eq!(sets, [set("bob@localhost", &of_law), set("bob@localhost", &of_watcher)]);
    assert_eq!(connection.presence(LAW, "bob@localhost").await, "subscribed");
    assert_eq!(world.followers(), [ANN, "bob@localhost"]);

    // With another name the queue is another contact.
    let fields = QueueFields { name: Some(rosterd::domain::Name::parse("tax", 60).unwrap()), ..QueueFields::default() };
    world.edit(Edit::UpdateQueue { account: account(), queue: law(), fields }).await;
    let mut sets = Vec::new();
    for _ in 0..4 {
        sets.push(connection.roster_set(None).await);
    }
    sets.sort();
    let tax = "tax@queues.localhost to tax Queues";
    let gone = format!("{LAW} remove");
    assert_eq!(sets, [set(ANN, &gone), set(ANN, tax), set("bob@localhost", &gone), set("bob@localhost", tax)]);
    assert_eq!(connection.presence("tax@queues.localhost", ANN).await, "subscribed");
    assert_eq!(connection.presence("tax@queues.localhost", "bob@localhost").await, "subscribed");
    assert_eq!(world.followers(), [ANN, "bob@localhost"]);

    // Who is unassigned has nothing to do with it any more, which is decided in the same moment.
    world.edit(Edit::Unassign { account: account(), queue: law(), user: bob() }).await;
    assert_eq!(world.followers(), [ANN]);
    let mut sets = [connection.roster_set(None).await, connection.roster_set(Some("item-not-found")).await];
    sets.sort();
    let gone = |jid: &str| format!("{jid} remove");
    assert_eq!(sets, [set("bob@localhost", &gone(WATCHER)), set("bob@localhost", &gone("tax@queues.localhost"))]);

    world.edit(Edit::DeleteQueue { account: account(), queue: law() }).await;
    let mut sets = [connection.roster_set(None).await, connection.roster_set(None).await];
    sets.sort();
    assert_eq!(sets, [set(ANN, &gone(WATCHER)), set(ANN, &gone("tax@queues.localhost"))]);
    assert!(world.followers().is_empty());
}

#[tokio::test]
async fn who_is_unassigned_before_the_answer_comes_does_not_follow() {
    let (_server, mut connection, world) = roster_only(grouped).await;
    let is_law = |it: &Element| it.name() == "iq" && it.attr("id").is_some_and(|id| id.ends_with("-law"));
    let write = connection.stanza_that(is_law).await;
    world.edit(Edit::Unassign { account: account(), queue: law(), user: ann() }).await;
    let id = write.attr("id").unwrap();
    connection.send_raw(format!("<iq from='{ANN}' to='queues.localhost' id='{id}' type='result'/>")).await;
    let is_removal = |it: &Element| is_law(it) && String::from(it).contains("remove");
    connection.stanza_that(is_removal).await;
    assert!(world.followers().is_empty());
}
