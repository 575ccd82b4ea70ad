//! Queues: rows 2 to 6.

use axum::{Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;

use super::{AtQueue, Caller, Failure, Fields, Json, Site};
use crate::domain::{AccountId, Edit, Name, Outcome, QueueFields, QueueId, QueueView};

/// The most characters in an e-mail address (RFC 5321 section 4.5.3.1.3, less the brackets).
pub(super) const EMAIL_MOST: usize = 254;
const AVATAR_MOST: usize = 2_048;

#[derive(Serialize)]
struct QueueBody<'a> {
    id: u32,
    r#type: &'static str,
    name: &'a str,
    /// Not used, there for old clients.
    enabled: Option<bool>,
    transcripts: Option<bool>,
    email: Option<&'a str>,
    avatar: Option<&'a str>,
    show: &'static str,
    status: String,
    jid: String,
}

impl<'a> QueueBody<'a> {
    fn new(view: QueueView<'a>, domain: &str) -> Self {
        let QueueView { queue, published } = view;
        Self {
            id: queue.id.get(),
            r#type: "queue",
            name: queue.name.as_str(),
            enabled: None,
            transcripts: queue.transcripts.then_some(true),
            email: queue.email.as_deref(),
            avatar: queue.avatar.as_deref(),
            show: published.show.as_str(),
            status: published.to_string(),
            jid: format!("{}@{domain}", queue.name),
        }
    }
}

pub(super) fn routes(prefix: &str) -> Router<Site> {
    Router::new()
        .route(&format!("{prefix}/queues"), get(list).post(create))
        .route(&format!("{prefix}/queues/{{queue}}"), get(one).put(update).patch(update).delete(remove))
}

pub(super) fn missing() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, crate::domain::Refusal::NoQueue.to_string())
}

async fn list(State(site): State<Site>, caller: Caller) -> Json {
    let domain = &site.settings.domain;
    site.desk.read(|desk| {
        let queues = desk.books(caller.account).queues();
        Json::of(&queues.map(|view| QueueBody::new(view, domain)).collect::<Vec<_>>())
    })
}

async fn one(State(site): State<Site>, caller: Caller, AtQueue(queue): AtQueue) -> Result<Json, Failure> {
    read(&site, caller.account, queue, |body| Json::of(&body))
}

async fn create(State(site): State<Site>, caller: Caller, fields: Fields) -> Result<Json, Failure> {
    fields.check_type("queue")?;
    let (name, fields) = queue_fields(&fields)?;
    let name = name.ok_or_else(|| Failure::refused("name is missing"))?;
    let edit = Edit::CreateQueue { account: caller.account, name, fields };
    match site.desk.edit(caller.by, edit).await.map_err(Failure::of_edit)? {
        Outcome::Queue(queue) => read(&site, caller.account, queue, |body| Json::of(&[body])),
        Outcome::Account(_) | Outcome::User(_) | Outcome::Done => Ok(Json::success()),
    }
}

async fn update(
    State(site): State<Site>,
    caller: Caller,
    AtQueue(queue): AtQueue,
    fields: Fields,
) -> Result<Json, Failure> {
    let account = caller.account;
    read(&site, account, queue, |_| ())?;
    let (name, fields) = queue_fields(&fields)?;
    let edit = Edit::UpdateQueue { account, queue, fields: QueueFields { name, ..fields } };
    site.desk.edit(caller.by, edit).await.map_err(Failure::of_edit)?;
    read(&site, account, queue, |body| Json::of(&[body]))
}

async fn remove(State(site): State<Site>, caller: Caller, AtQueue(queue): AtQueue) -> Result<Json, Failure> {
    site.desk.edit(caller.by, Edit::DeleteQueue { account: caller.account, queue }).await.map_err(Failure::of_edit)?;
    Ok(Json::success())
}

fn read<T>(
    site: &Site,
    account: AccountId,
    queue: QueueId,
    answer: impl FnOnce(QueueBody<'_>) -> T,
) -> Result<T, Failure> {
    site.desk.read(|desk| {
        let view = desk.books(account).queue(queue).ok_or_else(missing)?;
        Ok(answer(QueueBody::new(view, &site.settings.domain)))
    })
}

fn queue_fields(fields: &Fields) -> Result<(Option<Name>, QueueFields), Failure> {
    let name = fields.text("name")?.map(|name| Name::parse(name, Name::QUEUE_MOST)).transpose();
    let name = name.map_err(|error| Failure::refused(error.to_string()))?;
    let fields = QueueFields {
        name: None,
        email: fields.removable_text("email", EMAIL_MOST)?,
        avatar: fields.removable_text("avatar", AVATAR_MOST)?,
        transcripts: fields.switch("transcripts"),
    };
    Ok((name, fields))
}
