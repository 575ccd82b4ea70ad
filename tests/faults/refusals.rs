//! The server does not let the daemon in. It says so everywhere, and everything else goes on.

use anyhow::{Context, Result, ensure};

use super::{
    on_both,
    rig::{Place, Rig, SOON, Site},
    servers::Package,
};

on_both! { wrong_secret unknown_domain }

/// A daemon with this in its configuration is refused in these words, and does its work once that is mended.
async fn refused<P: Package>(right: &str, wrong: &str, words: &[&str]) -> Result<()> {
    let place = Place::<P>::start().await?;
    let mut site = Site::start(place.server.addresses().component, SOON).await?;
    site.up().await?;
    site.daemon.stop().await?;
    site.reconfigure(right, wrong)?;
    site.daemon.start_again()?;
    site.daemon.serves().await?;
    site.until_status_has(words).await?;
    let unwell = site.command(&["healthcheck"]).await?;
    ensure!(unwell.contains("not ready: link-down") && words.iter().any(|words| unwell.contains(words)), "{unwell}");
    let ready = site.daemon.https()?.get("/readyz").await?;
    ensure!(ready.status == 503 && ready.body.contains("link-down"), "{ready:?}");
    let log = site.daemon.log();
    ensure!(
        words.iter().any(|words| log.contains(words)) && !log.contains("s3cr3t") && !log.contains("wr0ng"),
        "{log}"
    );
    // Whoever works with the API notices nothing.
    site.manager.write_nothing().await?;
    site.daemon.stop().await?;
    site.reconfigure(wrong, right)?;
    site.daemon.start_again()?;
    site.daemon.serves().await?;
    Rig::of(place, site).await.context("once it is mended")?.ends_as_new(super::rig::AROUND).await
}

async fn wrong_secret<P: Package>() -> Result<()> {
    refused::<P>("\"s3cr3t\"", "\"wr0ng\"", &["refused the secret for component queues.localhost"]).await
}

async fn unknown_domain<P: Package>() -> Result<()> {
    let words = ["does not know the component tickets.localhost", "refused the secret for component tickets.localhost"];
    refused::<P>("\"queues.localhost\"", "\"tickets.localhost\"", &words).await
}
