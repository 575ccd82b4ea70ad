//! A store that was damaged on purpose, as the command line meets it: everything is there, or a sentence says what is wrong
//! and what to do.

use std::{fs, os::unix::fs::FileExt, path::Path};

use anyhow::{Context, Result, anyhow, ensure};
use rosterd::{
    domain::{Account, AccountId, BareJid, Key, Name, Operator, Queue, QueueId, Record, User, UserId},
    store::{dump, record},
};

use super::{Place, backup, daemon::Daemon, place};

#[derive(Debug, Clone, Copy)]
enum Damage {
    Cut,
    Flip,
    Zero,
    Remove,
}

impl Damage {
    /// Damages a file at a place, in thousandths of its length.
    fn make(self, path: &Path, thousandth: u64) -> Result<()> {
        let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        let len = file.metadata()?.len();
        let at = (len * thousandth / 1_000).min(len.saturating_sub(1));
        match self {
            Self::Cut => file.set_len(at)?,
            Self::Flip => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, at)?;
                file.write_all_at(&[byte[0] ^ 0x41], at)?;
            }
            Self::Zero => file.write_all_at(&vec![0; usize::try_from((len - at).min(4_096))?], at)?,
            Self::Remove => fs::remove_file(path)?,
        }
        Ok(())
    }
}

/// A place with a store that was opened and written to a few times.
fn lived_in() -> Result<Place> {
    let place = place()?;
    place.good(&["import", "-"], &backup::export("acme", 400)?)?;
    for name in ["zoo", "law"] {
        place.good(&["account", "add", name, "--password-stdin"], "a password\n")?;
    }
    Ok(place)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy(&entry.path(), &to)? } else { fs::copy(entry.path(), to).map(drop)? }
    }
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let files = fs::read_dir(folder)?.filter_map(Result::ok).filter(|entry| entry.path().is_file());
    let mut names: Vec<_> = files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// What each command says of this store; whether they could read it.
fn is_readable(place: &Place, what: &str, whole: &str) -> Result<bool> {
    let store = place.site.state.join("store");
    let doctor = place.rosterd(&["doctor"], "")?;
    ensure!(!doctor.error.contains("panicked"), "{what}: {doctor:?}");
    let said = place.rosterd(&["export", "-"], "")?;
    if said.code == Some(0) {
        ensure!(said.out == whole, "{what}: something is missing, and nobody said so");
        // One that takes too much for lost would be wrong, too; but what is opened mends what it can.
        return Ok(true);
    }
    ensure!(doctor.code == Some(4) && doctor.out.contains("problem  store"), "{what}: {doctor:?}");
    let serve: &[&str] = &["serve"];
    for arguments in [serve, &["export", "-"], &["backup", "-"]] {
        let said = place.rosterd(arguments, "")?;
        ensure!(said.code == Some(74), "{what}: {arguments:?}: {said:?}");
        let clear = said.error.lines().last().is_some_and(|line| {
            let damaged = line.contains("is damaged: ") && line.contains("restore --force FILE");
            line.starts_with("rosterd: ") && (damaged || line.contains("is no store that this version"))
        });
        ensure!(clear && !said.error.contains("panicked"), "{what}: {arguments:?}: {}", said.error);
    }
    ensure!(store.exists(), "{what}: what is damaged is kept");
    Ok(false)
}

#[test]
fn damage_ends_in_a_clear_message_and_a_way_out() -> Result<()> {
    let place = lived_in()?;
    let (store, good) = (place.site.state.join("store"), place.folder.path().join("good"));
    let (whole, saved) = (place.good(&["export", "-"], "")?, place.file("saved"));
    place.good(&["backup", &saved], "")?;
    fs::rename(&store, &good)?;
    let (mut readable, mut refused) = (0, 0);
    for name in names(&good)? {
        let kinds =
            [(Damage::Remove, 0), (Damage::Cut, 0), (Damage::Cut, 600), (Damage::Flip, 500), (Damage::Zero, 300)];
        for (kind, at) in kinds {
            let what = format!("{name}: {kind:?} at {at} of 1000");
            if store.exists() {
                fs::remove_dir_all(&store)?;
            }
            copy(&good, &store)?;
            kind.make(&store.join(&name), at)?;
            if is_readable(&place, &what, &whole)? {
                readable += 1;
            } else {
                refused += 1;
            }
        }
    }
    ensure!(readable > 0 && refused > 8, "{readable} could be read, {refused} not");
    // The way out, from the last one that could not.
    fs::write(store.join("rosterd-acknowledged"), "")?;
    let said = place.good(&["restore", "--force", &saved], "")?;
    let aside = said.lines().find_map(|line| line.strip_prefix("what was there before is kept in "));
    ensure!(fs::read(Path::new(aside.context(said.clone())?).join("rosterd-acknowledged"))?.is_empty(), "{said}");
    ensure!(place.good(&["export", "-"], "")? == whole);
    Ok(())
}

