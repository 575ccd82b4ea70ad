//! People who never click, and the queues in their contact lists: on servers that let us write rosters, and on servers that
//! do not.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    client::{Accept, Client},
    daemon::Daemon,
    ejabberd::{Ejabberd, WithApi},
    is_installed,
    manager::Manager,
    ports::Port,
    process::LIMIT,
    prosody::{Privileged, Prosody},
    servers::{Addresses, PASSWORD, Package, Server},
    site::{Settings, site_for_tests},
};

const LAW: &str = "law@queues.localhost";
const TAX: &str = "tax@queues.localhost";
const WATCHER: &str = "staffing@queues.localhost";

/// A server, a daemon and a manager.
struct Town<P> {
    server: Server<P>,
    daemon: Daemon,
    manager: Manager,
    _folder: TempDir,
    _ports: [Port; 4],
}

impl<P: Package> Town<P> {
    async fn start(onboarding: impl FnOnce(Addresses) -> String) -> Result<Self> {
        let ports = [Port::free()?, Port::free()?, Port::free()?, Port::free()?];
        let [clients, component, api, https] = ports.each_ref().map(Port::address);
        let addresses = Addresses { clients, component, api };
        let server = Server::<P>::start(addresses, &["ann", "bob", "carol"]).await?;
        let folder = tempfile::Builder::new().prefix("rosterd-").tempdir()?;
        let onboarding = onboarding(addresses);
        let settings = Settings { sweep_quiet: "1s", onboarding, ..Settings::new(component, https) };
        let site = site_for_tests(folder.path(), &settings)?;
        site.add_account("manager", "a password for tests")?;
        let mut daemon = Daemon::start(site)?;
        daemon.ready().await?;
        let manager = Manager::login(daemon.https()?, "manager", "a password for tests").await?;
        Ok(Self { server, daemon, manager, _folder: folder, _ports: ports })
    }

    async fn login(&self, name: &str, accept: Accept) -> Result<Client> {
        let at = self.server.addresses().clients;
        Client::login(at, &format!("{name}@localhost"), "desk", PASSWORD, accept).await
    }

    async fn wait_show(&self, queue: &str, show: &str) -> Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        let mut saw = String::new();
        let poll = async {
            while saw != show {
                look.tick().await;
                saw = self.manager.public_show(queue).await?;
            }
            Ok(())
        };
        match tokio::time::timeout(LIMIT, poll).await {
            Ok(read) => read,
            Err(_) => bail!("waited {LIMIT:?} for {queue} to be {show}, it is {saw}"),
        }
    }

    /// Waits until this contact stands in the roster, or does not.
    async fn wait_contact(&self, client: &mut Client, jid: &str, subscription: Option<&str>) -> Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let mut saw = Vec::new();
        let poll = async {
            loop {
                look.tick().await;
                saw = client.roster().await?;
                let is = saw.iter().find(|(contact, _)| contact == jid).map(|(_, subscription)| &**subscription);
                if is == subscription {
                    return Ok(());
                }
            }
        };
        match tokio::time::timeout(LIMIT, poll).await {
            Ok(read) => read,
            Err(_) => bail!("waited {LIMIT:?} for {jid} to be {subscription:?} in the roster, it has {saw:?}"),
        }
    }

    /// How often the daemon has said this.
    fn said(&self, what: &str) -> usize {
        self.daemon.log().lines().filter(|line| line.contains(what)).count()
    }

    /// With what both have printed, where something went wrong.
    fn report(&self, played: Result<()>) {
        if let Err(error) = played {
            panic!("{}{}\n{error:#}", self.server.log(), self.daemon.log());
        }
    }
}

fn accepting() -> Accept {
    Accept::Only(vec![WATCHER.to_owned()])
}

async fn nobody_clicks<P: Package>() {
    let mut town = Town::<P>::start(P::onboarding).await.unwrap();
    let played = nobody_clicks_in(&mut town).await;
    town.report(played);
}

