//! What a store on a disk keeps, and what it says of one that is damaged.
#![cfg(test)]

use std::fs::OpenOptions;

use super::{
    super::record::tests::{of_version, one_of_each, one_of_each_in_version_1, one_of_each_in_version_2},
    *,
};
use crate::domain::{AccountId, BareJid, Key, Queue, QueueId, Subscriber, UnixTime};

#[test]
fn what_was_committed_is_there_after_reopening() {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    assert_eq!(store.load().unwrap(), []);
    store.commit(&puts(one_of_each())).unwrap();
    assert_eq!(store.load().unwrap(), one_of_each());
    drop(store);
    let mut store = SledStore::open(state.path(), 0).unwrap();
    assert_eq!(store.load().unwrap(), one_of_each());
    // Again, and what is not there: neither counts.
    store.commit(&puts(one_of_each())).unwrap();
    store.commit(&[Write::Delete(Key::Account(AccountId::new(9).unwrap()))]).unwrap();
    assert_eq!(store.load().unwrap(), one_of_each());
    let deletes: Vec<_> = one_of_each().iter().map(|record| Write::Delete(record.key())).collect();
    store.commit(&deletes[1..]).unwrap();
    drop(store);
    assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), [Record::NextId(4)]);
}

#[test]
fn stores_of_earlier_versions_are_read_and_go_on() {
    goes_on(1, &one_of_each_in_version_1());
    goes_on(2, &one_of_each_in_version_2());
}

#[test]
fn an_upgrade_that_is_killed_anywhere_goes_on() {
    for (version, holds) in [(1, one_of_each_in_version_1()), (2, one_of_each_in_version_2())] {
        // Record by record they are written in the form of today, and after each one there is another process.
        let state = of_earlier_version(version);
        for (done, record) in holds.iter().enumerate() {
            let mut store = SledStore::open(state.path(), 0).unwrap();
            assert_eq!(store.load().unwrap(), holds, "version {version}, {done} written anew");
            store.commit(&puts(vec![record.clone()])).unwrap();
        }
        // A large change is made in several commits, and every one of them may be the last of its process.
        let state = of_earlier_version(version);
        let change = puts([many(2 * CHUNK + 1), holds.clone()].concat());
        for chunks_made in 0..3 {
            broken_off(state.path(), &change, chunks_made);
            let mut store = SledStore::open(state.path(), 0).unwrap();
            let found = store.load().unwrap();
            assert!(holds.iter().all(|record| found.contains(record)), "version {version}, {chunks_made} chunks made");
        }
        let store = SledStore::open(state.path(), 0).unwrap();
        let written = store.db.range(record::write_key(&Key::NextId)..audit::START.to_vec());
        let versions: Vec<_> = written.map(|item| item.unwrap().1[0]).collect();
        assert!(versions.iter().all(|written| *written == record::VERSION), "{versions:?}");
    }
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let state = of_earlier_version(2);
    let write = |version| {
        let store = SledStore::open(state.path(), 0).unwrap();
        let mut counts = store.db.get(COUNTS_KEY).unwrap().unwrap().to_vec();
        counts[0] = version;
        store.db.insert(COUNTS_KEY, counts).unwrap();
    };
    write(record::VERSION + 1);
    let error = SledStore::open(state.path(), 0).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("a later rosterd has written version 4, and this one reads versions 1 to 3"), "{text}");
    assert!(text.contains("use the version that made it"), "{text}");
}

fn goes_on(version: u8, holds: &[Record]) {
    let state = of_earlier_version(version);
    let mut store = SledStore::open(state.path(), 0).unwrap();
    assert_eq!(store.load().unwrap(), holds);
    store.commit(&puts(one_of_each())).unwrap();
    drop(store);
    assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), one_of_each());
}

