//! Plans of who may log in, of sessions, and of tokens.

use std::{cmp::Reverse, net::IpAddr};

use super::{
    Account, AccountId, Change, Claim, Claims, Desk, Key, Login, Name, Outcome, Plan, Record, Refusal, Role, Session,
    Token, TokenHash, UnixTime, Write,
};

/// The most logins of an account.
pub(super) const LOGINS_MOST: usize = 1_000;
/// The most tokens of an account.
pub(super) const TOKENS_MOST: usize = 1_000;
/// The most sessions that a login keeps open at a time.
pub(super) const SESSIONS_MOST: usize = 1_000;
/// Seconds of use of a session or a token that are not noted.
pub const TOUCH_EVERY: u64 = 3_600;

impl Desk {
    /// The tokens of an account, by name.
    pub fn tokens(&self, account: AccountId) -> impl Iterator<Item = &Token> {
        self.accounts.get(&account).into_iter().flat_map(move |state| {
            state.tokens.iter().filter_map(move |name| self.tokens.get(&(account, name.clone())))
        })
    }

    /// The token that hashes to this, unless it has expired.
    #[must_use]
    pub fn token(&self, hash: &TokenHash, now: UnixTime) -> Option<&Token> {
        let key = self.token_hashes.get(hash)?;
        self.tokens.get(key).filter(|token| token.is_good(now))
    }

    /// Whether there is a token that hashes to this, expired or not.
    #[must_use]
    pub fn had_token(&self, hash: &TokenHash) -> bool {
        self.token_hashes.contains_key(hash)
    }

    /// A login, and its account.
    #[must_use]
    pub fn login(&self, name: &Name) -> Option<(&Account, &Login)> {
        let account = self.account(*self.logins.get(name)?)?;
        Some((account, account.logins.get(name)?))
    }

    /// The sessions of a login that have not expired, the one that was used last first.
    #[must_use]
    pub fn sessions(&self, login: &Name, now: UnixTime) -> Vec<&Session> {
        let mut open: Vec<_> = self
            .sessions_of(login)
            .filter_map(|token| self.sessions.get(token))
            .filter(|it| self.is_open(it, now))
            .collect();
        open.sort_by_key(|session| Reverse(session.used));
        open
    }

    /// Whether a session has not expired, neither for want of use nor by its age.
    pub(super) fn is_open(&self, session: &Session, now: UnixTime) -> bool {
        let is_young = self.policy.session_most.is_none_or(|most| now.since(session.created) < most);
        is_young && now.since(session.used) < self.policy.session_idle
    }

    /// Whether the use of a session is to be noted: not so often that who is busy writes all the time, but often enough that
    /// it does not end while it is used.
    #[must_use]
    pub fn is_touch_due(&self, session: &Session, now: UnixTime) -> bool {
        now.since(session.used) >= TOUCH_EVERY.min(self.policy.session_idle / 8)
    }

    fn sessions_of(&self, login: &Name) -> impl Iterator<Item = &TokenHash> {
        let state = self.logins.get(login).and_then(|account| self.accounts.get(account));
        state.and_then(|state| state.sessions.get(login)).into_iter().flatten()
    }

    fn own_login(&self, name: &Name) -> Result<(Account, Login), Refusal> {
        self.login(name).map(|(account, login)| (account.clone(), login.clone())).ok_or(Refusal::NoLogin)
    }

    pub(super) fn free_login(&self, name: &Name) -> Result<(), Refusal> {
        if self.logins.contains_key(name) { Err(Refusal::LoginTaken(name.clone())) } else { Ok(()) }
    }

    pub(super) fn plan_login(&self, account: &Name, name: Name, login: Login) -> Result<Plan, Refusal> {
        let mut account = self.account_named(account).ok_or(Refusal::NoAccount)?.clone();
        self.free_login(&name)?;
        if account.logins.len() >= LOGINS_MOST {
            return Err(Refusal::TooManyLogins { most: LOGINS_MOST });
        }
        account.logins.insert(name.clone(), login);
        let mut plan = account_plan(account);
        plan.claims.add(Claim::LoginName(name));
        Ok(plan)
    }

    pub(super) fn plan_role(&self, name: &Name, role: Role) -> Result<Plan, Refusal> {
        let (mut account, login) = self.own_login(name)?;
        account.logins.insert(name.clone(), Login { role, ..login });
        keep_an_owner(&account)?;
        Ok(account_plan(account))
    }

    pub(super) fn plan_login_removal(&self, name: &Name) -> Result<Plan, Refusal> {
        let (mut account, _) = self.own_login(name)?;
        account.logins.remove(name);
        keep_an_owner(&account)?;
        let mut plan = account_plan(account);
        plan.claims.add(Claim::LoginName(name.clone()));
        self.end_sessions(name, &mut plan.change);
        Ok(plan)
    }

    pub(super) fn plan_password(&self, name: &Name, password_hash: Box<str>) -> Result<Plan, Refusal> {
        let (mut account, login) = self.own_login(name)?;
        account.logins.insert(name.clone(), Login { password_hash, ..login });
        let mut plan = account_plan(account);
        self.end_sessions(name, &mut plan.change);
        Ok(plan)
    }

