//! What has to hold for any bytes that a server may send. The fuzzer tries it with bytes of its own, and a test of the crate
//! with those in `corpus/`.

pub(crate) mod gate;
pub(crate) mod link;

use minidom::Element;
use rosterd::xmpp::gate::{Gate, Piece};

/// What the server's stream begins with.
pub(crate) const HEADER: &[u8] =
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1'>";

/// No input becomes longer than this.
const EXPANDED_MOST: usize = 256 * 1024;

/// Makes long input out of short, so that limits are within reach: the byte 30 and two more, `c` and `n`, are 300 `n` times
/// `c`; 29 and `n` are `n` times `<d>`, and 28 and `n` are `n` times `</d>`.
pub(crate) fn expand(input: &[u8]) -> Vec<u8> {
    let mut expanded = Vec::new();
    let mut rest = input;
    while let [first, after @ ..] = rest {
        let (bytes, times, left): (&[u8], _, _) = match (first, after) {
            (30, [c, n, left @ ..]) => (std::slice::from_ref(c), 300 * usize::from(*n), left),
            (29, [n, left @ ..]) => (b"<d>", usize::from(*n), left),
            (28, [n, left @ ..]) => (b"</d>", usize::from(*n), left),
            (_, left) => (std::slice::from_ref(first), 1, left),
        };
        rest = left;
        let times = times.min(EXPANDED_MOST.saturating_sub(expanded.len()) / bytes.len());
        expanded.extend(std::iter::repeat_n(bytes, times).flatten());
    }
    expanded
}

/// Sizes of reads that depend on the input alone: small ones, but not too many for a long input.
fn sizes(input: &[u8]) -> impl Iterator<Item = usize> {
    let mut state = input.iter().fold(input.len(), |state, byte| state.wrapping_mul(31) ^ usize::from(*byte));
    let most = input.len() / 64 + 7;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (state >> 33) % most
    })
}

/// Feeds a gate with reads of these sizes, and shows every piece; `Err` is where the stream makes no sense any more.
fn feed(input: &[u8], mut sizes: impl Iterator<Item = usize>, mut see: impl FnMut(&Gate, Piece)) -> Result<(), String> {
    let mut gate = Gate::default();
    let mut rest = input;
    while !rest.is_empty() {
        let (mut read, later) = rest.split_at(sizes.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        rest = later;
        while let Some(piece) = gate.take(&mut read).map_err(|broken| broken.to_string())? {
            see(&gate, piece);
        }
    }
    Ok(())
}

/// Parses a stanza as it stands within a component's stream.
fn parse(stanza: &[u8]) -> Option<Element> {
    let prefixes = [
        (None, "jabber:component:accept".to_owned()),
        (Some("stream".to_owned()), "http://etherx.jabber.org/streams".to_owned()),
    ];
    Element::from_reader_with_prefixes(stanza, std::collections::BTreeMap::from(prefixes)).ok()
}
