//! The gate in front of the XML parser: bytes in, whole stanzas out, each within limits.
//!
//! It follows tags and quotes only, so that nothing that a stanza holds can cost more than that stanza: what is too large,
//! too deep or no stanza at all is passed over up to its end, and said. Whether a stanza is well-formed is for the parser
//! to say, which is given one stanza at a time.

/// The most bytes of a stanza.
pub const STANZA_MOST: usize = 64 * 1024;
/// The most bytes of an attribute's value; the parser gives up a stream at 8,192.
pub const VALUE_MOST: usize = 7_000;
/// The most attributes in one tag.
pub const ATTRIBUTES_MOST: usize = 64;
/// The most elements within each other, the stanza included.
pub const DEPTH_MOST: usize = 64;
/// The most bytes of the stream header, the XML declaration included.
pub const HEADER_MOST: usize = 8 * 1024;
/// A stanza without an end within this many bytes: the stream makes no sense any more.
pub const ENDLESS: usize = 16 * 1024 * 1024;

/// A piece of a stream that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The stream header, with whatever came before it: [`Gate::bytes`] has it.
    Header,
    /// A stanza, or another element right under the stream's: [`Gate::bytes`] has it.
    Stanza,
    /// The stream's end tag. Nothing comes after it.
    Footer,
    /// Something was passed over, and why, in a word.
    Dropped(&'static str),
}

/// Why a stream can not be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The header is too long.
    #[error("the stream header is longer than {HEADER_MOST} bytes")]
    Header,
    /// A stanza goes on for ever.
    #[error("a stanza is longer than {ENDLESS} bytes")]
    Endless,
}

/// Where in the XML we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Between tags.
    Text,
    /// Behind `<`.
    Open,
    /// In a start tag, outside of quotes; `true` right behind a `/`.
    Start(bool),
    /// In a quoted value of a start tag; which quote.
    Value(u8),
    /// In an end tag.
    End,
    /// In what is no tag.
    Aside(Aside),
    /// Behind the footer.
    Over,
}

/// Where in a comment, a CDATA section, a processing instruction or a declaration we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aside {
    /// Behind `<!`.
    Bang,
    /// Behind `<!-`.
    Dash,
    /// Behind `<![`, and so many bytes of `CDATA[`.
    Bracket(usize),
    /// In a comment, behind so many dashes.
    Comment(u8),
    /// In a CDATA section, behind so many brackets.
    Cdata(u8),
    /// In a processing instruction or an XML declaration; `true` right behind a `?`.
    Instruction(bool),
    /// In another declaration, within so many brackets.
    Declaration(usize),
    /// In a quoted text of a declaration: which quote, and within how many brackets.
    Literal(u8, usize),
}

const CDATA: &[u8] = b"CDATA[";

impl Aside {
    /// Where we are after `byte`; `None` at the end of it.
    fn after(self, byte: u8) -> Option<Self> {
        let next = match (self, byte) {
            (
                Self::Bang
                | Self::Dash
                | Self::Bracket(_)
                | Self::Comment(2)
                | Self::Cdata(2)
                | Self::Instruction(true)
                | Self::Declaration(0),
                b'>',
            ) => return None,

            (Self::Bang, b'-') => Self::Dash,
            (Self::Bang, b'[') => Self::Bracket(0),
            (Self::Dash, b'-') => Self::Comment(0),
            (Self::Bang | Self::Dash, _) => Self::Declaration(0),
            (Self::Bracket(read), _) if byte != CDATA[read] => Self::Declaration(1),
            (Self::Bracket(read), _) if read + 1 == CDATA.len() => Self::Cdata(0),
            (Self::Bracket(read), _) => Self::Bracket(read + 1),

            (Self::Comment(dashes), b'-') => Self::Comment((dashes + 1).min(2)),
            (Self::Comment(_), _) => Self::Comment(0),
            (Self::Cdata(brackets), b']') => Self::Cdata((brackets + 1).min(2)),
            (Self::Cdata(_), _) => Self::Cdata(0),
            (Self::Instruction(_), _) => Self::Instruction(byte == b'?'),

            (Self::Declaration(within), b'[') => Self::Declaration(within + 1),
            (Self::Declaration(within), b']') => Self::Declaration(within.saturating_sub(1)),
            (Self::Declaration(within), b'"' | b'\'') => Self::Literal(byte, within),
            (Self::Literal(quote, within), _) if byte == quote => Self::Declaration(within),
            (Self::Declaration(_) | Self::Literal(..), _) => self,
        };
        Some(next)
    }
}