/// A store's folder as that version left it.
fn of_earlier_version(version: u8) -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    let store = SledStore::open(state.path(), 0).unwrap();
    for (key, value) in of_version(version) {
        store.db.insert(key, value).unwrap();
    }
    let counts = serde_json::json!({ "commits": 0, "records": [1, 1, 1, 1, 1, 1, 1], "pending": false });
    let mut counts = record::seal(&COUNTS_KEY, &counts);
    counts[0] = version;
    store.db.insert(COUNTS_KEY, counts).unwrap();
    drop(store);
    state
}

#[test]
fn the_last_write_to_a_key_in_a_change_counts() {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    let put = |next| Write::Put(Record::NextId(next));
    store.commit(&[put(1), Write::Delete(Key::NextId), put(2), put(3)]).unwrap();
    assert_eq!(store.load().unwrap(), [Record::NextId(3)]);
    store.commit(&[put(4), Write::Delete(Key::NextId)]).unwrap();
    assert_eq!(store.load().unwrap(), []);
}

#[test]
fn a_large_change_is_made_in_chunks() {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    let many = many(2 * CHUNK + 1);
    store.commit(&puts(many.clone())).unwrap();
    assert_eq!(store.counts.commits, 3);
    assert!(!store.folder.pending().exists());
    assert_eq!(store.load().unwrap(), many);
    let deletes: Vec<_> = many.iter().map(|record| Write::Delete(record.key())).collect();
    store.commit(&deletes).unwrap();
    drop(store);
    assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), []);
}

#[test]
fn a_large_change_that_was_broken_off_is_finished() {
    let change = puts(many(2 * CHUNK + 1));
    for chunks_made in 0..3 {
        let state = tempfile::tempdir().unwrap();
        broken_off(state.path(), &change, chunks_made);
        let mut store = SledStore::open(state.path(), 0).unwrap();
        assert_eq!(store.load().unwrap(), many(2 * CHUNK + 1));
        assert!(!store.folder.pending().exists() && !store.counts.pending);
    }
}

#[test]
fn a_large_change_that_was_broken_off_and_lost_is_named() {
    let state = tempfile::tempdir().unwrap();
    broken_off(state.path(), &puts(many(CHUNK + 1)), 1);
    let path = state.path().join("store/rosterd-pending");
    let len = path.metadata().unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 3).unwrap();
    refused(state.path(), "its file rosterd-pending is damaged: the file was cut short");
    fs::remove_file(path).unwrap();
    refused(state.path(), "its file rosterd-pending is missing");
}

#[test]
fn records_that_are_missing_or_too_many_are_named() {
    let check = |change: &dyn Fn(&Db), what: &str| {
        let state = filled();
        let store = SledStore::open(state.path(), 0).unwrap();
        change(&store.db);
        drop(store);
        refused(state.path(), what);
    };
    let [.., operator, _, session, _] = &one_of_each()[..] else { unreachable!() };
    let key = |record: &Record| record::write_key(&record.key());
    check(&|db| drop(db.remove(key(session)).unwrap()), "there are 0 of 1 records of the kind session");
    check(
        &|db| {
            let Record::Session(session) = session.clone() else { unreachable!() };
            let other = Record::Session(crate::domain::Session { token: crate::domain::TokenHash([1; 32]), ..session });
            db.insert(key(&other), record::write_value(&other)).unwrap();
        },
        "there are 2 of 1 records of the kind session",
    );
    check(&|db| drop(db.insert(key(operator), "x").unwrap()), "operator 3 of queue 2: there is too little of it");
    check(&|db| drop(db.insert([99], "x").unwrap()), "the unknown key 63: there is too little of it");
    check(&|db| drop(db.remove(COUNTS_KEY).unwrap()), "the record of its counts is missing");
    check(&|db| drop(db.insert(COUNTS_KEY, "x").unwrap()), "the record of its counts: there is too little of it");
}