    pub(super) fn plan_rehash(&self, name: &Name, before: &str, after: Box<str>) -> Result<Plan, Refusal> {
        let (mut account, login) = self.own_login(name)?;
        if *login.password_hash != *before {
            return Err(Refusal::PasswordChanged);
        }
        account.logins.insert(name.clone(), Login { password_hash: after, ..login });
        Ok(account_plan(account))
    }

    fn end_sessions(&self, login: &Name, change: &mut Change) {
        change.extend(self.sessions_of(login).map(|token| Write::Delete(Key::Session(*token))));
    }

    pub(super) fn plan_session(
        &self,
        login: &Name,
        password_hash: &str,
        token: TokenHash,
        instead_of: &[TokenHash],
        (from, now): (Option<IpAddr>, UnixTime),
    ) -> Result<Plan, Refusal> {
        let (account, known) = self.login(login).ok_or(Refusal::NoLogin)?;
        if *known.password_hash != *password_hash {
            return Err(Refusal::PasswordChanged);
        }
        let is_kept = |session: &&Session| self.is_open(session, now) && !instead_of.contains(&session.token);
        let (mut kept, gone): (Vec<_>, Vec<_>) =
            self.sessions_of(login).filter_map(|token| self.sessions.get(token)).partition(is_kept);
        kept.sort_by_key(|session| Reverse(session.used));
        let above = kept.split_off(kept.len().min(SESSIONS_MOST - 1));
        let gone = gone.iter().chain(&above);
        let mut change: Change = gone.map(|it| Write::Delete(Key::Session(it.token))).collect();
        let account = account.id;
        let session = Session { token, account, login: login.clone(), created: now, used: now, from };
        change.push(Write::Put(Record::Session(session)));
        let claims = Claims::of([Claim::Account(account)], [Claim::Session(token)]);
        Ok(Plan { change, claims, outcome: Outcome::Account(account) })
    }

    pub(super) fn plan_touch(&self, token: TokenHash, now: UnixTime) -> Plan {
        let session = self.sessions.get(&token);
        let touched = session.map(|session| Write::Put(Record::Session(Session { used: now, ..session.clone() })));
        let account = session.map_or(Claim::Session(token), |session| Claim::Account(session.account));
        let claims = Claims::of([account], [Claim::Session(token)]);
        Plan { change: touched.into_iter().collect(), claims, outcome: Outcome::Done }
    }

    pub(super) fn plan_logout(&self, login: &Name) -> Result<Plan, Refusal> {
        let account = *self.logins.get(login).ok_or(Refusal::NoLogin)?;
        let mut change = Change::new();
        self.end_sessions(login, &mut change);
        // Nobody logs in meanwhile, and no session that ends is noted to be used.
        Ok(Plan { change, claims: Claims::of([], [Claim::Account(account)]), outcome: Outcome::Account(account) })
    }

    pub(super) fn plan_token(
        &self,
        account: &Name,
        (name, role, hash): (Name, Role, TokenHash),
        now: UnixTime,
        expires: Option<UnixTime>,
    ) -> Result<Plan, Refusal> {
        let account = self.account_named(account).ok_or(Refusal::NoAccount)?.id;
        let tokens = &self.accounts[&account].tokens;
        if tokens.contains(&name) {
            return Err(Refusal::TokenTaken(name));
        }
        if tokens.len() >= TOKENS_MOST {
            return Err(Refusal::TooManyTokens { most: TOKENS_MOST });
        }
        let claims = Claims::of([], [Claim::Account(account), Claim::Token(account, name.clone())]);
        let token = Token { hash, account, name, role, created: now, expires, used: None };
        Ok(Plan { change: vec![Write::Put(Record::Token(token))], claims, outcome: Outcome::Account(account) })
    }

    pub(super) fn plan_token_touch(&self, account: AccountId, name: Name, now: UnixTime) -> Plan {
        let token = self.tokens.get(&(account, name.clone()));
        let touched = token.map(|token| Write::Put(Record::Token(Token { used: Some(now), ..token.clone() })));
        let claims = Claims::of([Claim::Account(account)], [Claim::Token(account, name)]);
        Plan { change: touched.into_iter().collect(), claims, outcome: Outcome::Done }
    }

    pub(super) fn plan_token_removal(&self, account: &Name, name: Name) -> Result<Plan, Refusal> {
        let account = self.account_named(account).ok_or(Refusal::NoAccount)?.id;
        if !self.accounts[&account].tokens.contains(&name) {
            return Err(Refusal::NoToken);
        }
        let claims = Claims::of([Claim::Account(account)], [Claim::Token(account, name.clone())]);
        Ok(Plan { change: vec![Write::Delete(Key::Token(account, name))], claims, outcome: Outcome::Account(account) })
    }
}

fn keep_an_owner(account: &Account) -> Result<(), Refusal> {
    let is_owned = account.logins.values().any(|login| login.role == Role::Owner);
    if is_owned { Ok(()) } else { Err(Refusal::LastOwner) }
}

pub(super) fn account_plan(account: Account) -> Plan {
    let id = account.id;
    let claims = Claims::of([], [Claim::Account(id)]);
    Plan { change: vec![Write::Put(Record::Account(account))], claims, outcome: Outcome::Account(id) }
}
