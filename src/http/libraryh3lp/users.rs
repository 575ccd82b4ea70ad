//! Users: rows 16 to 20.

use axum::{extract::State, http::StatusCode};

use super::{
    AtUser, Caller, Failure, Fields, Json, Site,
    objects::User,
    queues::{EMAIL_MOST, name},
};
use crate::domain::{AccountId, BareJid, Edit, Name, Outcome, Refusal, UserFields, UserId, UserView};

/// The most characters in a JID without a resource (RFC 7622 section 3.1).
const JID_MOST: usize = 2_047;

pub(super) fn missing() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, Refusal::NoUser.to_string())
}

pub(super) async fn list(State(site): State<Site>, caller: Caller) -> Json {
    site.desk.read(|desk| {
        let users = desk.books(caller.account).users();
        Json::of(&users.map(User::from).collect::<Vec<_>>())
    })
}

pub(super) async fn one(State(site): State<Site>, caller: Caller, AtUser(user): AtUser) -> Result<Json, Failure> {
    read(&site, caller.account, user, |view| Json::of(&User::from(view)))
}

pub(super) async fn create(State(site): State<Site>, caller: Caller, fields: Fields) -> Result<Json, Failure> {
    fields.check_type("user")?;
    let (name, fields) = user_fields(&fields)?;
    let name = name.ok_or_else(|| Failure::refused("name is missing"))?;
    let edit = Edit::CreateUser { account: caller.account, name, fields };
    match site.desk.edit(caller.by, edit).await.map_err(Failure::of_edit)? {
        Outcome::User(user) => written(&site, caller.account, user),
        Outcome::Account(_) | Outcome::Queue(_) | Outcome::Staffed(_) | Outcome::Done => Ok(Json::success()),
    }
}

pub(super) async fn update(
    State(site): State<Site>,
    caller: Caller,
    AtUser(user): AtUser,
    fields: Fields,
) -> Result<Json, Failure> {
    let account = caller.account;
    read(&site, account, user, |_| ())?;
    let (name, fields) = user_fields(&fields)?;
    let edit = Edit::UpdateUser { account, user, fields: UserFields { name, ..fields } };
    site.desk.edit(caller.by, edit).await.map_err(Failure::of_edit)?;
    written(&site, account, user)
}

pub(super) async fn remove(State(site): State<Site>, caller: Caller, AtUser(user): AtUser) -> Result<Json, Failure> {
    site.desk.edit(caller.by, Edit::DeleteUser { account: caller.account, user }).await.map_err(Failure::of_edit)?;
    Ok(Json::success())
}

/// Answers from a user of the account.
pub(super) fn read<T>(
    site: &Site,
    account: AccountId,
    user: UserId,
    answer: impl FnOnce(UserView<'_>) -> T,
) -> Result<T, Failure> {
    site.desk.read(|desk| desk.books(account).user(user).map(answer)).ok_or_else(missing)
}

/// What comes back of a write: a list with the user.
fn written(site: &Site, account: AccountId, user: UserId) -> Result<Json, Failure> {
    read(site, account, user, |view| Json::of(&[User::from(view)]))
}

/// A password is taken and thrown away: people log in to the XMPP server, not here.
fn user_fields(fields: &Fields) -> Result<(Option<Name>, UserFields), Failure> {
    let name = name(fields, Name::USER_MOST)?;
    let jid = fields.text_of("jid", JID_MOST)?.map(BareJid::parse).transpose().map_err(Failure::refused)?;
    Ok((name, UserFields { name: None, email: fields.removable_text("email", EMAIL_MOST)?, jid }))
}
