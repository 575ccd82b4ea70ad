//! Suspend me, resume me: people change their own assignments.

use std::borrow::Cow;

use super::{
    Action, CHOICES_MOST, Changed, Fault, Filled, Offer, Ran, Scene, Step, Turn, form,
    suspension::{self, standing},
};
use crate::domain::{OperatorView, Wish};

/// Stands for all of their queues. No queue can have this name.
const ALL: &str = "@all";

pub(super) fn suspend(scene: &Scene<'_>, turn: Turn<'_>) -> Ran {
    let Some(form) = filled(turn)? else {
        let [reason, length] = suspension::fields();
        let fields = vec![queue_field(scene, scene.asker.assignments()), reason, length];
        let what = "You take no work from the queues that you choose until you resume, whatever your presence says.";
        return Ok(Step::Ask(form::form("Suspend me", what, fields), Offer::Complete));
    };
    let fields = suspension::read(form, scene.now)?;
    let (on, queues) = together(&chosen(scene, form)?).ok_or(Fault::Forbidden)?;
    let told = format!("You are suspended on {on}{}", suspension::told(&fields));
    Ok(Step::Change(Wish::Suspend(fields), queues, told))
}

pub(super) fn resume(scene: &Scene<'_>, turn: Turn<'_>) -> Ran {
    let is_suspended = |operator: &OperatorView<'_>| !operator.enabled;
    let Some(form) = filled(turn)? else {
        let mut suspended = scene.asker.assignments().filter(is_suspended).peekable();
        if suspended.peek().is_none() {
            return Ok(Step::Tell("You are not suspended anywhere.".to_owned(), None));
        }
        let what = "You take work again from the queues that you choose, when your presence says so.";
        let fields = vec![queue_field(scene, suspended)];
        return Ok(Step::Ask(form::form("Resume me", what, fields), Offer::Complete));
    };
    let mut suspended = chosen(scene, form)?;
    suspended.retain(is_suspended);
    let Some((on, queues)) = together(&suspended) else {
        return Ok(Step::Tell("You are not suspended there.".to_owned(), None));
    };
    Ok(Step::Change(Wish::Resume, queues, format!("You are enabled on {on} again.")))
}

/// What was filled in; `None` when the form is still to be shown.
fn filled(turn: Turn<'_>) -> Result<Option<&Filled>, Fault> {
    match turn {
        Turn::First => Ok(None),
        Turn::Filled(form, Action::Execute | Action::Complete) => Ok(Some(form)),
        Turn::Filled(_, Action::Next | Action::Prev | Action::Cancel) | Turn::Back(_) => Err(Fault::BadAction),
    }
}

/// At a queue this one comes first, at the component all of them.
fn queue_field<'a>(
    scene: &Scene<'a>,
    operators: impl Iterator<Item = OperatorView<'a>>,
) -> xmpp_parsers::data_forms::Field {
    let mut options = vec![(ALL.to_owned(), "All my queues".to_owned())];
    let label = |operator: OperatorView<'_>| {
        let name = operator.queue.queue.name.to_string();
        let standing = standing(&operator);
        let suspended = match operator.cause {
            _ if operator.enabled => String::new(),
            Some(cause) => format!(" ({standing}: {cause})"),
            None => format!(" ({standing})"),
        };
        (name.clone(), name + &suspended)
    };
    let at = scene.at.map(|at| at.queue.id);
    let (here, others): (Vec<_>, Vec<_>) =
        operators.take(CHOICES_MOST + 1).partition(|it| Some(it.queue.queue.id) == at);
    if here.len() + others.len() > CHOICES_MOST {
        return form::text("queue", "Queue (its name, or @all for all of yours)", true);
    }
    options.splice(0..0, here.into_iter().map(label));
    options.extend(others.into_iter().map(label));
    let first = options.first().map(|(value, _)| value.clone()).unwrap_or_default();
    form::choice("queue", "On which queues", options).with_value(&first)
}

/// The queues of theirs that a form names; there is one at least.
fn chosen<'a>(scene: &Scene<'a>, form: &Filled) -> Result<Vec<OperatorView<'a>>, Fault> {
    let name = form.get("queue").ok_or_else(|| Fault::missing("the queue"))?.to_lowercase();
    let is_chosen = |it: &OperatorView<'_>| name == ALL || it.queue.queue.name.as_str() == name;
    let chosen: Vec<_> = scene.asker.assignments().filter(is_chosen).collect();
    if chosen.is_empty() {
        return Err(Fault::BadPayload(Cow::Borrowed("you staff no queue of this name")));
    }
    Ok(chosen)
}

/// What these are called together, and how they are changed.
fn together(operators: &[OperatorView<'_>]) -> Option<(String, Changed)> {
    let user = operators.first()?.user.id;
    let on = match operators {
        [one] => one.queue.queue.name.to_string(),
        more => format!("{} queues", more.len()),
    };
    Some((on, Changed { user, queues: operators.iter().map(|it| it.queue.queue.id).collect() }))
}
