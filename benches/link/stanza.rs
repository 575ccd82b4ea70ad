//! As much of a stanza as the server needs, taken off its bytes: contenders write neither quotes nor references into what
//! is looked for.

/// A stanza, as its bytes.
pub(crate) struct Stanza<'a> {
    tag: &'a str,
    all: &'a str,
}

impl<'a> Stanza<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let all = std::str::from_utf8(bytes).unwrap_or_default();
        Self { tag: all.split('>').next().unwrap_or_default(), all }
    }

    pub(crate) fn name(&self) -> &'a str {
        self.tag.trim_start_matches('<').split([' ', '/', '>']).next().unwrap_or_default()
    }

    /// An attribute of the stanza itself.
    pub(crate) fn attr(&self, name: &str) -> Option<&'a str> {
        self.tag.match_indices(name).find_map(|(at, _)| {
            let (before, rest) = (&self.tag[..at], &self.tag[at + name.len()..]);
            let rest = rest.strip_prefix('=').filter(|_| before.ends_with(' '))?;
            let quote = rest.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
            rest[1..].split(quote).next()
        })
    }

    /// The text of a child without attributes.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        let start = self.all.find(&format!("<{name}>"))? + name.len() + 2;
        self.all[start..].split('<').next()
    }
}
