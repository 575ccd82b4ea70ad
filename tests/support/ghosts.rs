//! Followers who are not there any more, on a real server.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use rosterd::{
    domain::{BareJid, Record, Subscriber, Write},
    store::{SledStore, Store},
};

use super::{process::LIMIT, real::Real, script::Who, servers::Package, stage::Stage, times::Times};

/// Who gives up their account is dropped, since their server says so. Where a server says nothing, or that it can not reach
/// somebody, nobody is dropped.
pub(crate) async fn gone_followers<P: Package>() -> Result<()> {
    let mut stage = Stage::<Real<P>>::set(&["ann", "bob", "carol"], Times::DEFAULT).await?;
    let played = play(&mut stage).await;
    played.with_context(|| stage.log())
}

async fn play<P: Package>(stage: &mut Stage<Real<P>>) -> Result<()> {
    stage.lines("queue law: ann\ncarol: available\ncarol follows law\nlaw -> carol: unavailable").await?;
    stage.lines("bob: available\nbob follows law\nlaw -> bob: unavailable").await?;
    ensure!(export(stage)?.contains("bob@localhost"));
    stage.world.delete_account(&Who { name: "bob".to_owned(), resource: "home".to_owned() }).await?;
    dropped(stage, "bob@localhost").await?;
    stage.lines("ann: chat\nlaw -> carol: chat").await?;

    stage.lines("stop daemon\nlaw -> carol: unavailable").await?;
    haunt(stage)?;
    stage.lines("start daemon\nlaw -> carol: chat\nann: away\nlaw -> carol: away\nlaw -> carol: nothing").await?;
    for ghost in GHOSTS {
        ensure!(export(stage)?.contains(ghost), "{ghost} was dropped");
    }
    Ok(())
}

/// Nobody has this account, and no server this domain.
const GHOSTS: [&str; 2] = ["nobody@localhost", "ghost@nowhere.invalid"];

/// Has followers who are not there, as if they had gone while nobody looked.
fn haunt<P: Package>(stage: &Stage<Real<P>>) -> Result<()> {
    let mut store = SledStore::open(&stage.site().state, 0)?;
    let law =
        store.load()?.into_iter().find_map(|record| if let Record::Queue(it) = record { Some(it.id) } else { None });
    let queue = law.context("there is a queue")?;
    let follower = |jid: &str| Write::Put(Record::Subscriber(Subscriber { queue, jid: BareJid::prepared(jid) }));
    Ok(store.commit(&GHOSTS.map(follower))?)
}

async fn dropped<P: Package>(stage: &Stage<Real<P>>, who: &str) -> Result<()> {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let poll = async {
        while export(stage)?.contains(who) {
            look.tick().await;
        }
        Ok(())
    };
    tokio::time::timeout(LIMIT, poll).await.unwrap_or_else(|_| bail!("waited {LIMIT:?} until {who} is dropped"))
}

/// Everything that is stored.
fn export<P: Package>(stage: &Stage<Real<P>>) -> Result<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    let command = command.arg("--config").arg(&stage.site().config).args(["export", "-"]);
    let output = command.output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}
