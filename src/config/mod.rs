//! Settings: a TOML file, then the environment.

mod secret;

pub use secret::Secret;
