//! What is known of a queue, for the card that clients show of a contact (XEP-0054).

use minidom::Element;
use xmpp_parsers::ns;

use super::{iq::Reply, ours::Ours, place::Place};
use xmpp_parsers::stanza_error::DefinedCondition;

/// The card of a queue; nothing else of ours has one.
pub(super) fn reply(place: &Place<'_>, ours: &Ours) -> Reply {
    let Place::Queue(queue) = place else { return Err(DefinedCondition::ItemNotFound) };
    let name = queue.queue.name.as_str();
    let status = queue.published;
    let mut card = Element::bare("vCard", ns::VCARD);
    let about = format!(
        "A queue that people staff: its presence says whether somebody takes work. When this was asked: {status}."
    );
    let jid = ours.at(&queue.queue.name);
    for (field, text) in [("FN", name), ("NICKNAME", name), ("JABBERID", jid.as_str()), ("DESC", &about)] {
        let mut child = Element::bare(field, ns::VCARD);
        child.append_text(text);
        card.append_child(child);
    }
    Ok(Some(card))
}

#[cfg(test)]
mod tests {
    use crate::xmpp::testing::{Rig, error};

    #[tokio::test]
    async fn a_queue_has_a_card() {
        let mut rig = Rig::new();
        let mut card = |to: &str| rig.ask("ann@localhost/x", to, "get", "<vCard xmlns='vcard-temp'/>");
        let answer = card("law@queues.localhost");
        let card_of_law = answer.get_child("vCard", "vcard-temp").unwrap();
        let lines: Vec<_> = card_of_law.children().map(|it| format!("{}: {}", it.name(), it.text())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        FN: law
        NICKNAME: law
        JABBERID: law@queues.localhost
        DESC: A queue that people staff: its presence says whether somebody takes work. When this was asked: None of 2 operators takes work now.
        ");
        assert_eq!(error(&card("queues.localhost")), "error cancel item-not-found");
        assert_eq!(error(&card("nothing@queues.localhost")), "error cancel service-unavailable");
    }
}
