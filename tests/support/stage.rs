//! Plays scenarios: the real daemon, a manager at its HTTPS API, and an XMPP server with people.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rosterd::domain::Show;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    cable::Cable,
    daemon::{Daemon, Site},
    manager::Manager,
    ports::Port,
    presence::Heard,
    process::LIMIT,
    script::{Act, Script, Told, Who},
    site::{Settings, site_for_tests},
    times::Times,
};

/// An XMPP server, and the people on it.
pub(crate) trait World: Sized {
    /// How long the daemon waits for late answers to its probes.
    const SWEEP_QUIET: &'static str;

    /// Starts it, with an account for each of `people`.
    async fn start(people: &[&str]) -> Result<Self>;

    /// How the daemon is to onboard people: what stands in `[xmpp.onboarding]`.
    fn onboarding(&self) -> String {
        String::new()
    }

    /// Where the daemon connects to.
    fn component(&self) -> SocketAddr;

    /// A client shows its presence; it logs in before that if it is not there.
    async fn show(&mut self, who: &Who, show: Show, priority: i8, status: &str) -> Result<()>;

    /// A client ends its stream.
    async fn leave(&mut self, who: &Who) -> Result<()>;

    /// A client's connection breaks.
    async fn crash(&mut self, who: &Who) -> Result<()>;

    /// A client reads nothing and says nothing, or goes on where it was.
    async fn freeze(&mut self, who: &Who, frozen: bool) -> Result<()>;

    /// Somebody lets the watcher see their presence no longer.
    async fn revoke(&mut self, name: &str) -> Result<()>;

    /// A client asks to see the presence of a queue, and waits for the answer.
    async fn follow(&mut self, who: &Who, queue: &str) -> Result<()>;

    /// A client wants to see the presence of a queue no longer.
    async fn unfollow(&mut self, who: &Who, queue: &str) -> Result<()>;

    /// The next presence that a queue tells a client.
    async fn next_presence(&mut self, who: &Who, queue: &str) -> Result<Heard>;

    /// Waits until a queue tells a client that it does not follow it.
    async fn wait_unsubscribed(&mut self, who: &Who, queue: &str) -> Result<()>;

    /// The presences of queues that clients were told, and that nobody has asked for.
    fn unasked(&mut self) -> Vec<(Who, Heard)>;

    /// Waits until all that clients have sent has reached the daemon, and what it sent before that has reached them.
    async fn settle(&mut self) -> Result<()>;

    /// Stops the server and starts it again; every client is gone then.
    async fn restart(&mut self) -> Result<()>;

    /// What it printed.
    fn log(&self) -> String;
}

/// Where the scenarios are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

/// Plays the scenario with this name, on a server of its own.
pub(crate) async fn play<W: World>(name: &str) {
    let played = async {
        let text = std::fs::read_to_string(format!("{FOLDER}/{name}.txt"))?;
        let script = Script::parse(&format!("tests/scenarios/{name}.txt"), &text)?;
        let people: Vec<_> = script.people().into_iter().collect();
        let mut stage = Stage::<W>::set(&people, script.times.clone()).await?;
        let played = stage.play(&script).await;
        // What went wrong stands last, where it is read first.
        played.map_err(|error| anyhow!("{}\n{error:#}", stage.log()))
    };
    if let Err(error) = played.await {
        panic!("{error:#}");
    }
}

/// Fails where the files of the scenarios are not these.
pub(crate) fn check_all_are_there(names: &[&str]) {
    let files = std::fs::read_dir(FOLDER).expect("there are scenarios");
    let files = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let played = names.iter().map(|name| format!("{name}.txt"));
    assert_eq!(files.collect::<BTreeSet<_>>(), played.collect::<BTreeSet<_>>());
}

