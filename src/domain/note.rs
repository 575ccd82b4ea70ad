//! From an edit and its plan to what is noted of it.

use super::{
    AccountId, By, Change, Desk, Edit, Key, Name, Outcome, Plan, QueueId, Record, TokenHash, UnixTime, UserId, Wish,
    Write,
    audit::{FIELDS_MOST, Field, Noted, Thing, VALUE_MOST},
};

/// One thing that an edit does, before it is known what that changes.
struct Deed {
    what: &'static str,
    account: Option<AccountId>,
    on: Vec<Thing>,
    /// The record that it changes, where there is one.
    key: Option<Key>,
    /// It is noted though no field of that record changes.
    always: bool,
}

impl Desk {
    /// What is to be noted of an edit that has this plan, and was not committed yet. What changes no intent of anybody (that
    /// a session is used, who follows a queue, a password in another form) is not.
    pub(super) fn notes(&self, by: &By, at: UnixTime, edit: &Edit, plan: &Plan) -> Change {
        if plan.change.is_empty() {
            return Change::new();
        }
        let entry = |deed: Deed| {
            let (before, after) = self.difference(deed.key.as_ref(), &plan.change);
            let is_news = deed.always || before != after;
            let Deed { what, account, on, .. } = deed;
            is_news.then(|| Noted { at, by: by.clone(), what: what.into(), account, on, before, after })
        };
        self.deeds(edit, plan).into_iter().filter_map(entry).map(|entry| Write::Note(Box::new(entry))).collect()
    }

    fn deeds(&self, edit: &Edit, plan: &Plan) -> Vec<Deed> {
        let outcome = plan.outcome;
        match edit {
            Edit::AddAccount { name, .. } => vec![Self::on_account("account.create", name, outcome)],
            Edit::RemoveAccount { name, .. } => vec![Self::on_account("account.remove", name, outcome)],
            Edit::AddLogin { login, .. } => vec![self.on_login("login.create", login, outcome)],
            Edit::SetRole { login, .. } => {
                vec![Deed { always: false, ..self.on_login("login.role", login, outcome) }]
            }
            Edit::RemoveLogin { login } => vec![self.on_login("login.remove", login, outcome)],
            Edit::SetPassword { login, .. } => vec![self.on_login("login.password", login, outcome)],
            Edit::OpenSession { login, .. } => vec![self.on_login("session.open", login, outcome)],
            Edit::CloseSessions { login } => vec![self.on_login("session.close_all", login, outcome)],
            Edit::CloseSession { token } => self.on_session(token),
            Edit::AddToken { name, .. } => vec![self.on_token("token.create", name, outcome)],
            Edit::RevokeToken { name, .. } => vec![self.on_token("token.revoke", name, outcome)],
            Edit::LinkAdmin { jid, .. } => vec![self.on_admin("admin.link", jid.as_str(), outcome)],
            Edit::UnlinkAdmin { jid, .. } => vec![self.on_admin("admin.unlink", jid.as_str(), outcome)],
            Edit::CreateQueue { account, name, .. } => {
                let id = if let Outcome::Queue(id) = outcome { Some(id) } else { None };
                vec![Self::on_queue("queue.create", *account, id, name)]
            }
            Edit::UpdateQueue { account, queue, .. } => self.on_own_queue("queue.update", *account, *queue),
            Edit::DeleteQueue { account, queue } => self.on_own_queue("queue.remove", *account, *queue),
            Edit::CreateUser { account, name, .. } => {
                let id = if let Outcome::User(id) = outcome { Some(id) } else { None };
                vec![Self::on_user("user.create", *account, id, name.as_str())]
            }
            Edit::UpdateUser { account, user, .. } => self.on_own_user("user.update", *account, *user),
            Edit::DeleteUser { account, user } => self.on_own_user("user.remove", *account, *user),
            Edit::Assign { queue, user, .. } => self.on_operators("operator.assign", &[*queue], *user),
            Edit::Unassign { queue, user, .. } => self.on_operators("operator.unassign", &[*queue], *user),
            Edit::Enable { queue, user, enabled, .. } => {
                let what = if *enabled == Some(true) { "operator.enable" } else { "operator.suspend" };
                self.on_operators(what, &[*queue], *user)
            }
            Edit::EndSuspension { queue, user, .. } => self.on_operators("operator.enable", &[*queue], *user),
            Edit::Staff { queue, .. } => self.on_staff(*queue, plan),
            Edit::Asked { user, queues, wish, .. } => {
                let what = match wish {
                    Wish::Suspend(_) => "operator.suspend",
                    Wish::Resume => "operator.enable",
                    Wish::Assign => "operator.assign",
                    Wish::Unassign => "operator.unassign",
                };
                self.on_operators(what, queues, *user)
            }
            Edit::Import { .. } => {
                vec![Deed { what: "store.import", account: None, on: Vec::new(), key: None, always: true }]
            }
            Edit::Rehash { .. }
            | Edit::TouchToken { .. }
            | Edit::TouchSession { .. }
            | Edit::Follow { .. }
            | Edit::Unfollow { .. } => Vec::new(),
        }
    }

