//! Fields as `multipart/form-data` (RFC 7578).

use std::collections::BTreeMap;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Multipart, Request},
    http::request::Parts,
};

use super::{Failure, Field, Fields, read::malformed};

/// The most parts in a body: ten times as many as anything here has fields.
const PARTS_MOST: usize = 100;

/// Reads a body that has been measured already.
pub(super) async fn read(head: Parts, body: Bytes) -> Result<Fields, Failure> {
    let has_other_lines = body.contains(&b'\n') && !body.contains(&b'\r');
    let request = Request::from_parts(head, Body::from(body));
    let no_boundary = |_| malformed("the Content-Type multipart/form-data has no boundary");
    let mut parts = Multipart::from_request(request, &()).await.map_err(no_boundary)?;
    // What exactly is wrong would quote the body, where passwords are.
    let broken = |_| {
        malformed(if has_other_lines {
            "the lines of a multipart body must end in CR LF (RFC 2046 section 4.1.1)"
        } else {
            "the multipart body is malformed, or breaks off"
        })
    };
    let mut fields = BTreeMap::new();
    let mut seen = 0;
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        seen += 1;
        if seen > PARTS_MOST {
            return Err(malformed(format!("the multipart body has more than {PARTS_MOST} parts")));
        }
        let name = part.name().map(ToOwned::to_owned);
        let file = part.file_name().map(ToOwned::to_owned);
        let content = part.bytes().await.map_err(broken)?;
        let name = name.ok_or_else(|| malformed("a part of the multipart body has no name"))?;
        match file {
            // A form's place for a file, where none was chosen.
            Some(file) if file.is_empty() && content.is_empty() => {}
            Some(_) => drop(fields.insert(name, Field::File)),
            None => {
                let text = String::from_utf8(content.into());
                drop(fields.insert(name, text.map_or(Field::Unreadable, Field::Typed)));
            }
        }
    }
    Ok(Fields(fields))
}
