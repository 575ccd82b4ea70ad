//! What several tests share.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

pub(crate) mod component_server;
pub(crate) mod world;
