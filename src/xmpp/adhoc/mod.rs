//! Commands that people run from their chat client (XEP-0050), at the component and at each queue.
//!
//! A file for each kind of command says what it shows and what it changes. Who may is asked at every stage, and of a change
//! once more by the desk, when it is planned ([`crate::domain::Edit::Asked`]). Nothing is kept between stages: see
//! [`session`].

mod command;
mod fault;
mod manage;
mod mine;
mod own;
mod read;
mod reply;
mod session;
mod suspension;
mod tests;
mod who;

use std::borrow::Cow;

use jid::Jid;
use minidom::Element;
use tokio::time::Instant;
use xmpp_parsers::iq::Iq;

pub use self::session::Sessions;
pub(super) use self::{
    command::Command,
    fault::Fault,
    read::{Action, Wanted},
};
use self::{
    reply::{Command as Written, Note, Offer},
    session::{Between, Invalid},
};
use super::{
    form::{self, Filled},
    place::Place,
};
use crate::{
    clock::Now,
    domain::{Asker, BareJid, Desk, Edit, Name, Outcome, QueueView, Refusal, UnixTime, Wish},
    engine::EditError,
};

/// The namespace, and the node of the list of commands.
pub(super) const NS: &str = "http://jabber.org/protocol/commands";

/// The most things that are offered to choose from. Where there are more, one is typed.
const CHOICES_MOST: usize = 100;
/// The most rows of a table.
const ROWS_MOST: usize = 200;

/// Where a command is run, and by whom.
struct Scene<'a> {
    desk: &'a Desk,
    asker: &'a Asker<'a>,
    /// The queue that it is run at; `None` at the component.
    at: Option<QueueView<'a>>,
    /// What time it is.
    now: UnixTime,
}

