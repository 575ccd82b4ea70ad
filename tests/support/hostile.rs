//! What nobody should send, and a daemon that it is sent to.

use std::{collections::BTreeMap, fs, net::SocketAddr, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    daemon::{Daemon, Site},
    manager::Manager,
    ports::Port,
    site::{Settings, site_for_tests},
};

/// Stanzas with these attributes, each with a word for it: what is too large, what is no XML, and what means nothing. Every
/// one of them ends.
pub(crate) fn stanzas(head: &str) -> Vec<(&'static str, Vec<u8>)> {
    let presence = |inside: &str| format!("<presence {head}>{inside}</presence>").into_bytes();
    let long = |size| "x".repeat(size);
    let mut all: Vec<(&'static str, Vec<u8>)> = vec![
        ("a long attribute, last", format!("<presence {head} id='{}'/>", long(9_000)).into()),
        ("a long attribute, first", format!("<presence id='{}' {head}/>", long(100_000)).into()),
        ("a long attribute of a child", presence(&format!("<x xmlns='y' a='{}'/>", long(9_000)))),
        ("a long type", format!("<presence {head} type='{}'/>", long(9_000)).into()),
        ("a long status", presence(&format!("<status>{}</status>", long(70_000)))),
        ("a longer status", presence(&format!("<status>{}</status>", long(200_000)))),
        ("a long message", format!("<message {head}><body>{}</body></message>", long(70_000)).into()),
        ("a long request", format!("<iq {head} id='1' type='get'><x xmlns='y'>{}</x></iq>", long(70_000)).into()),
        ("many attributes", {
            let many: Vec<_> = (0..100).map(|number| format!("a{number}=''")).collect();
            format!("<presence {head} {}/>", many.join(" ")).into()
        }),
        ("many children", presence(&"<show/>".repeat(5_000))),
        ("children in children", presence(&format!("{}{}", "<a>".repeat(900), "</a>".repeat(900)))),
    ];
    let inside = [
        ("an empty show", "<show/>"),
        ("a show that there is not", "<show>online</show>"),
        ("a show that is a type", "<show>unavailable</show>"),
        ("two shows", "<show>xa</show><show>chat</show>"),
        ("a priority that is too high", "<priority>999</priority>"),
        ("a priority that is too low", "<priority>-129</priority>"),
        ("a priority that is no number", "<priority>abc</priority>"),
        ("an empty priority", "<priority/>"),
        ("a reference to NUL", "<status>&#0;</status>"),
        ("NUL", "<status>\0</status>"),
        ("a control character", "<status>\u{1}</status>"),
        ("an entity that nobody declared", "<status>&lol;</status>"),
        ("an entity declaration", "<!DOCTYPE l [<!ENTITY a 'x'><!ENTITY b '&a;&a;&a;'>]><status>&b;</status>"),
        ("a processing instruction", "<?php echo '</presence>' ?>"),
        ("a comment", "<!-- </presence> > -->"),
        ("a prefix that nobody declared", "<x:y/>"),
        ("tags that cross", "<a><b></a></b>"),
    ];
    all.extend(inside.map(|(word, inside)| (word, presence(inside))));
    let begin = format!("<presence {head}><status>");
    let no_utf8: [&[u8]; 3] = [begin.as_bytes(), b"\xff\xfe\xc0\xbc", b"</status></presence>"];
    all.push(("bytes that are no UTF-8", no_utf8.concat()));
    let tags = [
        ("a presence of a type that there is not", format!("<presence {head} type='weird'/>")),
        ("a message of a type that there is not", format!("<message {head} type='weird'><body>x</body></message>")),
        ("a request of a type that there is not", format!("<iq {head} id='1' type='weird'><x xmlns='y'/></iq>")),
        ("a request without an id", format!("<iq {head} type='get'><x xmlns='y'/></iq>")),
        ("a stanza that there is not", format!("<weird {head}/>")),
        ("a stanza of another namespace", format!("<presence xmlns='urn:x' {head}/>")),
        ("an error that nobody asked for", format!("<iq {head} id='1' type='error'/>")),
    ];
    all.extend(tags.map(|(word, stanza)| (word, stanza.into_bytes())));
    all
}

/// A daemon with a queue, law, which ann staffs; eve is a user who staffs nothing.
pub(crate) struct Besieged {
    pub(crate) manager: Manager,
    daemon: Daemon,
    site: Site,
    began: std::time::Instant,
    _folder: TempDir,
    _port: Port,
}

impl Besieged {
    /// Starts it, and waits until it does its work.
    #[expect(clippy::disallowed_methods, reason = "how long it lasts says how often somebody may be named")]
    pub(crate) async fn start(server: SocketAddr, sweep_quiet: &'static str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rosterd-").tempdir()?;
        let port = Port::free()?;
        let settings = Settings { sweep_quiet, ..Settings::new(server, port.address()) };
        let site = site_for_tests(folder.path(), &settings)?;
        site.add_account("manager", "a password for tests")?;
        let began = std::time::Instant::now();
        let mut daemon = Daemon::start(site.clone())?;
        daemon.ready().await?;
        let mut manager = Manager::login(daemon.https()?, "manager", "a password for tests").await?;
        manager.create_queue("law").await?;
        manager.create_user("ann").await?;
        manager.create_user("eve").await?;
        manager.assign("ann", "law").await?;
        Ok(Self { manager, daemon, site, began, _folder: folder, _port: port })
    }

    /// Everything that it has printed.
    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    /// What `rosterd status` says of queues and operators, without the counts of what should not happen, and of tasks.
    pub(crate) fn seen(&self) -> Result<Value> {
        let mut status = self.status()?;
        let fields = status.as_object_mut().context("the status is an object")?;
        for counts in ["tally", "tasks"] {
            ensure!(fields.remove(counts).is_some(), "the status has no {counts}");
        }
        Ok(status)
    }

    /// What `rosterd status` says.
    pub(crate) fn status(&self) -> Result<Value> {
        let mut command = Command::new(&self.site.binary);
        command.current_dir(&self.site.folder).arg("--config").arg(&self.site.config).args(["status", "--json"]);
        let output = command.output()?;
        ensure!(output.status.success(), "status: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// How much memory it has, in KiB.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.daemon.process.id().as_raw_nonzero()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc says how much")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The link is the one that it was from the beginning, and nobody was named more often than once a minute.
    pub(crate) fn has_held(&self) -> Result<()> {
        let log = self.log();
        let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        ensure!((count("link up"), count("link down")) == (1, 0), "the link did not hold\n{log}");
        ensure!(!log.contains("panicked"), "something panicked\n{log}");
        let mut named = BTreeMap::<&str, u64>::new();
        for line in log.lines().filter(|line| line.contains("stanza dropped")) {
            let (_, after) = line.split_once("from=").context("the sender is named")?;
            *named.entry(after.split(' ').next().unwrap_or_default()).or_default() += 1;
        }
        let most = self.began.elapsed().as_secs() / 60 + 1;
        ensure!(!named.is_empty(), "nobody was named");
        ensure!(named.values().all(|times| *times <= most), "named more often than {most} times: {named:?}");
        ensure!(named.len() <= 300 * usize::try_from(most)?, "{} senders were named", named.len());
        Ok(())
    }
}
