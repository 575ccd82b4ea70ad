//! When a daemon does its work.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{daemon::Daemon, process::LIMIT};

impl Daemon {
    /// Waits until it does its work: store open, link up, everybody heard.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        self.serves().await?;
        self.process.wait_line("that everybody was asked", |line| line.contains("swept ")).await?;
        self.wait_readiness("200", |status, _| status == 200).await
    }

    /// Waits until `/readyz` has an answer, status and body, that `is_it`; `wanted` says which.
    pub(crate) async fn wait_readiness(&mut self, wanted: &str, is_it: impl Fn(u16, &str) -> bool) -> Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let mut saw = "nothing yet".to_owned();
        let poll = async {
            loop {
                look.tick().await;
                if let Some(status) = self.process.has_ended()? {
                    bail!("rosterd has ended, {status}");
                }
                saw = match self.readiness().await {
                    Ok((status, body)) if is_it(status, &body) => return Ok(()),
                    Ok((status, body)) => format!("{status} {body}"),
                    Err(error) => format!("{error:#}"),
                };
            }
        };
        match tokio::time::timeout(LIMIT, poll).await {
            Ok(ready) => ready.with_context(|| self.log()),
            Err(_) => bail!("waited {LIMIT:?} for /readyz to say {wanted}, it says: {saw}\n{}", self.log()),
        }
    }

    async fn readiness(&self) -> Result<(u16, String)> {
        let reply = self.https()?.get("/readyz").await?;
        Ok((reply.status, reply.body))
    }
}
