//! Snapshots of the database, which has none of its own.
//!
//! A reader walks through the keys in turns. Commits and turns exclude each other, and before a commit changes what a reader
//! has not come to yet, it puts the old value aside for it: so everybody reads what was there when they began. A turn takes
//! about a millisecond, so nobody waits for long, and nothing is ever held in memory but what was changed meanwhile.

use std::{collections::BTreeMap, mem, ops::Bound, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{COUNTS_KEY, Counts, Db, Fault, PART, Shown, damaged_entry, part_key, whole};
use crate::{
    domain::{Record, Write},
    store::{
        StoreError, audit,
        record::{self, KINDS, Owners},
        snapshot::{Item, Snapshot},
    },
};

/// Items that are read in one turn.
const TURN: usize = 256;
/// Bytes that are put aside for one reader.
const ASIDE_MOST: usize = 64 << 20;
/// How many read at a time.
const READERS_MOST: usize = 4;
/// For how long a reader may take nothing: while one reads, no entry of the audit log goes.
const STALL_MOST: Duration = Duration::from_mins(1);
/// What an item takes besides its bytes, about.
const OVERHEAD: usize = 96;

/// Why most who can not go on can not.
const CHANGED: &str = "too much was changed meanwhile";

/// A key, and the value under it.
type Pair = (Vec<u8>, Vec<u8>);

/// Who may use the database now: whoever has this locked.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// What is there after the last commit.
    counts: Counts,
    /// Entries of the audit log.
    entries: u64,
    /// What became of a commit that failed.
    pub(super) failed: Option<String>,
    readers: BTreeMap<u64, Reader>,
    next: u64,
}

#[derive(Debug)]
struct Reader {
    /// The first key that was not read.
    from: Vec<u8>,
    /// Before this it ends.
    end: Vec<u8>,
    /// What was changed since: a value, or nothing where there was none.
    aside: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    /// When it last read something.
    last: Instant,
    /// Why it can not go on, where it can not.
    overtaken: Option<&'static str>,
}

impl Turns {
    /// Whether somebody reads.
    pub(super) fn is_read(&self) -> bool {
        self.readers.values().any(|reader| reader.overtaken.is_none())
    }

    /// Tells those who have read nothing for too long that they can not go on.
    pub(super) fn overtake_stalled(&mut self, now: Instant) {
        let stalled = |reader: &&mut Reader| now.saturating_duration_since(reader.last) > STALL_MOST;
        self.readers.values_mut().filter(stalled).for_each(|reader| reader.overtake("nothing was read for a minute"));
    }

    /// Takes note of what is there after a commit.
    pub(super) fn become_as(&mut self, counts: &Counts, entries: u64) {
        self.counts.clone_from(counts);
        self.entries = entries;
    }

    /// Tells all who read that they can not go on.
    pub(super) fn overtake(&mut self) {
        self.readers.values_mut().for_each(|reader| reader.overtake(CHANGED));
    }

    /// Puts aside what `change` is about to change.
    pub(super) fn put_aside(&mut self, db: &Db, change: &[Write]) {
        for reader in self.readers.values_mut() {
            for write in change {
                let key = match write {
                    Write::Put(record) => record.key(),
                    Write::Delete(key) => key.clone(),
                    // Entries only come behind the last one, and go when nobody reads.
                    Write::Note(_) | Write::Forget(_) => continue,
                };
                if reader.overtaken.is_none() {
                    reader.put_aside(db, record::write_key(&key));
                }
            }
        }
    }
}

impl Reader {
    fn put_aside(&mut self, db: &Db, key: Vec<u8>) {
        if key < self.from || self.aside.contains_key(&key) {
            return;
        }
        let value = value_of(db, &key);
        self.bytes += cost(&key, value.as_ref().ok().and_then(Option::as_ref));
        match value {
            Ok(value) if self.bytes <= ASIDE_MOST => drop(self.aside.insert(key, value)),
            // What can not be read is said by the commit that is about to write there.
            Ok(_) | Err(_) => self.overtake(CHANGED),
        }
    }

    fn overtake(&mut self, why: &'static str) {
        self.overtaken = Some(why);
        self.aside.clear();
    }

    /// What comes next, in order; nothing at the end.
    fn read(&mut self, db: &Db) -> Result<Vec<Pair>, Fault> {
        let mut found = Vec::new();
        while found.is_empty() && self.from < self.end {
            self.read_some(db, &mut found)?;
        }
        Ok(found)
    }

