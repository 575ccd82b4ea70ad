//! Who are you, what can you do, what do you have? (XEP-0030)

use std::sync::LazyLock;

use jid::Jid;
use xmpp_parsers::{
    caps::{self, Caps},
    disco::{DiscoInfoResult, DiscoItemsResult, Identity, Item},
    hashes::Algo,
    ns,
    stanza_error::DefinedCondition,
};

use super::{
    adhoc::{self, Command},
    iq::Reply,
    ours::Ours,
    page::Page,
    place::Place,
};
use crate::domain::Asker;

/// What everything of ours can do.
const FEATURES: [&str; 4] = [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::VERSION];
/// What the component can do besides.
const OF_COMPONENT: [&str; 2] = [adhoc::NS, ns::RSM];
/// What a queue can do besides.
const OF_QUEUE: [&str; 3] = [adhoc::NS, ns::CAPS, ns::VCARD];
/// What a node of commands can do.
const OF_COMMANDS: [&str; 2] = [adhoc::NS, ns::DATA_FORMS];

/// Which software's capabilities they are (XEP-0115 section 4).
const CAPS_NODE: &str = "urn:x-rosterd";

/// What a queue can do, in short. It is the same for every queue, so that who follows many asks once.
static CAPS: LazyLock<Caps> = LazyLock::new(|| {
    let info =
        DiscoInfoResult { node: None, identities: vec![queue()], features: features(&OF_QUEUE), extensions: vec![] };
    let hash = caps::hash_caps(&caps::compute_disco(&info), Algo::Sha_1).expect("this hash is known to the library");
    Caps::new(CAPS_NODE, hash)
});

/// What is said of a queue's capabilities in its presence (XEP-0115).
pub(super) fn caps() -> Caps {
    CAPS.clone()
}

fn is_caps_node(node: &str) -> bool {
    let ver = node.strip_prefix(CAPS_NODE).and_then(|rest| rest.strip_prefix('#'));
    ver.is_some_and(|ver| ver == base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &CAPS.ver))
}

fn features(more: &[&str]) -> std::collections::BTreeSet<String> {
    FEATURES.iter().chain(more).map(|feature| (*feature).to_owned()).collect()
}

fn identity(category: &str, kind: &str, name: &str) -> Identity {
    Identity { category: category.to_owned(), type_: kind.to_owned(), lang: None, name: Some(name.to_owned()) }
}

/// A queue is `client/bot` of the registry of identities: something that is in contact lists and has presence as clients do,
/// with no person at the keys. There is none for a queue: `collaboration/workgroup` of XEP-0142 promises a protocol that
/// we do not speak, and `account/registered` an account with the server's own services. The watcher is of the same kind.
/// The component is `component/generic`.
fn queue() -> Identity {
    identity("client", "bot", "Queue")
}

/// The identity and the features of something of ours, or of a node of it.
pub(super) fn info(place: &Place<'_>, node: Option<&str>, asker: &Asker<'_>) -> Reply {
    let (identity, features) = match (place, node) {
        (Place::Component, None) => (identity("component", "generic", "rosterd"), features(&OF_COMPONENT)),
        (Place::Watcher, None) => (identity("client", "bot", "rosterd"), features(&[])),
        (Place::Queue(_), None) => (queue(), features(&OF_QUEUE)),
        (Place::Queue(_), Some(node)) if is_caps_node(node) => (queue(), features(&OF_QUEUE)),
        (Place::Component | Place::Queue(_), Some(adhoc::NS)) => {
            (identity("automation", "command-list", "Commands"), features(&OF_COMMANDS))
        }
        (_, Some(node)) => {
            let command = Command::find(node, *place, asker).map_err(|_| DefinedCondition::ItemNotFound)?;
            (identity("automation", "command-node", command.label()), features(&OF_COMMANDS))
        }
    };
    let node = node.map(ToOwned::to_owned);
    Ok(Some(DiscoInfoResult { node, identities: vec![identity], features, extensions: Vec::new() }.into()))
}