/// The attributes that a head has: what a stanza is, for whom and from whom.
const OF_HEAD: [&[u8]; 4] = [b"from", b"to", b"type", b"xmlns"];
/// One byte more than the longest of them: what is longer is none of them.
const NAME_MOST: usize = 6;
/// The most bytes of an element's name in a head. No name that means anything to us is as long.
const ELEMENT_MOST: usize = 64;

/// Follows one stream. Holds one stanza at the most, and never more than its limit.
#[derive(Debug)]
pub struct Gate {
    at: At,
    /// How many elements are open, the stream's included.
    depth: usize,
    /// The piece at hand, unless it is being dropped.
    piece: Vec<u8>,
    /// Bytes of the piece at hand, kept or not.
    size: usize,
    dropped: Option<&'static str>,
    /// The piece at hand was given out: the next byte begins another.
    done: bool,
    attributes: usize,
    value: usize,
    /// The name of the attribute at hand, as far as it may be one of a head.
    name: Vec<u8>,
    /// The piece's first tag, with the attributes of a head only, and without its end.
    head: Vec<u8>,
    /// Which attributes of a head it has already: a second one is not taken.
    has: [bool; OF_HEAD.len()],
    /// The value at hand goes into the head.
    taken: bool,
    /// The name of the element goes on.
    in_element: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            at: At::Text,
            depth: 0,
            piece: Vec::new(),
            size: 0,
            dropped: None,
            done: false,
            attributes: 0,
            value: 0,
            name: Vec::with_capacity(8),
            head: Vec::new(),
            has: Default::default(),
            taken: false,
            in_element: false,
        }
    }
}

