//! rosterd: a staffing daemon for XMPP chat queues.

pub mod config;
pub mod domain;

pub mod engine;

pub mod http;
pub mod password;
pub mod store;
pub mod xmpp;

pub mod app;
pub mod cli;
pub mod lifecycle;
pub mod telemetry;
