//! What people ask to be changed, and what they are told.

use std::{fmt, net::IpAddr};

use super::{
    AccountId, BareJid, Name, QueueId, Record, Role, Staffing, SuspensionFields, TokenHash, UnixTime, UserId, Version,
};

/// The fields of a queue that can be set; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueFields {
    /// Its name.
    pub name: Option<Name>,
    /// Its e-mail address, `Some(None)` for none.
    pub email: Option<Option<Box<str>>>,
    /// Its avatar, `Some(None)` for none.
    pub avatar: Option<Option<Box<str>>>,
    /// Whether it keeps transcripts.
    pub transcripts: Option<bool>,
}

/// The fields of a user that can be set; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFields {
    /// Their name.
    pub name: Option<Name>,
    /// Their e-mail address, `Some(None)` for none.
    pub email: Option<Option<Box<str>>>,
    /// Their JID; a user made without one has their name on the users' domain, which then follows the name.
    pub jid: Option<BareJid>,
}

/// A change that somebody asks for. An account reaches only what is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Make an account, with a login of the same name who owns it.
    AddAccount {
        /// Its name.
        name: Name,
        /// A PHC string.
        password_hash: Box<str>,
    },
    /// Remove an account with its logins, sessions and tokens.
    RemoveAccount {
        /// Its name.
        name: Name,
        /// Remove its users and queues too; else an account that has any is refused.
        with_all: bool,
    },
    /// Let somebody log in to an account.
    AddLogin {
        /// The name of the account.
        account: Name,
        /// What is typed at login.
        login: Name,
        /// What they may do.
        role: Role,
        /// A PHC string.
        password_hash: Box<str>,
    },
    /// Give a login another role. Their sessions go on, and may from then on what the role may.
    SetRole {
        /// Whose.
        login: Name,
        /// What they may do from now on.
        role: Role,
    },
    /// Let somebody log in no longer; their sessions end.
    RemoveLogin {
        /// Who.
        login: Name,
    },
    /// Give a login another password; their sessions end.
    SetPassword {
        /// Whose.
        login: Name,
        /// A PHC string.
        password_hash: Box<str>,
    },
    /// Keep the same password in another form; nothing ends.
    Rehash {
        /// Whose.
        login: Name,
        /// The form that was checked: it has to be the one that holds.
        before: Box<str>,
        /// A PHC string.
        after: Box<str>,
    },
    /// Make a token for a program.
    AddToken {
        /// The name of the account.
        account: Name,
        /// Its name.
        name: Name,
        /// What it may do.
        role: Role,
        /// What it hashes to.
        hash: TokenHash,
        /// Now.
        now: UnixTime,
        /// From when it is good for nothing.
        expires: Option<UnixTime>,
    },
    /// A token was used.
    TouchToken {
        /// Whose.
        account: AccountId,
        /// Which.
        name: Name,
        /// Now.
        now: UnixTime,
    },
    /// Take a token back.
    RevokeToken {
        /// The name of the account.
        account: Name,
        /// Its name.
        name: Name,
    },
    /// Let a JID manage an account from a chat client; one that may already goes on.
    LinkAdmin {
        /// The name of the account.
        name: Name,
        /// Who.
        jid: BareJid,
    },
    /// Let a JID manage an account no longer.
    UnlinkAdmin {
        /// The name of the account.
        name: Name,
        /// Who.
        jid: BareJid,
    },
    /// Log in. Sessions of the login that expired are removed, and the oldest above the bound.
    OpenSession {
        /// Who.
        login: Name,
        /// The hash that the password was checked against: it has to be the one that holds.
        password_hash: Box<str>,
        /// What its token hashes to.
        token: TokenHash,
        /// Sessions that who logs in has shown: those of the same login end.
        instead_of: Vec<TokenHash>,
        /// Where they are.
        from: Option<IpAddr>,
        /// Now.
        now: UnixTime,
    },
    /// A session was used.
    TouchSession {
        /// Which.
        token: TokenHash,
        /// Now.
        now: UnixTime,
    },
    /// Log out.
    CloseSession {
        /// Which.
        token: TokenHash,
    },
    /// Log a login out everywhere.
    CloseSessions {
        /// Whose.
        login: Name,
    },
    /// Make a queue.
    CreateQueue {
        /// Whose.
        account: AccountId,
        /// Its name.
        name: Name,
        /// Its other fields.
        fields: QueueFields,
    },
    /// Change a queue. With another name it has another JID, so those who followed it follow it no longer.
    UpdateQueue {
        /// Who asks.
        account: AccountId,
        /// Which.
        queue: QueueId,
        /// What.
        fields: QueueFields,
    },
    /// Remove a queue, its assignments and its followers.
    DeleteQueue {
        /// Who asks.
        account: AccountId,
        /// Which.
        queue: QueueId,
    },
    /// Make a user.
    CreateUser {
        /// Whose.
        account: AccountId,
        /// Their name.
        name: Name,
        /// Their other fields.
        fields: UserFields,
    },
    /// Change a user.
    UpdateUser {
        /// Who asks.
        account: AccountId,
        /// Which.
        user: UserId,
        /// What.
        fields: UserFields,
    },
    /// Remove a user and their assignments.
    DeleteUser {
        /// Who asks.
        account: AccountId,
        /// Which.
        user: UserId,
    },
    /// Assign a user to a queue, enabled; an assignment that is there stays as it is.
    Assign {
        /// Who asks.
        account: AccountId,
        /// To what.
        queue: QueueId,
        /// Whom.
        user: UserId,
    },
    /// Enable or suspend an operator.
    Enable {
        /// Who asks.
        account: AccountId,
        /// Where.
        queue: QueueId,
        /// Whom.
        user: UserId,
        /// `false` suspends; `None` leaves that as it is, but tells whether the assignment is there.
        enabled: Option<bool>,
        /// What is to be known of the suspension; nothing is known of who is enabled.
        suspension: SuspensionFields,
    },
    /// Enable an operator whose suspension is over; where it is not, nothing changes.
    EndSuspension {
        /// Where.
        queue: QueueId,
        /// Whom.
        user: UserId,
        /// Now.
        now: UnixTime,
    },
    /// Change many operators of a queue, all or none.
    Staff {
        /// Who asks.
        account: AccountId,
        /// Where.
        queue: QueueId,
        /// Only where the operators have one of these versions; `None`: whatever they have.
        versions: Option<Vec<Version>>,
        /// What.
        staffing: Staffing,
    },
    /// End an assignment.
    Unassign {
        /// Who asks.
        account: AccountId,
        /// From what.
        queue: QueueId,
        /// Whom.
        user: UserId,
    },
    /// What somebody asks for from a chat client of theirs, all or nothing. They have to be the user, or an admin of the
    /// user's account, when it is planned.
    Asked {
        /// Who asks.
        by: BareJid,
        /// About whom.
        user: UserId,
        /// On which queues of the user's account.
        queues: Vec<QueueId>,
        /// What.
        wish: Wish,
    },
    /// Somebody wants to follow a queue's presence.
    Follow {
        /// The queue's localpart.
        queue: Name,
        /// Who.
        jid: BareJid,
    },
    /// Somebody follows a queue's presence no longer.
    Unfollow {
        /// The queue's localpart.
        queue: Name,
        /// Who.
        jid: BareJid,
    },
    /// Take in everything that another store held; only where there is nothing yet.
    Import {
        /// Everything.
        records: Vec<Record>,
    },
}