/// How far a command is.
#[derive(Debug, Clone, Copy)]
enum Turn<'f> {
    /// It begins.
    First,
    /// A form was filled in. Never [`Action::Prev`] nor [`Action::Cancel`].
    Filled(&'f Filled, Action),
    /// They want to go back, maybe with what they have filled in so far.
    Back(Option<&'f Filled>),
}

/// What a stage does.
#[derive(Debug)]
enum Step {
    /// Asks for more.
    Ask(Element, Offer),
    /// Asks for the same again, since something that was filled in is not good, and what.
    AskAgain(Element, Offer, Cow<'static, str>),
    /// Tells, and that is all.
    Tell(String, Option<Element>),
    /// Changes something; the text is told when it is done.
    Change(Wish, Changed, String),
}

/// What is changed: a user, and on which queues.
#[derive(Debug)]
struct Changed {
    user: crate::domain::UserId,
    queues: Vec<crate::domain::QueueId>,
}

type Ran = Result<Step, Fault>;

/// An answer, or the change that has to be stored before there is one.
#[derive(Debug)]
pub enum Answer {
    /// It is this.
    Now(Element),
    /// It comes when this is stored.
    Change(Box<Pending>),
}

/// A change that is asked for, and whom to answer.
#[derive(Debug)]
pub struct Pending {
    /// Who asks.
    pub by: BareJid,
    /// The change.
    pub edit: Edit,
    pub(super) from: Jid,
    to: Jid,
    id: String,
    node: String,
    session: String,
    told: String,
}

/// Runs a command, or a stage of it. `id` is the request's, between these addresses.
pub(super) fn answer(
    wanted: Wanted,
    (from, to, id): (Jid, Jid, String),
    place: Place<'_>,
    (desk, asker): (&Desk, &Asker<'_>),
    (sessions, now): (&Sessions, Now),
) -> Answer {
    let node = wanted.node.clone();
    let between = Between { from: &from, to: &to, node: &node };
    let session = wanted.session.clone().unwrap_or_else(|| sessions.begin(between, now.instant));
    let ran = match check(&wanted, between, sessions, now.instant) {
        Ok((Action::Cancel, _)) => {
            let answer = written(&node, &session, "canceled");
            return Answer::Now(result(from, to, id, answer));
        }
        Ok((action, form)) => run(&wanted.node, turn(&wanted, *action, form.as_ref()), place, (desk, asker), now.wall),
        Err(fault) => Err(fault),
    };
    let answer = match ran {
        Ok(Step::Ask(form, offer)) => {
            let actions = Some(offer.actions());
            Written { actions, payload: vec![form], ..written(&node, &session, "executing") }
        }
        // A form with an error is a stage like any other (XEP-0050 section 3).
        Ok(Step::AskAgain(form, offer, what)) => {
            let why = Note { kind: "error".to_owned(), text: sentence(&what) };
            let actions = Some(offer.actions());
            Written { actions, note: Some(why), payload: vec![form], ..written(&node, &session, "executing") }
        }
        Ok(Step::Tell(text, table)) => ended(&node, &session, "info", text, table),
        Ok(Step::Change(wish, Changed { user, queues }, told)) => match asker.jid() {
            Some(by) => {
                let edit = Edit::Asked { by: by.clone(), user, queues, wish };
                return Answer::Change(Box::new(Pending { by: by.clone(), edit, from, to, id, node, session, told }));
            }
            None => return Answer::Now(error((from, to, id), &node, wanted.session, &Fault::Forbidden)),
        },
        Err(fault) => return Answer::Now(error((from, to, id), &node, wanted.session, &fault)),
    };
    Answer::Now(result(from, to, id, answer))
}

/// Whether the request is one at all, and of a session of theirs.
fn check<'w>(
    wanted: &'w Wanted,
    between: Between<'_>,
    sessions: &Sessions,
    now: Instant,
) -> Result<&'w (Action, Option<Filled>), Fault> {
    let act = wanted.act.as_ref().map_err(Clone::clone)?;
    match (&wanted.session, act.0) {
        (Some(id), _) => sessions.check(id, between, now).map_err(|invalid| match invalid {
            Invalid::Foreign => Fault::BadSession,
            Invalid::Expired => Fault::Expired,
        })?,
        (None, Action::Execute) => {}
        (None, Action::Next | Action::Prev | Action::Complete | Action::Cancel) => return Err(Fault::BadSession),
    }
    Ok(act)
}

fn turn<'f>(wanted: &Wanted, action: Action, form: Option<&'f Filled>) -> Result<Turn<'f>, Fault> {
    match (&wanted.session, action, form) {
        (None, _, _) => Ok(Turn::First),
        (Some(_), Action::Prev, form) => Ok(Turn::Back(form)),
        (Some(_), _, Some(form)) => Ok(Turn::Filled(form, action)),
        (Some(_), _, None) => Err(Fault::missing("the form")),
    }
}

