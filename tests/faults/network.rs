//! The network fails, in all the ways in which networks do.

use anyhow::{Result, ensure};

use super::{
    cable::Cable,
    on_both,
    proxy::Proxy,
    rig::{A_WHILE, AROUND, FOUND_DEAD, Place, Rig, SOON, Site},
    servers::Package,
    skip,
};

on_both! { pulled stalled cut_in_the_middle_of_a_stanza an_earlier_connection_lives_on two_hundred_times }

/// A rig with a relay on the way.
async fn with_proxy<P: Package>(link: &'static str) -> Result<(Rig<P>, Proxy)> {
    let place = Place::<P>::start().await?;
    let proxy = Proxy::on_loopback(place.server.addresses().component)?;
    let site = Site::start(proxy.address, link).await?;
    Ok((Rig::of(place, site).await?, proxy))
}

/// Every packet is lost, and nobody is told: the connection is half open.
async fn pulled<P: Package>() -> Result<()> {
    let cable = match Cable::lay().await {
        Ok(cable) => cable,
        Err(error) => {
            skip::skip(&format!("packets that are lost on the way: no network namespace here: {error:#}"));
            return Ok(());
        }
    };
    let place = Place::<P>::start().await?;
    let proxy = Proxy::start(cable.listen()?, place.server.addresses().component)?;
    let site = Site::start(proxy.address, SOON).await?;
    let mut rig = Rig::of(place, site).await?;
    for show in ["dnd", "chat"] {
        cable.plug(false)?;
        rig.show("ann", show).await?;
        rig.record.until("https", "unavailable").await?;
        let status = rig.site.until_status("link: down").await?;
        ensure!(status.contains("did not answer") || status.contains("can not connect"), "{status}");
        cable.plug(true)?;
        rig.site.up().await?;
        rig.agrees().await?;
    }
    ensure!(proxy.accepted() > 2, "it connected again");
    rig.ends_as_new(FOUND_DEAD).await
}

/// The server takes nothing and says nothing, and the connection stays as it is.
async fn stalled<P: Package>() -> Result<()> {
    let (mut rig, proxy) = with_proxy::<P>(SOON).await?;
    proxy.stall(true);
    rig.show("ann", "dnd").await?;
    rig.record.until("https", "unavailable").await?;
    rig.show("ann", "available").await?;
    rig.site.until_status("link: down").await?;
    proxy.stall(false);
    rig.ends_as_new(FOUND_DEAD).await
}

async fn cut_in_the_middle_of_a_stanza<P: Package>() -> Result<()> {
    let (mut rig, proxy) = with_proxy::<P>(SOON).await?;
    for show in ["dnd", "xa", "chat"] {
        let before = proxy.accepted();
        proxy.cut_present();
        rig.show("ann", show).await?;
        rig.agrees().await?;
        ensure!(proxy.accepted() > before, "the connection was cut");
    }
    rig.ends_as_new(AROUND).await
}

/// The daemon has given up a connection that the server has not missed. Prosody lets no other one in, and ejabberd gives it a
/// part of what is meant for the daemon.
async fn an_earlier_connection_lives_on<P: Package>() -> Result<()> {
    let (mut rig, proxy) = with_proxy::<P>(SOON).await?;
    proxy.stall_present();
    rig.show("ann", "dnd").await?;
    rig.record.until("https", "unavailable").await?;
    let known_as = if P::NAME == "prosody" { "already" } else { "somebody else is connected as queues.localhost too" };
    let read = rig.record.open_readings("https");
    rig.site.until_status(known_as).await?;
    rig.show("ann", "chat").await?;
    let tries = proxy.accepted();
    while proxy.accepted() < tries + 2 {
        rig.readers.go_on_for(A_WHILE).await?;
    }
    ensure!(rig.record.open_readings("https") == read, "nobody is there as long as that is so");
    proxy.drop_present();
    rig.site.up().await?;
    rig.ends_as_new(FOUND_DEAD).await
}

async fn two_hundred_times<P: Package>() -> Result<()> {
    let link =
        "link_grace = \"0s\"\nretry_after = \"1ms\"\nretry_most = \"10ms\"\nping_after = \"2s\"\nping_timeout = \"2s\"";
    let (rig, proxy) = with_proxy::<P>(link).await?;
    let first = proxy.accepted();
    let mut readings = rig.site.daemon.process.lines.clone();
    while proxy.accepted() < first + 200 {
        let ups = rig.site.daemon.log().matches("link up").count();
        proxy.drop_present();
        let up = readings.wait_for(|lines| lines.iter().filter(|line| line.contains("link up")).count() > ups);
        tokio::time::timeout(super::process::LIMIT, up).await??;
    }
    rig.ends_as_new(FOUND_DEAD).await
}
