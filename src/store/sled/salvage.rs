//! What can still be read of a store that is damaged.

use std::path::Path;

use super::{COUNTS_KEY, Counts, Db, Fault, SledStore, audit, caught, said, snapshot, start};
use crate::{
    domain::Record,
    store::{
        StoreError,
        folder::Folder,
        record::{self, KINDS, Owners},
    },
};

/// What is still there, and what is not.
#[derive(Debug, Default)]
pub struct Salvaged {
    /// The records, in the order of their keys. Whether they fit together is not looked at.
    pub records: Vec<Record>,
    /// What could not be read, in words.
    pub lost: Vec<String>,
}

/// The most bytes at the beginning of a key by which it is searched for where reading goes on.
const PLACE: usize = 9;

impl SledStore {
    /// Reads all records that can be read of the store in the state folder `path`, which should be a copy: to open a store is to
    /// write in it. The audit log is left out.
    ///
    /// # Errors
    /// As [`SledStore::open`], where the database as a whole can not be opened.
    pub fn salvage(path: &Path) -> Result<Salvaged, StoreError> {
        let folder = Folder::take(path, 0)?;
        let db = start(&folder, &folder.store())?;
        let mut salvaged = Salvaged::default();
        let mut found = [0; KINDS.len()];
        let (mut from, mut owners) = (after(&COUNTS_KEY), Owners::new());
        loop {
            match next(&db, &from) {
                Ok(None) => break,
                Ok(Some((key, value))) => {
                    from = after(&key);
                    match value.and_then(|value| record::read(&key, &value, &mut owners).map_err(|it| it.to_string())) {
                        Ok(record) => {
                            found[record::kind(&record.key())] += 1;
                            salvaged.records.push(record);
                        }
                        Err(what) => salvaged.lost.push(what),
                    }
                }
                Err(what) => {
                    let beyond = beyond(&db, &from);
                    let (start, end) = (record::to_hex(&from), record::to_hex(&beyond));
                    salvaged.lost.push(format!("what is kept from key {start} to key {end}: {what}"));
                    from = beyond;
                }
            }
        }
        salvaged.compare(&db, &folder, &found);
        Ok(salvaged)
    }
}

impl Salvaged {
    /// What the books say should be there, and is not.
    fn compare(&mut self, db: &Db, folder: &Folder, found: &[u64; KINDS.len()]) {
        let counts = caught(|| db.get(COUNTS_KEY)).ok().and_then(Result::ok).flatten();
        let Some(counts) = counts.and_then(|value| record::open::<Counts>(&COUNTS_KEY, &value).ok()) else {
            self.lost.push("how many records there should be: nobody knows whether these are all".to_owned());
            return;
        };
        self.lost.extend(counts.compare(found).err());
        if counts.pending {
            self.lost.push("a large change that was broken off: a part of it is here".to_owned());
        }
        let acknowledged = folder.acknowledged().and_then(|file| file.read()).ok().flatten();
        match acknowledged {
            Some(acknowledged) if acknowledged <= counts.commits => {}
            Some(acknowledged) => {
                let missing = acknowledged - counts.commits;
                self.lost.push(format!("the newest changes: {missing} commits of {acknowledged}"));
            }
            None => self.lost.push("how many changes there should be: the newest may be missing".to_owned()),
        }
    }
}

/// The first key from there on, and what is under it.
type Found = (Vec<u8>, Result<Vec<u8>, String>);

fn next(db: &Db, from: &[u8]) -> Result<Option<Found>, String> {
    let read = || {
        let Some(item) = db.range(from..audit::START.as_slice()).next() else { return Ok(None) };
        let (key, _) = item.map_err(Fault::Sled)?;
        // Pages that are damaged may lead back, and the walk would never end.
        if *key < *from {
            return Err(Fault::Found("its keys are out of order".to_owned()));
        }
        Ok(Some(key.to_vec()))
    };
    let Some(key) = said_of(caught(read))? else { return Ok(None) };
    let value = said_of(caught(|| snapshot::value_of(db, &key)));
    let value = value.and_then(|value| value.ok_or_else(|| "it is in the index alone".to_owned()));
    Ok(Some((key, value)))
}

fn said_of<T>(result: std::thread::Result<Result<T, Fault>>) -> Result<T, String> {
    match result {
        Ok(result) => result.map_err(|fault| match fault {
            Fault::Found(what) => what,
            Fault::Sled(error) => error.to_string(),
        }),
        Err(panic) => Err(format!("the database can not make sense of it ({})", said(&*panic))),
    }
}

