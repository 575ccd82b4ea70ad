//! Passwords: kept as argon2id hashes, never as they are.
//!
//! Everything here takes tens of milliseconds and 19 MiB of memory, on purpose: call it from a thread that may block.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

/// The fewest characters in a new password. Nothing else is asked of it (NIST SP 800-63B section 5.1.1); one that was taken before,
/// or comes with an import, stays good.
pub const LEAST: usize = 8;
/// The most bytes in a password.
pub const MOST_BYTES: usize = 1_024;

/// Memory in KiB: with [`PASSES`] and [`LANES`] what OWASP recommends for argon2id.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Random bytes in the form of what [`hash`] makes: no password is known to fit.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$ct3AvHADKQ6MVP/3+ASs/A$f/7MQIhAObit62P+L/Ntv/3WETpRh1jeTTAmqHfkEY4";

/// Why a password was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Nothing was given.
    #[error("the password is empty")]
    Empty,
    /// More than [`MOST_BYTES`].
    #[error("the password is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes for the password's salt")]
    NoSalt(#[source] getrandom::Error),
    /// There is not enough memory, most likely.
    #[error("the password could not be hashed")]
    Hash(#[source] password_hash::Error),
}

/// Makes what is kept in place of a password: a PHC string, another one each time.
///
/// # Errors
/// When the password is empty or longer than [`MOST_BYTES`], or the machine is out of randomness or memory.
pub fn hash(password: &str) -> Result<Box<str>, PasswordError> {
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    if password.len() > MOST_BYTES {
        return Err(PasswordError::TooLong);
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(PasswordError::NoSalt)?;
    let hashed = argon2id().hash_password_with_salt(password.as_bytes(), &salt).map_err(PasswordError::Hash)?;
    Ok(hashed.to_string().into())
}

/// Whether `password` is the one that `phc` was made of. A `phc` that can not be read fits no password.
#[must_use]
pub fn verify(password: &str, phc: &str) -> bool {
    if password.is_empty() || password.len() > MOST_BYTES {
        return false;
    }
    // The parameters are those of the hash, so that old hashes stay good when ours change.
    PasswordHash::new(phc).is_ok_and(|hash| argon2id().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Whether a hash was made with less work than today's, or in another way, so that the password should be hashed anew.
#[must_use]
pub fn is_outdated(phc: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| {
        let params = Params::try_from(&hash);
        let is_as_hard = params
            .is_ok_and(|params| params.m_cost() >= MEMORY && params.t_cost() >= PASSES && params.p_cost() >= LANES);
        !is_as_hard || hash.algorithm.as_str() != Algorithm::Argon2id.as_str()
    })
}

/// Takes as long as [`verify`]: for names that nobody has, whose password is always wrong.
pub fn verify_nobody(password: &str) {
    let _ = verify(password, NOBODYS);
}

fn argon2id() -> Argon2<'static> {
    let params = Params::new(MEMORY, PASSES, LANES, None).expect("the parameters are constant and within bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_only() {
        let phc = hash("correct horse").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify("correct horse", &phc));
        assert!(!verify("correct horsE", &phc));
        assert!(!verify("", &phc));
        assert_ne!(phc, hash("correct horse").unwrap(), "two salts are never the same");
    }

    #[test]
    fn what_is_no_password_is_refused() {
        assert!(matches!(hash(""), Err(PasswordError::Empty)));
        assert!(matches!(hash(&"x".repeat(1_025)), Err(PasswordError::TooLong)));
        assert!(!verify("x", "not a hash"));
    }

    #[test]
    fn what_was_less_work_is_outdated() {
        assert!(!is_outdated(&hash("x").unwrap()));
        let weaker = |from: &str, to: &str| is_outdated(&NOBODYS.replace(from, to));
        assert!(weaker("m=19456", "m=19455") && weaker("t=2", "t=1") && weaker("argon2id", "argon2i"));
        assert!(!weaker("m=19456,t=2,p=1", "m=65536,t=3,p=4"), "more work is as good");
        assert!(!is_outdated("not a hash"), "it fits no password anyway");
    }

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let params = Params::try_from(&nobodys).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY, PASSES, LANES));
        assert_eq!((nobodys.salt.unwrap().len(), nobodys.hash.unwrap().len()), (16, 32));
        assert!(!verify("x", NOBODYS));
    }
}