/// What can be asked for from a chat client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Suspend. Who is suspended already stays so, and this is known of it then.
    Suspend(SuspensionFields),
    /// Enable again; what was known of the suspension is forgotten.
    Resume,
    /// Assign, enabled; an assignment that is there stays as it is. Only an admin may.
    Assign,
    /// End an assignment. Only an admin may.
    Unassign,
}

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This account was made or changed.
    Account(AccountId),
    /// This queue was made or changed.
    Queue(QueueId),
    /// This user was made or changed.
    User(UserId),
    /// The operators of the queue are as asked, and have this version, whoever changes them next.
    Staffed(Version),
    /// It is as asked.
    Done,
}

/// Why an edit can not be done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such account.
    NoAccount,
    /// Who asks is not logged in any more: the login is gone, or the token.
    Ended,
    /// What they are does not let them.
    NeedsRole {
        /// What would.
        needed: Role,
        /// What they are.
        role: Role,
    },
    /// No such login.
    NoLogin,
    /// A login has this name.
    LoginTaken(Name),
    /// The account would have nobody any more who may do everything.
    LastOwner,
    /// The account has as many logins as it may.
    TooManyLogins {
        /// The most.
        most: usize,
    },
    /// The account has no token of this name.
    NoToken,
    /// A token of the account has this name.
    TokenTaken(Name),
    /// The account has as many tokens as it may.
    TooManyTokens {
        /// The most.
        most: usize,
    },
    /// The login has another password by now.
    PasswordChanged,
    /// No such queue, or another account's.
    NoQueue,
    /// They may not follow queues.
    MayNotFollow,
    /// The queue, or the deployment, has as many followers as it may have.
    TooManyFollowers,
    /// No such user, or another account's.
    NoUser,
    /// The user is not assigned to the queue.
    NotAssigned,
    /// What is to be changed is not any more what it was.
    Changed,
    /// The queue has more operators than can be set at a time, or more were named.
    TooManyOperators {
        /// The most.
        most: usize,
    },
    /// A user is named twice.
    Twice,
    /// These of what was named can not be, by their place in it.
    Items(Vec<(usize, Refusal)>),
    /// They are neither the user nor an admin of the account.
    NotAllowed,
    /// The account has as many admins as it may.
    TooManyAdmins {
        /// The most.
        most: usize,
    },
    /// The JID is not linked to the account.
    NotLinked(BareJid),
    /// An account has this name.
    AccountTaken(Name),
    /// A queue, a user or we ourselves have this name.
    NameTaken(Name),
    /// A user has this JID.
    JidTaken(BareJid),
    /// The JID is on the queues' own domain.
    JidOfQueues(BareJid),
    /// The account still has this many users and queues.
    NotEmpty {
        /// Users.
        users: usize,
        /// Queues.
        queues: usize,
    },
    /// There is something in the store already.
    StoreNotEmpty,
    /// The records do not fit together.
    Inconsistent(String),
    /// Four thousand million numbers have been given.
    NoMoreIds,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccount => f.write_str("there is no such account"),
            Self::Ended => f.write_str("the login or the token has ended meanwhile: log in again"),
            Self::NeedsRole { needed, role } => {
                write!(f, "this needs the role {needed}, and the role of this login is {role}")
            }
            Self::NoLogin => f.write_str("there is no such login"),
            Self::LoginTaken(name) => write!(f, "there is a login named {name} already"),
            Self::LastOwner => f.write_str(
                "this is the last owner of the account: make somebody else an owner first, or remove the account",
            ),
            Self::TooManyLogins { most } => write!(f, "an account can have at most {most} logins"),
            Self::NoToken => f.write_str("there is no such token"),
            Self::TokenTaken(name) => write!(f, "the account has a token named {name} already"),
            Self::TooManyTokens { most } => write!(f, "an account can have at most {most} tokens"),
            Self::PasswordChanged => f.write_str("the password has been changed meanwhile"),
            Self::NoQueue => f.write_str("there is no such queue"),
            Self::MayNotFollow => f.write_str("they may not follow this queue"),
            Self::TooManyFollowers => f.write_str("the queue has as many followers as it may have"),
            Self::NoUser => f.write_str("there is no such user"),
            Self::NotAssigned => f.write_str("the user is not assigned to the queue"),
            Self::Changed => f.write_str("it was changed meanwhile: read it again"),
            Self::TooManyOperators { most } => {
                write!(f, "no more than {most} operators can be set at a time, of a queue that has no more either")
            }
            Self::Twice => f.write_str("the user is named twice"),
            Self::Items(items) => write!(f, "{} of what was named can not be", items.len()),
            Self::NotAllowed => f.write_str("they may not change this"),
            Self::TooManyAdmins { most } => write!(f, "an account can have at most {most} JIDs of admins"),
            Self::NotLinked(jid) => write!(f, "the JID {jid} is not linked to the account"),
            Self::AccountTaken(name) => write!(f, "there is an account named {name} already"),
            Self::NameTaken(name) => write!(f, "the name {name} is taken"),
            Self::JidTaken(jid) => write!(f, "the JID {jid} is taken"),
            Self::JidOfQueues(jid) => write!(f, "the JID {jid} is on the domain of the queues, where nobody can be"),
            Self::NotEmpty { users, queues } => {
                write!(f, "the account still has {users} users and {queues} queues")
            }
            Self::StoreNotEmpty => f.write_str("the store is not empty: an import goes into an empty store only"),
            Self::Inconsistent(what) => write!(f, "the records do not fit together: {what}"),
            Self::NoMoreIds => f.write_str("all numbers have been given"),
        }
    }
}

impl std::error::Error for Refusal {}