#[test]
fn commits_that_are_missing_are_named() {
    let state = filled();
    let earlier = tempfile::tempdir().unwrap();
    copy(&state.path().join("store"), &earlier.path().join("store"));
    let mut store = SledStore::open(state.path(), 0).unwrap();
    store.commit(&[Write::Put(Record::NextId(5))]).unwrap();
    drop(store);
    // As when the end of the log is lost, or an old copy of it was put back.
    fs::copy(state.path().join("store/rosterd-acknowledged"), earlier.path().join("store/rosterd-acknowledged"))
        .unwrap();
    refused(earlier.path(), "it ends after commit 1, and 2 were acknowledged");
    fs::write(earlier.path().join("store/rosterd-acknowledged"), "2").unwrap();
    refused(earlier.path(), "its file rosterd-acknowledged can not be read");
    fs::remove_file(earlier.path().join("store/rosterd-acknowledged")).unwrap();
    refused(earlier.path(), "its file rosterd-acknowledged is missing");
}

#[test]
fn nothing_is_written_when_there_is_little_room() {
    let state = filled();
    let mut store = SledStore::open(state.path(), u64::MAX).unwrap();
    let refused = |store: &mut SledStore| {
        let error = store.commit(&[Write::Put(Record::NextId(5))]).unwrap_err();
        assert!(matches!(error, StoreError::Short { floor: u64::MAX, .. }), "{error}");
    };
    refused(&mut store);
    assert_eq!(store.load().unwrap(), one_of_each());
    refused(&mut store);
    // Once there is room, it goes on.
    drop(store);
    SledStore::open(state.path(), 0).unwrap().commit(&[Write::Put(Record::NextId(5))]).unwrap();
}

#[test]
fn a_snapshot_that_was_broken_off_is_passed_over() {
    let state = filled();
    fs::write(state.path().join("store/snap.00000000000F0000.generating"), "half").unwrap();
    assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), one_of_each());
}

#[test]
fn nothing_is_too_large_for_the_log() {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    let mut records: Vec<_> = (1..=20).map(|id| queue_of(id, 300_000)).collect();
    let domain = "d".repeat(1_000);
    let jid = |number: u32| BareJid::prepared(&format!("{number}{}@{domain}", "l".repeat(1_000)));
    let queue = QueueId::new(1).unwrap();
    records.extend((10_000..14_500).map(|number| Record::Subscriber(Subscriber { queue, jid: jid(number) })));
    store.commit(&puts(records.clone())).unwrap();
    for record in &records[..20] {
        store.commit(&[Write::Put(record.clone())]).unwrap();
    }
    assert_eq!(fs::read_dir(store.folder.store().join("blobs")).unwrap().count(), 0);
    assert_eq!(store.load().unwrap(), records);
    drop(store);
    assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), records);
}

#[test]
fn values_are_kept_in_parts_and_leave_none_behind() {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    let head = record::write_value(&queue_of(2, 0)).len();
    let lengths = [PART - 1, PART, PART + 1, 3 * PART, 2 * PART, head, 2 * PART - 1, PART];
    for length in lengths {
        let record = queue_of(2, length - head);
        assert_eq!(record::write_value(&record).len(), length);
        store.commit(&[Write::Put(record.clone())]).unwrap();
        assert_eq!(store.load().unwrap(), [record]);
        assert_eq!(store.db.len(), 2 + length / PART);
    }
    store.commit(&[Write::Delete(queue_of(2, 0).key())]).unwrap();
    assert_eq!((store.load().unwrap(), store.db.len()), (vec![], 1));
    store.commit(&[Write::Put(queue_of(2, 3 * PART))]).unwrap();
    store.db.remove(part_key(&record::write_key(&queue_of(2, 0).key()), 2)).unwrap();
    drop(store);
    refused(state.path(), "queue 2: a part of it is missing");
}

fn note(at: u64) -> Write {
    Write::Note(Box::new(Noted { at: UnixTime(at), ..audit::tests::notes().remove(0) }))
}

/// Numbers and moments of the audit log, newest first.
fn noted(store: &SledStore) -> Vec<(u64, u64)> {
    let trail = store.trail();
    let all = trail.before(None, usize::MAX).unwrap();
    assert_eq!(trail.oldest(), all.last().map(|(_, noted)| noted.at));
    all.iter().map(|(number, noted)| (*number, noted.at.0)).collect()
}