/// A server, a daemon beside it, and a manager who is logged in.
pub(crate) struct Stage<W> {
    pub(crate) world: W,
    daemon: Daemon,
    is_up: bool,
    manager: Manager,
    _folder: TempDir,
    cable: Cable,
    /// Who looks what HTTPS says of a queue all the time, by the queue.
    watchers: BTreeMap<String, Watcher>,
    _port: Port,
}

impl<W: World> Stage<W> {
    /// Starts everything, with an account on the server for each of `people`.
    pub(crate) async fn set(people: &[&str], times: Times) -> Result<Self> {
        Self::set_as(people, |settings| Settings { times, ..settings }).await
    }

    /// The same, with other settings.
    pub(crate) async fn set_as(people: &[&str], change: impl FnOnce(Settings) -> Settings) -> Result<Self> {
        let world = W::start(people).await?;
        let folder = tempfile::Builder::new().prefix("rosterd-").tempdir()?;
        let port = Port::free()?;
        let cable = Cable::to(world.component()).await?;
        let (server, https) = (cable.address(), port.address());
        let onboarding = world.onboarding();
        let settings = Settings { sweep_quiet: W::SWEEP_QUIET, onboarding, ..Settings::new(server, https) };
        let site = site_for_tests(folder.path(), &change(settings))?;
        site.add_account("manager", "a password for tests")?;
        let mut daemon = Daemon::start(site)?;
        daemon.ready().await?;
        let manager = Manager::login(daemon.https()?, "manager", "a password for tests").await;
        let manager = manager.with_context(|| daemon.log())?;
        let watchers = BTreeMap::new();
        Ok(Self { world, daemon, is_up: true, manager, cable, watchers, _folder: folder, _port: port })
    }

    /// What the daemon is started with, and where it is.
    pub(crate) fn site(&self) -> &Site {
        &self.daemon.site
    }

    /// What the server and the daemon have printed.
    pub(crate) fn log(&self) -> String {
        format!("{}{}", self.world.log(), self.daemon.log())
    }

    async fn play(&mut self, script: &Script) -> Result<()> {
        self.steps(script).await?;
        self.nothing_more().await.context("at the end")?;
        if self.is_up {
            self.daemon.stop().await?;
        }
        Ok(())
    }

    /// Plays steps of a scenario.
    pub(crate) async fn lines(&mut self, text: &str) -> Result<()> {
        self.steps(&Script::parse("lines of a test", text)?).await
    }

    async fn steps(&mut self, script: &Script) -> Result<()> {
        for step in &script.steps {
            self.act(&step.act).await.with_context(|| step.at.clone())?;
        }
        Ok(())
    }

