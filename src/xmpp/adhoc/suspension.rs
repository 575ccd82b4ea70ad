//! What is filled in of a suspension, and how one is told of: why, and for how long.

use std::{borrow::Cow, fmt::Write as _};

use xmpp_parsers::data_forms::Field;

use super::{Fault, Filled, form};
use crate::{
    clock,
    domain::{Cause, OperatorView, SuspensionFields, UnixTime},
};

/// The lengths to choose from, each with its label and its seconds.
const LENGTHS: [(&str, &str, Option<u64>); 8] = [
    ("none", "Until resumed", None),
    ("15m", "15 minutes", Some(15 * 60)),
    ("30m", "30 minutes", Some(30 * 60)),
    ("1h", "1 hour", Some(3_600)),
    ("2h", "2 hours", Some(2 * 3_600)),
    ("4h", "4 hours", Some(4 * 3_600)),
    ("8h", "8 hours", Some(8 * 3_600)),
    ("24h", "24 hours", Some(24 * 3_600)),
];

/// What can be said of a suspension.
pub(super) fn fields() -> [Field; 2] {
    let reason = form::text("reason", "Reason (others who staff the queue read it; may be left out)", false);
    let options = LENGTHS.map(|(value, label, _)| (value.to_owned(), label.to_owned()));
    let mut length = form::choice("duration", "For how long", options).with_value(LENGTHS[0].0);
    length.required = false;
    [reason, length]
}

/// What was said of it.
pub(super) fn read(form: &Filled, now: UnixTime) -> Result<SuspensionFields, Fault> {
    let cause = form.get("reason").map(Cause::parse).transpose();
    let cause = cause.map_err(|what| Fault::BadPayload(Cow::Owned(what)))?;
    let chosen = form.get("duration").unwrap_or(LENGTHS[0].0);
    let length = LENGTHS.into_iter().find(|(value, _, _)| *value == chosen).map(|(_, _, length)| length);
    let unknown = Fault::BadPayload(Cow::Borrowed("the duration is not one of those that you can choose from"));
    let until = length.ok_or(unknown)?.map(|length| UnixTime(now.0.saturating_add(length)));
    Ok(SuspensionFields::by_hand(cause, until))
}

/// The end of a sentence about it: `.`, or ` until 2026-11-22 02:30 UTC: lunch`.
pub(super) fn told(fields: &SuspensionFields) -> String {
    let mut text = fields.until.flatten().map_or(String::new(), |until| format!(" until {}", clock::say(until)));
    match fields.cause.iter().flatten().next() {
        Some(cause) => write!(text, ": {cause}").expect("a text takes all"),
        None => text.push('.'),
    }
    text
}

/// How an operator stands on a queue, in words.
pub(super) fn standing(operator: &OperatorView<'_>) -> String {
    match operator.until {
        _ if operator.enabled => "enabled".to_owned(),
        None => "suspended".to_owned(),
        Some(until) => format!("suspended until {}", clock::say(until)),
    }
}
