//! Which page of a long list somebody wants (XEP-0059), and what of it they get.

use minidom::Element;
use xmpp_parsers::{
    ns,
    rsm::{First, SetResult},
    stanza_error::DefinedCondition,
};

use crate::domain::{QueueId, QueueView, Queues};

/// The most queues on a page, also where none was asked for.
pub(super) const PAGE_MOST: usize = 100;

/// Where a page begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Edge {
    Start,
    End,
    After(QueueId),
    Before(QueueId),
    /// At something that we never named.
    Unknown,
    /// At a place in the list, which would have to be counted out.
    Index,
}

/// The page that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    edge: Edge,
    most: usize,
}

impl Page {
    /// Reads the `<set/>` of a query; the first page where there is none.
    pub(super) fn read(query: &Element) -> Self {
        let set = query.get_child("set", ns::RSM);
        let text = |name| set.and_then(|set| set.get_child(name, ns::RSM)).map(Element::text);
        let id = |text: String| text.trim().parse().ok().and_then(QueueId::new);
        let edge = match (text("after"), text("before"), text("index")) {
            (_, _, Some(_)) => Edge::Index,
            (Some(after), _, None) if after.is_empty() => Edge::Start,
            (Some(after), _, None) => id(after).map_or(Edge::Unknown, Edge::After),
            (None, Some(before), None) if before.is_empty() => Edge::End,
            (None, Some(before), None) => id(before).map_or(Edge::Unknown, Edge::Before),
            (None, None, None) => Edge::Start,
        };
        let most = text("max").and_then(|most| most.trim().parse().ok()).unwrap_or(PAGE_MOST);
        Self { edge, most: most.min(PAGE_MOST) }
    }

    /// The queues on it, and what says where it stands among all. That is always said: who did not ask for pages learns so
    /// that there is more.
    pub(super) fn of<'a>(&self, queues: &Queues<'a>) -> Result<(Vec<QueueView<'a>>, SetResult), DefinedCondition> {
        let views = match self.edge {
            Edge::Start => queues.after(None, self.most),
            Edge::After(id) => queues.after(Some(id), self.most),
            Edge::End => queues.before(None, self.most),
            Edge::Before(id) => queues.before(Some(id), self.most),
            Edge::Unknown => return Err(DefinedCondition::ItemNotFound),
            Edge::Index => return Err(DefinedCondition::FeatureNotImplemented),
        };
        let id = |view: &QueueView<'_>| view.queue.id.to_string();
        let first = views.first().map(|view| First { index: None, item: id(view) });
        let set = SetResult { first, last: views.last().map(id), count: Some(queues.count()) };
        Ok((views, set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read() {
        let check = |set: &str, edge: Edge, most: usize| {
            let query = format!("<query xmlns='q'>{set}</query>");
            assert_eq!(Page::read(&query.parse().unwrap()), Page { edge, most }, "{set}");
        };
        let set = |inner: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>");
        let id = QueueId::new(7).unwrap();
        check("", Edge::Start, PAGE_MOST);
        check("<set xmlns='other'><max>3</max></set>", Edge::Start, PAGE_MOST);
        check(&set("<max>3</max>"), Edge::Start, 3);
        check(&set("<max>0</max>"), Edge::Start, 0);
        check(&set("<max>100000</max>"), Edge::Start, PAGE_MOST);
        check(&set("<max>x</max>"), Edge::Start, PAGE_MOST);
        check(&set("<after/>"), Edge::Start, PAGE_MOST);
        check(&set("<after>7</after><max>3</max>"), Edge::After(id), 3);
        check(&set("<before/>"), Edge::End, PAGE_MOST);
        check(&set("<before>7</before>"), Edge::Before(id), PAGE_MOST);
        check(&set("<after>0</after>"), Edge::Unknown, PAGE_MOST);
        check(&set("<before>law</before>"), Edge::Unknown, PAGE_MOST);
        check(&set("<index>3</index>"), Edge::Index, PAGE_MOST);
    }
}
