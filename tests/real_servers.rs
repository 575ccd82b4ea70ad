//! On the real servers of Debian's packages.

#[path = "support/apart.rs"]
mod apart;
#[path = "support/cable.rs"]
mod cable;
#[path = "support/catalogue.rs"]
mod catalogue;
#[path = "../examples/support/client.rs"]
mod client;
#[path = "real/commands.rs"]
mod commands;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/ejabberd.rs"]
mod ejabberd;
#[path = "../examples/support/frames.rs"]
mod frames;
#[path = "support/ghosts.rs"]
mod ghosts;
#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/hostile_clients.rs"]
mod hostile_clients;
#[path = "support/https.rs"]
mod https;
#[path = "support/manager.rs"]
mod manager;
#[path = "real_servers/onboarding.rs"]
mod onboarding;
#[path = "support/ports.rs"]
mod ports;
#[path = "../examples/support/presence.rs"]
mod presence;
#[path = "support/process.rs"]
mod process;
#[path = "support/prosody.rs"]
mod prosody;
#[path = "support/ready.rs"]
mod ready;
#[path = "support/real.rs"]
mod real;
#[path = "support/script.rs"]
mod script;
#[path = "support/servers.rs"]
mod servers;
#[path = "support/silence.rs"]
mod silence;
#[path = "support/site.rs"]
mod site;
#[path = "support/skip.rs"]
mod skip;
#[path = "support/stage.rs"]
mod stage;
#[path = "support/stalls.rs"]
mod stalls;
#[path = "support/times.rs"]
mod times;

use std::path::Path;

use anyhow::Result;

use client::{Accept, Client};
use ejabberd::Ejabberd;
use ports::Port;
use prosody::Prosody;
use servers::{Addresses, PASSWORD, Package, Server};

mod on_prosody {
    use crate::{is_installed, prosody::Prosody, real::Real};

    crate::catalogue::play_all!(Real<Prosody>, is_installed::<Prosody>());
}

mod on_prosody_without_a_click {
    use crate::{is_installed, prosody::Privileged, real::Real};

    crate::catalogue::play_all!(
        Real<Privileged>, is_installed::<Privileged>();
        crash
        freeze
        late_follower
        negative_priority
        one_operators_day
        queue_deleted
        resources
        restart
        revoked
        server_restart
        suspension
        two_operators
    );
}

mod on_ejabberd {
    use crate::{ejabberd::Ejabberd, is_installed, real::Real};

    crate::catalogue::play_all!(Real<Ejabberd>, is_installed::<Ejabberd>());
}

mod on_ejabberd_without_a_click {
    use crate::{ejabberd::WithApi, is_installed, real::Real};

    crate::catalogue::play_all!(
        Real<WithApi>, is_installed::<WithApi>();
        one_operators_day
        queue_deleted
        restart
        revoked
        server_restart
        two_operators
    );
}

/// Whether the package is there. Where it is not, that is an error in CI, and loud elsewhere.
fn is_installed<P: Package>() -> bool {
    let is_there = Path::new(P::FILE).exists();
    if !is_there {
        let what = format!("tests on {0}: the package {0} is not installed (./tests/run.sh installs it)", P::NAME);
        assert!(std::env::var_os("CI").is_none(), "in CI this may not be skipped: {what}");
        skip::skip(&what);
    }
    is_there
}

/// The harness itself: clients see each other come, go and crash.
async fn clients_see_each_other<P: Package>() -> Result<()> {
    let ports = [Port::free()?, Port::free()?, Port::free()?];
    let [clients, component, api] = ports.each_ref().map(Port::address);
    let mut server = Server::<P>::start(Addresses { clients, component, api }, &["ann", "carol"]).await?;
    let at = server.addresses().clients;
    let accept = Accept::Only(vec!["carol@localhost".to_owned()]);
    let ann = Client::login(at, "ann@localhost", "desk", PASSWORD, accept.clone()).await?;
    let mut carol = Client::login(at, "carol@localhost", "home", PASSWORD, Accept::Nobody).await?;
    ann.show("away", 5, "lunch & more").await?;
    carol.show("available", 0, "").await?;
    carol.subscribe("ann@localhost").await?;
    carol.wait_subscription("ann@localhost", "subscribed").await?;
    carol.wait_roster("ann@localhost", "to").await?;
    let heard = carol.wait_presence("ann@localhost", "away", |heard| heard.show == "away").await?;
    assert_eq!((&*heard.from, &*heard.status), (ann.jid(), "lunch & more"));
    ann.drop_abruptly().await;
    carol.wait_presence("ann@localhost", "gone", |heard| heard.show == "unavailable").await?;
    carol.ping("ann@localhost").await?;
    assert_eq!(carol.unasked("ann@localhost"), []);

    server.stop().await?;
    server.start_again().await?;
    server.kill();
    server.start_again().await?;
    let mut carol = Client::login(at, "carol@localhost", "home", PASSWORD, Accept::Nobody).await?;
    assert_eq!(carol.roster().await?, [("ann@localhost".to_owned(), "to".to_owned())]);
    carol.close().await
}

#[tokio::test]
async fn prosody_clients_see_each_other() {
    if is_installed::<Prosody>() {
        clients_see_each_other::<Prosody>().await.unwrap();
    }
}

#[tokio::test]
async fn ejabberd_clients_see_each_other() {
    if is_installed::<Ejabberd>() {
        clients_see_each_other::<Ejabberd>().await.unwrap();
    }
}

#[tokio::test]
async fn hostile_clients_of_prosody() {
    if is_installed::<Prosody>() {
        hostile_clients::rage::<Prosody>().await.unwrap();
    }
}

#[tokio::test]
async fn hostile_clients_of_ejabberd() {
    if is_installed::<Ejabberd>() {
        hostile_clients::rage::<Ejabberd>().await.unwrap();
    }
}

#[tokio::test]
async fn prosody_says_nothing_of_silent_clients() {
    if is_installed::<Prosody>() {
        silence::silent_clients::<Prosody>().await.unwrap();
    }
}

#[tokio::test]
async fn ejabberd_says_nothing_of_silent_clients() {
    if is_installed::<Ejabberd>() {
        silence::silent_clients::<Ejabberd>().await.unwrap();
    }
}

#[tokio::test]
async fn prosody_tells_of_followers_who_are_gone() {
    if is_installed::<Prosody>() {
        ghosts::gone_followers::<Prosody>().await.unwrap();
    }
}

#[tokio::test]
async fn ejabberd_tells_of_followers_who_are_gone() {
    if is_installed::<Ejabberd>() {
        ghosts::gone_followers::<Ejabberd>().await.unwrap();
    }
}
