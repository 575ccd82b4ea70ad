//! Three people staff two queues, and somebody follows those. `deploy/demo.sh` runs it, and sets up what it needs.

#![expect(clippy::print_stdout, reason = "it is there to be looked at")]

#[path = "support/client.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod client;
#[path = "../tests/support/daemon.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod daemon;
#[path = "support/frames.rs"]
mod frames;
#[path = "../tests/support/https.rs"]
mod https;
#[path = "../tests/support/manager.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod manager;
#[path = "support/presence.rs"]
mod presence;
#[path = "../tests/support/process.rs"]
mod process;
#[path = "../tests/support/prosody.rs"]
mod prosody;
#[path = "../tests/support/ready.rs"]
mod ready;
#[path = "../tests/support/servers.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod servers;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout, timeout_at},
};

use client::{Accept, Client};
use daemon::{Daemon, Site};
use manager::Manager;
use presence::bare;
use prosody::Prosody;
use servers::{Addresses, PASSWORD, QUEUES, Server, USERS};

/// The ports of `config/demo.toml`, and one for clients.
const CLIENTS: u16 = 15_222;
const COMPONENT: u16 = 15_347;
const HTTPS: u16 = 18_443;
/// The state folder, from the top of the source tree.
const STATE: &str = "target/demo";
/// Between two steps, when somebody looks on.
const PAUSE: Duration = Duration::from_secs(4);
/// How long a change may take to come out.
const LIMIT: Duration = Duration::from_secs(15);

/// Who staffs what.
const STAFF: [(&str, &[&str]); 2] = [("law", &["ann", "bob"]), ("tax", &["bob", "carol"])];

/// Somebody shows something.
struct Step {
    who: &'static str,
    show: &'static str,
    /// The queues that change their show for that.
    changes: &'static [(&'static str, &'static str)],
}

const fn step(who: &'static str, show: &'static str, changes: &'static [(&'static str, &'static str)]) -> Step {
    Step { who, show, changes }
}

