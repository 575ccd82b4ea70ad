//! rosterd.

pub mod config;
pub mod domain;
pub mod engine;
pub mod http;
pub mod password;
pub mod store;
pub mod telemetry;
pub mod xmpp;
