//! Answers in JSON.

use axum::{
    body::Bytes,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};

use super::headers;

/// What is said where there is no more to say.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Success {
    /// Always true: a failure has another shape.
    #[schema(schema_with = always_true)]
    success: bool,
}

/// What [`Success`] and others that went well say of themselves.
pub(super) fn always_true() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).build()
}

/// A reply: JSON in UTF-8, not to be kept by anybody in between.
#[derive(Debug, Clone)]
pub(super) struct Json(Bytes);

impl Json {
    pub(super) fn of(body: &impl Serialize) -> Self {
        Self(serde_json::to_vec(body).expect("our bodies have text keys and nothing that can fail").into())
    }

    /// `{"success": true}`
    pub(super) fn success() -> Self {
        Self::of(&Success { success: true })
    }
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))];
        (kind, headers::OF_JSON, self.0).into_response()
    }
}
