//! The page of `deploy/embed/` in a real browser: chromium, led by playwright, and the real daemon beside an XMPP server
//! inside of the test.

#[path = "../support/cable.rs"]
mod cable;
#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../../examples/support/frames.rs"]
mod frames;
#[path = "../support/https.rs"]
mod https;
#[path = "../support/in_process.rs"]
mod in_process;
#[path = "../support/manager.rs"]
mod manager;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../../examples/support/presence.rs"]
mod presence;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/ready.rs"]
mod ready;
#[path = "../support/script.rs"]
mod script;
#[path = "../support/site.rs"]
mod site;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/stage.rs"]
#[expect(dead_code, reason = "the scenarios need more of it")]
mod stage;
#[path = "../support/times.rs"]
mod times;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

use in_process::InProcess;
use process::LIMIT;
use stage::Stage;
use times::Times;

const CHROMIUM: &str = "/usr/bin/chromium";
/// Where playwright-core is put, once for all tests.
const LIBRARY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/playwright");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
/// What administrators copy.
const PAGE: &str = include_str!("../../deploy/embed/index.html");
/// What stands in it for the server.
const PLACE: &str = "https://chat.example.org:8443/presence/jid/law/queues.example.org";

/// Whether all is there. Where it is not, that is an error in CI, and loud elsewhere.
fn can_run() -> bool {
    let is_there = Path::new(CHROMIUM).exists().then_some(()).context("the package chromium is not installed");
    let trouble = match is_there.and_then(|()| fetch()) {
        Ok(()) => return true,
        Err(error) => format!("tests with a browser: {error:#} (./tests/run.sh installs what is needed)"),
    };
    assert!(std::env::var_os("CI").is_none(), "in CI this may not be skipped: {trouble}");
    skip::skip(&trouble);
    false
}

fn fetch() -> Result<()> {
    let output = Command::new(format!("{FOLDER}/playwright.sh")).arg(LIBRARY).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "playwright-core can not be had (npm and its registry are needed): {}",
        said.trim()
    );
    Ok(())
}

/// The page in the browser.
struct Opened {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Opened {
    async fn new(html: &Path, certificate: &Path) -> Result<Self> {
        let mut command = tokio::process::Command::from(process::command("node", &[]));
        command.arg(format!("{FOLDER}/page.mjs")).arg(format!("{LIBRARY}/node_modules/playwright-core"));
        command.args([CHROMIUM, &key_of(certificate)?]).arg(html);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn()?;
        let input = process.stdin.take().context("it has a standard input")?;
        let output = BufReader::new(process.stdout.take().context("it has a standard output")?).lines();
        let mut opened = Self { input, output, _process: process };
        opened.hears("opened").await?;
        Ok(opened)
    }

    /// Waits for its next line, which has to be this.
    async fn hears(&mut self, wanted: &str) -> Result<()> {
        let line =
            timeout(LIMIT, self.output.next_line()).await.with_context(|| format!("no {wanted:?} in {LIMIT:?}"))??;
        ensure!(line.as_deref() == Some(wanted), "{wanted:?} was to come from the page, not {line:?}");
        Ok(())
    }

    /// Waits until all three ways say `word`, after their interval has passed, and the picture `title`.
    async fn shows(&mut self, word: &str, title: &str) -> Result<()> {
        self.input.write_all(format!("{word} {title}\n").as_bytes()).await?;
        self.hears(&format!("seen {word} {title}")).await
    }

    async fn close(mut self) -> Result<()> {
        drop(self.input);
        let line = timeout(LIMIT, self.output.next_line()).await??;
        ensure!(line.as_deref() == Some("no errors"), "the console of the page: {line:?}");
        Ok(())
    }
}

/// The hash by which chromium knows the key of a certificate: of its `SubjectPublicKeyInfo`, in DER.
fn key_of(certificate: &Path) -> Result<String> {
    let mut command = Command::new("node");
    command.args(["-p", "new crypto.X509Certificate(fs.readFileSync(process.argv[1])).publicKey.export({ type: 'spki', format: 'der' }).toString('base64')"]);
    let output = command.arg(certificate).output()?;
    ensure!(output.status.success(), "no key: {}", String::from_utf8_lossy(&output.stderr));
    let key = BASE64_STANDARD.decode(String::from_utf8(output.stdout)?.trim())?;
    Ok(BASE64_STANDARD.encode(Sha256::digest(key)))
}

async fn three_ways() -> Result<()> {
    let mut stage = Stage::<InProcess>::set(&["ann"], Times::DEFAULT).await?;
    stage.lines("queue law: ann\nann: available\nhttps law: available").await?;
    let site = stage.site().clone();
    let queue = format!("https://{}/presence/jid/law/queues.localhost", site.https);
    ensure!(PAGE.matches(PLACE).count() == 4, "the page does not say {PLACE} any more");
    let html = stage.site().folder.join("index.html");
    fs::write(&html, PAGE.replace(PLACE, &queue))?;
    let mut page = Opened::new(&html, &site.certificate()).await?;
    page.shows("open", "Online").await?;
    for (show, word, title) in [("away", "away", "Away"), ("available", "open", "Online"), ("dnd", "busy", "Busy")] {
        stage.lines(&format!("ann: {show}\nhttps law: {show}")).await?;
        page.shows(word, title).await?;
    }
    stage.lines("ann leaves\nhttps law: unavailable").await?;
    page.shows("offline", "Offline").await?;
    stage.lines("ann: available\nhttps law: available").await?;
    page.shows("open", "Online").await?;
    page.close().await
}

#[tokio::test]
async fn a_page_of_another_origin_follows_a_queue_in_three_ways() {
    if can_run() {
        three_ways().await.unwrap();
    }
}