async fn nobody_clicks_in<P: Package>(town: &mut Town<P>) -> Result<()> {
    let mut ann = town.login("ann", Accept::Nobody).await?;
    ann.show("chat", 0, "").await?;
    let mut carol = town.login("carol", Accept::Nobody).await?;
    carol.show("available", 0, "").await?;
    carol.subscribe(LAW).await?;
    town.manager.create_queue("law").await?;
    for user in ["ann", "bob"] {
        town.manager.create_user(user).await?;
        town.manager.assign(user, "law").await?;
    }
    town.wait_show("law", "chat").await?;
    ann.show("dnd", 0, "").await?;
    town.wait_show("law", "dnd").await?;
    ensure!(ann.was_asked(WATCHER) == 0, "ann was asked");
    town.wait_contact(&mut ann, WATCHER, Some("from")).await?;
    // carol staffs nothing: nobody has put anything into her list, or told her that we do not follow her.
    ensure!(carol.roster().await?.iter().all(|(contact, _)| contact != WATCHER), "carol has the watcher");

    // While the daemon is away one goes and another one comes. Nothing of before is believed afterwards.
    town.daemon.kill();
    ann.close().await?;
    let mut bob = town.login("bob", Accept::Nobody).await?;
    bob.show("away", 0, "").await?;
    bob.roster().await?;
    town.daemon.start_again()?;
    town.daemon.ready().await?;
    town.wait_show("law", "away").await?;
    bob.show("available", 0, "").await?;
    town.wait_show("law", "available").await?;
    // The same when the server goes, and takes everybody with it.
    town.server.stop().await?;
    town.wait_show("law", "unavailable").await?;
    town.server.start_again().await?;
    let mut bob = town.login("bob", Accept::Nobody).await?;
    bob.show("xa", 0, "").await?;
    town.wait_show("law", "xa").await?;
    ensure!(bob.was_asked(WATCHER) == 0, "bob was asked");

    // Who is assigned to nothing any more has nothing of ours in their list.
    town.wait_contact(&mut bob, WATCHER, Some("from")).await?;
    town.manager.unassign("bob", "law").await?;
    town.wait_show("law", "unavailable").await?;
    town.wait_contact(&mut bob, WATCHER, None).await?;
    bob.show("chat", 0, "").await?;
    bob.ping(WATCHER).await?;
    ensure!(town.manager.public_show("law").await? == "unavailable", "bob counts still");
    Ok(())
}

async fn queues_are_contacts<P: Package>() {
    let with_group = |at| P::onboarding(at) + "roster_group = \"Queues\"\n";
    let mut town = Town::<P>::start(with_group).await.unwrap();
    let played = queues_are_contacts_in(&mut town).await;
    town.report(played);
}

async fn queues_are_contacts_in<P: Package>(town: &mut Town<P>) -> Result<()> {
    let mut ann = town.login("ann", Accept::Nobody).await?;
    ann.show("available", 0, "").await?;
    town.manager.create_queue("law").await?;
    for user in ["ann", "bob"] {
        town.manager.create_user(user).await?;
        town.manager.assign(user, "law").await?;
    }
    let is = |show: &'static str| move |heard: &crate::presence::Heard| heard.show == show;
    ann.wait_presence(LAW, "that law is open", is("available")).await?;
    town.wait_contact(&mut ann, LAW, Some("to")).await?;
    ensure!(ann.groups_of(LAW).await? == ["Queues"], "law stands in {:?}", ann.groups_of(LAW).await?);
    // It goes on where her client and the daemon begin anew.
    town.daemon.stop().await?;
    ann.wait_presence(LAW, "that law is closed", is("unavailable")).await?;
    ann.close().await?;
    town.daemon.start_again()?;
    town.daemon.ready().await?;
    let mut ann = town.login("ann", Accept::Nobody).await?;
    ann.show("dnd", 0, "").await?;
    ann.wait_presence(LAW, "that law is busy", is("dnd")).await?;
    let mut bob = town.login("bob", Accept::Nobody).await?;
    bob.show("chat", 0, "").await?;
    for client in [&mut ann, &mut bob] {
        client.wait_presence(LAW, "that law is open", is("chat")).await?;
    }

    // With another name it is another contact.
    town.manager.rename_queue("law", "tax").await?;
    for client in [&mut ann, &mut bob] {
        client.wait_presence(TAX, "that tax is open", is("chat")).await?;
        town.wait_contact(client, LAW, None).await?;
        town.wait_contact(client, TAX, Some("to")).await?;
    }
    // Who staffs it no longer does not have it any more, nor one that is gone.
    town.manager.unassign("bob", "tax").await?;
    for jid in [TAX, WATCHER] {
        town.wait_contact(&mut bob, jid, None).await?;
    }
    ann.wait_presence(TAX, "that tax is busy", is("dnd")).await?;
    town.manager.delete_queue("tax").await?;
    for jid in [TAX, WATCHER] {
        town.wait_contact(&mut ann, jid, None).await?;
    }
    ensure!(ann.was_asked(WATCHER) + bob.was_asked(WATCHER) == 0, "somebody was asked");
    bob.unasked(TAX);
    ann.ping(WATCHER).await?;
    ensure!(bob.unasked(TAX).is_empty(), "bob is told still");
    Ok(())
}

