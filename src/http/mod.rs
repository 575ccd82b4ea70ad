//! HTTPS.

pub mod admin;