fn run(
    node: &str,
    turn: Result<Turn<'_>, Fault>,
    place: Place<'_>,
    (desk, asker): (&Desk, &Asker<'_>),
    now: UnixTime,
) -> Ran {
    let command = Command::find(node, place, asker)?;
    let at = match place {
        Place::Queue(queue) => Some(queue),
        Place::Component | Place::Watcher => None,
    };
    let scene = Scene { desk, asker, at, now };
    let turn = turn?;
    match (command.run(&scene, turn), turn) {
        (Err(Fault::BadPayload(what)), Turn::Filled(form, _)) => ask_again(command, &scene, form, what),
        (ran, _) => ran,
    }
}

/// The form that was filled in, as it was, and what is not good. Where there is nothing to ask for any more, the fault.
fn ask_again(command: Command, scene: &Scene<'_>, filled: &Filled, what: Cow<'static, str>) -> Ran {
    match command.form_of(scene, filled) {
        Ok(Step::Ask(form, offer)) => Ok(Step::AskAgain(form::refilled(form, filled), offer, what)),
        Ok(Step::AskAgain(..) | Step::Tell(..) | Step::Change(..)) | Err(_) => Err(Fault::BadPayload(what)),
    }
}

/// With a capital and a full stop.
fn sentence(what: &str) -> String {
    let mut letters = what.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

impl Command {
    fn run(self, scene: &Scene<'_>, turn: Turn<'_>) -> Ran {
        match self {
            Self::MyQueues => mine::run(scene, turn),
            Self::SuspendMe => own::suspend(scene, turn),
            Self::ResumeMe => own::resume(scene, turn),
            Self::WhoIsOn => who::run(scene, turn),
            Self::Manage(task) => manage::run(scene, turn, task),
        }
    }

    /// The form that was filled in so.
    fn form_of(self, scene: &Scene<'_>, filled: &Filled) -> Ran {
        match self {
            Self::Manage(task) => manage::form_of(scene, task, filled),
            Self::MyQueues | Self::SuspendMe | Self::ResumeMe | Self::WhoIsOn => self.run(scene, Turn::First),
        }
    }
}

impl Pending {
    /// What is answered when the change was kept, or was not.
    #[must_use]
    pub fn answer(self, result: &Result<Outcome, EditError>) -> Element {
        let Self { from, to, id, node, session, told, .. } = self;
        let answer = match result {
            Ok(_) => ended(&node, &session, "info", told, None),
            Err(EditError::Refused(Refusal::NotAllowed)) => {
                return error((from, to, id), &node, Some(session), &Fault::Forbidden);
            }
            // What it rests on has changed since it was asked for.
            Err(EditError::Refused(refusal)) => {
                ended(&node, &session, "error", format!("Nothing was changed: {refusal}."), None)
            }
            Err(EditError::Store(_) | EditError::Stopping) => {
                return error((from, to, id), &node, Some(session), &Fault::NotKept);
            }
        };
        self::result(from, to, id, answer)
    }

    /// What is answered when there is no room for it.
    #[must_use]
    pub fn refuse(self) -> Element {
        error((self.from, self.to, self.id), &self.node, Some(self.session), &Fault::Busy)
    }
}

fn written(node: &str, session: &str, status: &str) -> Written {
    Written {
        node: node.to_owned(),
        sessionid: Some(session.to_owned()),
        status: Some(status.to_owned()),
        lang: Some("en".to_owned()),
        actions: None,
        note: None,
        payload: Vec::new(),
    }
}

fn ended(node: &str, session: &str, kind: &str, text: String, table: Option<Element>) -> Written {
    let ended = written(node, session, "completed");
    Written { note: Some(Note { kind: kind.to_owned(), text }), payload: table.into_iter().collect(), ..ended }
}

fn result(from: Jid, to: Jid, id: String, answer: Written) -> Element {
    let payload = Some(answer.into());
    Iq::Result { from: None, to: None, id, payload }.with_from(to).with_to(from).into()
}

/// The error says which command and session it is about, by which some clients find what they are doing.
fn error((from, to, id): (Jid, Jid, String), node: &str, session: Option<String>, fault: &Fault) -> Element {
    let about = Written {
        node: node.to_owned(),
        sessionid: session,
        status: None,
        lang: None,
        actions: None,
        note: None,
        payload: Vec::new(),
    };
    let payload = Some(about.into());
    Iq::Error { from: None, to: None, id, error: fault.error(), payload }.with_from(to).with_to(from).into()
}

/// The queue that a form names, if they may know of it and it is `good`.
fn queue_named<'a>(
    scene: &Scene<'a>,
    form: &Filled,
    is_good: impl FnOnce(QueueView<'_>) -> bool,
) -> Result<QueueView<'a>, Fault> {
    let text = form.get("queue").ok_or_else(|| Fault::missing("the queue"))?;
    let queue = Name::parse(text, Name::QUEUE_MOST).ok().and_then(|name| scene.desk.queue_by_name(&name));
    let queue = queue.filter(|queue| scene.asker.may_see(*queue) && is_good(*queue));
    queue.ok_or(Fault::BadPayload(Cow::Borrowed("there is no such queue among those that you can choose from")))
}

/// A field for one of these queues, to choose or, where there are too many, to type.
fn queue_field<'a>(queues: impl IntoIterator<Item = QueueView<'a>>) -> xmpp_parsers::data_forms::Field {
    let queues: Vec<_> = queues.into_iter().take(CHOICES_MOST + 1).collect();
    if queues.len() > CHOICES_MOST {
        return form::text("queue", "Queue (its name)", true);
    }
    form::choice("queue", "Queue", queues.iter().map(|it| (it.queue.name.to_string(), it.queue.name.to_string())))
}
