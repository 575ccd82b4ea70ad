//! Are you there? (XEP-0199)

use super::iq::Reply;

/// Whoever is there answers with nothing.
#[expect(clippy::unnecessary_wraps, reason = "all kinds of requests are answered alike")]
pub(super) const fn reply() -> Reply {
    Ok(None)
}
