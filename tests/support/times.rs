//! What a scenario has set otherwise than by default.

/// Lengths of time as the configuration takes them; as by default where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Times {
    /// How soon a client is pinged, and how long it may take to answer.
    pub(crate) pings: Option<(String, String)>,
    /// How long who went is shown.
    pub(crate) linger: Option<String>,
    /// How long what was shown is held after the link was lost.
    pub(crate) link_grace: Option<String>,
}

impl Times {
    /// The keys of `[presence]`.
    pub(crate) fn presence(&self) -> String {
        let pings =
            self.pings.iter().map(|(after, timeout)| format!("ping_after = {after:?}\nping_timeout = {timeout:?}\n"));
        pings.chain(self.linger.iter().map(|linger| format!("linger = {linger:?}\n"))).collect()
    }

    /// The keys of `[xmpp]`.
    pub(crate) fn xmpp(&self) -> String {
        self.link_grace.iter().map(|grace| format!("link_grace = {grace:?}\n")).collect()
    }
}
