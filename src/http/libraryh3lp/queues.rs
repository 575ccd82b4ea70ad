//! Queues: rows 2 to 6.

use axum::{extract::State, http::StatusCode};

use super::{AtQueue, Caller, Failure, Fields, Json, Site, objects::Queue};
use crate::domain::{AccountId, Edit, Name, Outcome, QueueFields, QueueId, QueueView, Refusal};

/// The most characters in an e-mail address (RFC 5321 section 4.5.3.1.3, less the brackets).
pub(super) const EMAIL_MOST: usize = 254;
const AVATAR_MOST: usize = 2_048;

pub(super) fn missing() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, Refusal::NoQueue.to_string())
}

pub(super) async fn list(State(site): State<Site>, caller: Caller) -> Json {
    let settings = site.settings.get();
    site.desk.read(|desk| {
        let queues = desk.books(caller.account).queues();
        Json::of(&queues.map(|view| Queue::new(view, &settings.domain)).collect::<Vec<_>>())
    })
}

pub(super) async fn one(State(site): State<Site>, caller: Caller, AtQueue(queue): AtQueue) -> Result<Json, Failure> {
    read(&site, caller.account, queue, |view| Json::of(&Queue::new(view, &site.settings.get().domain)))
}

pub(super) async fn create(State(site): State<Site>, caller: Caller, fields: Fields) -> Result<Json, Failure> {
    fields.check_type("queue")?;
    let (name, fields) = queue_fields(&fields)?;
    let name = name.ok_or_else(|| Failure::refused("name is missing"))?;
    let edit = Edit::CreateQueue { account: caller.account, name, fields };
    match site.desk.edit(caller.by, edit).await.map_err(Failure::of_edit)? {
        Outcome::Queue(queue) => written(&site, caller.account, queue),
        Outcome::Account(_) | Outcome::User(_) | Outcome::Staffed(_) | Outcome::Done => Ok(Json::success()),
    }
}

pub(super) async fn update(
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
    written(&site, account, queue)
}

pub(super) async fn remove(State(site): State<Site>, caller: Caller, AtQueue(queue): AtQueue) -> Result<Json, Failure> {
    site.desk.edit(caller.by, Edit::DeleteQueue { account: caller.account, queue }).await.map_err(Failure::of_edit)?;
    Ok(Json::success())
}

/// Answers from a queue of the account.
pub(super) fn read<T>(
    site: &Site,
    account: AccountId,
    queue: QueueId,
    answer: impl FnOnce(QueueView<'_>) -> T,
) -> Result<T, Failure> {
    site.desk.read(|desk| desk.books(account).queue(queue).map(answer)).ok_or_else(missing)
}

/// What comes back of a write: a list with the queue.
fn written(site: &Site, account: AccountId, queue: QueueId) -> Result<Json, Failure> {
    read(site, account, queue, |view| Json::of(&[Queue::new(view, &site.settings.get().domain)]))
}

fn queue_fields(fields: &Fields) -> Result<(Option<Name>, QueueFields), Failure> {
    let name = name(fields, Name::QUEUE_MOST)?;
    let fields = QueueFields {
        name: None,
        email: fields.removable_text("email", EMAIL_MOST)?,
        avatar: fields.removable_text("avatar", AVATAR_MOST)?,
        transcripts: fields.switch("transcripts"),
    };
    Ok((name, fields))
}

/// The name that the fields give. It can not be taken away.
pub(super) fn name(fields: &Fields, most: usize) -> Result<Option<Name>, Failure> {
    let name = fields.text_or_empty("name")?.map(|name| Name::parse(name, most)).transpose();
    name.map_err(|error| Failure::refused(error.to_string()))
}