    fn on_account(what: &'static str, name: &Name, outcome: Outcome) -> Deed {
        let account = account_of(outcome);
        let on = vec![Thing::new("account", account.map(AccountId::get), name.as_str())];
        Deed { what, account, on, key: account.map(Key::Account), always: true }
    }

    /// Something that belongs to an account, and has no number of its own.
    fn within_account(&self, what: &'static str, (kind, name): (&str, &str), outcome: Outcome) -> Deed {
        let account = account_of(outcome);
        let its = account.and_then(|id| self.account(id));
        let its = its.map(|account| Thing::new("account", Some(account.id.get()), account.name.as_str()));
        let on = its.into_iter().chain([Thing::new(kind, None, name)]).collect();
        Deed { what, account, on, key: account.map(Key::Account), always: true }
    }

    fn on_login(&self, what: &'static str, login: &Name, outcome: Outcome) -> Deed {
        self.within_account(what, ("login", login.as_str()), outcome)
    }

    fn on_admin(&self, what: &'static str, jid: &str, outcome: Outcome) -> Deed {
        Deed { always: false, ..self.within_account(what, ("admin", jid), outcome) }
    }

    fn on_token(&self, what: &'static str, name: &Name, outcome: Outcome) -> Deed {
        let key = account_of(outcome).map(|account| Key::Token(account, name.clone()));
        Deed { key, ..self.within_account(what, ("token", name.as_str()), outcome) }
    }

    fn on_session(&self, token: &TokenHash) -> Vec<Deed> {
        let session = self.sessions.get(token);
        let deed = |it: &super::Session| self.on_login("session.close", &it.login, Outcome::Account(it.account));
        session.map(deed).into_iter().collect()
    }

    fn on_queue(what: &'static str, account: AccountId, id: Option<QueueId>, name: &Name) -> Deed {
        let on = vec![Thing::new("queue", id.map(QueueId::get), name.as_str())];
        Deed { what, account: Some(account), on, key: id.map(Key::Queue), always: false }
    }

    fn on_own_queue(&self, what: &'static str, account: AccountId, id: QueueId) -> Vec<Deed> {
        let state = self.queues.get(&id);
        state.map(|state| Self::on_queue(what, account, Some(id), &state.queue.name)).into_iter().collect()
    }

    fn on_user(what: &'static str, account: AccountId, id: Option<UserId>, name: &str) -> Deed {
        let on = vec![Thing::new("user", id.map(UserId::get), name)];
        Deed { what, account: Some(account), on, key: id.map(Key::User), always: false }
    }

    fn on_own_user(&self, what: &'static str, account: AccountId, id: UserId) -> Vec<Deed> {
        let person = self.people.get(&id);
        person.map(|person| Self::on_user(what, account, Some(id), person.name())).into_iter().collect()
    }

    fn on_operators(&self, what: &'static str, queues: &[QueueId], user: UserId) -> Vec<Deed> {
        let Some(person) = self.people.get(&user) else { return Vec::new() };
        let deed = |(at, id): (usize, &QueueId)| {
            let state = self.queues.get(id).filter(|_| !queues[..at].contains(id))?;
            let on = vec![
                Thing::new("queue", Some(id.get()), state.queue.name.as_str()),
                Thing::new("user", Some(user.get()), person.name()),
            ];
            Some(Deed { what, account: Some(person.account), on, key: Some(Key::Operator(*id, user)), always: false })
        };
        queues.iter().enumerate().filter_map(deed).collect()
    }

    /// Each operator of a queue whom this plan changes.
    fn on_staff(&self, queue: QueueId, plan: &Plan) -> Vec<Deed> {
        let deed = |write: &Write| {
            let (what, user) = match write {
                Write::Put(Record::Operator(now)) => match self.people.get(&now.user)?.enabled_on(queue) {
                    None => ("operator.assign", now.user),
                    Some(_) if now.suspended.is_none() => ("operator.enable", now.user),
                    Some(_) => ("operator.suspend", now.user),
                },
                Write::Delete(Key::Operator(_, user)) => ("operator.unassign", *user),
                Write::Put(_) | Write::Delete(_) | Write::Note(_) | Write::Forget(_) => return None,
            };
            self.on_operators(what, &[queue], user).pop()
        };
        plan.change.iter().filter_map(deed).collect()
    }

