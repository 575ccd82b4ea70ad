//! What went wrong, in the shape of RFC 9457.

use std::borrow::Cow;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::Json;
use crate::{domain::Refusal, engine::EditError, http::libraryh3lp::Failure};

/// What can go wrong. Programs tell one from another by its name, which stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Kind {
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    VersionMismatch,
    TooLarge,
    InvalidItems,
    TooMany,
    TooManyAttempts,
    Mistake,
    Unavailable,
    Other,
}

impl Kind {
    /// All that a client may meet.
    pub(in crate::http) const ALL: [Self; 13] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::VersionMismatch,
        Self::TooLarge,
        Self::InvalidItems,
        Self::TooMany,
        Self::TooManyAttempts,
        Self::Mistake,
        Self::Unavailable,
    ];

    /// Its name, which is the end of its type; what it is, in few words; and its status.
    pub(in crate::http) const fn what(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::BadRequest => ("bad-request", "The request can not be understood", StatusCode::BAD_REQUEST),
            Self::Unauthenticated => ("unauthenticated", "There is no login", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("forbidden", "This may not be done", StatusCode::FORBIDDEN),
            Self::NotFound => ("not-found", "There is no such thing", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => {
                ("method-not-allowed", "The resource does not support the method", StatusCode::METHOD_NOT_ALLOWED)
            }
            Self::Conflict => ("conflict", "It does not fit what is there", StatusCode::CONFLICT),
            Self::VersionMismatch => ("version-mismatch", "It was changed meanwhile", StatusCode::PRECONDITION_FAILED),
            Self::TooLarge => ("too-large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::InvalidItems => {
                ("invalid-items", "Some of what was sent can not be", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::TooMany => ("too-many", "There are too many", StatusCode::UNPROCESSABLE_ENTITY),
            Self::TooManyAttempts => {
                ("too-many-attempts", "Wait as long as Retry-After says", StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Mistake => ("mistake", "rosterd made a mistake", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unavailable => ("unavailable", "It can not be done at present", StatusCode::SERVICE_UNAVAILABLE),
            Self::Other => ("other", "The request failed", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// That of a failure that other parts say by its status.
    fn of(status: StatusCode) -> Self {
        Self::ALL.into_iter().find(|kind| kind.what().2 == status).unwrap_or(Self::Other)
    }
}

/// A problem: its kind says what is wrong to a program, its detail to a person.
#[derive(Debug, Clone)]
pub(in crate::http) struct Problem {
    kind: Kind,
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: Vec<ItemError>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// What is wrong with a part of what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::http) struct ItemError {
    /// Where it stands in the body: a JSON pointer (RFC 6901).
    #[schema(example = "/3/until")]
    pub(super) pointer: String,
    /// What is wrong with it.
    pub(super) detail: String,
}

/// Problem details (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body<'a> {
    /// What is wrong, for programs: `/docs#` and a name that stays what it is.
    #[schema(example = "/docs#not-found")]
    r#type: String,
    /// The same in few words.
    title: &'static str,
    /// The status of the reply.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong this time, for people.
    detail: &'a str,
    /// Everything that is wrong with what was sent, where it has parts.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [ItemError],
}

impl Problem {
    pub(in crate::http) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let (_, _, status) = kind.what();
        Self { kind, status, detail: detail.into(), errors: Vec::new(), header: None }
    }

    pub(super) fn bad(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::BadRequest, detail)
    }

    pub(super) fn missing(refusal: &Refusal) -> Self {
        Self::new(Kind::NotFound, refusal.to_string())
    }

    /// Names all that is wrong with what was sent.
    pub(super) fn of_items(kind: Kind, errors: Vec<ItemError>) -> Self {
        let detail = match &errors[..] {
            [one] => format!("{}: {}", one.pointer, one.detail),
            more => format!("{} things are wrong, so nothing was changed", more.len()),
        };
        Self { errors, ..Self::new(kind, detail) }
    }
}

/// Of users that were named one by one, by their place in the body.
fn of_rows(rows: Vec<(usize, Refusal)>) -> Problem {
    let is_twice = rows.iter().all(|(_, refusal)| *refusal == Refusal::Twice);
    let kind = if is_twice { Kind::Conflict } else { Kind::InvalidItems };
    let error = |(place, refusal): (usize, Refusal)| ItemError {
        pointer: format!("/{place}/user"),
        detail: refusal.to_string(),
    };
    Problem::of_items(kind, rows.into_iter().map(error).collect())
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        let kind = match error {
            EditError::Refused(Refusal::Items(rows)) => return of_rows(rows),
            EditError::Refused(Refusal::Changed) => Kind::VersionMismatch,
            EditError::Refused(Refusal::TooManyOperators { .. }) => Kind::TooMany,
            EditError::Refused(Refusal::NotAllowed | Refusal::NeedsRole { .. }) => Kind::Forbidden,
            error @ (EditError::Refused(_) | EditError::Store(_) | EditError::Stopping) => {
                let mut problem = Self::from(Failure::of_edit(error));
                // The other API answers with success what can not be done.
                if problem.status.is_success() {
                    (problem.kind, problem.status) = (Kind::Conflict, StatusCode::CONFLICT);
                }
                return problem;
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (status, detail, header) = failure.into_parts();
        Self { kind: Kind::of(status), status, detail, errors: Vec::new(), header: header.map(Box::new) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (name, title, _) = self.kind.what();
        let status = self.status.as_u16();
        let body = Body { r#type: format!("/docs#{name}"), title, status, detail: &self.detail, errors: &self.errors };
        let mut response = Json::of(&body).into_response();
        *response.status_mut() = self.status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json; charset=utf-8"));
        response.headers_mut().extend(self.header.map(|header| *header));
        response
    }
}
