//! What software are you? (XEP-0092)

use xmpp_parsers::version::VersionResult;

use super::iq::Reply;

/// Our name and version. Nothing of the operating system: it helps nobody but an attacker.
#[expect(clippy::unnecessary_wraps, reason = "all kinds of requests are answered alike")]
pub(super) fn reply() -> Reply {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Some(VersionResult { name: "rosterd".to_owned(), version, os: None }.into()))
}