/// What was configured in the daemon only is said, and everybody is asked.
async fn everybody_is_asked<P: Package>(onboarding: fn(Addresses) -> String, said: &str, again: bool) {
    let mut town = Town::<P>::start(onboarding).await.unwrap();
    let played = everybody_is_asked_in(&mut town, said, again).await;
    town.report(played);
}

async fn everybody_is_asked_in<P: Package>(town: &mut Town<P>, said: &str, again: bool) -> Result<()> {
    let mut ann = town.login("ann", accepting()).await?;
    ann.show("chat", 0, "").await?;
    town.manager.create_queue("law").await?;
    town.manager.create_user("ann").await?;
    town.manager.assign("ann", "law").await?;
    town.wait_show("law", "chat").await?;
    ensure!(ann.was_asked(WATCHER) >= 1, "ann is seen, and was not asked");
    ensure!(town.said(said) == 1, "it was said {} times: {said}", town.said(said));
    if again {
        town.server.stop().await?;
        town.wait_show("law", "unavailable").await?;
        town.server.start_again().await?;
        let ann = town.login("ann", accepting()).await?;
        ann.show("away", 0, "").await?;
        town.wait_show("law", "away").await?;
        ensure!(town.said(said) == 2, "once on each link, but it was said {} times: {said}", town.said(said));
    }
    Ok(())
}

#[tokio::test]
async fn on_prosody_nobody_clicks() {
    if is_installed::<Privileged>() {
        nobody_clicks::<Privileged>().await;
    }
}

#[tokio::test]
async fn on_ejabberd_nobody_clicks() {
    if is_installed::<WithApi>() {
        nobody_clicks::<WithApi>().await;
    }
}

#[tokio::test]
async fn on_prosody_queues_are_contacts() {
    if is_installed::<Privileged>() {
        queues_are_contacts::<Privileged>().await;
    }
}

#[tokio::test]
async fn on_ejabberd_queues_are_contacts() {
    if is_installed::<WithApi>() {
        queues_are_contacts::<WithApi>().await;
    }
}

#[tokio::test]
async fn on_prosody_without_the_privilege_everybody_is_asked() {
    if is_installed::<Prosody>() {
        let said = "the server does not let us write rosters";
        everybody_is_asked::<Prosody>(Privileged::onboarding, said, true).await;
    }
}

#[tokio::test]
async fn on_ejabberd_without_the_privilege_everybody_is_asked() {
    if is_installed::<Ejabberd>() {
        let said = "the server does not let us write rosters";
        everybody_is_asked::<Ejabberd>(Privileged::onboarding, said, true).await;
    }
}

#[tokio::test]
async fn on_ejabberd_without_the_permission_everybody_is_asked() {
    if is_installed::<Ejabberd>() {
        let onboarding = |at: Addresses| format!("method = \"ejabberd-api\"\napi_url = \"http://{}/api\"\n", at.api);
        everybody_is_asked::<Ejabberd>(onboarding, "allow add_rosteritem and delete_rosteritem", false).await;
    }
}

#[tokio::test]
async fn on_ejabberd_without_an_api_everybody_is_asked() {
    if is_installed::<Ejabberd>() {
        // Where its clients connect there is no API.
        let onboarding =
            |at: Addresses| format!("method = \"ejabberd-api\"\napi_url = \"http://{}/api\"\n", at.clients);
        everybody_is_asked::<Ejabberd>(
            onboarding,
            "is [xmpp.onboarding] api_url where its mod_http_api listens",
            false,
        )
        .await;
    }
}
