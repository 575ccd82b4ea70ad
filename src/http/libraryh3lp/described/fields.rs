//! What requests of this API take.
//!
//! What else there is among the fields is ignored; the description does not invite it. In the query there may be less of a
//! text than in a body, since the head of a request has a limit.

use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        Object, ObjectBuilder, Type,
        path::{Parameter, ParameterIn},
        schema::SchemaType,
    },
};

/// The fields of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Login,
    Queue,
    User,
    UserId,
    QueueId,
    Enabled,
}

impl Takes {
    /// The name of the schema of its fields.
    pub(super) const fn schema(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Login => Some("LoginFields"),
            Self::Queue => Some("QueueFields"),
            Self::User => Some("UserFields"),
            Self::UserId => Some("UserIdField"),
            Self::QueueId => Some("QueueIdField"),
            Self::Enabled => Some("EnabledFields"),
        }
    }

    /// The same in the query, which counts where there is no body. Of a login that is not told: it would stand in logs.
    pub(super) fn parameters(self) -> Vec<Parameter> {
        let place = || Some(ParameterIn::Query);
        match self {
            Self::Nothing | Self::Login => Vec::new(),
            Self::Queue => QueueFields::into_params(place),
            Self::User => UserFields::into_params(place),
            Self::UserId => UserIdField::into_params(place),
            Self::QueueId => QueueIdField::into_params(place),
            Self::Enabled => EnabledFields::into_params(place),
        }
    }
}

/// What a login takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read by the description only")]
#[serde(deny_unknown_fields)]
pub(super) struct LoginFields {
    username: String,
    #[schema(format = Password)]
    password: String,
}

/// What can be set of a queue. Null and the empty text take `email` and `avatar` away.
#[derive(ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read by the description only")]
#[serde(deny_unknown_fields)]
pub(super) struct QueueFields {
    /// Its name, up to 60 characters; who makes one has to give it.
    #[schema(max_length = 60)]
    #[param(max_length = 60, nullable = false)]
    name: Option<String>,
    /// `queue`, where anything.
    #[schema(pattern = "^(queue)?$")]
    #[param(pattern = "^(queue)?$", nullable = false)]
    r#type: Option<String>,
    /// Kept for the account.
    #[schema(max_length = 254)]
    #[param(max_length = 254, nullable = false)]
    email: Option<String>,
    /// Kept for the account.
    #[schema(max_length = 2048)]
    #[param(max_length = 500, nullable = false)]
    avatar: Option<String>,
    /// Kept for the account.
    #[param(nullable = false)]
    transcripts: Option<bool>,
}

/// What can be set of a user. Null and the empty text take `email` away.
#[derive(ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read by the description only")]
#[serde(deny_unknown_fields)]
pub(super) struct UserFields {
    /// Their name, up to 40 characters; who makes one has to give it.
    #[schema(max_length = 40)]
    #[param(max_length = 40, nullable = false)]
    name: Option<String>,
    /// `user`, where anything.
    #[schema(pattern = "^(user)?$")]
    #[param(pattern = "^(user)?$", nullable = false)]
    r#type: Option<String>,
    /// Kept for the account.
    #[schema(max_length = 254)]
    #[param(max_length = 254, nullable = false)]
    email: Option<String>,
    /// Their address; at the domain of the users where nothing is said.
    #[schema(max_length = 2047)]
    #[param(max_length = 500, nullable = false)]
    jid: Option<String>,
}

/// Who is to be assigned.
#[derive(ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read by the description only")]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct UserIdField {
    #[schema(schema_with = number)]
    #[param(schema_with = number, required = false)]
    user_id: u32,
}

/// To what they are to be assigned.
#[derive(ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read by the description only")]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct QueueIdField {
    #[schema(schema_with = number)]
    #[param(schema_with = number, required = false)]
    queue_id: u32,
}

/// Whether they are enabled. What there is not changes nothing, and so does a value of `enabled` that is none.
#[derive(ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read by the description only")]
#[serde(deny_unknown_fields)]
pub(super) struct EnabledFields {
    /// True enables; false and null suspend, and so do in a form or in the query `0` and the empty text.
    #[param(nullable = false)]
    enabled: Option<bool>,
    /// Why they are suspended.
    #[schema(max_length = 200)]
    #[param(max_length = 200, nullable = false)]
    reason: Option<String>,
    /// When the suspension ends: a moment of RFC 3339 that has not passed.
    #[schema(format = DateTime)]
    #[param(format = DateTime, nullable = false)]
    until: Option<String>,
}

fn number() -> Object {
    let types = SchemaType::from_iter([Type::Integer, Type::String]);
    let number = ObjectBuilder::new().schema_type(types).minimum(Some(1)).pattern(Some("^[0-9]+$"));
    number.description(Some("Its number, as such or as a text.")).build()
}