impl Gate {
    /// Takes bytes off the front of `input`, up to the end of a piece; `None` when they end before it does.
    ///
    /// # Errors
    /// When the stream can not be followed any further.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, Broken> {
        while !input.is_empty() {
            if std::mem::take(&mut self.done) {
                self.piece.clear();
                self.head.clear();
                self.has = Default::default();
                self.size = 0;
                self.dropped = None;
            }
            if let (At::Text, 1, b'<', Some(why)) = (self.at, self.depth, input[0], self.dropped) {
                self.done = true;
                return Ok(Some(Piece::Dropped(why)));
            }
            let run = self.run(input);
            let (now, rest) = input.split_at(run.max(1));
            *input = rest;
            let piece = if run > 0 { self.pass(now)? } else { self.step(now[0])? };
            if piece.is_some() {
                self.done = true;
                return Ok(piece);
            }
        }
        Ok(None)
    }

    /// The bytes of the piece that [`Gate::take`] has just given; none of one that was dropped.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.piece
    }

    /// What the piece that [`Gate::take`] has just given begins with, also where it was dropped: an empty element of the
    /// same name with the same `from`, `to`, `type` and `xmlns`, as bytes that are yet to be parsed. Of a name or a value
    /// beyond its limit only a part is there, which is longer than any that is valid. `None`: it has no first tag.
    #[must_use]
    pub fn head(&self) -> Option<Vec<u8>> {
        (!self.head.is_empty()).then(|| [&*self.head, b"/>"].concat())
    }

    /// How many bytes ahead change nothing but the size.
    fn run(&self, input: &[u8]) -> usize {
        let end = match self.at {
            At::Text if self.depth > 1 => input.iter().position(|byte| *byte == b'<'),
            At::Value(quote) => input.iter().position(|byte| *byte == quote),
            // Names are of interest in the stanza's own tag only.
            At::Start(false) if self.depth > 1 => {
                input.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'/' | b'>'))
            }
            At::End => input.iter().position(|byte| *byte == b'>'),
            At::Over => None,
            At::Text | At::Open | At::Start(_) | At::Aside(_) => return 0,
        };
        end.unwrap_or(input.len())
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Broken> {
        if self.at == At::Over {
            return Ok(None);
        }
        if let At::Value(_) = self.at {
            self.value += bytes.len();
            if self.taken {
                let room = VALUE_MOST.saturating_sub(self.value - bytes.len());
                self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            if self.value > VALUE_MOST && self.depth > 0 {
                self.drop_it("attribute-too-long");
            }
        }
        self.keep(bytes)?;
        Ok(None)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.size += bytes.len();
        if self.depth == 0 && self.size > HEADER_MOST {
            return Err(Broken::Header);
        }
        if self.size > ENDLESS {
            return Err(Broken::Endless);
        }
        if self.size > STANZA_MOST {
            self.drop_it("stanza-too-long");
        }
        if self.dropped.is_none() {
            self.piece.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// The first reason stands.
    fn drop_it(&mut self, why: &'static str) {
        self.dropped.get_or_insert(why);
        self.piece.clear();
    }

    fn step(&mut self, byte: u8) -> Result<Option<Piece>, Broken> {
        // Between stanzas: white space keeps the connection alive (RFC 6120 section 4.6.1), anything else is rubbish.
        if self.at == At::Text && self.depth == 1 && byte != b'<' {
            if !byte.is_ascii_whitespace() {
                self.drop_it("not-a-stanza");
                self.keep(&[byte])?;
            }
            return Ok(None);
        }
        self.keep(&[byte])?;
        let piece = match (self.at, byte) {
            (At::End, b'>') => self.closed(),
            (At::Start(true), b'>') => self.opened_and_closed(),
            (At::Start(false), b'>') => self.opened(),
            (At::Aside(aside), _) => match aside.after(byte) {
                Some(aside) => {
                    self.at = At::Aside(aside);
                    None
                }
                None => self.aside_ended(),
            },
            (At::Text | At::Open | At::Start(_) | At::Value(_) | At::End | At::Over, _) => {
                self.step_on(byte);
                None
            }
        };
        Ok(piece)
    }

    /// A step that ends nothing.
    fn step_on(&mut self, byte: u8) {
        match (self.at, byte) {
            (At::Text, b'<') => self.at = At::Open,
            (At::Open, b'/') => self.at = At::End,
            (At::Open, b'!') => self.at = At::Aside(Aside::Bang),
            (At::Open, b'?') => self.at = At::Aside(Aside::Instruction(false)),
            (At::Open, b'>') => self.at = At::Text,
            (At::Open, _) => {
                self.at = At::Start(false);
                self.attributes = 0;
                self.name.clear();
                self.in_element = true;
                if self.depth == 1 {
                    self.head.push(b'<');
                }
                self.element_goes_on(byte);
            }
            (At::Start(_), b'"' | b'\'') => self.value_begins(byte),
            (At::Start(_), _) => {
                self.at = At::Start(byte == b'/');
                self.in_element &= !(byte.is_ascii_whitespace() || byte == b'/');
                if self.in_element { self.element_goes_on(byte) } else { self.name_goes_on(byte) }
            }
            // The closing quote: the bytes before it were passed in one go.
            (At::Value(_), _) => {
                if std::mem::take(&mut self.taken) {
                    self.head.push(byte);
                }
                self.at = At::Start(false);
                self.name.clear();
            }
            (At::Text | At::End | At::Aside(_) | At::Over, _) => {}
        }
    }

    fn element_goes_on(&mut self, byte: u8) {
        if self.depth == 1 && self.head.len() <= ELEMENT_MOST {
            self.head.push(byte);
        }
    }

    fn name_goes_on(&mut self, byte: u8) {
        if byte.is_ascii_whitespace() {
            // `from = '..'` is allowed.
            if !OF_HEAD.contains(&&*self.name) {
                self.name.clear();
            }
        } else if byte != b'=' && self.name.len() < NAME_MOST {
            self.name.push(byte);
        }
    }

    fn value_begins(&mut self, quote: u8) {
        self.at = At::Value(quote);
        self.value = 0;
        self.attributes += 1;
        if self.attributes > ATTRIBUTES_MOST && self.depth > 0 {
            self.drop_it("too-many-attributes");
        }
        self.in_element = false;
        if let Some(which) = OF_HEAD.iter().position(|name| *name == self.name).filter(|_| self.depth == 1) {
            self.taken = !std::mem::replace(&mut self.has[which], true);
        }
        if self.taken {
            self.head.push(b' ');
            self.head.extend_from_slice(&self.name);
            self.head.extend_from_slice(&[b'=', quote]);
        }
    }

    fn opened(&mut self) -> Option<Piece> {
        self.at = At::Text;
        self.depth += 1;
        if self.depth == 1 {
            return Some(Piece::Header);
        }
        if self.depth > DEPTH_MOST + 1 {
            self.drop_it("too-deep");
        }
        None
    }

    fn opened_and_closed(&mut self) -> Option<Piece> {
        // A header that is closed at once is still a header: who reads it sees that.
        self.opened().or_else(|| self.closed())
    }

    fn closed(&mut self) -> Option<Piece> {
        self.at = At::Text;
        self.depth = self.depth.saturating_sub(1);
        match self.depth {
            0 => {
                self.at = At::Over;
                Some(Piece::Footer)
            }
            1 => Some(self.dropped.map_or(Piece::Stanza, Piece::Dropped)),
            _ => None,
        }
    }

    fn aside_ended(&mut self) -> Option<Piece> {
        self.at = At::Text;
        // Before the header and within a stanza it is for the parser to judge.
        (self.depth == 1).then(|| {
            self.drop_it("not-a-stanza");
            Piece::Dropped("not-a-stanza")
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD_MOST: usize = OF_HEAD.len() * (VALUE_MOST + 16) + ELEMENT_MOST;

    /// Every piece with its bytes, or the reason and the head, when the input comes in chunks of these sizes.
    fn pieces(input: &[u8], mut chunks: impl Iterator<Item = usize>) -> Vec<String> {
        let mut gate = Gate::default();
        let mut found = Vec::new();
        let mut rest = input;
        while !rest.is_empty() {
            let size = chunks.next().unwrap_or(rest.len()).clamp(1, rest.len());
            let (mut chunk, later) = rest.split_at(size);
            rest = later;
            loop {
                match gate.take(&mut chunk) {
                    Ok(Some(Piece::Dropped(why))) => {
                        let head = gate.head().unwrap_or_default();
                        found.push(format!("{why} {}", String::from_utf8_lossy(&head)));
                    }
                    Ok(Some(piece)) => found.push(format!("{piece:?} {}", String::from_utf8_lossy(gate.bytes()))),
                    Ok(None) => break,
                    Err(broken) => {
                        found.push(broken.to_string());
                        return found;
                    }
                }
                assert!(gate.piece.len() <= STANZA_MOST);
                assert!(gate.head.len() <= HEAD_MOST, "{}", gate.head.len());
            }
        }
        found
    }

    const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' id='1'>";

    fn within(stanzas: &str) -> Vec<String> {
        let whole = format!("{HEADER}{stanzas}");
        let mut found = pieces(whole.as_bytes(), std::iter::empty());
        assert_eq!(found, pieces(whole.as_bytes(), std::iter::repeat(1)), "byte by byte");
        assert_eq!(found.remove(0), format!("Header {HEADER}"));
        found
    }

    fn check(stanzas: &str, expected: &[&str]) {
        assert_eq!(within(stanzas), expected, "{stanzas:.200}");
    }

    #[test]
    fn whole_stanzas_come_out_one_by_one() {
        check("<presence/>", &["Stanza <presence/>"]);
        check("<a/><b></b>\n <c x='/>'/>", &["Stanza <a/>", "Stanza <b></b>", "Stanza <c x='/>'/>"]);
        check("<a><b/><c>t</c></a></stream:stream>junk", &["Stanza <a><b/><c>t</c></a>", "Footer </stream:stream>"]);
        check("<a b=\"'>\" c='\">'>&lt;</a>", &["Stanza <a b=\"'>\" c='\">'>&lt;</a>"]);
        check("<a><![CDATA[</a>]]]]></a>", &["Stanza <a><![CDATA[</a>]]]]></a>"]);
        check("<a><!-- </a> - -- ---></a>", &["Stanza <a><!-- </a> - -- ---></a>"]);
        check("<a><?x </a> ? ?></a>", &["Stanza <a><?x </a> ? ?></a>"]);
        check("<a", &[]);
    }

    #[test]
    fn what_is_no_stanza_is_dropped_alone() {
        check("junk<a/>", &["not-a-stanza ", "Stanza <a/>"]);
        check("<!-- x --><a/>", &["not-a-stanza ", "Stanza <a/>"]);
        check("<?pi?><a/>", &["not-a-stanza ", "Stanza <a/>"]);
        check("<!DOCTYPE x [<!ENTITY y \"]>\">]><a/>", &["not-a-stanza ", "Stanza <a/>"]);
        check("<![CDATA[x]]><a/>", &["not-a-stanza ", "Stanza <a/>"]);
    }

    #[test]
    fn what_is_beyond_a_limit_is_dropped_with_its_senders_name() {
        let from = "from='ann@localhost/desk'";
        let long = "x".repeat(VALUE_MOST + 1);
        let dropped = |stanza: &str| {
            let found = within(&format!("{stanza}<a/>"));
            assert_eq!(found.last().map(String::as_str), Some("Stanza <a/>"));
            assert_eq!(found.len(), 2);
            found[0].clone()
        };
        let is = |stanza: String, reason| assert_eq!(dropped(&stanza), format!("{reason} <p {from}/>"), "{stanza:.80}");
        is(format!("<p {from} a='{long}'/>"), "attribute-too-long");
        is(format!("<p a='{long}' {from}/>"), "attribute-too-long");
        is(format!("<p {from}><s a='{long}' from='eve@x'/></p>"), "attribute-too-long");
        is(format!("<p {from}>{}</p>", "x".repeat(STANZA_MOST)), "stanza-too-long");
        is(format!("<p{} {from}/>", " a=''".repeat(ATTRIBUTES_MOST + 1)), "too-many-attributes");
        let deep = |depth| format!("<p {from}>{}{}</p>", "<d>".repeat(depth), "</d>".repeat(depth));
        is(deep(DEPTH_MOST), "too-deep");
        assert_eq!(within(&deep(DEPTH_MOST - 1)).len(), 1);
        assert_eq!(within(&format!("<p a='{}'/>", "x".repeat(VALUE_MOST))).len(), 1);
    }

    #[test]
    fn the_head_is_that_of_the_stanza() {
        let check = |tag: &str, expected: &str| {
            let found = within(&format!("{tag}<x from='z' a='{}'/></p>", "y".repeat(VALUE_MOST + 1)));
            assert_eq!(found[0], format!("attribute-too-long {expected}"), "{tag}");
        };
        check("<p from='a@b'>", "<p from='a@b'/>");
        check(
            "<p id='1' to='c'\n from = \"A@b/c's\" x='y' type='z' xmlns='n' >",
            "<p to='c' from=\"A@b/c's\" type='z' xmlns='n'/>",
        );
        check("<p from='a&amp;c@b'>", "<p from='a&amp;c@b'/>");
        check("<p\tfrom=''>", "<p from=''/>");
        check("<p xfrom='a@b' fromx='a@b' x:to='a' xml:to='b'>", "<p/>");
        check("<p a='from' b='x'>", "<p/>");
        // A second one would be passed over by nobody: no server relays that.
        check("<p from='a' from='b' to='c'>", "<p from='a' to='c'/>");
        check("<x:p from='a'>", "<x:p from='a'/>");
        let (long, kept) = ("x".repeat(VALUE_MOST + 9), "x".repeat(VALUE_MOST));
        check(&format!("<p type='{long}' to='c'>"), &format!("<p type='{kept}' to='c'/>"));
        let found = within(&format!("<{} to='a' b='{long}'/>", "p".repeat(1_000)));
        assert_eq!(found[0], format!("attribute-too-long <{} to='a'/>", "p".repeat(ELEMENT_MOST)));
    }

    #[test]
    fn a_stream_that_makes_no_sense_ends() {
        let header = format!("<stream:stream a='{}", "x".repeat(HEADER_MOST));
        assert_eq!(pieces(header.as_bytes(), std::iter::empty()), [Broken::Header.to_string()]);
        let mut gate = Gate::default();
        assert_eq!(gate.take(&mut HEADER.as_bytes()), Ok(Some(Piece::Header)));
        assert_eq!(gate.take(&mut &b"<a b='"[..]), Ok(None));
        let endless = vec![b'x'; 1024 * 1024];
        let outcome = (0..=16).find_map(|_| gate.take(&mut &*endless).err());
        assert_eq!(outcome, Some(Broken::Endless));
        assert!(gate.piece.capacity() <= 2 * STANZA_MOST, "{}", gate.piece.capacity());
    }

    fn xmlish() -> impl Strategy<Value = String> {
        let bits = prop::sample::select(vec![
            "<a>",
            "</a>",
            "<b/>",
            "<",
            ">",
            "'",
            "\"",
            "/",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<?",
            "?>",
            "<!X [",
            "]",
            "=",
            " from='ann@localhost/x'",
            " x",
            "text",
            "&lt;",
            "é",
            "\0",
            " ",
            "<p from='eve@x'>",
            "</p>",
            "<!-",
            "<![CD",
        ]);
        prop::collection::vec(bits, 0..60).prop_map(|bits| bits.concat())
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same(text in xmlish(), sizes in prop::collection::vec(1_usize..9, 0..200)) {
            let whole = format!("{HEADER}{text}");
            let at_once = pieces(whole.as_bytes(), std::iter::empty());
            prop_assert_eq!(pieces(whole.as_bytes(), sizes.into_iter()), at_once);
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            pieces(&bytes, std::iter::repeat(7));
        }
    }
}
