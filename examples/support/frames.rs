//! From the bytes of an XML stream to whole stanzas (RFC 6120 section 4).

use anyhow::{Context, Result};
use minidom::Element;

/// The next thing in a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    /// The stream is open.
    Open,
    /// A stanza, or another element directly in the stream.
    Stanza(Element),
    /// The stream is closed.
    Close,
}

/// Where in the XML the next byte stands. There are neither comments nor CDATA sections in it: RFC 6120 section 11.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Tag { quote: Option<u8> },
}

/// Cuts a stream into frames.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The namespace of the stanzas.
    namespace: &'static str,
    bytes: Vec<u8>,
    /// How much of `bytes` was looked at.
    seen: usize,
    /// Where the current tag begins.
    tag: usize,
    depth: usize,
    place: Place,
}

impl Frames {
    /// At the beginning of a stream of stanzas of this namespace.
    pub(crate) const fn new(namespace: &'static str) -> Self {
        Self { namespace, bytes: Vec::new(), seen: 0, tag: 0, depth: 0, place: Place::Text }
    }

    /// Takes in what was read.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame, once all of it was fed.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
        while let Some(&byte) = self.bytes.get(self.seen) {
            self.seen += 1;
            match (self.place, byte) {
                (Place::Text, b'<') => {
                    self.tag = self.seen - 1;
                    self.place = Place::Tag { quote: None };
                }
                (Place::Tag { quote: None }, b'"' | b'\'') => self.place = Place::Tag { quote: Some(byte) },
                (Place::Tag { quote: Some(quote) }, _) if quote == byte => self.place = Place::Tag { quote: None },
                (Place::Tag { quote: None }, b'>') => {
                    self.place = Place::Text;
                    if let Some(frame) = self.tag_ends()? {
                        return Ok(Some(frame));
                    }
                }
                (Place::Text | Place::Tag { .. }, _) => {}
            }
        }
        Ok(None)
    }

    fn tag_ends(&mut self) -> Result<Option<Frame>> {
        let tag = &self.bytes[self.tag..self.seen];
        let is_end = tag.starts_with(b"</");
        let is_whole = tag.ends_with(b"/>");
        if tag.starts_with(b"<?") {
            return Ok(None);
        }
        let depth = self.depth;
        self.depth = match (is_end, is_whole) {
            (true, _) => depth.checked_sub(1).context("a tag is closed that was never open")?,
            (false, true) => depth,
            (false, false) => depth + 1,
        };
        match (depth, self.depth) {
            (0, 1) => {
                self.take();
                Ok(Some(Frame::Open))
            }
            (_, 0) => {
                self.take();
                Ok(Some(Frame::Close))
            }
            (1 | 2, 1) => Ok(Some(Frame::Stanza(parse(&self.take(), self.namespace)?))),
            _ => Ok(None),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let rest = self.bytes.split_off(self.seen);
        self.seen = 0;
        std::mem::replace(&mut self.bytes, rest)
    }
}

fn parse(stanza: &[u8], namespace: &str) -> Result<Element> {
    let declared = [(None, namespace), (Some("stream"), "http://etherx.jabber.org/streams")];
    let declared = declared.map(|(prefix, namespace)| (prefix.map(str::to_owned), namespace.to_owned()));
    let prefixes = std::collections::BTreeMap::from(declared);
    let text = String::from_utf8_lossy(stanza);
    Element::from_reader_with_prefixes(text.trim_start().as_bytes(), prefixes)
        .with_context(|| format!("this is no stanza: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' a=\"x>y\" \
        xmlns:stream='http://etherx.jabber.org/streams'><stream:features><bind/></stream:features> \n\
        <presence from='a/>b'/><message><body>1 &lt; 2</body></message></stream:stream>";

    /// The names of the frames in [`STREAM`], fed in pieces of `size` bytes.
    fn names(size: usize) -> Vec<String> {
        let mut frames = Frames::new("jabber:client");
        let mut names = Vec::new();
        for piece in STREAM.as_bytes().chunks(size) {
            frames.feed(piece);
            while let Some(frame) = frames.next().unwrap() {
                names.push(match frame {
                    Frame::Open => "open".to_owned(),
                    Frame::Stanza(stanza) => format!("{} {}", stanza.name(), stanza.ns()),
                    Frame::Close => "close".to_owned(),
                });
            }
        }
        names
    }

    #[test]
    fn frames_do_not_depend_on_how_the_bytes_come() {
        let features = "features http://etherx.jabber.org/streams";
        let want = ["open", features, "presence jabber:client", "message jabber:client", "close"];
        for size in [1, 2, 7, STREAM.len()] {
            assert_eq!(names(size), want, "in pieces of {size}");
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        let check = |text: &str| {
            let mut frames = Frames::new("jabber:client");
            frames.feed(text.as_bytes());
            frames.next().map(|_| ()).map_err(|error| error.to_string())
        };
        assert!(check("</stream:stream>").unwrap_err().contains("never open"));
        assert_eq!(check("<stream:stream>"), Ok(()));
    }
}
