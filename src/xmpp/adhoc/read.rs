//! From the payload of a stanza to what somebody wants of a command.

use minidom::{Element, rxml::Namespace};

use super::{
    super::form::{Filled, TooLarge},
    Fault,
};

/// What is to be done with a command (XEP-0050 section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::xmpp) enum Action {
    Execute,
    Next,
    Prev,
    Complete,
    Cancel,
}

impl Action {
    fn parse(word: Option<&str>) -> Result<Self, Fault> {
        match word {
            None | Some("execute") => Ok(Self::Execute),
            Some("next") => Ok(Self::Next),
            Some("prev") => Ok(Self::Prev),
            Some("complete") => Ok(Self::Complete),
            Some("cancel") => Ok(Self::Cancel),
            Some(_) => Err(Fault::MalformedAction),
        }
    }
}

/// A request to run a command, or to go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::xmpp) struct Wanted {
    /// Which.
    pub(super) node: String,
    /// The session that it goes on with; `None` for a new one.
    pub(super) session: Option<String>,
    /// What is to be done, and with which form.
    pub(super) act: Result<(Action, Option<Filled>), Fault>,
}

impl Wanted {
    /// Reads `payload`, a `<command/>` in an iq of type set.
    pub(in crate::xmpp) fn read(stanza: &Element, payload: &Element) -> Self {
        let node = payload.attr("node").unwrap_or_default().to_owned();
        let session = payload.attr("sessionid").filter(|id| !id.is_empty()).map(ToOwned::to_owned);
        Self { node, session, act: read_act(stanza, payload) }
    }
}

fn read_act(stanza: &Element, payload: &Element) -> Result<(Action, Option<Filled>), Fault> {
    let action = Action::parse(payload.attr("action"))?;
    let language = |element: &Element| element.attr_ns(&Namespace::XML, "lang").map(ToOwned::to_owned);
    if language(payload).or_else(|| language(stanza)).is_some_and(|tag| !is_language(&tag)) {
        return Err(Fault::BadLocale);
    }
    let form = Filled::read(payload).map_err(|TooLarge| Fault::BadPayload("the form is too large".into()))?;
    Ok((action, form))
}

/// Whether this looks like a language tag (RFC 5646 section 2.1), or is empty, which says nothing.
fn is_language(tag: &str) -> bool {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    tag.is_empty() || tag.split('-').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted() {
        let read = |stanza: &str, command: &str| {
            let command = format!("<command xmlns='http://jabber.org/protocol/commands' {command}/>");
            Wanted::read(&format!("<iq xmlns='x' {stanza}/>").parse().unwrap(), &command.parse().unwrap())
        };
        let act = |command: &str| read("", command).act.map(|(action, _)| action);
        assert_eq!(act(""), Ok(Action::Execute));
        for (word, action) in [
            ("execute", Action::Execute),
            ("next", Action::Next),
            ("prev", Action::Prev),
            ("complete", Action::Complete),
            ("cancel", Action::Cancel),
        ] {
            assert_eq!(act(&format!("action='{word}'")), Ok(action));
        }
        assert_eq!(act("action='dance'"), Err(Fault::MalformedAction));
        assert_eq!(act("action=''"), Err(Fault::MalformedAction));
        let wanted = read("", "node='a' sessionid='b'");
        assert_eq!((&*wanted.node, wanted.session.as_deref()), ("a", Some("b")));
        assert_eq!(read("", "sessionid=''").session, None);
        for good in ["", "de", "de-CH-1996", "x-klingon"] {
            assert_eq!(act(&format!("xml:lang='{good}'")), Ok(Action::Execute), "{good}");
        }
        for bad in ["de_CH", "-", "de-", "averylonglanguage", "日本"] {
            assert_eq!(act(&format!("xml:lang='{bad}'")), Err(Fault::BadLocale), "{bad}");
            let on_the_stanza = read(&format!("xml:lang='{bad}'"), "").act;
            assert_eq!(on_the_stanza, Err(Fault::BadLocale), "{bad}");
        }
    }
}
