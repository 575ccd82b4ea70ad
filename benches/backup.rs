//! For how long a backup holds up commits, and how long it takes in all: `cargo bench --bench backup`.

#![expect(clippy::disallowed_methods, reason = "a benchmark starts its own clock")]

#[expect(dead_code, reason = "another benchmark fills a desk")]
mod world;

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use rosterd::{
    domain::{Account, AccountId, Record, User, Write},
    store::{SledStore, Store},
};

fn main() {
    let state = tempfile::tempdir().expect("there is a folder for what is temporary");
    let mut store = SledStore::open(state.path(), 0).expect("it is new");
    let account = AccountId::new(1).expect("it is above 0");
    let name = |text: &str| rosterd::domain::Name::parse(text, 60).expect("it is a name");
    let user = |place: u32| {
        let (id, jid) = (world::user(place), world::jid(place));
        Record::User(User { id, account, name: name(&format!("user-{place}")), jid, email: None })
    };
    let acme = Record::Account(Account::owned(account, name("acme"), "x".into()));
    let records = [Record::NextId(u32::MAX), acme].into_iter().chain((0..world::USERS).map(user));
    let writes: Vec<_> = records.map(Write::Put).collect();
    store.commit(&writes).expect("there is room");
    drop(writes);

    let mut snapshot = store.trail().snapshot(true).expect("it is whole");
    let (mut turns, mut longest, mut all) = (0_u32, Duration::ZERO, Duration::ZERO);
    loop {
        let began = Instant::now();
        let items = snapshot.turn().expect("it is whole");
        let took = began.elapsed();
        (turns, longest, all) = (turns + 1, longest.max(took), all + took);
        if items.is_empty() {
            break;
        }
    }
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "a backup of {} users holds up commits for {longest:.1?} at the most, {:.2?} on average ({turns} turns, {all:.1?} in all)",
        world::USERS,
        all / turns,
    );
}
