//! How clients are pinged in a test.

/// How soon a client is pinged, and how long it may take to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pings {
    pub(crate) after: String,
    pub(crate) timeout: String,
}
