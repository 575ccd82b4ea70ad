//! The audit log's books: what a commit writes into it and takes out of it, and whose entries make room.
//!
//! Each account has a fair share of a full log: the oldest entry of the account that has the most makes room, so nobody's
//! changes, however many, push out what others did. To find that entry, an account's entries have a numbering of their own
//! beside that of the log. Only its first and its next number are held in memory, an entry for each account: an account's
//! entries go oldest first, so there are no gaps between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    audit::{self, Span},
    record,
};
use crate::domain::{AccountId, Noted, UnixTime};

/// The most entries of the audit log that are taken out at a time.
pub(super) const FORGET_MOST: usize = 1_000;

/// The entries behind one that tell whether its date can be believed.
const VOTERS: usize = 100;

/// Behind the entries there are their numbers by account, and then the numbers that each account has.
const BY_ACCOUNT: u8 = 0x81;
const SHARES: u8 = 0x82;
/// Where the accounts' numbers begin, and what lies behind them.
pub(super) const SHARES_START: [u8; 1] = [SHARES];
pub(super) const SHARES_END: [u8; 1] = [SHARES + 1];

/// What is on disk.
pub(super) trait Disk {
    /// Why it can not be read.
    type Error;

    /// What is kept under a key.
    fn kept(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The first entry whose number is not below `from`.
    fn entry_from(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, Self::Error>;
}

/// What is to be kept under a key, or that nothing is.
pub(super) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The books, with what is not written yet.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) span: Span,
    /// The number that stands for an account, 0 for none, and which of its entries there are.
    shares: BTreeMap<u32, Span>,
    by_size: BTreeSet<(u64, u32)>,
    total: u64,
    writes: Writes,
    removed: Removed,
}

/// Entries that were taken out.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Removed {
    /// Since they were too old.
    pub(super) outdated: u64,
    /// Since there were too many.
    pub(super) superfluous: u64,
}

impl Ledger {
    /// Books of a log with these numbers, as far as they can be told without its entries.
    pub(super) fn of(span: Span) -> Self {
        Self { span, ..Self::default() }
    }

