//! The rules, and nothing else: no async, no clock, no I/O, no serde, no logging.
//!
//! Time comes in as an argument, facts come in as an [`Input`] or a committed [`Change`], and what is to be done
//! comes out as [`Event`]s and [`Effect`]s. Everything that decides stands in [`Desk`].

pub mod account;
pub mod asker;
pub mod audit;
pub mod availability;
pub mod by;
pub mod desk;
pub mod edit;
pub mod effect;
pub mod ids;
pub mod input;
pub mod onboarding;
pub mod operator;
pub mod plan;
pub mod policy;
pub mod presence;
pub mod queue;
pub mod record;
pub mod role;
pub mod show;
pub mod suspension;
pub mod user;

mod census;
mod commit;
mod duty;
mod followers;
mod index;
mod lease;
mod login;
mod note;
mod outgoing;
mod restore;
mod roster;
mod shown;
mod staffing;
mod sweep;
mod version;
mod views;

pub use account::{Account, Login, Session, Token, TokenHash, UnixTime};
pub use asker::{Asker, Queues};
pub use audit::{Noted, Search, Thing};
pub use availability::{Published, Reason};
pub use by::{By, Who};
pub use census::{Census, Totals};
pub use desk::Desk;
pub use edit::{Edit, Outcome, QueueFields, Refusal, UserFields, Wish};
pub use effect::{Effect, Event};
pub use ids::{AccountId, BareJid, Name, QueueId, UserId};
pub use input::{Input, Seen};
pub use login::TOUCH_EVERY;
pub use onboarding::{Entry, Grants, Onboarding, RosterWrite, WriteFailure};
pub use operator::{Cause, Operator};
pub use outgoing::ARRIVES_WITHIN;
pub use plan::{Change, Claim, Claims, Plan};
pub use policy::{Policy, WhoMayFollow};
pub use queue::{Queue, Subscriber};
pub use record::{Key, Record, Write};
pub use restore::Inconsistent;
pub use role::Role;
pub use roster::WRITES_MOST;
pub use show::{Merge, Precedence, Show};
pub use staffing::{ROWS_MOST, Staffing};
pub use suspension::{Suspension, SuspensionFields};
pub use sweep::LinkPhase;
pub use user::User;
pub use version::Version;
pub use views::{Books, OperatorView, QueueView, ResourceView, Tally, UserView};
