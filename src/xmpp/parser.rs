//! From the bytes of a stanza to its elements.

use minidom::{
    Element,
    rxml::{Parse, RawEvent, RawParser, error::EndOrError},
    tree_builder::TreeBuilder,
};
use xmpp_parsers::ns;

/// Parses the stanzas of a component's stream, one after the other and each by itself: what others were, well-formed or not,
/// makes no difference. (It is kept from one to the next since making one takes a third as long as parsing with it.)
pub struct Parser {
    raw: RawParser,
    tree: TreeBuilder,
}

/// It is not one whole element that is well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not well-formed")]
pub struct NotWellFormed;

impl Default for Parser {
    fn default() -> Self {
        let mut parser = Self { raw: RawParser::new(), tree: TreeBuilder::new() };
        let header = format!("<stream:stream xmlns='{}' xmlns:stream='{}'>", ns::COMPONENT, ns::STREAM);
        let opened = parser.read(&mut header.as_bytes());
        assert!(matches!(opened, Ok(None)) && parser.tree.depth() == 1, "this is a stream header");
        parser
    }
}

impl Parser {
    /// Parses one stanza, in which the namespaces hold that a stream header declares.
    ///
    /// # Errors
    /// When it is not well-formed, or is not one whole element.
    pub fn parse(&mut self, mut stanza: &[u8]) -> Result<Element, NotWellFormed> {
        let read = self.read(&mut stanza);
        match read {
            Ok(Some(element)) if stanza.is_empty() => Ok(element),
            // What is in there now nobody knows.
            Ok(_) | Err(NotWellFormed) => {
                *self = Self::default();
                Err(NotWellFormed)
            }
        }
    }

    /// Reads up to the end of the first element right below the stream's, or to the end of the bytes.
    fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Element>, NotWellFormed> {
        loop {
            let event = match self.raw.parse(bytes, false) {
                Ok(Some(event)) => event,
                Err(EndOrError::NeedMoreData) => return Ok(None),
                Ok(None) | Err(EndOrError::Error(_)) => return Err(NotWellFormed),
            };
            let is_end = matches!(event, RawEvent::ElementFoot(_));
            if self.tree.depth() == 1 && matches!(event, RawEvent::Text(..)) {
                return Err(NotWellFormed);
            }
            self.tree.process_event(event).map_err(|_| NotWellFormed)?;
            if is_end && self.tree.depth() <= 1 {
                // None where it was the stream that has ended.
                return self.tree.unshift_child().map(Some).ok_or(NotWellFormed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(stanza: &[u8]) -> Result<Element, NotWellFormed> {
        Parser::default().parse(stanza)
    }

    const BAD: &[&[u8]] = &[
        b"<a><b></a></b>",
        b"<a>&#0;</a>",
        b"<a>\0</a>",
        b"<a>\x01</a>",
        b"<a b='&#1;'/>",
        b"<a>&lol;</a>",
        b"<x:a/>",
        b"<a x:b='c'/>",
        b"<a><!-- c --></a>",
        b"<a><?p i?></a>",
        b"<a><!DOCTYPE b></a>",
        b"<?xml version='1.0'?><a/>",
        b"<a b='<'/>",
        b"<a b/>",
        b"<a",
        b"<a>",
        b"<a><b/>",
        b"<a><![CDATA[x",
        b"<a>x]]",
        b"<a b='",
        b"<a>&am",
        b"<>",
        b"",
        b" ",
        b"x",
        b"x<a/>",
        b"<a/>x",
        b"<a/> ",
        b"<a/><b/>",
        b"<a/><",
        b"<a/></stream:stream>",
        b"</stream:stream>",
        b"</a>",
        b"<stream:stream>",
        b"<a>\xff</a>",
        b"<a>\xc0\xbc</a>",
        b"<a>\xc3",
    ];

    #[test]
    fn what_is_not_well_formed_is_an_error() {
        for stanza in BAD {
            assert_eq!(parse(stanza), Err(NotWellFormed), "{}", String::from_utf8_lossy(stanza));
        }
        // An attribute given twice is taken: no server relays that, and it does no harm.
        assert!(parse(b"<a b='c' b='d'/>").is_ok());
        assert!(parse("<a xml:lang='de' stream:x='y'><![CDATA[<]]>é&#233;&amp;</a>".as_bytes()).is_ok());
    }

    #[test]
    fn no_stanza_has_anything_to_do_with_another_one() {
        let good: [&[u8]; 6] = [
            b"<presence from='a@b/c' to='d@e'><show>away</show><c xmlns='x' ver='1'/></presence>",
            b"<a xmlns='y' xmlns:z='w'><z:b/></a>",
            b"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            b"<a>&lt;<b>c</b><![CDATA[d]]>e</a>",
            b"<presence/>",
            b"<a></a>",
        ];
        let alone = good.map(|stanza| parse(stanza).unwrap());
        assert_eq!(alone[4].ns(), ns::COMPONENT);
        let mut parser = Parser::default();
        for (stanza, expected) in good.iter().zip(&alone) {
            for bad in BAD.iter().map(Some).chain([None]) {
                if let Some(bad) = bad {
                    assert_eq!(parser.parse(bad), Err(NotWellFormed), "{}", String::from_utf8_lossy(bad));
                }
                for (other, expected) in good.iter().zip(&alone) {
                    assert_eq!(parser.parse(other).as_ref(), Ok(expected), "{}", String::from_utf8_lossy(other));
                }
                assert_eq!(parser.parse(stanza).as_ref(), Ok(expected));
            }
        }
        assert_eq!(parser.tree.depth(), 1);
        assert!(parser.tree.top().is_some_and(|stream| stream.nodes().next().is_none()), "nothing is left of them");
    }

    #[test]
    fn what_was_declared_by_one_stanza_holds_in_no_other() {
        let mut parser = Parser::default();
        parser.parse(b"<z:a xmlns:z='w' xmlns='v'/>").unwrap();
        assert_eq!(parser.parse(b"<z:a/>"), Err(NotWellFormed));
        assert_eq!(parser.parse(b"<a/>").unwrap().ns(), ns::COMPONENT);
    }
}