    /// Takes in what was kept of an account's share.
    pub(super) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let [SHARES, account @ ..] = key else { return Err("an unknown key".to_owned()) };
        let account = account.try_into().map_err(|_| "a key of another length")?;
        self.set_share(u32::from_be_bytes(account), record::open(key, value)?);
        Ok(())
    }

    /// What is to be written since this was last asked.
    pub(super) fn take_writes(&mut self) -> Writes {
        std::mem::take(&mut self.writes)
    }

    /// How many entries there are.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// What was taken out since this was last asked.
    pub(super) fn take_removed(&mut self) -> Removed {
        std::mem::take(&mut self.removed)
    }

    /// Puts an entry behind the others, and takes out one of whoever has the most where there would be more than `most`.
    pub(super) fn note<S: Disk>(&mut self, disk: &S, noted: &Noted, most: u64) -> Result<(), S::Error> {
        let number = self.span.next;
        self.span.next += 1;
        self.writes.insert(audit::key(number).to_vec(), Some(audit::write(number, noted)));
        self.add(number, Some(noted));
        // More than one, so that a bound that was lowered is reached after a while.
        for _ in 0..2 {
            if self.total > most {
                self.make_room(disk)?;
                self.removed.superfluous += 1;
            }
        }
        Ok(())
    }

    /// Takes out some of the oldest entries that were made before `moment`. One that says that it was made later goes with the
    /// others where most of those after it are older: the clock was wrong.
    pub(super) fn forget<S: Disk>(&mut self, disk: &S, moment: UnixTime) -> Result<(), S::Error> {
        let (mut next, mut ahead) = (self.span.first, VecDeque::new());
        for _ in 0..FORGET_MOST {
            while ahead.len() <= VOTERS
                && let Some((number, value)) = disk.entry_from(next)?
            {
                next = number + 1;
                if !self.writes.contains_key(audit::key(number).as_slice()) {
                    ahead.push_back((number, audit::read(number, &value).ok()));
                }
            }
            // What can not be read is of no use, and goes in its turn.
            let is_old = |noted: &Option<Noted>| noted.as_ref().is_none_or(|noted| noted.at < moment);
            let Some((number, noted)) = ahead.pop_front() else { break };
            // Before it there may be gaps, where others made room.
            self.span.first = number;
            let votes = ahead.iter().filter(|(_, noted)| is_old(noted)).count();
            if !is_old(&noted) && 2 * votes <= ahead.len() {
                break;
            }
            let account = self.whose(disk, number, noted.as_ref(), |share| share.first)?;
            self.take_out(number, account);
            self.removed.outdated += 1;
        }
        Ok(())
    }

    /// Takes back the newest entry.
    pub(super) fn take_back<S: Disk>(&mut self, disk: &S) -> Result<(), S::Error> {
        self.span.next -= 1;
        let number = self.span.next;
        let Some(value) = disk.kept(&audit::key(number))? else { return Ok(()) };
        self.writes.insert(audit::key(number).to_vec(), None);
        let noted = audit::read(number, &value).ok();
        if let Some(account) = self.whose(disk, number, noted.as_ref(), |share| share.next.saturating_sub(1))? {
            let share = self.share(account);
            let share = Span { next: share.next.saturating_sub(1).max(share.first), ..share };
            self.writes.insert(place(account, share.next).to_vec(), None);
            self.set_share(account, share);
        }
        Ok(())
    }

    /// Takes in an entry that was written before there were shares.
    pub(super) fn adopt(&mut self, number: u64, value: &[u8]) {
        self.add(number, audit::read(number, value).ok().as_ref());
    }

    fn add(&mut self, number: u64, noted: Option<&Noted>) {
        let account = key_of(noted);
        let share = self.share(account);
        let place = place(account, share.next);
        self.writes.insert(place.to_vec(), Some(record::seal(&place, &number)));
        self.set_share(account, Span { next: share.next + 1, ..share });
    }

    fn make_room<S: Disk>(&mut self, disk: &S) -> Result<(), S::Error> {
        let Some((_, account)) = self.by_size.last().copied() else { return Ok(()) };
        let number = self.number(disk, account, self.share(account).first)?;
        match number {
            Some(number) => self.take_out(number, Some(account)),
            // Nothing can be found by it, so it counts for nothing.
            None => self.take_first(account),
        }
        Ok(())
    }

    fn take_out(&mut self, number: u64, account: Option<u32>) {
        self.writes.insert(audit::key(number).to_vec(), None);
        if number == self.span.first {
            self.span.first += 1;
        }
        if let Some(account) = account {
            self.take_first(account);
        }
    }

    fn take_first(&mut self, account: u32) {
        let share = self.share(account);
        self.writes.insert(place(account, share.first).to_vec(), None);
        self.set_share(account, Span { first: share.first + 1, ..share });
    }

    /// Whose entry this is, where it stands at this end of their share. Of one that can not be read it has to be searched.
    fn whose<S: Disk>(
        &self,
        disk: &S,
        number: u64,
        noted: Option<&Noted>,
        end: fn(&Span) -> u64,
    ) -> Result<Option<u32>, S::Error> {
        let theirs = |account: u32| {
            let Some(share) = self.shares.get(&account) else { return Ok(false) };
            Ok(self.number(disk, account, end(share))? == Some(number))
        };
        if let Some(account) = noted.map(|noted| key_of(Some(noted))) {
            return Ok(theirs(account)?.then_some(account));
        }
        for account in self.shares.keys() {
            if theirs(*account)? {
                return Ok(Some(*account));
            }
        }
        Ok(None)
    }

    /// The number in the log of an entry that has this number among the account's.
    fn number<S: Disk>(&self, disk: &S, account: u32, of_theirs: u64) -> Result<Option<u64>, S::Error> {
        let place = place(account, of_theirs);
        let value = match self.writes.get(place.as_slice()) {
            Some(written) => written.clone(),
            None => disk.kept(&place)?,
        };
        Ok(value.and_then(|value| record::open(&place, &value).ok()))
    }

    fn share(&self, account: u32) -> Span {
        self.shares.get(&account).copied().unwrap_or_default()
    }

    fn set_share(&mut self, account: u32, share: Span) {
        let count = |span: Span| span.next.saturating_sub(span.first);
        let key = share_key(account);
        let before = self.share(account);
        self.by_size.remove(&(count(before), account));
        self.total = self.total.saturating_sub(count(before)) + count(share);
        if count(share) == 0 {
            self.shares.remove(&account);
            self.writes.insert(key.to_vec(), None);
        } else {
            self.shares.insert(account, share);
            self.by_size.insert((count(share), account));
            self.writes.insert(key.to_vec(), Some(record::seal(&key, &share)));
        }
    }
}

/// What stands for the account that an entry is about.
fn key_of(noted: Option<&Noted>) -> u32 {
    noted.and_then(|noted| noted.account).map_or(0, AccountId::get)
}

fn place(account: u32, of_theirs: u64) -> [u8; 13] {
    let mut key = [BY_ACCOUNT; 13];
    key[1..5].copy_from_slice(&account.to_be_bytes());
    key[5..].copy_from_slice(&of_theirs.to_be_bytes());
    key
}

