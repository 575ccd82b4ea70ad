//! The server ends, dies, or stands still.

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    on_both,
    rig::{AROUND, FOUND_DEAD, Rig, SOON},
    servers::{Package, Server},
};

on_both! { stopped killed stands_still_for_a_while stands_still_for_too_long }

impl<P: Package> Server<P> {
    /// Stops it in the middle of whatever it does, or lets it go on.
    fn freeze(&self, frozen: bool) -> Result<()> {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        Ok(kill_process_group(Pid::from_child(&self.process.child), signal)?)
    }
}

async fn stopped<P: Package>() -> Result<()> {
    let mut rig = Rig::<P>::start(SOON, Ok).await?;
    rig.all_gone();
    rig.place.server.stop().await?;
    rig.site.until_status("link: down").await?;
    rig.place.server.start_again().await?;
    rig.all_back().await?;
    rig.ends_as_new(AROUND).await
}

async fn killed<P: Package>() -> Result<()> {
    let mut rig = Rig::<P>::start(SOON, Ok).await?;
    rig.all_gone();
    rig.place.server.kill();
    rig.site.until_status("link: down").await?;
    rig.place.server.start_again().await?;
    rig.all_back().await?;
    rig.ends_as_new(AROUND).await
}

const STANDSTILL: Duration = Duration::from_secs(30);

/// Shorter than the link's patience: nothing happens but that everything is late.
async fn stands_still_for_a_while<P: Package>() -> Result<()> {
    let mut rig = Rig::<P>::start("link_grace = \"0s\"\nretry_most = \"2s\"", Ok).await?;
    rig.place.server.freeze(true)?;
    rig.show("ann", "dnd").await?;
    rig.readers.go_on_for(STANDSTILL).await?;
    rig.place.server.freeze(false)?;
    rig.agrees().await?;
    ensure!(!rig.site.daemon.log().contains("link down"), "the link was given up: {}", rig.site.daemon.log());
    rig.ends_as_new(STANDSTILL + AROUND).await
}

/// Longer than the link's patience: nobody is there until everybody was asked anew.
async fn stands_still_for_too_long<P: Package>() -> Result<()> {
    let mut rig = Rig::<P>::start(SOON, Ok).await?;
    rig.place.server.freeze(true)?;
    rig.show("ann", "dnd").await?;
    rig.record.until("https", "unavailable").await?;
    rig.readers.go_on_for(STANDSTILL).await?;
    let why = rig.site.status().await?;
    ensure!(why["link"]["state"] == "down", "{why:#}");
    rig.place.server.freeze(false)?;
    rig.ends_as_new(FOUND_DEAD).await
}