/// It ends as it begins, so that it can be played again and again.
const SCRIPT: [Step; 12] = [
    step("ann", "available", &[("law", "available")]),
    step("bob", "away", &[("tax", "away")]),
    step("carol", "available", &[("tax", "available")]),
    step("ann", "away", &[("law", "away")]),
    step("bob", "dnd", &[("law", "dnd")]),
    step("carol", "dnd", &[("tax", "dnd")]),
    step("bob", "available", &[("law", "available"), ("tax", "available")]),
    step("ann", "dnd", &[]),
    step("bob", "unavailable", &[("law", "dnd"), ("tax", "dnd")]),
    step("carol", "away", &[("tax", "away")]),
    step("carol", "unavailable", &[("tax", "unavailable")]),
    step("ann", "unavailable", &[("law", "unavailable")]),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run().await.unwrap_or_else(|error| {
        // Where nobody reads that, nobody can be told.
        let _ = writeln!(std::io::stderr(), "demo: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run() -> Result<ExitCode> {
    let once = match &*std::env::args().skip(1).collect::<Vec<_>>() {
        [] => false,
        [flag] if flag == "--once" => true,
        _ => bail!("usage: deploy/demo.sh [--once]"),
    };
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        // Whatever was started ends with what holds it.
        played = demo(once) => played,
        _ = interrupt.recv() => Ok(stopped(130, once)),
        _ = terminate.recv() => Ok(stopped(143, once)),
    }
}

fn stopped(code: u8, once: bool) -> ExitCode {
    println!("\nStopped: rosterd, Prosody and everybody who was logged in are gone.");
    if once { ExitCode::from(code) } else { ExitCode::SUCCESS }
}

async fn demo(once: bool) -> Result<ExitCode> {
    let mut demo = Demo::start().await?;
    if once {
        let missing = demo.play(true).await?;
        if !missing.is_empty() {
            println!("\n{}{}", demo.server.log(), demo.daemon.log());
        }
        demo.end().await?;
        return Ok(report(&missing));
    }
    println!("Every change of a queue is shown as it happens. Ctrl-C ends everything.\n");
    loop {
        demo.play(false).await?;
    }
}

fn report(missing: &[String]) -> ExitCode {
    if missing.is_empty() {
        println!("\nEvery change of a queue came out, over XMPP and over HTTPS.");
        return ExitCode::SUCCESS;
    }
    println!("\nThis did not come out:");
    for what in missing {
        println!("  {what}");
    }
    ExitCode::FAILURE
}

/// Everything that runs. Dropping it ends it all.
struct Demo {
    operators: BTreeMap<&'static str, Client>,
    follower: Client,
    shows: BTreeMap<String, String>,
    manager: Manager,
    daemon: Daemon,
    server: Server<Prosody>,
}

impl Demo {
    async fn start() -> Result<Self> {
        let at = |port: u16| -> SocketAddr { (Ipv4Addr::LOCALHOST, port).into() };
        for port in [CLIENTS, COMPONENT, HTTPS] {
            TcpListener::bind(at(port))
                .with_context(|| format!("the demo needs port {port} on loopback: does another demo run?"))?;
        }
        let site = site(at(HTTPS))?;
        let operators: Vec<_> = ["ann", "bob", "carol"].into();
        println!("Starting a private Prosody on 127.0.0.1, ports {CLIENTS} (clients) and {COMPONENT} (component).");
        let people: Vec<_> = operators.iter().copied().chain(["dave"]).collect();
        let addresses = Addresses { clients: at(CLIENTS), component: at(COMPONENT), api: at(0) };
        let server = Server::start(addresses, &people).await?;
        println!("Making the account `demo`, and starting rosterd with config/demo.toml, state in {STATE}/.");
        let password = password()?;
        site.add_account("demo", &password)?;
        let certificate = site.certificate();
        let mut daemon = Daemon::start(site)?;
        daemon.ready().await?;
        println!("Making three users and two queues over the HTTPS API, and assigning them.");
        let mut manager = Manager::login(daemon.https()?, "demo", &password).await?;
        for (queue, users) in STAFF {
            manager.create_queue(queue).await?;
            for user in users {
                manager.create_user(user).await?;
                manager.assign(user, queue).await?;
            }
        }
        println!("Logging in ann, bob and carol, who staff the queues, and dave, who follows them.");
        let follower = follower(addresses.clients).await?;
        let accept = Accept::Only(vec![format!("staffing@{QUEUES}")]);
        let mut clients = BTreeMap::new();
        for name in operators {
            let client = Client::login(addresses.clients, &jid(name), "desk", PASSWORD, accept.clone()).await?;
            clients.insert(name, client);
        }
        println!("{}", how_to_look(&password, &certificate));
        let shows = STAFF.iter().map(|(queue, _)| ((*queue).to_owned(), "unavailable".to_owned())).collect();
        Ok(Self { operators: clients, follower, shows, manager, daemon, server })
    }

    /// Plays the script; gives back what did not come out, where that is looked at.
    async fn play(&mut self, once: bool) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for step in &SCRIPT {
            println!("{} is {}", step.who, word(step.show));
            let client = self.operators.get(step.who).context("everybody is logged in")?;
            client.show(step.show, 0, "").await?;
            missing.extend(self.watch(step, once).await?);
        }
        Ok(missing)
    }

    /// Shows what the follower is told: until what the step changes has come out, or for a while.
    async fn watch(&mut self, step: &Step, once: bool) -> Result<Vec<String>> {
        let end = Instant::now() + if once { LIMIT } else { PAUSE };
        let mut due = step.changes.to_vec();
        while !(once && due.is_empty()) {
            let Ok(heard) = timeout_at(end, self.follower.next_presence(QUEUES)).await else { break };
            let heard = heard?;
            let queue = bare(&heard.from).split('@').next().unwrap_or_default().to_owned();
            let before = self.shows.insert(queue.clone(), heard.show.clone()).unwrap_or_default();
            let read = self.manager.public_show(&queue).await?;
            println!("    {queue:<4} {before:>11} -> {:<11}  {}  [HTTPS: {read}]", heard.show, heard.status);
            due.retain(|(name, show)| (*name, *show) != (&*queue, &*heard.show));
        }
        let mut missing = Vec::new();
        if once {
            let after = format!("after {} is {}", step.who, word(step.show));
            missing.extend(due.iter().map(|(queue, show)| format!("XMPP: {queue} is {show}, {after}")));
            for (queue, show) in step.changes {
                let read = self.wait_https(queue, show).await?;
                missing.extend(read.map(|read| format!("HTTPS: {queue} is {show}, {after}; it says {read}")));
            }
        }
        Ok(missing)
    }

    /// Waits until HTTPS says so; gives back what it says if it does not.
    async fn wait_https(&self, queue: &str, show: &str) -> Result<Option<String>> {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let mut read = String::new();
        let poll = async {
            while read != show {
                look.tick().await;
                read = self.manager.public_show(queue).await?;
            }
            Ok(())
        };
        match timeout(LIMIT, poll).await {
            Ok(done) => done.map(|()| None),
            Err(_) => Ok(Some(read)),
        }
    }

    /// Ends everything as it should be.
    async fn end(mut self) -> Result<()> {
        for (_, client) in self.operators {
            client.close().await?;
        }
        self.follower.close().await?;
        self.daemon.stop().await?;
        self.server.stop().await
    }
}

fn site(https: SocketAddr) -> Result<Site> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = top.join(STATE);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("could not remove {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    let examples = std::env::current_exe()?;
    let binaries = examples.ancestors().nth(2).context("the demo is an example of the build")?;
    Ok(Site {
        binary: binaries.join("rosterd"),
        folder: top.to_owned(),
        config: top.join("config/demo.toml"),
        state: folder.join("state"),
        https,
    })
}

async fn follower(server: SocketAddr) -> Result<Client> {
    let mut dave = Client::login(server, &jid("dave"), "phone", PASSWORD, Accept::Nobody).await?;
    dave.show("available", 0, "").await?;
    for (queue, _) in STAFF {
        let queue = format!("{queue}@{QUEUES}");
        dave.subscribe(&queue).await?;
        dave.wait_subscription(&queue, "subscribed").await?;
        dave.wait_presence(&queue, "that nobody is there", |heard| heard.show == "unavailable").await?;
    }
    Ok(dave)
}

fn how_to_look(password: &str, certificate: &Path) -> String {
    let certificate = certificate.display();
    let url = format!("https://localhost:{HTTPS}");
    let mut text =
        format!("\nURL:      {url}\nAccount:  demo\nPassword: {password}\n\nTo paste into another terminal:\n");
    for path in [format!("/presence/jid/law/{QUEUES}/text"), "/readyz".to_owned()] {
        let _ = writeln!(text, "  curl --cacert '{certificate}' {url}{path}; echo");
    }
    for path in ["queues", "users"] {
        let _ = writeln!(text, "  curl --cacert '{certificate}' -u 'demo:{password}' {url}/2011-12-03/{path}; echo");
    }
    text
}

fn jid(name: &str) -> String {
    format!("{name}@{USERS}")
}

fn password() -> Result<String> {
    let number = getrandom::u64().context("no random number")?;
    Ok(format!("{number:016x}"))
}

/// A show, as people say it.
fn word(show: &str) -> &str {
    match show {
        "dnd" => "busy (dnd)",
        "unavailable" => "offline",
        other => other,
    }
}
