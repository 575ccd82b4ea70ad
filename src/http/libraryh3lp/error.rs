//! What went wrong, in the shape that clients of this API read.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};

use super::Json;
use crate::{domain::Refusal, engine::EditError};

/// A failure: a status, and one text under the two keys that different clients read.
#[derive(Debug, Clone)]
pub(in crate::http) struct Failure {
    status: StatusCode,
    message: Cow<'static, str>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// The object of every failure.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub(in crate::http) struct FailureBody<'a> {
    /// Always null.
    #[schema(schema_with = always_null, required)]
    success: Option<bool>,
    message: &'a str,
    /// The same text again.
    error: &'a str,
}

impl Failure {
    pub(in crate::http) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), header: None }
    }

    /// What was asked for can not be done. That is a 200 in this API, whatever the method: clients look at `success`.
    pub(in crate::http) fn refused(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::OK, message)
    }

    pub(in crate::http) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such resource")
    }

    /// The router adds `Allow`.
    pub(in crate::http) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "the resource does not support this method")
    }

    pub(in crate::http) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "log in first")
    }

    /// Who asks may not.
    pub(in crate::http) fn forbidden(refusal: &Refusal) -> Self {
        Self::new(StatusCode::FORBIDDEN, refusal.to_string())
    }

    pub(in crate::http) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// Too much that somebody showed was wrong.
    pub(in crate::http) fn too_many(wait: Duration) -> Self {
        let text = format!("too many attempts have failed: try again in {} seconds", whole_seconds(wait));
        Self::new(StatusCode::TOO_MANY_REQUESTS, text).retrying_after(wait)
    }

    /// Says when to come again (RFC 9110 section 10.2.3).
    pub(in crate::http) fn retrying_after(self, wait: Duration) -> Self {
        Self { header: Some((header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)))), ..self }
    }

    /// What another shape says it with.
    pub(in crate::http) fn into_parts(self) -> (StatusCode, Cow<'static, str>, Option<(HeaderName, HeaderValue)>) {
        (self.status, self.message, self.header)
    }

    /// With another text.
    pub(in crate::http) fn saying(self, message: &'static str) -> Self {
        Self { message: message.into(), ..self }
    }

    /// Asks the client for HTTP Basic.
    pub(in crate::http) fn challenging(self) -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"rosterd\", charset=\"UTF-8\"");
        Self { header: Some((header::WWW_AUTHENTICATE, challenge)), ..self }
    }

    /// Says that the token is good for nothing (RFC 6750 section 3).
    pub(in crate::http) fn denying_token(self) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"rosterd\", error=\"invalid_token\"");
        Self { header: Some((header::WWW_AUTHENTICATE, challenge)), ..self }
    }

    /// The failure of an edit on a thing that the path names: what is not there, or not the caller's, is a 404.
    pub(in crate::http) fn of_edit(error: EditError) -> Self {
        match error {
            EditError::Refused(refusal) => match refusal {
                Refusal::NoQueue | Refusal::NoUser | Refusal::NotAssigned => {
                    Self::new(StatusCode::NOT_FOUND, refusal.to_string())
                }
                // The login was removed while the request was on its way, or the account.
                Refusal::NoAccount | Refusal::PasswordChanged | Refusal::Ended => Self::unauthenticated(),
                Refusal::NeedsRole { .. } | Refusal::NotAllowed => Self::forbidden(&refusal),
                Refusal::AccountTaken(_)
                | Refusal::NameTaken(_)
                | Refusal::JidTaken(_)
                | Refusal::JidOfQueues(_)
                | Refusal::NotEmpty { .. }
                | Refusal::StoreNotEmpty
                | Refusal::Inconsistent(_)
                | Refusal::MayNotFollow
                | Refusal::Changed
                | Refusal::TooManyOperators { .. }
                | Refusal::Twice
                | Refusal::Items(_)
                | Refusal::TooManyAdmins { .. }
                | Refusal::NotLinked(_)
                | Refusal::TooManyFollowers
                | Refusal::NoLogin
                | Refusal::LoginTaken(_)
                | Refusal::LastOwner
                | Refusal::TooManyLogins { .. }
                | Refusal::NoToken
                | Refusal::TokenTaken(_)
                | Refusal::TooManyTokens { .. }
                | Refusal::NoMoreIds => Self::refused(refusal.to_string()),
            },
            // Why has been logged where it happened.
            EditError::Store(_) => Self::unavailable("nothing can be stored at present, so nothing was changed"),
            EditError::Stopping => Self::unavailable("rosterd is stopping, so nothing was changed"),
        }
    }

    /// As [`Failure::of_edit`], where `of_the_body` is about what the fields name, not about what the path names.
    pub(super) fn of_edit_but(error: EditError, of_the_body: fn(&Refusal) -> bool) -> Self {
        match error {
            EditError::Refused(refusal) if of_the_body(&refusal) => Self::refused(refusal.to_string()),
            EditError::Refused(_) | EditError::Store(_) | EditError::Stopping => Self::of_edit(error),
        }
    }
}

pub(super) fn always_null() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}

/// Rounded up.
fn whole_seconds(length: Duration) -> u64 {
    length.as_secs() + u64::from(length.subsec_nanos() > 0)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response =
            Json::of(&FailureBody { success: None, message: &self.message, error: &self.message }).into_response();
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.header);
        response
    }
}
