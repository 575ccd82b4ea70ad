//! `rosterd check-config`.

use clap::Args;

use super::{Code, Failure, say};
use crate::{
    config::{self, Settings},
    http::check_certificate,
};

#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    /// Print a file with every key, commented, with its default, instead.
    #[arg(long)]
    example: bool,
}

impl CheckConfig {
    pub(super) fn run(self, settings: impl FnOnce() -> Result<Settings, Failure>) -> Result<(), Failure> {
        if self.example {
            say(config::example().trim_end());
            return Ok(());
        }
        let settings = settings()?;
        if let (Some(cert), Some(key)) = (&settings.http.tls_cert, &settings.http.tls_key) {
            let checked = check_certificate(cert, key).map_err(|error| Failure::new(Code::Config, error))?;
            say(format_args!("the certificate in {} {}", cert.display(), checked.says));
        }
        say("the configuration is good");
        Ok(())
    }
}
