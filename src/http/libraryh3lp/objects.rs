//! The objects of this API, as they are written: those of the first version, and the short ones of all later.

use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type, schema::SchemaType},
};

use super::error::always_null;
use crate::{
    domain::{OperatorView, QueueView, UserView},
    http::v1::show_schema,
};

/// A switch that is never false.
fn true_or_null() -> Object {
    let types = SchemaType::from_iter([Type::Boolean, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some([Some(true), None])).build()
}

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FullQueue)]
pub(in crate::http) struct Queue<'a> {
    id: u32,
    r#type: &'static str,
    name: &'a str,
    /// Not used, there for old clients: always null.
    #[schema(schema_with = always_null, required)]
    enabled: Option<bool>,
    /// `true` or null: never false.
    #[schema(schema_with = true_or_null, required)]
    transcripts: Option<bool>,
    #[schema(required)]
    email: Option<&'a str>,
    #[schema(required)]
    avatar: Option<&'a str>,
    #[schema(schema_with = show_schema)]
    show: &'static str,
    /// A sentence that tells the availability.
    status: String,
    jid: String,
}

impl<'a> Queue<'a> {
    /// With `domain`, where the queues are.
    pub(super) fn new(view: QueueView<'a>, domain: &str) -> Self {
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

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FullUser)]
pub(in crate::http) struct User<'a> {
    id: u32,
    r#type: &'static str,
    name: &'a str,
    #[schema(required)]
    email: Option<&'a str>,
    #[schema(schema_with = show_schema)]
    show: &'static str,
    /// What their client says, or null.
    #[schema(required)]
    status: Option<&'a str>,
    jid: &'a str,
}

impl<'a> From<UserView<'a>> for User<'a> {
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

/// An operator: a user on a queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FullOperator)]
pub(in crate::http) struct Operator<'a> {
    queue_id: u32,
    queue: &'a str,
    #[schema(schema_with = show_schema)]
    queue_show: &'static str,
    user_id: u32,
    user: &'a str,
    #[schema(schema_with = show_schema)]
    user_show: &'static str,
    /// `true`, or null for suspended: never false.
    #[schema(schema_with = true_or_null, required)]
    enabled: Option<bool>,
}

impl<'a> From<OperatorView<'a>> for Operator<'a> {
    fn from(view: OperatorView<'a>) -> Self {
        Self {
            queue_id: view.queue.queue.id.get(),
            queue: view.queue.queue.name.as_str(),
            queue_show: view.queue.published.show.as_str(),
            user_id: view.user.id.get(),
            user: view.user.name,
            user_show: view.user.show.as_str(),
            enabled: view.enabled.then_some(true),
        }
    }
}

/// A queue, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ShortQueue<'a> {
    id: u32,
    name: &'a str,
    #[schema(schema_with = show_schema)]
    show: &'static str,
}

impl<'a> From<QueueView<'a>> for ShortQueue<'a> {
    fn from(view: QueueView<'a>) -> Self {
        Self { id: view.queue.id.get(), name: view.queue.name.as_str(), show: view.published.show.as_str() }
    }
}

/// A user, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ShortUser<'a> {
    id: u32,
    name: &'a str,
    #[schema(schema_with = show_schema)]
    show: &'static str,
}

impl<'a> From<UserView<'a>> for ShortUser<'a> {
    fn from(view: UserView<'a>) -> Self {
        Self { id: view.id.get(), name: view.name, show: view.show.as_str() }
    }
}

/// An operator of a queue, in short: number, name and show are the user's.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ShortOperator<'a> {
    id: u32,
    name: &'a str,
    #[schema(schema_with = show_schema)]
    show: &'static str,
    /// `false` for suspended: never null.
    enabled: bool,
}

impl<'a> From<OperatorView<'a>> for ShortOperator<'a> {
    fn from(view: OperatorView<'a>) -> Self {
        Self { id: view.user.id.get(), name: view.user.name, show: view.user.show.as_str(), enabled: view.enabled }
    }
}
