//! rosterd: a staffing daemon for XMPP chat queues. The presence of operators comes in, the availability of the queues that
//! they staff goes out. This page is the map: where everything lives, how it flows, and what always holds. What rosterd is
//! for, and how to run it, stands in `README.md`.
//!
//! # Words
//!
//! One word for one thing, in the code as in the texts that people read. An **account** owns queues and
//! users. A **login** is somebody who may use the API for an account, with a password; a **token** is what a program shows instead;
//! either has a **role**: viewer, supervisor or owner. An **admin** is a JID that is linked to an account, and manages it from a
//! chat client. A **user** is a person with a JID. A **queue** is an entry point with a JID on our component's domain. An
//! **operator** is one user assigned to one queue, *enabled* or *suspended*. A **resource** is one connected client of a
//! user, and its **presence** is what it last said; a **show** is one of the six words of availability. The **link** is our
//! connection to the XMPP server, the **watcher** the one JID of ours that takes in everybody's presence, a **follower** (or
//! subscriber) somebody who follows a queue's presence. **Intent** is what people decided, and is stored; **observation** is
//! what was seen, and is never stored.
//!
//! # Where everything lives, in reading order
//!
//! | module | what it does | what it may name |
//! |---|---|---|
//! | [`domain`] | all rules, pure: no async, no clock, no I/O, no serde, no logging | nothing |
//! | [`engine`] | the one owner of the [`domain::Desk`]: takes facts and edits in order, has edits stored before they count, ends suspensions in time, hands out a [`engine::Handle`] | `clock`, `domain`, `metrics`, `store`, `telemetry` |
//! | [`xmpp`] | the component (XEP-0114): connect, gate, decode, encode, answer | `clock`, `config`, `domain`, `engine`, `metrics`, `telemetry` |
//! | [`http`] | HTTPS, one folder an API family, one file a resource; public presence, without TLS too where that is wanted; and the admin socket ([`http::admin`]); metrics, over TCP where that is wanted | `clock`, `config`, `domain`, `engine`, `metrics`, `password`, `telemetry` |
//! | [`ejabberd`] | rosters written through ejabberd's HTTP API, where people are onboarded that way | `config`, `domain`, `engine`, `telemetry` |
//! | [`store`] | intent on disk: the trait, [`store::SledStore`], [`store::MemoryStore`], snapshots, exports and backups | `domain`, `metrics` |
//! | [`metrics`] | what can be watched from outside: each room counts what it does, and what the desk knows is read when somebody asks | `domain` |
//! | [`clock`] | what time it is for people, and how moments are written | `domain` |
//! | [`password`] | passwords and their hashes | nothing |
//! | [`config`] | settings: a file, then the environment; one file a section, keys beside their defaults and docs | `domain` |
//! | [`cli`] | the command line, one file a subcommand | `app`, `clock`, `config`, `domain`, `engine`, `http`, `lifecycle`, `password`, `store`, `telemetry` |
//! | [`lifecycle`] | signals, the parts that stop together, and the service manager: readiness, watchdog, its sockets | nothing |
//! | [`telemetry`] | logging, and how much of it ([`telemetry::Levels`]) | `config` |
//! | [`app`] | the composition root: builds everything, runs it, stops it in order | everything |
//!
//! `xmpp`, `http`, `ejabberd` and `store` never name each other, and each library is named in one room only (`sled` in
//! `store/sled*`, `axum` in `http`, and so on). `tests/architecture.rs` reads the source and fails where this is broken.
//!
//! # How it flows
//!
//! ```text
//! stanza -> gate -> decode -> Fact --\                          /-> Event  -> log, listeners
//! link up, link down, a moment -------> engine: desk.apply() --+
//!                                       (bounded inbox)         \-> desk.outgoing() -> Effect -> encode -> link
//! edit of a manager, a command, a stanza -> desk.plan() -> store (durable) -> desk.commit() -> answer
//! read of a manager, a page, a command   -> the desk, behind a lock that is held for one question
//! ```
//!
//! What is to be sent is not queued when something happens: it is *computed*, from what everybody should know and what they
//! were told, when the link has room ([`domain::Desk::outgoing`]). A start, a new link, a new follower and an ordinary change
//! share that path, a slow link gets the latest truth instead of every step to it, and nothing grows without a bound. What
//! is said once only (a request, an approval, a farewell) is said again when its link died soon after.
//!
//! What somebody asks to be changed from a chat client is answered when it is stored. The link's reader hands it to a worker
//! beside it and goes on; the worker takes a bounded number of changes, few of one person, and says so where there are more.
//! Nothing is kept between the stages of a command: what a stage needs stands in its form and in the session's id.
//!
//! Edits that do not rest on each other ([`domain::Claims`]) are written together, with one flush for all that wait.
//!
//! A link begins with everything *unknown*. All users who are assigned are probed, at a bounded rate; a ping to the server
//! marks the end, since its answer comes after theirs. Who is silent after that and a moment of quiet is offline, and only then
//! is anybody told anything. Facts reach the engine through one channel in the order in which they happened, so nothing of an
//! earlier link can come after its end.
//!
//! Meanwhile the link is on trial, since a server may let a second component in and give each of the two a part of what is meant
//! for both: messages that we send to ourselves have to come back, all of them (`xmpp/rival.rs`). Until then nothing that is
//! heard counts, and nobody is sent anything but probes, and answers where somebody asks. On a server where all is well that takes
//! less time than the sweep. Where somebody else came and went on a link that has been good, it begins anew like a new one.
//!
//! Where the users' server lets a component write rosters and tells of everybody's presence (XEP-0356), it says so before it
//! answers a first ping, and has told by then who is there: only users of other servers are probed. What is written into a
//! roster is an [`domain::RosterWrite`], a few of which are under way at a time: through the link, or through [`ejabberd`].
//!
//! From then on a presence is a lease: a resource that has been silent is pinged, and does not count from when it should have
//! answered until it is heard again.
//!
//! A follower whose server says that they are gone for good is told nothing from that moment, and is no follower once that is
//! on disk. A server that can not reach theirs says nothing about them.
//!
//! What can be watched from outside is counted where it happens, through handles that were looked up once, and kept in
//! [`metrics`] alone; what the desk knows is read when somebody asks, in turns that hold up nobody (`engine/watched.rs`).
//!
//! What comes over HTTPS goes through a seat (`http/seats.rs`: who is idle longest gives way, then who is slow), TLS, and a guard (`http/guard.rs`:
//! what is silent, takes no answer, or makes up no requests, is cut off), and only then to HTTP, whose limits stand in
//! `http/limits.rs`. At a stop new connections are still answered a first request (`http/accept.rs`). Of a page of another site nothing is changed (`http/origin.rs`). What is read from files that may change is
//! read anew on SIGHUP and by `rosterd reload` (`app/reload.rs`); certificates also when their files change
//! (`http/tls/reload.rs`). Each key says whether another value of it counts at once or from the next start on
//! ([`config::Taken`]), and the desk decides by another [`domain::Policy`] as if it had always been so
//! ([`domain::Desk::set_policy`]).
//!
//! # How a change is followed in the log
//!
//! Each request has a span with an id, which its answer has too (`X-Request-Id`, `http/watch.rs`), each link one with its number,
//! and at the level `debug` each stanza one with its number on the link. An edit takes the span that it was asked for in along
//! to the engine, a stanza its numbers ([`engine::Fact::Stanza`]), and what comes of them is said in that span: what was stored,
//! which users and queues changed. What is published is computed later, so the engine keeps for each queue what it changed for
//! last (`engine/causes.rs`, only at `debug`), and says in that span what was published. What has no such span came with time,
//! with the link itself, or since a new link has everybody told.
//!
//! # How presence becomes a verdict
//!
//! Each step takes what the one before gave, decides one thing, and can say why ([`domain::Reason`]): what explains a verdict is
//! the code that made it.
//!
//! 1. **A stanza** comes through whole and within limits, or not at all (`xmpp/gate.rs`); is parsed alone (`xmpp/parser.rs`); and
//!    says one thing of one resource of one user (`xmpp/decode.rs`): it is there with a show and a priority, it went, it can not
//!    be read. Only users who are assigned go further.
//! 2. **A resource** counts if its priority is not negative (`negative-priority`), if its last presence could be read
//!    (`unreadable`), and as long as its lease holds (`stale`: `domain/lease.rs`).
//! 3. **A user's show** is that of one resource among those that count: the best, the worst, or the one of the highest priority
//!    (`[availability] merge`; `domain/presence.rs`). Who has none is `offline`; of whom nothing was heard on this link is
//!    `unknown`. A user takes work when this show is `chat` or `available`.
//! 4. **What is shown** of a user is that, or for a bounded moment what it was before: `lingering` after they went
//!    (`[presence] linger`), `held` after the link did (`[xmpp] link_grace`), so that a phone between two networks and a short
//!    loss of the link do not make their queues flicker (`domain/shown.rs`). Who is shown so takes no work.
//! 5. **A queue** counts its enabled operators by what is shown of them, and those who take work
//!    (`domain/availability.rs`). The best show among them is the queue's: a change costs one count, and nobody is searched.
//! 6. **A follower** is told when that differs from what they were told last, and not before everybody was heard on this link
//!    (`domain/outgoing.rs`, `domain/sweep.rs`). HTTPS and commands read the same verdict, and listeners get it as an
//!    [`domain::Event`].
//!
//! # What always holds
//!
//! 1. An edit is answered with success once it is on disk, and shows nowhere before; one that failed is nowhere in part.
//! 2. Nothing seen outlives its link, nor counts before it is known that all of it reaches us: nobody takes work from when a
//!    link went until they are heard again, and no follower is told anything before everybody was. What was *shown* to readers
//!    is held for `[xmpp] link_grace` from when the link went at the most, until everybody was heard, and not of who is known
//!    to have gone. After the grace a reader sees who was heard so far: a queue may look closed that is not, never open that
//!    is not. Who went is shown for `[presence] linger` at the most, and takes no work meanwhile (`tests/desk_properties.rs`).
//! 3. What a follower was told last equals what the queue's enabled operators add up to, as soon as the link has taken it;
//!    who was told is not told again (`tests/desk_properties.rs`).
//! 4. A suspended operator counts for nothing. Presence of people who are not assigned changes nothing.
//! 5. One presence change costs as much as its user has queues, whatever the size of those (`benches/desk.rs`).
//! 6. An account can not learn of another's things: all reads go through [`domain::Books`], all edits name their account. Who
//!    speaks from a chat client learns of no queue that they may not see: all reads go through [`domain::Asker`], all edits
//!    ([`domain::Edit::Asked`]) name who asks. Whether somebody may, by their role or otherwise, is decided when the edit is
//!    planned, by what they are then.
//! 7. No stanza ends the link: what can not be read is dropped alone, counted, and its sender named at most once a minute.
//!    (One of more than 16 MiB does, which no server passes on.) A presence that can not be read ends what its resource
//!    said before. Whatever is sent, and however much of it, costs memory within bounds, and what is said in answer can be
//!    parsed (`tests/hostile.rs`, `tests/fuzz`).
//! 8. Facts do not wait for the store, reads wait for neither, and a link that takes nothing stops nobody; nor does one that
//!    takes much: what is sent goes out in turns with what comes in.
//! 9. Every queue of work has a bound, every task an owner, and everything stops on one token, in the order of
//!    [`app::serve`], within ten seconds, whatever hangs. What feeds the service manager's watchdog is a turn of the engine's
//!    loop ([`engine::Handle::turn`]), and nothing that lives beside it.
//! 10. Numbers of accounts, users and queues are never used again.
//! 11. Nobody is enabled before their suspension ends, by people's clock, and nobody stays suspended for longer than it takes to
//!     notice and to store it; those that ended before a start come before its first fact (`tests/suspensions.rs`).
//! 12. Each change of what people decided is in the audit log with who made it, and nothing else is: both are one commit
//!     ([`domain::Write::Note`]). The log is read off the engine, and never held in memory.
//! 13. What a backup or an export holds was all there at one moment, and neither the engine nor a reader waits while it is
//!     made: it is read from the disk, in turns with commits ([`store::Snapshot`]).
//!
//! # Where to put what is new
//!
//! A rule: in [`domain`], with a case beside it, and a property if it is one. A request that is answered on the link: a file in
//! `xmpp`. A command that people run from their client: a file in `xmpp/adhoc`, which says what each stage shows, and what is
//! to be changed in the end. A resource of an API: a file in its family's folder under `http`, with its description, which
//! `deploy/openapi.json` repeats. Something that people decide: a [`domain::Record`], its stored form in `store/record.rs`, an
//! [`domain::Edit`], the role that it needs (`domain/role.rs`), its plan, what is noted of it (`domain/note.rs`) and its commit. A key: in
//! its section's file under `config`. A subcommand: a file in [`cli`]. Keys and subcommands also stand in the man pages and the
//! shells' completions under `deploy`, which are made of them: `UPDATE_MAN=1 cargo test --lib manual`.

pub mod domain;

pub mod clock;
pub mod engine;

pub mod ejabberd;
pub mod http;
pub mod password;
pub mod store;
pub mod xmpp;

pub mod app;
pub mod cli;
pub mod config;
pub mod lifecycle;
pub mod metrics;
pub mod telemetry;
