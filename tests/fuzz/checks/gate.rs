//! The gate: pieces do not depend on how the bytes come, nor on each other, and are within limits.

use std::iter::{empty, repeat};

use minidom::Element;
use rosterd::xmpp::gate::{ATTRIBUTES_MOST, DEPTH_MOST, Gate, HEADER_MOST, Piece, STANZA_MOST, VALUE_MOST};

use super::{HEADER, feed, parse, sizes};

/// The most bytes of a name in a head: longer than any that means something.
const NAME_MOST: usize = 64;
/// More than any head is long.
const HEAD_MOST: usize = 4 * (VALUE_MOST + 16) + 128;

/// Checks a stream as it is, and as what follows a header.
pub(crate) fn check(input: &[u8]) {
    check_stream(input);
    check_stream(&[HEADER, input].concat());
}

type Found = (Piece, Vec<u8>, Option<Vec<u8>>);

fn pieces(stream: &[u8], sizes: impl Iterator<Item = usize>) -> (Vec<Found>, Result<(), String>) {
    let mut found = Vec::new();
    let end = feed(stream, sizes, |gate, piece| found.push((piece, gate.bytes().to_vec(), gate.head())));
    (found, end)
}

fn check_stream(stream: &[u8]) {
    let at_once = pieces(stream, empty());
    assert_eq!(pieces(stream, sizes(stream)), at_once, "in reads of any size");
    assert_eq!(pieces(stream, repeat(1)), at_once, "byte by byte");
    let mut is_over = false;
    for (number, (piece, bytes, head)) in at_once.0.iter().enumerate() {
        assert!(!is_over, "nothing comes after the footer");
        assert!(head.as_ref().is_none_or(|head| head.len() <= HEAD_MOST));
        match piece {
            Piece::Header => assert!(number == 0 && bytes.len() <= HEADER_MOST),
            Piece::Dropped(_) => assert!(bytes.is_empty()),
            Piece::Footer => is_over = true,
            Piece::Stanza => check_stanza(bytes, head.as_deref()),
        }
    }
}

fn check_stanza(bytes: &[u8], head: Option<&[u8]>) {
    assert!(bytes.len() <= STANZA_MOST && bytes.starts_with(b"<") && bytes.ends_with(b">"));
    // It is the same by itself: nothing that came before it has to do with it.
    let mut alone = Gate::default();
    assert_eq!(alone.take(&mut &*HEADER), Ok(Some(Piece::Header)));
    let mut rest = bytes;
    assert_eq!(alone.take(&mut rest), Ok(Some(Piece::Stanza)));
    assert_eq!((alone.bytes(), alone.head().as_deref(), rest), (bytes, head, &[][..]));
    let Some(stanza) = parse(bytes) else { return };
    check_limits(&stanza, 1);
    let head = head.expect("a stanza has a tag");
    let Some(head) = parse(head) else {
        let name = head.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        assert!(name.contains(&b':') || name.len() > NAME_MOST, "the head of what can be parsed can be parsed");
        return;
    };
    let is_cut = head.name().len() >= NAME_MOST && stanza.name().starts_with(head.name());
    assert!(is_cut || head.name() == stanza.name(), "{}", head.name());
    let tag = bytes.split(|byte| *byte == b'>').next().unwrap_or_default();
    for name in ["from", "to", "type"] {
        // The parser takes the last one of two.
        let is_given_twice = tag.windows(name.len()).filter(|part| *part == name.as_bytes()).count() > 1;
        assert!(is_given_twice || head.attr(name) == stanza.attr(name), "{name}");
    }
}

fn check_limits(element: &Element, depth: usize) {
    assert!(depth <= DEPTH_MOST);
    assert!(element.attrs().into_iter().count() <= ATTRIBUTES_MOST);
    assert!(element.attrs().into_iter().all(|(_, value)| value.len() <= VALUE_MOST));
    element.children().for_each(|child| check_limits(child, depth + 1));
}
