//! A server, a daemon, people, and somebody who writes down everything that is published.

use std::{collections::BTreeMap, fs, net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{interval, timeout};

use super::{
    client::{Accept, Client},
    daemon::Daemon,
    manager::Manager,
    ports::Port,
    process::LIMIT,
    record::{Readers, Record},
    servers::{Addresses, PASSWORD, Package, QUEUES, Server},
    site::{Settings, site_for_tests},
};

/// The link is found dead soon, and made anew soon.
pub(crate) const SOON: &str =
    "link_grace = \"0s\"\nping_after = \"2s\"\nping_timeout = \"2s\"\nretry_after = \"200ms\"\nretry_most = \"2s\"";
/// How long it takes at the most until a link is found dead that is [`SOON`], and everybody knows.
pub(crate) const FOUND_DEAD: Duration = Duration::from_secs(8);
/// How long anything takes to get around where all is well, on a machine that has other things to do.
pub(crate) const AROUND: Duration = Duration::from_secs(5);
/// Long enough for something that should not happen.
pub(crate) const A_WHILE: Duration = Duration::from_secs(2);

/// A server on ports of its own.
pub(crate) struct Place<P> {
    pub(crate) server: Server<P>,
    _ports: [Port; 3],
}

impl<P: Package> Place<P> {
    pub(crate) async fn start() -> Result<Self> {
        let ports = [Port::free()?, Port::free()?, Port::free()?];
        let [clients, component, api] = ports.each_ref().map(Port::address);
        let server = Server::start(Addresses { clients, component, api }, &["ann", "bob", "carol"]).await?;
        Ok(Self { server, _ports: ports })
    }
}

/// A daemon in a folder of its own, with the queue `law`, which ann and bob staff.
pub(crate) struct Site {
    pub(crate) daemon: Daemon,
    pub(crate) manager: Manager,
    _folder: TempDir,
    _port: Port,
}

/// How much a daemon has at work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    tasks: u64,
    threads: usize,
    files: usize,
}

impl Site {
    /// Starts one that does not have to come up. It serves.
    pub(crate) async fn start(server: SocketAddr, link: &'static str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rosterd-").tempdir()?;
        let port = Port::free()?;
        let settings = Settings { sweep_quiet: "500ms", link, ..Settings::new(server, port.address()) };
        let site = site_for_tests(folder.path(), &settings)?;
        site.add_account("manager", "a password for tests")?;
        let daemon = Daemon::start(site)?;
        daemon.serves().await?;
        let mut manager = Manager::login(daemon.https()?, "manager", "a password for tests").await?;
        manager.create_queue("law").await?;
        for user in ["ann", "bob"] {
            manager.create_user(user).await?;
            manager.assign(user, "law").await?;
        }
        Ok(Self { daemon, manager, _folder: folder, _port: port })
    }

    /// What `rosterd` says to a command.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::new(&self.daemon.site.binary);
        command.arg("--config").arg(&self.daemon.site.config).args(arguments);
        let output = timeout(LIMIT, command.stdin(Stdio::null()).kill_on_drop(true).output()).await??;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    pub(crate) async fn status(&self) -> Result<Value> {
        let said = self.command(&["status", "--json"]).await?;
        serde_json::from_str(&said).with_context(|| said)
    }

    /// Waits until `rosterd status` says this of the link, and gives back all that it says.
    pub(crate) async fn until_status(&self, wanted: &str) -> Result<String> {
        self.until_status_has(&[wanted]).await
    }

    /// The same, with one of these.
    pub(crate) async fn until_status_has(&self, wanted: &[&str]) -> Result<String> {
        let mut look = interval(Duration::from_millis(100));
        let mut said = String::new();
        let waiting = async {
            while !wanted.iter().any(|wanted| said.contains(wanted)) {
                look.tick().await;
                said = self.command(&["status"]).await?;
            }
            Ok(())
        };
        match timeout(LIMIT, waiting).await {
            Ok(Ok(())) => Ok(said),
            Ok(Err(error)) => Err(error),
            Err(_) => bail!("waited {LIMIT:?} for {wanted:?}, and status says: {said}\n{}", self.daemon.log()),
        }
    }

    /// Waits until the link is up and everybody was heard.
    pub(crate) async fn up(&self) -> Result<()> {
        self.until_status("link: up since").await.map(drop)
    }

    /// Changes a line of the configuration. It counts from the next start on.
    pub(crate) fn reconfigure(&self, from: &str, to: &str) -> Result<()> {
        let file = &self.daemon.site.config;
        let text = fs::read_to_string(file)?;
        ensure!(text.contains(from), "{from} is not in {text}");
        Ok(fs::write(file, text.replace(from, to))?)
    }

    /// All of the state that does not depend on what happened before: of every queue what it is and why, and of every
    /// operator, with their clients.
    pub(crate) async fn state(&self) -> Result<Value> {
        let mut status = self.status().await?;
        let mut queues = status["queues"].take();
        for queue in queues.as_array_mut().context("there are queues")? {
            for operator in queue["operators"].as_array_mut().context("there are operators")? {
                let resources = operator["resources"].as_array_mut().context("there are clients")?;
                resources.sort_by_key(ToString::to_string);
                for reason in operator["reasons"].as_array_mut().context("there are reasons")? {
                    // Whoever was heard to leave is known to be offline; after a start it is their silence that says so.
                    if reason == "silent" {
                        *reason = "offline".into();
                    }
                }
            }
        }
        Ok(serde_json::json!({ "link": status["link"].take(), "queues": queues }))
    }

