//! Sessions of commands, of which nothing is kept: the id says when a session began, and a keyed hash in it says that it was
//! given to this client, by this address of ours, for this command. Everything else that a stage needs travels in its form.
//!
//! So nothing grows however many are begun, and a session that was completed or canceled is not known to be over: what is
//! submitted again is done again, which changes nothing. The hash guards nothing either: who may do what is asked at every
//! stage anew.

use std::time::Duration;

use jid::Jid;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// How long a form may stay open.
const LASTS: Duration = Duration::from_hours(1);
/// How much of the hash is written down.
const HASH_BYTES: usize = 16;

/// Who runs which command where.
#[derive(Debug, Clone, Copy)]
pub(in crate::xmpp) struct Between<'a> {
    pub(in crate::xmpp) from: &'a Jid,
    pub(in crate::xmpp) to: &'a Jid,
    pub(in crate::xmpp) node: &'a str,
}

/// Why a session's id is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Invalid {
    /// It was not given for this.
    Foreign,
    /// It began too long ago.
    Expired,
}

/// Gives the ids out, and knows them again.
#[derive(Debug)]
pub struct Sessions {
    key: [u8; 32],
    began: Instant,
}

impl Sessions {
    /// With a key of its own: no other process knows its sessions.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let mut key = [0; 32];
        // Where there is no chance the ids can be guessed, and guard nothing still.
        let _ = getrandom::fill(&mut key);
        Self { key, began: now }
    }

    pub(super) fn begin(&self, between: Between<'_>, now: Instant) -> String {
        let moment = now.saturating_duration_since(self.began).as_secs();
        let chance = getrandom::u64().unwrap_or_default();
        format!("{moment:x}-{chance:x}-{}", self.hash(between, moment, chance))
    }

    pub(super) fn check(&self, id: &str, between: Between<'_>, now: Instant) -> Result<(), Invalid> {
        let [moment, chance, hash] = id.split('-').collect::<Vec<_>>()[..] else { return Err(Invalid::Foreign) };
        let number = |text| u64::from_str_radix(text, 16).map_err(|_| Invalid::Foreign);
        let (moment, chance) = (number(moment)?, number(chance)?);
        if hash != self.hash(between, moment, chance) {
            return Err(Invalid::Foreign);
        }
        let age = now.saturating_duration_since(self.began).saturating_sub(Duration::from_secs(moment));
        if age > LASTS { Err(Invalid::Expired) } else { Ok(()) }
    }

    fn hash(&self, between: Between<'_>, moment: u64, chance: u64) -> String {
        let mut hasher = Sha256::new_with_prefix(self.key);
        hasher.update(moment.to_be_bytes());
        hasher.update(chance.to_be_bytes());
        for part in [between.from.as_str(), between.to.as_str(), between.node] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize().iter().take(HASH_BYTES).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_id_is_good_for_what_it_was_given_for_and_for_an_hour() {
        let jid = |text| Jid::new(text).unwrap();
        let (ann, eve, law, tax) = (jid("ann@a/x"), jid("ann@a/y"), jid("law@q"), jid("tax@q"));
        let between = |from, to, node| Between { from, to, node };
        let sessions = Sessions::new(Instant::now());
        let id = sessions.begin(between(&ann, &law, "suspend-me"), Instant::now());
        let check = |id: &str, from, to, node| sessions.check(id, between(from, to, node), Instant::now());
        assert_ne!(id, sessions.begin(between(&ann, &law, "suspend-me"), Instant::now()), "no two are the same");
        assert_eq!(check(&id, &ann, &law, "suspend-me"), Ok(()));
        for (from, to, node) in [(&eve, &law, "suspend-me"), (&ann, &tax, "suspend-me"), (&ann, &law, "resume-me")] {
            assert_eq!(check(&id, from, to, node), Err(Invalid::Foreign));
        }
        let longer = format!("{id}0");
        for id in ["", "x", "--", "0-0-0", "é-0-0", &longer, &id[1..], &id.replace('-', "+")] {
            assert_eq!(check(id, &ann, &law, "suspend-me"), Err(Invalid::Foreign), "{id}");
        }
        assert_eq!(Sessions::new(Instant::now()).check(&id, between(&ann, &law, "suspend-me"), Instant::now()), {
            Err(Invalid::Foreign)
        });
        tokio::time::advance(LASTS).await;
        assert_eq!(check(&id, &ann, &law, "suspend-me"), Ok(()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(check(&id, &ann, &law, "suspend-me"), Err(Invalid::Expired));
    }
}
