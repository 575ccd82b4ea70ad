//! Who are you, what can you do, what do you have? (XEP-0030)

use xmpp_parsers::{
    disco::{DiscoInfoResult, DiscoItemsResult, Identity},
    ns,
    stanza_error::DefinedCondition,
};

use super::{iq::Reply, ours::Target};

/// What everything of ours can do.
const FEATURES: [&str; 4] = [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::VERSION];

/// The identity and the features of something of ours that is there.
///
/// A queue is `client/bot` of the registry of identities: something that is in contact lists and has presence as clients do,
/// with no person at the keys. There is none for a queue: `collaboration/workgroup` of XEP-0142 promises a protocol that
/// we do not speak, and `account/registered` an account with the server's own services. The watcher is of the same kind.
/// The component is `component/generic`.
pub(super) fn info(target: &Target) -> Reply {
    let (category, kind, name) = match target {
        Target::Component => ("component", "generic", "rosterd"),
        Target::Watcher => ("client", "bot", "rosterd"),
        Target::Queue(name) => ("client", "bot", name.as_str()),
        Target::Nothing => return Err(DefinedCondition::ItemNotFound),
    };
    let identity =
        Identity { category: category.to_owned(), type_: kind.to_owned(), lang: None, name: Some(name.to_owned()) };
    let features = FEATURES.into_iter().map(ToOwned::to_owned).collect();
    Ok(Some(DiscoInfoResult { node: None, identities: vec![identity], features, extensions: Vec::new() }.into()))
}

/// Nothing: who asks is not told of queues that are not theirs.
#[expect(clippy::unnecessary_wraps, reason = "all kinds of requests are answered alike")]
pub(super) fn items() -> Reply {
    Ok(Some(DiscoItemsResult { node: None, items: Vec::new(), rsm: None }.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Name;

    #[test]
    fn what_is_what() {
        let check = |target: &Target, expected: &str| {
            let info = info(target).unwrap().unwrap();
            let identity = info.get_child("identity", ns::DISCO_INFO).unwrap();
            let attr = |name| identity.attr(name).unwrap();
            assert_eq!(format!("{}/{} {}", attr("category"), attr("type"), attr("name")), expected);
            let features: Vec<_> = info.children().filter_map(|child| child.attr("var")).collect();
            assert_eq!(features.len(), FEATURES.len());
            assert!(FEATURES.iter().all(|feature| features.contains(feature)));
        };
        check(&Target::Component, "component/generic rosterd");
        check(&Target::Watcher, "client/bot rosterd");
        check(&Target::Queue(Name::parse("law", 60).unwrap()), "client/bot law");
    }
}
