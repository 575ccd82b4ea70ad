//! What is restored is what was backed up, and nothing that was there is lost.
#![cfg(test)]

use std::fs;

use super::*;
use crate::{
    domain::UnixTime,
    store::{
        Store,
        audit::tests::notes,
        dump::{self, Form},
        record::tests::{one_of_each, one_of_each_in_version_1, one_of_each_in_version_2},
    },
};

const ENDING: &str = "before-restore-20261122T023000Z";

fn filled(state: &Path) -> SledStore {
    let mut store = SledStore::open(state, 0).unwrap();
    let notes = notes().into_iter().map(|it| Write::Note(Box::new(it)));
    store.commit(&one_of_each().into_iter().map(Write::Put).chain(notes).collect::<Vec<_>>()).unwrap();
    store
}

fn backed_up(state: &Path) -> Vec<u8> {
    let store = SledStore::open(state, 0).unwrap();
    let mut out = Vec::new();
    let form = Form::Backup { written: UnixTime(1_700_000_000), files: dump::kept_files(state).unwrap() };
    dump::write_snapshot(&mut *store.trail().snapshot(true).unwrap(), form, &mut out, |_| ()).unwrap();
    out
}

fn read(file: &[u8]) -> Backup {
    let mut backup = Backup::default();
    (backup.head, _) = dump::read_parts(file, |part| backup.take(part)).unwrap();
    backup
}

#[test]
fn everything_comes_back() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = filled(from.path());
    // The log no longer begins at its beginning.
    store.commit(&[Write::Forget(UnixTime(1_700_000_002))]).unwrap();
    drop(store);
    fs::create_dir(from.path().join("tls")).unwrap();
    fs::write(from.path().join("tls/key.pem"), "a key").unwrap();
    let file = backed_up(from.path());
    assert_eq!(SledStore::restore(to.path(), 0, read(&file), false, ENDING).unwrap(), None);
    assert_eq!(fs::read_to_string(to.path().join("tls/key.pem")).unwrap(), "a key");
    assert_eq!(backed_up(to.path()), file, "and every number of the audit log");
    let mut store = SledStore::open(to.path(), 0).unwrap();
    assert_eq!(store.load().unwrap(), one_of_each());
    let numbers: Vec<_> = store.trail().before(None, 9).unwrap().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [4, 3, 2]);
    store.commit(&[Write::Put(Record::NextId(9))]).unwrap();
}

#[test]
fn what_was_there_is_kept() {
    let state = tempfile::tempdir().unwrap();
    drop(filled(state.path()));
    fs::create_dir(state.path().join("tls")).unwrap();
    fs::write(state.path().join("tls/key.pem"), "the old one").unwrap();
    let key = Kept { name: "tls/key.pem".to_owned(), mode: 0o600, text: "the new one".to_owned() };
    let backup = || Backup { records: vec![Record::NextId(77)], files: vec![key.clone()], ..Backup::default() };
    let there = SledStore::restore(state.path(), 0, backup(), false, ENDING).unwrap_err();
    assert!(matches!(there, StoreError::There(_)), "{there}");
    let aside = SledStore::restore(state.path(), 0, backup(), true, ENDING).unwrap().unwrap();
    assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), [Record::NextId(77)]);
    let read = |name: &str| fs::read_to_string(state.path().join("tls").join(name)).unwrap();
    assert_eq!((&*read("key.pem"), &*read(&format!("key.pem.{ENDING}"))), ("the new one", "the old one"));
    // Put back by hand, it is what it was.
    fs::rename(state.path().join("store"), state.path().join("restored")).unwrap();
    fs::rename(aside, state.path().join("store")).unwrap();
    assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), one_of_each());
}

#[test]
fn exports_of_every_version_are_restored() {
    let check = |file: &[u8], holds: &[Record]| {
        let state = tempfile::tempdir().unwrap();
        SledStore::restore(state.path(), 0, read(file), false, ENDING).unwrap();
        assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), holds);
    };
    check(include_bytes!("../../version1/export.jsonl"), &one_of_each_in_version_1());
    check(include_bytes!("../../version2/export.jsonl"), &one_of_each_in_version_2());
}

/// Each moment at which a restore can be broken off, as it looks on the disk.
#[test]
fn one_that_was_broken_off_is_finished_or_forgotten() {
    let check = |leave: &dyn Fn(&Path), holds: &[Record], key: &str| {
        let state = tempfile::tempdir().unwrap();
        drop(filled(state.path()));
        let at = |name: &str| state.path().join(name);
        // What there is before the first renaming: both stores, whole.
        fs::rename(at("store"), at("old")).unwrap();
        let folder = Folder::take(state.path(), 0).unwrap();
        let file = Kept { name: "tls/key.pem".to_owned(), mode: 0o600, text: "new".to_owned() };
        // In the way of what comes after the renaming.
        fs::write(at("tls"), "").unwrap();
        let records = vec![Record::NextId(77)];
        folder.replace(ENDING, &[file], |new| fill(&folder, new, (records, Vec::new()), None)).unwrap();
        drop(folder);
        fs::remove_file(at("tls")).unwrap();
        fs::rename(at("store"), at("store.restored")).unwrap();
        fs::rename(at("old"), at("store")).unwrap();
        leave(state.path());
        assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), holds);
        assert_eq!(fs::read_to_string(at("tls/key.pem")).unwrap_or_default(), key);
        for name in ["store.restored", "store/rosterd-files"] {
            assert!(!at(name).exists(), "{name}");
        }
        // And another one goes on from there.
        let again = Backup { records: vec![Record::NextId(88)], ..Backup::default() };
        SledStore::restore(state.path(), 0, again, true, "another").unwrap();
        assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), [Record::NextId(88)]);
    };
    let rename = |state: &Path, from: &str, to: &str| fs::rename(state.join(from), state.join(to)).unwrap();
    check(&|state| rename(state, "store.restored", "store.restoring"), &one_of_each(), "");
    check(&|_| (), &one_of_each(), "");
    check(&|state| rename(state, "store", "store.before"), &[Record::NextId(77)], "new");
    let both = |state: &Path| {
        rename(state, "store", "store.before");
        rename(state, "store.restored", "store");
    };
    check(&both, &[Record::NextId(77)], "new");
}

#[test]
fn only_known_files_are_put_in_place() {
    let file = Kept { name: "../../etc/passwd".to_owned(), mode: 0o644, text: String::new() };
    let state = tempfile::tempdir().unwrap();
    drop(filled(state.path()));
    let mut out = Vec::new();
    let store = SledStore::open(state.path(), 0).unwrap();
    let form = Form::Backup { written: UnixTime(0), files: vec![file] };
    dump::write_snapshot(&mut *store.trail().snapshot(true).unwrap(), form, &mut out, |_| ()).unwrap();
    let error = dump::read_parts(&*out, |_| ()).unwrap_err().to_string();
    assert!(error.contains("belongs into a backup"), "{error}");
}
