//! Backups and restores as an administrator makes them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, anyhow, ensure};
use rosterd::{
    domain::{Account, AccountId, Name, Queue, QueueId, Record},
    store::dump,
};
use sha2::{Digest, Sha256};

use super::{Place, daemon::Daemon, place};

/// An export of so many queues, that of account `name`.
pub(super) fn export(name: &str, queues: u32) -> Result<String> {
    let account = AccountId::new(1).context("not 0")?;
    let parse = |text: &str| Name::parse(text, Name::QUEUE_MOST).map_err(|error| anyhow!("{error}"));
    let mut records =
        vec![Record::NextId(queues + 2), Record::Account(Account::owned(account, parse(name)?, "x".into()))];
    for number in 2..queues + 2 {
        let (id, name) = (QueueId::new(number).context("not 0")?, parse(&format!("queue{number}"))?);
        records.push(Record::Queue(Queue { id, account, name, email: None, avatar: None, transcripts: false }));
    }
    let mut text = Vec::new();
    dump::write_records(&records, &mut text, |_| ())?;
    Ok(String::from_utf8(text)?)
}

/// All lines but the first, which says when it was made, and the last, which is a checksum of all.
fn held(file: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(file)?;
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    Ok(lines.get(1..lines.len() - 1).context("it has a first line and a last one")?.to_vec())
}

/// The same backup as other hands may write it, down to the checksum: with the first two entries of the audit log the other way
/// round.
fn with_entries_swapped(backup: &str) -> Result<String> {
    let mut lines: Vec<_> = backup.lines().collect();
    let last = lines.pop().context("it has a last line")?;
    let first = lines.iter().position(|line| line.starts_with("{\"noted\":")).context("it has entries")?;
    lines.swap(first, first + 1);
    let text = lines.join("\n") + "\n";
    let sum: Vec<_> = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    let (start, _) = last.rsplit_once(":\"").context("it ends with a checksum")?;
    Ok(format!("{text}{start}:\"{}\"}}}}\n", sum.concat()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_backed_up_while_it_ran_comes_back() -> Result<()> {
    let place = place()?;
    let [file, again, after] = ["backup", "again", "after"].map(|name| place.file(name));
    place.good(&["account", "add", "acme", "--password-stdin"], "correct horse\n")?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    place.good(&["account", "add", "zoo", "--password-stdin"], "battery staple\n")?;
    place.good(&["token", "add", "acme", "--name", "wallboard", "--role", "viewer"], "")?;
    let said = place.good(&["backup", &file], "")?;
    ensure!(said.starts_with("4 records and 3 entries of the audit log backed up to "), "{said}");
    let bytes = fs::metadata(&file)?.len();
    ensure!(said.ends_with(&format!("({bytes} bytes)\n")), "{said}, and there are {bytes}");
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600);
    let there = place.bad(1, &["backup", &file], "")?;
    ensure!(there.contains("--force"), "{there}");
    place.good(&["backup", "--force", &file], "")?;
    for own in ["store/db", "store.restored", "tls/key.pem"] {
        let own = place.site.state.join(own).display().to_string();
        let refused = place.bad(1, &["backup", "--force", &own], "")?;
        ensure!(refused.contains("a file that rosterd needs itself"), "{refused}");
    }
    ensure!(place.good(&["backup", "-"], "")?.lines().count() == fs::read_to_string(&file)?.lines().count());
    let kept = held(&file)?;
    ensure!(
        kept.iter().filter(|line| line.starts_with("{\"file\":")).count() == 2,
        "a certificate and its key: {kept:?}"
    );

    place.good(&["account", "remove", "zoo"], "")?;
    place.good(&["account", "add", "later", "--password-stdin"], "a password\n")?;
    let runs = place.bad(75, &["restore", "--force", &file], "")?;
    ensure!(runs.contains(&format!("(process {})", daemon.process.id().as_raw_nonzero())), "{runs}");
    daemon.stop().await?;
    let closed = place.good(&["backup", &place.file("closed")], "")?;
    ensure!(closed.starts_with("4 records and 5 entries"), "without the daemon: {closed}");
    fs::remove_dir_all(place.site.state.join("tls"))?;

    let there = place.bad(1, &["restore", &file], "")?;
    ensure!(there.contains("there is a store in") && there.contains("--force"), "{there}");
    ensure!(place.accounts()? == ["acme", "later"], "nothing was touched");
    let restored = place.good(&["restore", "--force", &file], "")?;
    ensure!(restored.starts_with("4 records and 3 entries of the audit log restored from "), "{restored}");
    let aside = restored.lines().find_map(|line| line.strip_prefix("what was there before is kept in "));
    ensure!(fs::metadata(aside.context(restored.clone())?)?.is_dir(), "{restored}");

    daemon.start_again()?;
    daemon.serves().await?;
    place.good(&["backup", &after], "")?;
    ensure!(held(&after)? == kept, "it is what it was, and the certificate too");
    ensure!(place.accounts()? == ["acme", "zoo"]);
    daemon.stop().await?;
    fs::write(&again, fs::read_to_string(&file)?.replace("acme", "acne"))?;
    let damaged = place.bad(65, &["restore", "--force", &again], "")?;
    ensure!(damaged.contains("nothing was restored") && damaged.contains("checksum"), "{damaged}");
    fs::write(&again, with_entries_swapped(&fs::read_to_string(&file)?)?)?;
    let damaged = place.bad(65, &["restore", "--force", &again], "")?;
    ensure!(damaged.contains("nothing was restored") && damaged.contains("out of order"), "{damaged}");
    let import = place.bad(65, &["import", &file], "")?;
    ensure!(import.contains("rosterd restore"), "{import}");
    ensure!(place.accounts()? == ["acme", "zoo"]);
    Ok(())
}

#[test]
fn a_restore_that_is_killed_is_done_or_was_never_begun() -> Result<()> {
    let place = place()?;
    place.good(&["import", "-"], &export("old", 1)?)?;
    fs::write(place.file("backup"), export("new", 9_000)?)?;
    // What is there on the disk when it is killed, from the beginning to the end.
    let moments =
        ["store.restoring", "store.restoring/db", "store.restoring/rosterd-format", "store.restored", "aside"];
    let (mut old, mut new) = (0, 0);
    for moment in moments {
        let mut command = Command::new(&place.site.binary);
        command.args(["--config", &place.site.config.display().to_string(), "restore", "--force"]);
        command.arg(place.file("backup")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let is_there = || match moment {
            "aside" => asides(&place).is_ok_and(|aside| !aside.is_empty()),
            _ => place.site.state.join(moment).exists(),
        };
        while !is_there() && child.try_wait()?.is_none() {
            thread::yield_now();
        }
        child.kill()?;
        child.wait()?;
        match &*place.accounts()?.join(" ") {
            "old" => old += 1,
            "new" => new += 1,
            other => anyhow::bail!("killed when {moment} was there: {other:?}"),
        }
        if new > 0 {
            let said = place.good(&["export", &place.file("export")], "")?;
            ensure!(said.starts_with("9002 records"), "{said}");
            let [aside] = &asides(&place)?[..] else { anyhow::bail!("one is kept") };
            fs::remove_dir_all(place.site.state.join("store"))?;
            fs::rename(aside, place.site.state.join("store"))?;
            ensure!(place.accounts()? == ["old"], "what was there is kept");
            new = 0;
            old += 1;
        }
    }
    ensure!(old == moments.len(), "{old}");
    Ok(())
}

fn asides(place: &Place) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(&place.site.state)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(|path| path.to_string_lossy().contains("before-restore")).collect())
}
