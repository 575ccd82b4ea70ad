//! Users: rows 16 to 20.

use axum::{Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;

use super::{AtUser, Caller, Failure, Fields, Json, Site, queues::EMAIL_MOST};
use crate::domain::{AccountId, BareJid, Edit, Name, Outcome, Refusal, UserFields, UserId, UserView};

#[derive(Serialize)]
struct UserBody<'a> {
    id: u32,
    r#type: &'static str,
    name: &'a str,
    email: Option<&'a str>,
    show: &'static str,
    status: Option<&'a str>,
    jid: &'a str,
}

impl<'a> From<UserView<'a>> for UserBody<'a> {
    fn from(view: UserView<'a>) -> Self {
        Self {
            id: view.id.get(),
            r#type: "user",
            name: view.name,
            email: view.email,
            show: view.show.as_str(),
            status: view.status,
            jid: view.jid.as_str(),
        }
    }
}

pub(super) fn routes(prefix: &str) -> Router<Site> {
    Router::new()
        .route(&format!("{prefix}/users"), get(list).post(create))
        .route(&format!("{prefix}/users/{{user}}"), get(one).put(update).patch(update).delete(remove))
}

pub(super) fn missing() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, Refusal::NoUser.to_string())
}

async fn list(State(site): State<Site>, caller: Caller) -> Json {
    site.desk.read(|desk| {
        let users = desk.books(caller.account).users();
        Json::of(&users.map(UserBody::from).collect::<Vec<_>>())
    })
}

async fn one(State(site): State<Site>, caller: Caller, AtUser(user): AtUser) -> Result<Json, Failure> {
    read(&site, caller.account, user, |body| Json::of(&body))
}

async fn create(State(site): State<Site>, caller: Caller, fields: Fields) -> Result<Json, Failure> {
    fields.check_type("user")?;
    let (name, fields) = user_fields(&fields)?;
    let name = name.ok_or_else(|| Failure::refused("name is missing"))?;
    let edit = Edit::CreateUser { account: caller.account, name, fields };
    match site.desk.edit(caller.by, edit).await.map_err(Failure::of_edit)? {
        Outcome::User(user) => read(&site, caller.account, user, |body| Json::of(&[body])),
        Outcome::Account(_) | Outcome::Queue(_) | Outcome::Done => Ok(Json::success()),
    }
}

async fn update(
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
    read(&site, account, user, |body| Json::of(&[body]))
}

async fn remove(State(site): State<Site>, caller: Caller, AtUser(user): AtUser) -> Result<Json, Failure> {
    site.desk.edit(caller.by, Edit::DeleteUser { account: caller.account, user }).await.map_err(Failure::of_edit)?;
    Ok(Json::success())
}

fn read<T>(
    site: &Site,
    account: AccountId,
    user: UserId,
    answer: impl FnOnce(UserBody<'_>) -> T,
) -> Result<T, Failure> {
    site.desk.read(|desk| {
        let view = desk.books(account).user(user).ok_or_else(missing)?;
        Ok(answer(view.into()))
    })
}

/// A password is taken and thrown away: people log in to the XMPP server, not here.
fn user_fields(fields: &Fields) -> Result<(Option<Name>, UserFields), Failure> {
    let name = fields.text("name")?.map(|name| Name::parse(name, Name::USER_MOST)).transpose();
    let name = name.map_err(|error| Failure::refused(error.to_string()))?;
    let jid = fields.text("jid")?.map(BareJid::parse).transpose().map_err(Failure::refused)?;
    Ok((name, UserFields { name: None, email: fields.removable_text("email", EMAIL_MOST)?, jid }))
}
