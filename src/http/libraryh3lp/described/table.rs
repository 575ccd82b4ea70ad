//! What there is: the resources, and what can be done with each.

use utoipa::openapi::HttpMethod;

use super::fields::Takes;

/// A resource: its path behind the prefix, what operations on it are named after, and those.
pub(super) type Resource = (&'static str, &'static str, &'static [Described]);

/// An operation: its method, what it does, what it takes, what the first version gives, and what later ones do.
pub(super) type Described = (HttpMethod, &'static str, Takes, Gives, Gives);

/// The body of a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    One(&'static str),
    List(&'static str),
}

use Gives::{List, One};
use HttpMethod::{Delete, Get, Patch, Post, Put};

const DONE: Gives = One("Success");

pub(super) const RESOURCES: [Resource; 10] = [
    (
        "/auth/login",
        "Login",
        &[(Post, "Logs in, and sets the cookie of a session.", Takes::Login, One("Login"), One("Login"))],
    ),
    ("/auth/logout", "Logout", &[(Post, "Ends the session of the cookie.", Takes::Nothing, DONE, DONE)]),
    (
        "/queues",
        "Queues",
        &[
            (Get, "Lists the queues of the account.", Takes::Nothing, List("FullQueue"), List("ShortQueue")),
            (Post, "Makes a queue.", Takes::Queue, List("FullQueue"), List("FullQueue")),
        ],
    ),
    (
        "/queues/{queue}",
        "Queue",
        &[
            (Get, "Shows one queue.", Takes::Nothing, One("FullQueue"), One("ShortQueue")),
            (Put, "Changes what is named of a queue.", Takes::Queue, List("FullQueue"), List("FullQueue")),
            (Patch, "Changes what is named of a queue.", Takes::Queue, List("FullQueue"), List("FullQueue")),
            (Delete, "Removes a queue and its assignments.", Takes::Nothing, DONE, DONE),
        ],
    ),
    (
        "/queues/{queue}/operators",
        "Operators",
        &[
            (Get, "Lists the operators of a queue.", Takes::Nothing, List("FullOperator"), List("ShortOperator")),
            (Post, "Assigns a user to a queue. They are enabled, unless they were there.", Takes::UserId, DONE, DONE),
        ],
    ),
    (
        "/queues/{queue}/operators/{user}",
        "Operator",
        &[
            (Put, "Enables or suspends an operator.", Takes::Enabled, List("FullOperator"), One("ShortOperator")),
            (Patch, "Enables or suspends an operator.", Takes::Enabled, List("FullOperator"), One("ShortOperator")),
            (Delete, "Ends an assignment.", Takes::Nothing, DONE, DONE),
        ],
    ),
    (
        "/users",
        "Users",
        &[
            (Get, "Lists the users of the account.", Takes::Nothing, List("FullUser"), List("ShortUser")),
            (Post, "Makes a user.", Takes::User, List("FullUser"), List("FullUser")),
        ],
    ),
    (
        "/users/{user}",
        "User",
        &[
            (Get, "Shows one user.", Takes::Nothing, One("FullUser"), One("ShortUser")),
            (Put, "Changes what is named of a user.", Takes::User, List("FullUser"), List("FullUser")),
            (Patch, "Changes what is named of a user.", Takes::User, List("FullUser"), List("FullUser")),
            (Delete, "Removes a user and their assignments.", Takes::Nothing, DONE, DONE),
        ],
    ),
    (
        "/users/{user}/assignments",
        "Assignments",
        &[
            (Get, "Lists the assignments of a user.", Takes::Nothing, List("FullOperator"), List("FullOperator")),
            (Post, "Assigns a user to a queue. They are enabled, unless they were there.", Takes::QueueId, DONE, DONE),
        ],
    ),
    (
        "/users/{user}/assignments/{queue}",
        "Assignment",
        &[
            (Put, "Enables or suspends an operator.", Takes::Enabled, List("FullOperator"), List("FullOperator")),
            (Patch, "Enables or suspends an operator.", Takes::Enabled, List("FullOperator"), List("FullOperator")),
            (Delete, "Ends an assignment.", Takes::Nothing, DONE, DONE),
        ],
    ),
];
