//! Which method a request stands for: clients that can not send every method send POST, and name the other in `_method`.

use super::{
    Failure,
    fields::{self, Fields},
};
use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Reads what is in a request before its method is looked up: of the methods that set something the fields, which are handed
/// on; of all others the body is nothing, however it is.
pub(super) async fn meant(request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        return next.run(request.map(|_| Body::empty())).await;
    }
    let (mut head, fields) = fields::read(request).await;
    if head.method == Method::POST {
        match named(fields.as_ref().ok(), &fields::in_query(&head.uri)) {
            Ok(method) => head.method = method,
            Err(failure) => return failure.into_response(),
        }
    }
    head.extensions.insert(fields);
    next.run(Request::from_parts(head, Body::empty())).await
}

/// The method that a POST stands for. What is said in the body counts more than what is said in the query.
fn named(body: Option<&Fields>, query: &Fields) -> Result<Method, Failure> {
    const NAME: &str = "_method";
    let unknown = || Failure::new(StatusCode::BAD_REQUEST, "_method must be PUT, PATCH or DELETE");
    let in_body = body.map_or(Ok(None), |fields| fields.text(NAME)).map_err(|_| unknown())?;
    let in_query = query.text(NAME).map_err(|_| unknown())?;
    let Some(name) = in_body.or(in_query) else { return Ok(Method::POST) };
    let known = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    known.into_iter().find(|known| name.eq_ignore_ascii_case(known.as_str())).ok_or_else(unknown)
}