    pub(crate) async fn load(&self) -> Result<Load> {
        let tasks = self.status().await?["tasks"].as_u64().context("status says how many tasks there are")?;
        let process = format!("/proc/{}", self.daemon.process.child.id());
        let count = |what| Ok::<_, std::io::Error>(fs::read_dir(format!("{process}/{what}"))?.count());
        Ok(Load { tasks, threads: count("task")?, files: count("fd")? })
    }

    /// Waits until the daemon has no more at work than before. Idle threads go by themselves.
    pub(crate) async fn no_more_than(&self, before: Load) -> Result<()> {
        let mut look = interval(Duration::from_millis(200));
        let mut now = before;
        let waiting = async {
            loop {
                look.tick().await;
                now = self.load().await?;
                if now.tasks <= before.tasks && now.threads <= before.threads && now.files <= before.files {
                    return Ok(());
                }
            }
        };
        timeout(LIMIT, waiting).await.unwrap_or_else(|_| bail!("leaked: {before:?} before, {now:?} after"))
    }
}

/// All of it.
pub(crate) struct Rig<P> {
    pub(crate) place: Place<P>,
    pub(crate) site: Site,
    pub(crate) record: Record,
    pub(crate) readers: Readers,
    pub(crate) before: Load,
    clients: BTreeMap<&'static str, Client>,
    /// What everybody says while they are there.
    shows: BTreeMap<&'static str, &'static str>,
    /// What is said now.
    said: BTreeMap<&'static str, &'static str>,
}

impl<P: Package> Rig<P> {
    /// Everybody is there, and the queue is `chat`. The daemon reaches the server at the address that `way` gives.
    pub(crate) async fn start(link: &'static str, way: impl FnOnce(SocketAddr) -> Result<SocketAddr>) -> Result<Self> {
        let place = Place::start().await?;
        let site = Site::start(way(place.server.addresses().component)?, link).await?;
        Self::of(place, site).await
    }

    pub(crate) async fn of(place: Place<P>, site: Site) -> Result<Self> {
        site.up().await?;
        let record = Record::new();
        let readers = record.start(&[("https", site.daemon.https()?)]);
        let before = site.load().await?;
        let shows = BTreeMap::from([("ann", "chat"), ("bob", "away")]);
        let mut rig =
            Self { place, site, record, readers, before, clients: BTreeMap::new(), shows, said: BTreeMap::new() };
        rig.log_in().await?;
        let law = format!("law@{QUEUES}");
        let mut carol = rig.client("carol").await?;
        carol.subscribe(&law).await?;
        carol.wait_subscription(&law, "subscribed").await?;
        rig.record.follow(Some(carol));
        rig.agrees().await?;
        // What is there when everything is at work.
        rig.before = rig.site.load().await?;
        Ok(rig)
    }

    async fn client(&self, name: &str) -> Result<Client> {
        let accept = Accept::Only(vec![format!("staffing@{QUEUES}")]);
        let at = self.place.server.addresses().clients;
        let client = Client::login(at, &format!("{name}@localhost"), "home", PASSWORD, accept).await?;
        if name == "carol" {
            client.show("available", 0, "").await?;
        }
        Ok(client)
    }

    /// Everybody who staffs the queue logs in, and says what they said before.
    async fn log_in(&mut self) -> Result<()> {
        for (name, show) in self.shows.clone() {
            let client = self.client(name).await?;
            self.clients.insert(name, client);
            self.show(name, show).await?;
        }
        Ok(())
    }

    /// Somebody says something else.
    pub(crate) async fn show(&mut self, name: &'static str, show: &'static str) -> Result<()> {
        self.shows.insert(name, show);
        self.said.insert(name, show);
        self.record.are(self.said.values().copied().collect());
        self.clients.get(name).context("they are there")?.show(show, 0, "").await
    }

    /// The server is gone, and everybody with it.
    pub(crate) fn all_gone(&mut self) {
        self.clients.clear();
        self.said.clear();
        self.record.follow(None);
        self.record.are(Vec::new());
    }

    /// Everybody logs in again.
    pub(crate) async fn all_back(&mut self) -> Result<()> {
        self.log_in().await?;
        self.record.follow(Some(self.client("carol").await?));
        Ok(())
    }

    /// Waits until what is published is what is so.
    pub(crate) async fn agrees(&self) -> Result<()> {
        let show = self.record.truth();
        for by in ["https", "follower"] {
            self.record.until(by, show).await.with_context(|| self.site.daemon.log())?;
        }
        Ok(())
    }

    /// After a fault: everything that was published was true `late` before at the most; all is as it is, and as after a new
    /// start; nothing was leaked.
    pub(crate) async fn ends_as_new(mut self, late: Duration) -> Result<()> {
        let checked = self.check_all(late).await;
        checked.with_context(|| format!("{}{}", self.place.server.log(), self.site.daemon.log()))
    }

    async fn check_all(&mut self, late: Duration) -> Result<()> {
        self.site.up().await?;
        self.agrees().await?;
        for (name, show) in [("ann", "dnd"), ("bob", "available"), ("ann", "chat"), ("bob", "away"), ("ann", "xa")] {
            self.show(name, show).await?;
            self.agrees().await.with_context(|| format!("{name} is {show} now"))?;
        }
        self.record.check(late)?;
        self.site.no_more_than(self.before).await?;
        let after = self.site.state().await?;
        self.site.daemon.stop().await?;
        self.site.daemon.start_again()?;
        self.site.daemon.serves().await?;
        self.site.up().await?;
        let fresh = self.site.state().await?;
        ensure!(after == fresh, "after the fault: {after:#}\nafter a new start: {fresh:#}");
        ensure!(after["queues"][0]["show"] == self.record.truth(), "{after:#}");
        self.site.daemon.stop().await
    }
}