/// What something of ours has: the component the queues that who asks may see, and the list of commands those that they may
/// run.
pub(super) fn items(
    place: &Place<'_>,
    (to, ours): (&Jid, &Ours),
    node: Option<&str>,
    page: &Page,
    asker: &Asker<'_>,
) -> Reply {
    let (items, rsm) = match (place, node) {
        (Place::Component, None) => {
            let (queues, set) = page.of(&asker.queues())?;
            let items = queues.iter().filter_map(|view| {
                let jid = Jid::new(ours.at(&view.queue.name).as_str()).ok()?;
                Some(Item { jid, node: None, name: Some(view.queue.name.to_string()) })
            });
            (items.collect(), Some(set))
        }
        (Place::Watcher | Place::Queue(_), None) => (Vec::new(), None),
        (Place::Component | Place::Queue(_), Some(adhoc::NS)) => {
            let item = |command: Command| Item {
                jid: to.clone(),
                node: Some(command.node().to_owned()),
                name: Some(command.label().to_owned()),
            };
            (Command::list(*place, asker).map(item).collect(), None)
        }
        (_, Some(node)) => {
            Command::find(node, *place, asker).map_err(|_| DefinedCondition::ItemNotFound)?;
            (Vec::new(), None)
        }
    };
    Ok(Some(DiscoItemsResult { node: node.map(ToOwned::to_owned), items, rsm }.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::WhoMayFollow,
        xmpp::{page::PAGE_MOST, testing::Rig},
    };

    const ANN: &str = "ann@localhost/x";
    const HERE: &str = "queues.localhost";
    const LAW: &str = "law@queues.localhost";
    const COMMANDS: &str = "http://jabber.org/protocol/commands";

    #[tokio::test]
    async fn what_is_what() {
        let mut rig = Rig::new();
        let mut info = |to: &str, node: &str| rig.discover(ANN, to, "info", node, "");
        let common = "http://jabber.org/protocol/disco#info http://jabber.org/protocol/disco#items";
        insta::assert_snapshot!(info(HERE, "").replace(common, ".."), @"component/generic rosterd http://jabber.org/protocol/commands .. http://jabber.org/protocol/rsm jabber:iq:version urn:xmpp:ping");
        insta::assert_snapshot!(info("staffing@queues.localhost", "").replace(common, ".."), @"client/bot rosterd .. jabber:iq:version urn:xmpp:ping");
        let law = info(LAW, "");
        insta::assert_snapshot!(law.replace(common, ".."), @"client/bot Queue http://jabber.org/protocol/caps http://jabber.org/protocol/commands .. jabber:iq:version urn:xmpp:ping vcard-temp");
        let ver = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &CAPS.ver);
        assert_eq!(info(LAW, &format!("{CAPS_NODE}#{ver}")), law, "what the presence refers to");
        assert_eq!(info(LAW, &format!("{CAPS_NODE}#other")), "error cancel item-not-found");
        for to in [HERE, LAW] {
            let list = info(to, COMMANDS);
            assert!(list.starts_with("automation/command-list Commands http://jabber.org/protocol/commands"), "{list}");
            let command = info(to, "suspend-me");
            assert!(command.starts_with("automation/command-node Suspend me"), "{command}");
            assert!(command.ends_with(" jabber:x:data urn:xmpp:ping"), "{command}");
            // Those that are not for her are not there, as those that are nowhere.
            assert_eq!(info(to, "assign"), "error cancel item-not-found");
            assert_eq!(info(to, "dance"), "error cancel item-not-found");
        }
        assert_eq!(info("staffing@queues.localhost", COMMANDS), "error cancel item-not-found");
    }

    /// The hash of XEP-0115 section 5.1, put together by hand.
    #[test]
    fn the_hash_of_a_queue() {
        let text = "client/bot//Queue<http://jabber.org/protocol/caps<http://jabber.org/protocol/commands<\
                    http://jabber.org/protocol/disco#info<http://jabber.org/protocol/disco#items<jabber:iq:version<\
                    urn:xmpp:ping<vcard-temp<";
        let hash = caps::hash_caps(text.as_bytes(), Algo::Sha_1).unwrap();
        assert_eq!(caps().ver, hash.hash);
    }

    #[tokio::test]
    async fn what_they_have() {
        let mut rig = Rig::new();
        let mut items = |from: &str, to: &str, node: &str| rig.discover(from, to, "items", node, "");
        let all =
            "law@queues.localhost,,law tax@queues.localhost,,tax far@queues.localhost,,far (first=4 last=8 count=3)";
        assert_eq!(items(ANN, HERE, ""), all);
        assert_eq!(items("nobody@elsewhere.org/x", HERE, ""), "(count=0)");
        assert_eq!(items(ANN, LAW, ""), "");
        let commands = |line: String| {
            let nodes: Vec<_> = line.split(',').skip(1).step_by(2).map(ToOwned::to_owned).collect();
            nodes.join(" ")
        };
        assert_eq!(commands(items(ANN, HERE, COMMANDS)), "my-queues suspend-me resume-me who-is-on");
        assert_eq!(commands(items("sue@localhost/x", HERE, COMMANDS)), "who-is-on assign unassign suspend resume");
        assert_eq!(commands(items("sue@localhost/x", "far@queues.localhost", COMMANDS)), "who-is-on");
        assert_eq!(commands(items("eve@localhost/x", LAW, COMMANDS)), "my-queues who-is-on");
        assert_eq!(items("nobody@elsewhere.org/x", HERE, COMMANDS), "");
        let first = "queues.localhost,my-queues,My queues queues.localhost,suspend-me,Suspend me";
        assert!(items(ANN, HERE, COMMANDS).starts_with(first));
        assert_eq!(items(ANN, HERE, "suspend-me"), "");
        assert_eq!(items(ANN, HERE, "dance"), "error cancel item-not-found");
        assert_eq!(items("nobody@elsewhere.org/x", LAW, ""), "error cancel item-not-found");
    }

    #[tokio::test]
    async fn many_queues_come_in_pages() {
        let mut rig = Rig::with(|policy| policy.who_may_follow = WhoMayFollow::Operators);
        rig.more_queues(250);
        let mut page = |from: &str, set: &str| {
            let set = format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
            let line = rig.discover(from, HERE, "items", "", &set);
            let (items, set) = line.rsplit_once('(').unwrap_or(("", &line));
            (items.split_whitespace().count(), set.trim_end_matches(')').to_owned())
        };
        let sue = "sue@localhost/x";
        assert_eq!(page(sue, ""), (PAGE_MOST, "first=4 last=106 count=252".to_owned()));
        assert_eq!(page(sue, "<after>106</after>"), (PAGE_MOST, "first=107 last=206 count=252".to_owned()));
        assert_eq!(page(sue, "<after>206</after>"), (52, "first=207 last=258 count=252".to_owned()));
        assert_eq!(page(sue, "<before/><max>2</max>"), (2, "first=257 last=258 count=252".to_owned()));
        assert_eq!(page(sue, "<before>257</before><max>1</max>"), (1, "first=256 last=256 count=252".to_owned()));
        assert_eq!(page(sue, "<max>0</max>"), (0, "count=252".to_owned()));
        assert_eq!(page(ANN, "<max>1</max>"), (1, "first=4 last=4 count=2".to_owned()));
        assert_eq!(page(sue, "<index>3</index>").1, "error cancel feature-not-implemented");
        assert_eq!(page(sue, "<after>law</after>").1, "error cancel item-not-found");
    }
}
