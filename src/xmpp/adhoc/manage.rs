//! What the admins of an account do for others: assign, unassign, suspend, resume. At the component the queue is chosen
//! first, then the user; at a queue the user alone.

use std::borrow::Cow;

use xmpp_parsers::data_forms::Field;

use super::{
    Action, CHOICES_MOST, Changed, Fault, Filled, Offer, Ran, Scene, Step, Turn, form, queue_field, queue_named,
    suspension,
};
use crate::domain::{BareJid, QueueView, UserView, Wish};

/// What an admin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::xmpp) enum Task {
    Assign,
    Unassign,
    Suspend,
    Resume,
}

impl Task {
    pub(super) const fn node(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Unassign => "unassign",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Assign => "Assign somebody",
            Self::Unassign => "Unassign somebody",
            Self::Suspend => "Suspend somebody",
            Self::Resume => "Resume somebody",
        }
    }
}

/// Says in the second form that it is that. It is hidden, and comes back with what was filled in.
const STEP: (&str, &str) = ("step", "user");

fn is_second(form: &Filled) -> bool {
    form.get(STEP.0) == Some(STEP.1)
}

/// The form that was filled in so.
pub(super) fn form_of(scene: &Scene<'_>, task: Task, filled: &Filled) -> Ran {
    match scene.at {
        Some(queue) => Ok(ask_user(scene, task, queue)),
        None if is_second(filled) => Ok(ask_user(scene, task, own_queue(scene, filled)?)),
        None => Ok(ask_queue(scene, task)),
    }
}

pub(super) fn run(scene: &Scene<'_>, turn: Turn<'_>, task: Task) -> Ran {
    match (scene.at, turn) {
        (Some(queue), Turn::First) => Ok(ask_user(scene, task, queue)),
        (None, Turn::First) => Ok(ask_queue(scene, task)),
        // Who goes back need not send what they have filled in. At a queue there is nowhere to go.
        (None, Turn::Back(form)) if form.is_none_or(is_second) => Ok(ask_queue(scene, task)),
        (Some(queue), Turn::Filled(form, Action::Execute | Action::Complete)) => change(scene, task, queue, form),
        (None, Turn::Filled(form, Action::Execute | Action::Complete)) if is_second(form) => {
            change(scene, task, own_queue(scene, form)?, form)
        }
        (None, Turn::Filled(form, Action::Execute | Action::Next)) if !is_second(form) => {
            Ok(ask_user(scene, task, own_queue(scene, form)?))
        }
        (_, Turn::Back(_) | Turn::Filled(..)) => Err(Fault::BadAction),
    }
}

fn own_queue<'a>(scene: &Scene<'a>, form: &Filled) -> Result<QueueView<'a>, Fault> {
    queue_named(scene, form, |queue| scene.asker.is_admin_of(queue))
}

fn ask_queue(scene: &Scene<'_>, task: Task) -> Step {
    let queues = scene.asker.accounts().flat_map(|account| scene.desk.books(account.id).queues());
    let form = form::form(task.label(), "On which queue?", vec![queue_field(queues)]);
    Step::Ask(form, Offer::Next)
}

fn ask_user(scene: &Scene<'_>, task: Task, queue: QueueView<'_>) -> Step {
    let name = queue.queue.name.as_str();
    let Some(user) = user_field(scene, task, queue) else {
        let nobody = match task {
            Task::Resume => format!("Nobody is suspended on {name}."),
            Task::Assign => format!("Everybody is assigned to {name} already."),
            Task::Unassign | Task::Suspend => format!("Nobody is assigned to {name}."),
        };
        return Step::Tell(nobody, None);
    };
    let mut fields = vec![form::hidden("queue", name), form::hidden(STEP.0, STEP.1), user];
    if task == Task::Suspend {
        fields.extend(suspension::fields());
    }
    let form = form::form(task.label(), &format!("Whom, on {name}?"), fields);
    Step::Ask(form, if scene.at.is_some() { Offer::Complete } else { Offer::PrevComplete })
}

/// Those whom it can be about, to choose or, where there are too many, to type; `None` when there is nobody.
fn user_field(scene: &Scene<'_>, task: Task, queue: QueueView<'_>) -> Option<Field> {
    let books = scene.desk.books(queue.queue.account);
    let most = CHOICES_MOST + 1;
    let option = |user: UserView<'_>| (user.jid.to_string(), format!("{} ({})", user.name, user.jid));
    let (looked_at, options): (usize, Vec<_>) = if task == Task::Assign {
        let users: Vec<_> = books.users().take(most).collect();
        let is_new = |user: &UserView<'_>| books.operator(queue.queue.id, user.id).is_none();
        (users.len(), users.into_iter().filter(is_new).map(option).collect())
    } else {
        let operators: Vec<_> = books.operators(queue.queue.id).into_iter().flatten().take(most).collect();
        let suits = |enabled: bool| task != Task::Resume || !enabled;
        let chosen = operators.iter().filter(|it| suits(it.enabled)).map(|it| option(it.user.clone()));
        (operators.len(), chosen.collect())
    };
    match options.len() {
        _ if looked_at > CHOICES_MOST => Some(form::address("user", "Who (their address)")),
        0 => None,
        _ => Some(form::choice("user", "Who", options)),
    }
}

fn change(scene: &Scene<'_>, task: Task, queue: QueueView<'_>, form: &Filled) -> Ran {
    let text = form.get("user").ok_or_else(|| Fault::missing("the user"))?;
    let user = BareJid::parse(text).ok().and_then(|jid| scene.desk.user_by_jid(&jid));
    let books = scene.desk.books(queue.queue.account);
    let user = user.and_then(|user| books.user(user.id));
    let user = user.ok_or(Fault::BadPayload(Cow::Borrowed("the account has no such user")))?;
    let (who, at) = (user.name, &queue.queue.name);
    let (wish, told) = match task {
        Task::Suspend => {
            let fields = suspension::read(form, scene.now)?;
            let told = format!("{who} is suspended on {at}{}", suspension::told(&fields));
            (Wish::Suspend(fields), told)
        }
        Task::Resume => (Wish::Resume, format!("{who} is enabled on {at} again.")),
        Task::Unassign => (Wish::Unassign, format!("{who} is assigned to {at} no longer.")),
        Task::Assign => (Wish::Assign, format!("{who} is assigned to {at}.")),
    };
    Ok(Step::Change(wish, Changed { user: user.id, queues: vec![queue.queue.id] }, told))
}