/// A key from which on something can be read again, behind `from`, where nothing can. Each time twice as far, and then back by
/// halves: where one page is damaged that is the next page's beginning; between several what lies there may be passed over.
fn beyond(db: &Db, from: &[u8]) -> Vec<u8> {
    let end = place(&audit::START);
    let is_readable = |at: u128| at >= end || next(db, &key(at)).is_ok();
    let (mut bad, mut step) = (place(from), 1);
    let mut good = loop {
        let further = (bad + step).min(end);
        if is_readable(further) {
            break further;
        }
        (bad, step) = (further, step * 2);
    };
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        if is_readable(middle) { good = middle } else { bad = middle }
    }
    key(good)
}

/// The beginning of a key as a number, in the same order.
fn place(key: &[u8]) -> u128 {
    let bytes = key.iter().copied().chain(std::iter::repeat(0)).take(PLACE);
    bytes.fold(0, |number, byte| number << 8 | u128::from(byte))
}

fn key(place: u128) -> Vec<u8> {
    place.to_be_bytes()[size_of::<u128>() - PLACE..].to_vec()
}

/// The first key behind this one.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{AccountId, Queue, QueueId, Write},
        store::{Store, record::tests::one_of_each},
    };

    #[test]
    fn places_are_in_the_order_of_keys() {
        let keys: [&[u8]; 5] = [&[1], &[3, 0, 0, 0, 9], &[3, 0, 0, 0, 9, 0], &[3, 0, 0, 1, 0], &[9; 20]];
        assert!(keys.is_sorted_by_key(|key| place(key)));
        assert_eq!(key(place(&[3, 0, 0, 0, 9])), [3, 0, 0, 0, 9, 0, 0, 0, 0]);
    }

    /// A store of so many queues, each with a text, so that there are many pages.
    fn stored(state: &Path) -> Vec<Record> {
        let mut records = one_of_each();
        let account = AccountId::new(1).unwrap();
        let queue = |number: u32| {
            let name = crate::domain::Name::parse(&format!("queue{number}"), 60).unwrap();
            let (id, email) = (QueueId::new(number).unwrap(), Some("x".repeat(700).into()));
            Record::Queue(Queue { id, account, name, email, avatar: None, transcripts: false })
        };
        records.extend((1_000..4_000).map(queue));
        records.sort_by_cached_key(Record::key);
        let mut store = SledStore::open(state, 0).unwrap();
        let puts: Vec<_> = records.iter().cloned().map(Write::Put).collect();
        // As a store is that was lived in: many commits, and a start since.
        puts.chunks(200).for_each(|puts| store.commit(puts).unwrap());
        drop(store);
        drop(SledStore::open(state, 0).unwrap());
        records
    }

    #[test]
    fn a_whole_store_is_saved_as_a_whole() {
        let state = tempfile::tempdir().unwrap();
        let records = stored(state.path());
        let Salvaged { records: saved, lost } = SledStore::salvage(state.path()).unwrap();
        assert!(saved == records && lost.is_empty(), "{lost:?}");
    }

    #[test]
    fn wherever_bytes_are_flipped_no_loss_is_silent() {
        use std::os::unix::fs::FileExt;
        let good = tempfile::tempdir().unwrap();
        let records = stored(good.path());
        let (mut saved_some, mut lost_some) = (0, 0);
        for thousandth in (10..1_000).step_by(45) {
            let state = tempfile::tempdir().unwrap();
            assert!(crate::store::copy(good.path(), state.path()).unwrap());
            let file = std::fs::OpenOptions::new().write(true).open(state.path().join("store/db")).unwrap();
            let at = file.metadata().unwrap().len() * thousandth / 1_000;
            file.write_all_at(&[0x41; 64], at).unwrap();
            let Ok(Salvaged { records: saved, lost }) = SledStore::salvage(state.path()) else { continue };
            assert!(saved.iter().all(|record| records.contains(record)), "{thousandth}: nothing is made up");
            assert_eq!(lost.is_empty(), saved.len() == records.len(), "{thousandth}: {lost:?}");
            saved_some += usize::from(!saved.is_empty());
            lost_some += usize::from(!lost.is_empty());
        }
        assert!(saved_some > 0 && lost_some > 0, "{saved_some} {lost_some}");
    }
}