fn share_key(account: u32) -> [u8; 5] {
    let mut key = [SHARES; 5];
    key[1..].copy_from_slice(&account.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Who;

    impl Disk for Writes {
        type Error = std::convert::Infallible;

        fn kept(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
            Ok(BTreeMap::get(self, key).cloned().flatten())
        }

        fn entry_from(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, Self::Error> {
            let mut entries = self.range(audit::key(from).to_vec()..vec![BY_ACCOUNT]);
            let there = entries.find_map(|(key, value)| Some((audit::number(key)?, value.clone()?)));
            Ok(there)
        }
    }

    fn noted(account: u32, at: u64) -> Noted {
        Noted {
            at: UnixTime(at),
            by: Who::Daemon.into(),
            what: "queue.create".into(),
            account: AccountId::new(account),
            on: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Books and what is on disk.
    #[derive(Default)]
    struct World {
        ledger: Ledger,
        disk: Writes,
    }

    impl World {
        fn write(&mut self) {
            let mut writes = self.ledger.take_writes();
            self.disk.append(&mut writes);
            self.disk.retain(|_, value| value.is_some());
        }

        /// The account and the moment of each entry, oldest first.
        fn entries(&self) -> Vec<(u32, u64)> {
            let mut found = Vec::new();
            let mut from = 0;
            while let Ok(Some((number, value))) = self.disk.entry_from(from) {
                let noted = audit::read(number, &value).unwrap();
                found.push((key_of(Some(&noted)), noted.at.0));
                from = number + 1;
            }
            assert_eq!(self.ledger.total, found.len() as u64);
            let places = self.disk.keys().filter(|key| key[0] == BY_ACCOUNT).count();
            assert_eq!(places, found.len(), "each has its place among those of its account");
            found
        }

        fn note(&mut self, accounts: &[u32], most: u64) {
            for account in accounts {
                let at = self.ledger.span.next;
                self.ledger.note(&self.disk, &noted(*account, at), most).unwrap();
            }
            self.write();
        }
    }

    #[test]
    fn who_has_the_most_makes_room() {
        let mut world = World::default();
        world.note(&[1, 2, 1, 0], 6);
        (0..20).for_each(|_| world.note(&[3, 3, 3], 6));
        assert_eq!(world.entries(), [(1, 0), (2, 1), (1, 2), (0, 3), (3, 62), (3, 63)], "others keep all of theirs");
        world.note(&[1, 1, 1, 1], 6);
        assert_eq!(world.entries(), [(2, 1), (0, 3), (3, 62), (3, 63), (1, 66), (1, 67)], "even if they were first");
    }

    #[test]
    fn one_commit_may_write_more_than_there_is_room_for() {
        let mut world = World::default();
        world.note(&[1, 1, 2, 2, 2, 2, 2, 2], 4);
        assert_eq!(world.entries(), [(1, 0), (1, 1), (2, 6), (2, 7)]);
    }

    #[test]
    fn what_is_forgotten_and_taken_back_counts_no_more() {
        let mut world = World::default();
        world.note(&[1, 2, 1, 2, 3], 9);
        world.ledger.forget(&world.disk, UnixTime(3)).unwrap();
        world.write();
        assert_eq!(world.entries(), [(2, 3), (3, 4)]);
        world.ledger.take_back(&world.disk).unwrap();
        world.write();
        assert_eq!((world.entries(), world.ledger.span.next), (vec![(2, 3)], 4));
        world.note(&[3, 2], 9);
        assert_eq!(world.entries(), [(2, 3), (3, 4), (2, 5)]);
    }

    #[test]
    fn the_oldest_is_known_behind_gaps_too() {
        let mut world = World::default();
        // The second and the third make room for the fourth and the fifth.
        world.note(&[1, 2, 2, 2, 3], 3);
        assert_eq!(world.entries(), [(1, 0), (2, 3), (3, 4)]);
        world.ledger.forget(&world.disk, UnixTime(3)).unwrap();
        world.write();
        assert_eq!((world.entries(), world.ledger.span.first), (vec![(2, 3), (3, 4)], 3));
        world.ledger.forget(&world.disk, UnixTime(4)).unwrap();
        world.write();
        assert_eq!((world.entries(), world.ledger.span.first), (vec![(3, 4)], 4));
    }

    #[test]
    fn a_date_that_is_wrong_holds_up_nothing() {
        let left = |dates: &[u64], moment: u64| {
            let mut world = World::default();
            for at in dates {
                world.ledger.note(&world.disk, &noted(1, *at), 99).unwrap();
            }
            world.write();
            world.ledger.forget(&world.disk, UnixTime(moment)).unwrap();
            world.write();
            world.entries().into_iter().map(|(_, at)| at).collect::<Vec<_>>()
        };
        assert_eq!(left(&[10, 900, 901, 11, 12, 13, 14, 15, 50, 51], 20), [50, 51], "dated ahead");
        assert_eq!(left(&[10, 11, 50, 51, 1, 52, 53], 20), [50, 51, 1, 52, 53], "nor does one take others along");
        assert_eq!(left(&[10, 900], 20), [900]);
        assert_eq!(left(&[900], 20), [900]);
    }

    #[test]
    fn shares_are_read_back() {
        let mut world = World::default();
        world.note(&[1, 2, 2, 2, 0], 4);
        let mut again = Ledger::of(world.ledger.span);
        for (key, value) in world.disk.range(SHARES_START.to_vec()..) {
            again.load(key, value.as_ref().unwrap()).unwrap();
        }
        assert_eq!((&again.shares, &again.by_size), (&world.ledger.shares, &world.ledger.by_size));
        let mut old = Ledger::default();
        let mut from = 0;
        while let Some((number, value)) = world.disk.entry_from(from).unwrap() {
            old.adopt(number, &value);
            from = number + 1;
        }
        assert_eq!(old.by_size, world.ledger.by_size, "nor does it matter that a store has none");
    }
}
