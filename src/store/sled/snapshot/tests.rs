//! A snapshot is everything as it was when it was begun, whatever is committed meanwhile.
#![cfg(test)]

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    domain::{Key, Noted, Queue, QueueId, UnixTime},
    store::{SledStore, Store, audit::tests::notes, record::tests::one_of_each},
};

/// A queue whose record has so many bytes, about.
fn queue(number: u32, bytes: usize) -> Record {
    let Some(Record::Queue(like)) = one_of_each().into_iter().find(|record| matches!(record, Record::Queue(_))) else {
        unreachable!("there is one")
    };
    Record::Queue(Queue { id: QueueId::new(number).unwrap(), avatar: Some("x".repeat(bytes).into()), ..like })
}

fn put(record: Record) -> Write {
    Write::Put(record)
}

fn all(snapshot: &mut dyn Snapshot) -> Vec<Item> {
    let mut items = Vec::new();
    loop {
        let some = snapshot.turn().unwrap();
        if some.is_empty() {
            return items;
        }
        items.extend(some);
    }
}

fn held(store: &mut SledStore) -> Vec<Item> {
    let notes = store.trail().before(None, usize::MAX).unwrap().into_iter().rev();
    let notes: Vec<_> = notes.map(|(number, noted)| Item::Noted(number, noted)).collect();
    store.load().unwrap().into_iter().map(Item::Record).chain(notes).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    /// Between any two turns anything is put, replaced by what is larger or smaller, deleted, noted, and forgotten.
    #[test]
    fn it_is_what_was_there(
        before in vec((1_u32..700, prop_oneof![Just(0_usize), Just(40_000)]), 300..400),
        meanwhile in vec((1_u32..700, prop_oneof![Just(None), Just(Some(0_usize)), Just(Some(70_000))]), 1..40),
    ) {
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap().with_audit_most(5);
        let puts: Vec<_> = before.into_iter().map(|(number, bytes)| put(queue(number, bytes))).collect();
        store.commit(&puts).unwrap();
        let noted: Vec<_> = notes().into_iter().map(|it| Write::Note(Box::new(it))).collect();
        store.commit(&noted).unwrap();
        let wanted = held(&mut store);
        let mut snapshot = store.trail().snapshot(true).unwrap();
        prop_assert_eq!(snapshot.total(), wanted.len() as u64);
        let mut found = snapshot.turn().unwrap();
        for (number, bytes) in meanwhile {
            let write = match bytes {
                Some(bytes) => put(queue(number, bytes)),
                None => Write::Delete(Key::Queue(QueueId::new(number).unwrap())),
            };
            store.commit(&[write, noted[0].clone(), Write::Forget(UnixTime(u64::MAX))]).unwrap();
        }
        found.extend(all(&mut *snapshot));
        prop_assert_eq!(&found, &wanted);
        drop(snapshot);
        // Nothing is put aside any more, and the audit log is cut again.
        store.commit(&[Write::Forget(UnixTime(u64::MAX))]).unwrap();
        prop_assert_eq!(store.trail().before(None, usize::MAX).unwrap(), []);
        let now = held(&mut store);
        prop_assert_eq!(all(&mut *store.trail().snapshot(true).unwrap()), now);
    }
}

#[test]
fn without_the_audit_log_there_are_records_only() {
    let (_state, store) = filled();
    let mut snapshot = store.trail().snapshot(false).unwrap();
    let records: Vec<_> = one_of_each().into_iter().map(Item::Record).collect();
    assert_eq!(all(&mut *snapshot), records);
}

#[test]
fn what_was_changed_too_much_is_not_a_snapshot() {
    let (_state, mut store) = filled();
    let large: Vec<_> = (10..2_100).map(|number| put(queue(number, 32_000))).collect();
    store.commit(&large).unwrap();
    let mut snapshot = store.trail().snapshot(true).unwrap();
    store.commit(&large).unwrap();
    let error = snapshot.turn().unwrap_err().to_string();
    assert!(error.contains("too much was changed meanwhile"), "{error}");
    drop(snapshot);
    assert!(store.trail().snapshot(true).unwrap().turn().is_ok());
}

#[test]
fn who_stops_reading_keeps_no_entries() {
    let (_state, mut store) = filled();
    let forget = [Write::Forget(UnixTime(u64::MAX))];
    let mut snapshot = store.trail().snapshot(true).unwrap();
    store.commit(&forget).unwrap();
    assert_eq!(store.trail().before(None, 9).unwrap().len(), 5, "they are read");
    store.trail.turns().overtake_stalled(Instant::now() + 2 * STALL_MOST);
    store.commit(&forget).unwrap();
    assert_eq!(store.trail().before(None, 9).unwrap(), []);
    let error = snapshot.turn().unwrap_err().to_string();
    assert!(error.contains("nothing was read for a minute"), "{error}");
}

#[test]
fn few_read_at_a_time() {
    let (_state, store) = filled();
    let trail = store.trail();
    let readers: Vec<_> = (0..READERS_MOST).map(|_| trail.clone().snapshot(true).unwrap()).collect();
    let error = trail.clone().snapshot(true).unwrap_err().to_string();
    assert!(error.contains("too many others"), "{error}");
    drop(readers);
    trail.snapshot(true).unwrap();
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let check = |change: &dyn Fn(&Db), what: &str| {
        let (_state, store) = filled();
        change(&store.db);
        let mut snapshot = store.trail().snapshot(true).unwrap();
        let error = std::iter::from_fn(|| Some(snapshot.turn())).find_map(Result::err).unwrap().to_string();
        assert!(error.contains(what), "{error}");
    };
    let queue = record::write_key(&Key::Queue(QueueId::new(2).unwrap()));
    check(&|db| drop(db.remove(&queue).unwrap()), "there are 0 of 1 records of the kind queue");
    check(&|db| drop(db.insert(&*queue, vec![3, 0, 0, 0, 0]).unwrap()), "queue 2: its checksum does not match");
    check(&|db| drop(db.insert(&*queue, vec![7; PART]).unwrap()), "queue 2: a part of it is missing");
    check(&|db| drop(db.remove(audit::key(1)).unwrap()), "there are 4 of 5 entries of the audit log");
    check(&|db| drop(db.insert(audit::key(1), vec![3]).unwrap()), "entry 1 of the audit log");
}

fn filled() -> (tempfile::TempDir, SledStore) {
    let state = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(state.path(), 0).unwrap();
    let notes = notes().into_iter().map(|it: Noted| Write::Note(Box::new(it)));
    store.commit(&one_of_each().into_iter().map(put).chain(notes).collect::<Vec<_>>()).unwrap();
    (state, store)
}
