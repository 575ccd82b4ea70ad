//! From the bytes of an XML stream to whole stanzas (RFC 6120 section 4).

use std::{collections::VecDeque, fmt};

use anyhow::{Result, bail};
use minidom::{
    Element,
    rxml::{Parse, RawEvent, RawParser, error::EndOrError},
    tree_builder::TreeBuilder,
};

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

/// Cuts a stream into frames.
#[derive(Default)]
pub(crate) struct Frames {
    parser: RawParser,
    tree: TreeBuilder,
    is_open: bool,
    ready: VecDeque<Frame>,
}

impl Frames {
    /// Takes in what was read.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            match self.parser.parse(&mut bytes, false) {
                Ok(Some(event)) => self.take(event)?,
                Ok(None) | Err(EndOrError::NeedMoreData) => return Ok(()),
                Err(EndOrError::Error(error)) => bail!("this is no XML stream: {error}"),
            }
        }
    }

    /// The next frame, once all of it was fed.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    fn take(&mut self, event: RawEvent) -> Result<()> {
        // White space between stanzas keeps a connection alive, and says nothing.
        if self.tree.depth() == 1 && matches!(event, RawEvent::Text(..)) {
            return Ok(());
        }
        self.tree.process_event(event)?;
        if self.tree.root.is_some() {
            self.ready.push_back(Frame::Close);
        } else if self.tree.depth() == 1 && !self.is_open {
            self.is_open = true;
            self.ready.push_back(Frame::Open);
        } else if self.tree.depth() == 1 {
            self.ready.extend(self.tree.unshift_child().map(Frame::Stanza));
        }
        Ok(())
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("ready", &self.ready).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' a=\"x>y\" \
        xmlns:stream='http://etherx.jabber.org/streams'><stream:features><bind xmlns='b'/></stream:features> \n\
        <presence from='a/>b'/><message><body>1 &lt; 2</body></message></stream:stream>";

    /// The names of the frames in [`STREAM`], fed in pieces of `size` bytes.
    fn names(size: usize) -> Vec<String> {
        let mut frames = Frames::default();
        let mut names = Vec::new();
        for piece in STREAM.as_bytes().chunks(size) {
            frames.feed(piece).unwrap();
            while let Some(frame) = frames.next() {
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
        let check = |text: &str| Frames::default().feed(text.as_bytes()).is_ok();
        assert!(check("<stream:stream xmlns:stream='x'>"));
        assert!(!check("</stream:stream>"));
        assert!(!check("<a>&nbsp;"));
    }
}