#[test]
fn the_audit_log_goes_along_and_is_not_loaded() {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    assert_eq!(noted(&store), []);
    store.commit(&[Write::Put(Record::NextId(4)), note(10), note(11)]).unwrap();
    store.commit(&[note(12)]).unwrap();
    assert_eq!(noted(&store), [(2, 12), (1, 11), (0, 10)]);
    assert_eq!(store.trail().before(Some(2), 1).unwrap()[0].0, 1);
    drop(store);
    let mut store = SledStore::open(state.path(), 0).unwrap();
    assert_eq!(store.load().unwrap(), [Record::NextId(4)]);
    assert_eq!(noted(&store), [(2, 12), (1, 11), (0, 10)]);
    store.commit(&[Write::Forget(UnixTime(12)), note(13)]).unwrap();
    assert_eq!(noted(&store), [(3, 13), (2, 12)]);
    store.commit(&[Write::Forget(UnixTime(99))]).unwrap();
    assert_eq!(noted(&store), []);
    store.commit(&[note(14)]).unwrap();
    assert_eq!(noted(&store), [(4, 14)], "no number is given twice");
    store.db.insert(audit::key(4), "x").unwrap();
    let error = store.trail().before(None, 9).unwrap_err().to_string();
    assert!(error.contains("entry 4 of the audit log: there is too little of it"), "{error}");
}

#[test]
fn the_audit_log_is_bounded() {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap().with_audit_most(5);
    store.commit(&(0..9).map(note).collect::<Vec<_>>()).unwrap();
    assert_eq!(noted(&store), [(8, 8), (7, 7), (6, 6), (5, 5), (4, 4)]);
    assert_eq!(store.db.len(), 12, "each with its place, the share of who made them, and the counts");
    // A lower bound is reached with what is noted, and at most a thousand are forgotten in one go.
    let mut store = {
        drop(store);
        SledStore::open(state.path(), 0).unwrap().with_audit_most(3)
    };
    store.commit(&[note(9)]).unwrap();
    assert_eq!(noted(&store).len(), 4);
    store.commit(&[note(10)]).unwrap();
    assert_eq!(noted(&store), [(10, 10), (9, 9), (8, 8)]);
    let mut store = {
        drop(store);
        SledStore::open(state.path(), 0).unwrap()
    };
    store.commit(&(11..2_000).map(note).collect::<Vec<_>>()).unwrap();
    store.commit(&[Write::Forget(UnixTime(5_000))]).unwrap();
    assert_eq!(noted(&store).len(), 1_992 - super::ledger::FORGET_MOST);
}

#[test]
fn each_account_has_its_share_of_the_audit_log() {
    let state = tempfile::tempdir().unwrap();
    let of = |account: u32, at: u64| {
        Write::Note(Box::new(Noted {
            at: UnixTime(at),
            account: AccountId::new(account),
            ..audit::tests::notes().remove(0)
        }))
    };
    let open = || SledStore::open(state.path(), 0).unwrap().with_audit_most(5);
    open().commit(&[of(1, 1), of(2, 2), of(1, 3)]).unwrap();
    for at in 10..20 {
        open().commit(&[of(7, at), of(7, at)]).unwrap();
    }
    assert_eq!(
        noted(&open()),
        [(22, 19), (21, 19), (2, 3), (1, 2), (0, 1)],
        "who changes much pushes out nobody else's"
    );
    let mut store = open();
    store.commit(&[of(1, 30), of(1, 31)]).unwrap();
    assert_eq!(noted(&store), [(24, 31), (23, 30), (22, 19), (21, 19), (1, 2)]);
    store.commit(&[Write::Forget(UnixTime(20))]).unwrap();
    assert_eq!(noted(&store), [(24, 31), (23, 30)]);
    assert_eq!(store.db.len(), 2 + 2 + 1 + 1, "nothing is left of whom nothing is kept");
}