    fn read_some(&mut self, db: &Db, found: &mut Vec<Pair>) -> Result<(), Fault> {
        let mut items = db.range::<&[u8], _>((Bound::Included(&*self.from), Bound::Excluded(&*self.end)));
        for _ in 0..TURN {
            let Some(item) = items.next() else {
                self.from.clone_from(&self.end);
                break;
            };
            let (key, first) = item.map_err(Fault::Sled)?;
            // Pages that are damaged may lead back, and this would never end.
            if *key < *self.from {
                return Err(Fault::Found("its keys are out of order".to_owned()));
            }
            let value = match first.len() {
                PART => whole(&mut items, &key, &first)?,
                _ => first.to_vec(),
            };
            self.from = after(&key);
            if *key != COUNTS_KEY && !self.aside.contains_key(&*key) {
                found.push((key.to_vec(), value));
            }
        }
        let later = self.aside.split_off(&self.from);
        for (key, value) in mem::replace(&mut self.aside, later) {
            self.bytes = self.bytes.saturating_sub(cost(&key, value.as_ref()));
            found.extend(value.map(|value| (key, value)));
        }
        found.sort_unstable();
        Ok(())
    }
}

fn cost(key: &[u8], value: Option<&Vec<u8>>) -> usize {
    OVERHEAD + key.len() + value.map_or(0, Vec::len)
}

/// The first key behind this one and its parts, whose numbers begin with a zero byte.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[1]].concat()
}

/// What is kept under `key`, with all of its parts.
pub(super) fn value_of(db: &Db, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let Some(first) = db.get(key).map_err(Fault::Sled)? else { return Ok(None) };
    let (mut value, mut last) = (first.to_vec(), first);
    for number in 1.. {
        if last.len() < PART {
            break;
        }
        let part = db.get(part_key(key, number)).map_err(Fault::Sled)?;
        last = part.ok_or_else(|| Fault::Found("a part of a record is missing".to_owned()))?;
        value.extend_from_slice(&last);
    }
    Ok(Some(value))
}

/// One reader's way through the database.
#[derive(Debug)]
pub(super) struct Walk {
    shown: Arc<Shown>,
    number: u64,
    /// What there was when it began.
    counts: Counts,
    entries: u64,
    found: [u64; KINDS.len()],
    found_entries: u64,
    owners: Owners,
}

impl Walk {
    /// Begins one, with the audit log or without it.
    pub(super) fn begin(shown: &Arc<Shown>, with_audit: bool) -> Result<Self, StoreError> {
        let mut turns = shown.turns();
        if let Some(cause) = &turns.failed {
            return Err(StoreError::Failed { path: shown.store.clone(), cause: cause.clone() });
        }
        if turns.readers.len() >= READERS_MOST {
            return Err(StoreError::Overtaken("too many others are reading everything that is stored"));
        }
        let (number, counts) = (turns.next, turns.counts.clone());
        let (entries, end) = if with_audit {
            (turns.entries, audit::key(counts.audit.next).to_vec())
        } else {
            (0, audit::START.to_vec())
        };
        turns.next += 1;
        let (from, aside, last) = (Vec::new(), BTreeMap::new(), Instant::now());
        let reader = Reader { from, end, aside, bytes: 0, last, overtaken: None };
        turns.readers.insert(number, reader);
        drop(turns);
        Ok(Self {
            shown: shown.clone(),
            number,
            counts,
            entries,
            found: [0; KINDS.len()],
            found_entries: 0,
            owners: Owners::new(),
        })
    }

    fn read(&self) -> Result<Vec<Pair>, StoreError> {
        let mut turns = self.shown.turns();
        let reader = turns.readers.get_mut(&self.number).expect("it goes when this is dropped");
        if let Some(why) = reader.overtaken {
            return Err(StoreError::Overtaken(why));
        }
        reader.last = Instant::now();
        self.shown.carefully(|| reader.read(&self.shown.db))
    }

    fn item(&mut self, (key, value): &Pair) -> Result<Item, String> {
        if let Some(number) = audit::number(key) {
            self.found_entries += 1;
            let noted = audit::read(number, value).map_err(|what| damaged_entry(number, &what))?;
            return Ok(Item::Noted(number, noted));
        }
        let record: Record = record::read(key, value, &mut self.owners).map_err(|error| error.to_string())?;
        self.found[record::kind(&record.key())] += 1;
        Ok(Item::Record(record))
    }

    fn check_counts(&self) -> Result<(), String> {
        self.counts.compare(&self.found)?;
        let (found, wanted) = (self.found_entries, self.entries);
        if found == wanted { Ok(()) } else { Err(format!("there are {found} of {wanted} entries of the audit log")) }
    }
}

impl Snapshot for Walk {
    fn total(&self) -> u64 {
        self.counts.records.iter().sum::<u64>() + self.entries
    }

    fn next_entry(&self) -> u64 {
        self.counts.audit.next
    }

    fn turn(&mut self) -> Result<Vec<Item>, StoreError> {
        let pairs = self.read()?;
        let items: Result<Vec<_>, _> = pairs.iter().map(|pair| self.item(pair)).collect();
        let items =
            items.and_then(|items| if items.is_empty() { self.check_counts().map(|()| items) } else { Ok(items) });
        items.map_err(|what| StoreError::Damaged { path: self.shown.store.clone(), what })
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.shown.turns().readers.remove(&self.number);
    }
}

mod tests;
