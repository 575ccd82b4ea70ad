//! What a scenario has set otherwise than by default.

/// Lengths of time as the configuration takes them; as by default where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Times {
    /// How soon a client is pinged, and how long it may take to answer.
    pub(crate) pings: Option<(String, String)>,
    /// How long who went is shown.
    pub(crate) linger: Option<String>,
    /// How long what was shown is held after the link was lost.
    pub(crate) link_grace: Option<String>,
}

impl Times {
    /// Nothing is set.
    pub(crate) const DEFAULT: Self = Self { pings: None, linger: None, link_grace: None };

    /// The keys of `[presence]`, each with a value.
    pub(crate) fn presence(&self) -> String {
        let (after, timeout) = self.pings.as_ref().map(|(after, timeout)| (after, timeout)).unzip();
        lines(&[("ping_after", after), ("ping_timeout", timeout), ("linger", self.linger.as_ref())])
    }

    /// The keys of `[xmpp]`, each with a value.
    pub(crate) fn xmpp(&self) -> String {
        lines(&[("link_grace", self.link_grace.as_ref())])
    }
}

fn lines(keys: &[(&str, Option<&String>)]) -> String {
    let lines = keys.iter().filter_map(|(key, value)| Some(format!("{key} = {:?}", value.as_ref()?)));
    lines.collect::<Vec<_>>().join("\n")
}
