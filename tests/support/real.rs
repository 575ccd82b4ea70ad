//! Scenarios on a real server: everybody is a real client.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::{Context, Result};
use rosterd::domain::Show;

use super::{
    client::{Accept, Client},
    ports::Port,
    presence::Heard,
    script::Who,
    servers::{Addresses, PASSWORD, Package, QUEUES, Server, USERS},
    stage::World,
};

/// A real server and its clients.
pub(crate) struct Real<P> {
    server: Server<P>,
    clients: BTreeMap<Who, Client>,
    _ports: [Port; 3],
}

fn watcher() -> String {
    format!("staffing@{QUEUES}")
}

impl<P: Package> Real<P> {
    /// Somebody gives up their account, and is gone.
    pub(crate) async fn delete_account(&mut self, who: &Who) -> Result<()> {
        let client = self.clients.remove(who).with_context(|| format!("{who} is not logged in"))?;
        client.delete_account().await;
        Ok(())
    }

    /// Where clients connect to.
    pub(crate) fn clients(&self) -> SocketAddr {
        self.server.addresses().clients
    }

    fn client(&mut self, who: &Who) -> Result<&mut Client> {
        self.clients.get_mut(who).with_context(|| format!("{who} is not logged in"))
    }
}

impl<P: Package> World for Real<P> {
    // Real servers answer probes and pings from different places.
    const SWEEP_QUIET: &'static str = "1s";

    async fn start(people: &[&str]) -> Result<Self> {
        let ports = [Port::free()?, Port::free()?, Port::free()?];
        let [clients, component, api] = ports.each_ref().map(Port::address);
        let server = Server::start(Addresses { clients, component, api }, people).await?;
        Ok(Self { server, clients: BTreeMap::new(), _ports: ports })
    }

    fn onboarding(&self) -> String {
        P::onboarding(self.server.addresses())
    }

    fn component(&self) -> SocketAddr {
        self.server.addresses().component
    }

    async fn show(&mut self, who: &Who, show: Show, priority: i8, status: &str) -> Result<()> {
        if !self.clients.contains_key(who) {
            let (server, jid) = (self.server.addresses().clients, format!("{}@{USERS}", who.name));
            let accept = if P::IS_ASKED { Accept::Only(vec![watcher()]) } else { Accept::Nobody };
            let client = Client::login(server, &jid, &who.resource, PASSWORD, accept).await?;
            self.clients.insert(who.clone(), client);
        }
        self.client(who)?.show(show.as_str(), priority, status).await
    }

    async fn leave(&mut self, who: &Who) -> Result<()> {
        let client = self.clients.remove(who).with_context(|| format!("{who} is not logged in"))?;
        client.close().await
    }

    async fn crash(&mut self, who: &Who) -> Result<()> {
        let client = self.clients.remove(who).with_context(|| format!("{who} is not logged in"))?;
        client.drop_abruptly().await;
        Ok(())
    }

    async fn freeze(&mut self, who: &Who, frozen: bool) -> Result<()> {
        self.client(who)?.freeze(frozen).await
    }

    async fn revoke(&mut self, name: &str) -> Result<()> {
        let client = self.clients.iter_mut().find(|(who, _)| who.name == name);
        let (_, client) = client.with_context(|| format!("{name} is not logged in"))?;
        client.revoke(&watcher()).await
    }

    async fn follow(&mut self, who: &Who, queue: &str) -> Result<()> {
        let queue = format!("{queue}@{QUEUES}");
        let client = self.client(who)?;
        client.subscribe(&queue).await?;
        client.wait_subscription(&queue, "subscribed").await
    }

    async fn unfollow(&mut self, who: &Who, queue: &str) -> Result<()> {
        let stanza = format!("<presence type='unsubscribe' to='{queue}@{QUEUES}'/>");
        self.client(who)?.send(stanza).await
    }

    async fn next_presence(&mut self, who: &Who, queue: &str) -> Result<Heard> {
        self.client(who)?.next_presence(&format!("{queue}@{QUEUES}")).await
    }

    async fn wait_unsubscribed(&mut self, who: &Who, queue: &str) -> Result<()> {
        self.client(who)?.wait_subscription(&format!("{queue}@{QUEUES}"), "unsubscribed").await
    }

    fn unasked(&mut self) -> Vec<(Who, Heard)> {
        let unasked = self.clients.iter_mut().map(|(who, client)| (who, client.unasked(QUEUES)));
        unasked.flat_map(|(who, heard)| heard.into_iter().map(|heard| (who.clone(), heard))).collect()
    }

    async fn settle(&mut self) -> Result<()> {
        for client in self.clients.values_mut() {
            client.ping(&watcher()).await?;
        }
        Ok(())
    }

    async fn restart(&mut self) -> Result<()> {
        self.clients.clear();
        self.server.stop().await?;
        self.server.start_again().await
    }

    fn log(&self) -> String {
        self.server.log()
    }
}