    async fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Queue { queue, users } => {
                self.manager.create_queue(queue).await?;
                for user in users {
                    self.manager.create_user(user).await?;
                    self.manager.assign(user, queue).await?;
                }
            }
            Act::DeleteQueue { queue } => self.manager.delete_queue(queue).await?,
            Act::RenameQueue { queue, to } => self.manager.rename_queue(queue, to).await?,
            Act::Assign { user, queue } => {
                self.manager.create_user(user).await?;
                self.manager.assign(user, queue).await?;
            }
            Act::Unassign { user, queue } => self.manager.unassign(user, queue).await?,
            Act::Enable { user, queue, enabled } => self.manager.enable(user, queue, *enabled).await?,
            Act::Show { who, show, priority, status } => self.world.show(who, *show, *priority, status).await?,
            Act::Leave { who } => self.world.leave(who).await?,
            Act::Crash { who } => self.world.crash(who).await?,
            Act::Freeze { who } => self.world.freeze(who, true).await?,
            Act::Thaw { who } => self.world.freeze(who, false).await?,
            Act::Revoke { name } => self.world.revoke(name).await?,
            Act::Follow { who, queue } => self.world.follow(who, queue).await?,
            Act::Unfollow { who, queue } => self.world.unfollow(who, queue).await?,
            Act::Told { queue, who, what } => self.told(queue, who, what).await?,
            Act::Https { queue, show } => self.public_show(queue, *show).await?,
            Act::Watch { queue, show } => {
                let watcher = Watcher::start(self.manager.clone(), queue.clone(), *show);
                self.watchers.insert(queue.clone(), watcher);
            }
            Act::Watched { queue } => {
                let watcher = self.watchers.remove(queue).with_context(|| format!("nobody watches {queue}"))?;
                watcher.end().await?;
            }
            Act::Start => self.start().await?,
            Act::Stop => self.stop().await?,
            Act::Restart => {
                self.stop().await?;
                self.start().await?;
            }
            Act::Kill => {
                self.daemon.kill();
                self.is_up = false;
            }
            Act::RestartServer => {
                self.world.restart().await?;
                self.daemon.ready().await?;
            }
            Act::Cut => {
                self.cable.cut();
                let is_it = |status, body: &str| status == 503 && body.contains("link-down");
                self.daemon.wait_readiness("503 for link-down", is_it).await?;
            }
            Act::Mend => {
                self.cable.mend();
                self.daemon.ready().await?;
            }
        }
        Ok(())
    }

    async fn stop(&mut self) -> Result<()> {
        self.is_up = false;
        self.daemon.stop().await
    }

    async fn start(&mut self) -> Result<()> {
        self.daemon.start_again()?;
        self.is_up = true;
        self.daemon.ready().await
    }

    async fn told(&mut self, queue: &str, who: &Who, what: &Told) -> Result<()> {
        match what {
            Told::Presence { show, status } => {
                let heard = self.world.next_presence(who, queue).await?;
                let is_it = heard.show == show.as_str() && status.as_ref().is_none_or(|text| *text == heard.status);
                ensure!(is_it, "{who} was told {heard} instead");
                Ok(())
            }
            Told::Unsubscribed => self.world.wait_unsubscribed(who, queue).await,
            Told::Nothing => self.nothing_more().await,
        }
    }

    /// Everything has settled, and nobody was told anything that was not expected.
    async fn nothing_more(&mut self) -> Result<()> {
        if self.is_up {
            self.world.settle().await?;
            self.manager.write_nothing().await?;
            self.world.settle().await?;
        }
        let unasked = self.world.unasked();
        let unasked: Vec<_> = unasked.iter().map(|(who, heard)| format!("{who} by {heard}")).collect();
        ensure!(unasked.is_empty(), "nobody expected that was told: {}", unasked.join(", "));
        Ok(())
    }

    /// What followers are told and what HTTPS says come from the same place, but nobody says which is seen first.
    async fn public_show(&self, queue: &str, show: Show) -> Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        let mut saw = String::new();
        let poll = async {
            while saw != show.as_str() {
                look.tick().await;
                saw = self.manager.public_show(queue).await?;
            }
            Ok(())
        };
        match tokio::time::timeout(LIMIT, poll).await {
            Ok(read) => read,
            Err(_) => bail!("waited {LIMIT:?} for HTTPS to say that {queue} is {show}, it says: {saw}"),
        }
    }
}

/// Looks what HTTPS says of a queue, as fast as it says it. Dropping it ends it.
struct Watcher {
    end: CancellationToken,
    task: JoinSet<Result<()>>,
}

impl Watcher {
    fn start(manager: Manager, queue: String, show: Show) -> Self {
        let end = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(watch(manager, queue, show, end.clone()));
        Self { end, task }
    }

    async fn end(mut self) -> Result<()> {
        self.end.cancel();
        self.task.join_next().await.context("there is one task")?.context("it does not panic")?
    }
}

async fn watch(manager: Manager, queue: String, show: Show, end: CancellationToken) -> Result<()> {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    loop {
        let is_last = end.is_cancelled();
        look.tick().await;
        let saw = manager.public_show(&queue).await?;
        ensure!(saw == show.as_str(), "HTTPS said that {queue} is {saw}, where it should be {show} all the time");
        if is_last {
            return Ok(());
        }
    }
}