#[test]
fn what_is_not_ours_is_left_alone() -> Result<()> {
    let place = lived_in()?;
    let store = place.site.state.join("store");
    let whole = place.good(&["export", "-"], "")?;
    let format = fs::read(store.join("rosterd-format"))?;
    fs::write(store.join("rosterd-format"), "rosterd store 2, sled 0.34\n")?;
    ensure!(!is_readable(&place, "a later format", &whole)?);
    fs::write(store.join("rosterd-format"), format)?;
    ensure!(is_readable(&place, "as it was", &whole)?);
    fs::rename(&store, place.folder.path().join("good"))?;
    fs::create_dir(&store)?;
    fs::write(store.join("letter.txt"), "of somebody else")?;
    ensure!(!is_readable(&place, "a foreign folder", &whole)?);
    ensure!(names(&store)? == ["letter.txt"], "nothing came, and nothing went");
    Ok(())
}

/// An account with a queue that 200 users staff.
fn staffed() -> Result<Vec<Record>> {
    let (account, queue) = (AccountId::new(1).context("not 0")?, QueueId::new(2).context("not 0")?);
    let name = |text: &str| Name::parse(text, Name::QUEUE_MOST).map_err(|error| anyhow!("{error}"));
    let law = Queue { id: queue, account, name: name("law")?, email: None, avatar: None, transcripts: false };
    let mut records = vec![
        Record::NextId(203),
        Record::Account(Account::owned(account, name("acme")?, "x".into())),
        Record::Queue(law),
    ];
    for number in 3..203 {
        let user = UserId::new(number).context("not 0")?;
        let jid = BareJid::parse(&format!("user{number}@localhost")).map_err(|error| anyhow!(error))?;
        records.push(Record::User(User { id: user, account, name: name(&format!("user{number}"))?, jid, email: None }));
        records.push(Record::Operator(Operator { queue, user, suspended: None }));
    }
    records.sort_by_cached_key(Record::key);
    Ok(records)
}

/// Flips a bit of what is kept under this key, as the database has it.
fn damage(store: &Path, key: &Key) -> Result<()> {
    let db = sled::Config::new().path(store).segment_size(4 << 20).flush_every_ms(None).open()?;
    let key = record::write_key(key);
    let mut value = db.get(&key)?.context("it is there")?.to_vec();
    *value.last_mut().context("it is not empty")? ^= 1;
    db.insert(key, value)?;
    db.flush()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_read_of_a_damaged_store_is_saved() -> Result<()> {
    let place = place()?;
    let (mut records, saved) = (staffed()?, place.file("saved"));
    let mut text = Vec::new();
    dump::write_records(&records, &mut text, |_| ())?;
    place.good(&["import", "-"], &String::from_utf8(text)?)?;
    let whole = place.good(&["doctor", "--salvage", &place.file("whole")], "")?;
    ensure!(whole.starts_with("403 records saved to "), "{whole}");

    let user = UserId::new(50).context("not 0")?;
    damage(&place.site.state.join("store"), &Key::User(user))?;
    let refused = place.bad(74, &["account", "list"], "")?;
    ensure!(refused.contains("user 50") && refused.contains("rosterd doctor --salvage FILE"), "{refused}");
    let said = place.rosterd(&["doctor", "--salvage", &saved], "")?;
    ensure!(said.code == Some(3) && said.out.starts_with("401 records saved to "), "{said:?}");
    for lost in ["lost: user 50: its checksum does not match", "there is no user 50, so it is left out"] {
        ensure!(said.error.contains(lost), "{lost}: {said:?}");
    }
    ensure!(fs::read_to_string(&saved)?.lines().next().is_some_and(|line| line.contains("user 50")), "it is marked");
    ensure!(place.bad(74, &["account", "list"], "")? == refused, "the store is as it was");

    // It is no export that somebody takes for a whole one.
    ensure!(place.bad(65, &["import", &saved], "")?.contains("the file is incomplete"));
    let incomplete = place.bad(65, &["restore", "--force", &saved], "")?;
    ensure!(incomplete.contains("user 50") && incomplete.contains("--accept-losses"), "{incomplete}");
    let restored = place.good(&["restore", "--force", "--accept-losses", &saved], "")?;
    ensure!(restored.starts_with("401 records ") && restored.contains("is not there"), "{restored}");
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    records.retain(|it| {
        !matches!(it, Record::User(it) if it.id == user) && !matches!(it, Record::Operator(it) if it.user == user)
    });
    let mut wanted = Vec::new();
    dump::write_records(&records, &mut wanted, |_| ())?;
    ensure!(place.good(&["export", "-"], "")?.as_bytes() == wanted, "everything else is there");
    let runs = place.bad(75, &["doctor", "--salvage", &place.file("again")], "")?;
    ensure!(runs.contains("has to be stopped first"), "{runs}");
    daemon.stop().await
}