#[test]
fn a_log_of_before_there_were_shares_is_shared_out() {
    let state = tempfile::tempdir().unwrap();
    let store = SledStore::open(state.path(), 0).unwrap();
    let count = CHUNK as u64 + 10;
    for number in 0..count {
        let account = AccountId::new(if number < 2 { 1 } else { 2 });
        let noted = Noted { at: UnixTime(number), account, ..audit::tests::notes().remove(0) };
        store.db.insert(audit::key(number), audit::write(number, &noted)).unwrap();
    }
    let counts = serde_json::json!({
        "commits": 0, "records": [0, 0, 0, 0, 0, 0, 0], "pending": false, "audit": { "first": 0, "next": count },
    });
    store.db.insert(COUNTS_KEY, record::seal(&COUNTS_KEY, &counts)).unwrap();
    drop(store);
    for opened in 0..2 {
        let mut store = SledStore::open(state.path(), 0).unwrap().with_audit_most(count - 2);
        store.commit(&[note(count + opened)]).unwrap();
        let kept = noted(&store);
        assert_eq!(
            (kept.len() as u64, &kept[kept.len() - 3..]),
            (count - 1 - opened, &[(4 + 2 * opened, 4 + 2 * opened), (1, 1), (0, 0)][..])
        );
        assert!(store.counts.audit_shares);
    }
}

#[test]
fn an_oldest_entry_that_can_not_be_read_is_forgotten() {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    store.commit(&[note(5), note(6)]).unwrap();
    store.db.insert(audit::key(0), "x").unwrap();
    drop(store);
    let mut store = SledStore::open(state.path(), 0).unwrap();
    store.load().unwrap();
    assert_eq!(store.trail().oldest(), Some(UnixTime(0)));
    store.commit(&[Write::Forget(UnixTime(3))]).unwrap();
    assert_eq!((store.trail().oldest(), noted(&store)), (Some(UnixTime(6)), vec![(1, 6)]));
}

#[test]
fn a_large_change_that_is_made_again_is_noted_once() {
    let mut change = puts(many(2 * CHUNK + 1));
    change.push(note(7));
    change.insert(0, note(6));
    for chunks_made in 0..3 {
        let state = tempfile::tempdir().unwrap();
        SledStore::open(state.path(), 0).unwrap().commit(&[note(5)]).unwrap();
        broken_off(state.path(), &change, chunks_made);
        let store = SledStore::open(state.path(), 0).unwrap();
        assert_eq!(noted(&store), [(2, 7), (1, 6), (0, 5)], "{chunks_made}");
    }
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    store.commit(&change).unwrap();
    assert_eq!(noted(&store), [(1, 7), (0, 6)]);
}

fn puts(records: Vec<Record>) -> Vec<Write> {
    records.into_iter().map(Write::Put).collect()
}

fn filled() -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    SledStore::open(state.path(), 0).unwrap().commit(&puts(one_of_each())).unwrap();
    state
}

fn many(count: usize) -> Vec<Record> {
    let Record::Session(session) = one_of_each().swap_remove(6) else { unreachable!() };
    let record = |number: usize| {
        let mut token = session.token;
        token.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Record::Session(crate::domain::Session { token, used: UnixTime(number as u64), ..session.clone() })
    };
    (0..count).map(record).collect()
}

fn queue_of(id: u32, avatar: usize) -> Record {
    let Record::Queue(queue) = one_of_each().swap_remove(3) else { unreachable!() };
    Record::Queue(Queue { id: QueueId::new(id).unwrap(), avatar: Some("x".repeat(avatar).into()), ..queue })
}

/// A store whose owner died after some chunks of a large change.
fn broken_off(state: &Path, change: &[Write], chunks: usize) {
    let mut store = SledStore::open(state, 0).unwrap();
    dump::write_change(&store.folder.pending(), change, store.counts.audit.next).unwrap();
    for chunk in change.chunks(CHUNK).take(chunks) {
        store.transact(chunk, true, None).unwrap();
    }
}

fn refused(state: &Path, what: &str) {
    let error = SledStore::open(state, 0).and_then(|mut store| store.load()).expect_err(what);
    assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains(what), "{error}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
