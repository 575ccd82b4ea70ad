//! The shapes that several resources have in common, and the words in them.

use serde::Serialize;
use tokio::time::Instant;
use utoipa::{
    ToSchema,
    openapi::{Array, ArrayBuilder, Object, ObjectBuilder, Type},
};

use crate::{
    clock::{self, Clock},
    domain::{Desk, Reason, ResourceView, Role, Show, UserId},
    http::auth::Caller,
};

/// The six words of availability.
pub(in crate::http) fn show_schema() -> Object {
    let words = Show::ALL.map(Show::as_str);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some("One of the six words of availability."))
        .build()
}

/// The names of reasons.
pub(super) fn reason_schema() -> Object {
    let words = Reason::ALL.map(Reason::as_str);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some("The name of a reason."))
        .build()
}

/// The reasons for a verdict.
pub(super) fn reasons_schema() -> Array {
    ArrayBuilder::new().items(reason_schema()).description(Some("Why it is so, with `explain=1`.")).build()
}

/// A connected client of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = Resource)]
pub(super) struct ResourceBody<'a> {
    /// Its name.
    name: &'a str,
    /// What it says.
    #[schema(schema_with = show_schema)]
    show: &'static str,
    /// Its priority (RFC 6121).
    priority: i8,
    /// Its status text.
    status: Option<&'a str>,
    /// What is known of its life: `heard` lately; `doubted`, while it is asked whether it is there; `stale`, since it did not
    /// answer; `unreadable`, since what it said could not be read. The latter two do not count.
    #[schema(value_type = State)]
    state: &'static str,
    /// Since when; for `heard`, when it was heard last.
    #[schema(format = DateTime)]
    since: String,
}

/// What is known of a client's life.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is read by the description only")]
pub(super) enum State {
    Heard,
    Doubted,
    Stale,
    Unreadable,
}

/// What time it was at a moment that may be.
pub(super) fn moment(clock: &Clock, moment: Option<std::time::Instant>) -> Option<String> {
    moment.map(|moment| clock::write(clock.at(Instant::from_std(moment))))
}

pub(super) fn words(reasons: &[Reason]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.as_str()).collect()
}

/// How much is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depth {
    /// With the reasons.
    pub(super) reasons: bool,
    /// With the clients: only who owns the account sees which those are.
    pub(super) clients: bool,
}

impl Depth {
    pub(super) const SHORT: Self = Self { reasons: false, clients: false };

    pub(super) fn of(explain: Option<bool>, caller: &Caller) -> Self {
        let reasons = explain.unwrap_or_default();
        Self { reasons, clients: reasons && caller.check_role(Role::Owner).is_ok() }
    }
}

pub(super) fn resources<'a>(desk: &'a Desk, clock: &Clock, user: UserId) -> Vec<ResourceBody<'a>> {
    desk.resources(user).map(|it| resource(clock, &it)).collect()
}

fn resource<'a>(clock: &Clock, it: &ResourceView<'a>) -> ResourceBody<'a> {
    let state = match () {
        () if it.unreadable => "unreadable",
        () if it.stale => "stale",
        () if it.doubted => "doubted",
        () => "heard",
    };
    let since = clock::write(clock.at(Instant::from_std(it.since)));
    ResourceBody { name: it.name, show: it.show.as_str(), priority: it.priority, status: it.status, state, since }
}
