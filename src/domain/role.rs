//! Who may do what: each edit needs something of who asks, and they are looked at when it is planned.

use std::fmt;

use super::{AccountId, BareJid, Claim, Desk, Edit, Name, Refusal, Staffing, UnixTime, Who};

/// What a login or a token may do with its account; each may what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Viewer,
    /// Enable and suspend operators.
    Supervisor,
    /// Everything.
    Owner,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Supervisor, Self::Owner];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Supervisor => "supervisor",
            Self::Owner => "owner",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an edit needs of who asks for it.
enum Need<'a> {
    /// A role in this account, where there is such an account.
    Role(Role, Option<AccountId>),
    /// That they are logged in: it is about that, and nothing else.
    Login,
    /// That this is who speaks from a chat client: what they may there is decided with the plan.
    Chat(&'a BareJid),
    /// That they run a command on the machine.
    Machine,
}

impl Desk {
    /// Whether `who` may ask for `edit`, by what they are now; and what that rests on.
    pub(super) fn check_may(&self, who: &Who, at: UnixTime, edit: &Edit) -> Result<Option<Claim>, Refusal> {
        let (account, role, claim) = match who {
            Who::Daemon | Who::Local(_) => return Ok(None),
            Who::Jid(jid) => {
                let is_theirs = matches!(self.need(edit), Need::Chat(who) if who == jid);
                return if is_theirs { Ok(None) } else { Err(Refusal::NotAllowed) };
            }
            Who::Login { account, .. } => (*account, self.role(who, at), Claim::Account(*account)),
            Who::Token { account, name } => (*account, self.role(who, at), Claim::Token(*account, name.clone())),
        };
        let role = role.ok_or(Refusal::Ended)?;
        match self.need(edit) {
            Need::Role(_, of) if of != Some(account) => Err(Refusal::NotAllowed),
            Need::Role(needed, _) if role < needed => Err(Refusal::NeedsRole { needed, role }),
            Need::Role(..) | Need::Login => Ok(Some(claim)),
            Need::Chat(_) | Need::Machine => Err(Refusal::NotAllowed),
        }
    }

    /// What somebody who uses the API is, where they are anything.
    #[must_use]
    pub fn role(&self, who: &Who, at: UnixTime) -> Option<Role> {
        match who {
            Who::Daemon | Who::Local(_) | Who::Jid(_) => None,
            Who::Login { account, name } => {
                self.accounts.get(account).and_then(|state| state.account.logins.get(name)).map(|login| login.role)
            }
            Who::Token { account, name } => {
                self.tokens.get(&(*account, name.clone())).filter(|token| token.is_good(at)).map(|token| token.role)
            }
        }
    }

    fn need<'a>(&self, edit: &'a Edit) -> Need<'a> {
        let named = |name: &Name| self.account_named(name).map(|account| account.id);
        let of_login = |name: &Name| self.logins.get(name).copied();
        match edit {
            Edit::AddAccount { .. } | Edit::RemoveAccount { .. } | Edit::Import { .. } | Edit::EndSuspension { .. } => {
                Need::Machine
            }
            Edit::LinkAdmin { name, .. } | Edit::UnlinkAdmin { name, .. } => Need::Role(Role::Owner, named(name)),
            Edit::AddLogin { account, .. } | Edit::AddToken { account, .. } | Edit::RevokeToken { account, .. } => {
                Need::Role(Role::Owner, named(account))
            }
            Edit::SetPassword { login, .. }
            | Edit::SetRole { login, .. }
            | Edit::RemoveLogin { login }
            | Edit::CloseSessions { login } => Need::Role(Role::Owner, of_login(login)),
            Edit::CreateQueue { account, .. }
            | Edit::UpdateQueue { account, .. }
            | Edit::DeleteQueue { account, .. }
            | Edit::CreateUser { account, .. }
            | Edit::UpdateUser { account, .. }
            | Edit::DeleteUser { account, .. }
            | Edit::Assign { account, .. }
            | Edit::Unassign { account, .. }
            | Edit::Staff { account, staffing: Staffing::Exactly(_), .. } => Need::Role(Role::Owner, Some(*account)),
            Edit::Enable { account, .. } | Edit::Staff { account, staffing: Staffing::Change(_), .. } => {
                Need::Role(Role::Supervisor, Some(*account))
            }
            Edit::Rehash { .. }
            | Edit::OpenSession { .. }
            | Edit::TouchSession { .. }
            | Edit::CloseSession { .. }
            | Edit::TouchToken { .. } => Need::Login,
            Edit::Asked { by: jid, .. } | Edit::Follow { jid, .. } | Edit::Unfollow { jid, .. } => Need::Chat(jid),
        }
    }
}

mod tests;