    /// The fields of what is kept under `key` that `change` changes: as they are, and as they will be.
    fn difference(&self, key: Option<&Key>, change: &Change) -> (Vec<Field>, Vec<Field>) {
        let Some(key) = key else { return Default::default() };
        let will_be = change.iter().rev().find_map(|write| match write {
            Write::Put(record) if record.key() == *key => Some(Some(record)),
            Write::Delete(gone) if gone == key => Some(None),
            Write::Put(_) | Write::Delete(_) | Write::Note(_) | Write::Forget(_) => None,
        });
        let Some(will_be) = will_be else { return Default::default() };
        let before = self.record(key).as_ref().map(fields).unwrap_or_default();
        let after = will_be.map(fields).unwrap_or_default();
        let other_than = |these: &[Field], those: &[Field]| {
            let clip =
                |(name, value): &Field| (name.clone(), value.chars().take(VALUE_MOST).collect::<String>().into());
            these.iter().filter(|field| !those.contains(field)).take(FIELDS_MOST).map(clip).collect()
        };
        (other_than(&before, &after), other_than(&after, &before))
    }

    fn record(&self, key: &Key) -> Option<Record> {
        match key {
            Key::Account(id) => self.account(*id).cloned().map(Record::Account),
            Key::User(id) => self.people.get(id).map(|person| Record::User(person.user(*id))),
            Key::Queue(id) => self.queues.get(id).map(|state| Record::Queue(state.queue.clone())),
            Key::Operator(queue, user) => {
                let enabled = self.people.get(user)?.enabled_on(*queue)?;
                let suspended = (!enabled).then(|| self.suspension(*queue, *user).cloned().unwrap_or_default());
                Some(Record::Operator(super::Operator { queue: *queue, user: *user, suspended }))
            }
            Key::Token(account, name) => self.tokens.get(&(*account, name.clone())).cloned().map(Record::Token),
            // Nothing is noted of these.
            Key::NextId | Key::Subscriber(..) | Key::Session(_) => None,
        }
    }
}

const fn account_of(outcome: Outcome) -> Option<AccountId> {
    match outcome {
        Outcome::Account(id) => Some(id),
        Outcome::Queue(_) | Outcome::User(_) | Outcome::Staffed(_) | Outcome::Done => None,
    }
}

/// What can be told of a record: fields that are empty are left out, and so is every secret.
fn fields(record: &Record) -> Vec<Field> {
    let field = |name: &str, value: &str| -> Field { (name.into(), value.into()) };
    let optional = |name: &str, value: Option<&str>| value.map(|value| field(name, value));
    match record {
        Record::Account(it) => {
            let admins = it.admins.iter().map(|jid| field(&format!("admin {jid}"), "linked"));
            let logins = it.logins.iter().map(|(name, login)| field(&format!("login {name}"), login.role.as_str()));
            admins.chain(logins).collect()
        }
        Record::User(it) => {
            let named = [field("name", it.name.as_str()), field("jid", it.jid.as_str())];
            named.into_iter().chain(optional("email", it.email.as_deref())).collect()
        }
        Record::Queue(it) => {
            let texts = [("email", &it.email), ("avatar", &it.avatar)];
            let texts = texts.into_iter().filter_map(|(name, text)| optional(name, text.as_deref()));
            let transcripts = it.transcripts.then(|| field("transcripts", "true"));
            [field("name", it.name.as_str())].into_iter().chain(texts).chain(transcripts).collect()
        }
        Record::Operator(it) => {
            let enabled = field("enabled", if it.suspended.is_none() { "true" } else { "false" });
            let known = it.suspended.as_ref();
            let cause = known.and_then(|known| known.cause.as_ref());
            let until = known.and_then(|known| known.until).map(|until| field("until", &until.0.to_string()));
            [enabled].into_iter().chain(optional("reason", cause.map(super::Cause::as_str))).chain(until).collect()
        }
        Record::Token(it) => {
            let expires = it.expires.map(|at| field("expires", &at.0.to_string()));
            [field("role", it.role.as_str())].into_iter().chain(expires).collect()
        }
        Record::NextId(_) | Record::Subscriber(_) | Record::Session(_) => Vec::new(),
    }
}
