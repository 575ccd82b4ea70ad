//! Who is on, of a queue that they may see.

use super::{
    Action, CHOICES_MOST, Fault, Offer, ROWS_MOST, Ran, Scene, Step, Turn, form, queue_field, queue_named,
    suspension::standing,
};
use crate::domain::{OperatorView, QueueView, Reason, Show};

/// The most operators of a queue that are looked at.
const LOOKED_AT_MOST: usize = 2_000;

pub(super) fn run(scene: &Scene<'_>, turn: Turn<'_>) -> Ran {
    match (scene.at, turn) {
        (Some(queue), Turn::First) => Ok(tell(scene, queue)),
        // It was over with its first answer.
        (Some(_), Turn::Filled(..)) => Err(Fault::Expired),
        (None, Turn::First) => {
            let fields = vec![queue_field(scene.asker.queues().after(None, CHOICES_MOST + 1))];
            let form = form::form("Who is on", "Who is there to answer on the queue that you choose?", fields);
            Ok(Step::Ask(form, Offer::Complete))
        }
        (None, Turn::Filled(form, Action::Execute | Action::Complete)) => {
            Ok(tell(scene, queue_named(scene, form, |_| true)?))
        }
        (None, Turn::Filled(_, Action::Next | Action::Prev | Action::Cancel)) | (_, Turn::Back(_)) => {
            Err(Fault::BadAction)
        }
    }
}

/// Those who are online, and for colleagues also those who are suspended, and why. Everybody else learns no more than who
/// answers.
fn tell(scene: &Scene<'_>, queue: QueueView<'_>) -> Step {
    let is_colleague = scene.asker.is_colleague_on(queue);
    let is_shown = |it: &OperatorView<'_>| {
        let is_online = it.user.show != Show::Unavailable;
        if it.enabled { is_online } else { is_colleague && (is_online || it.cause.is_some()) }
    };
    let operators = scene.desk.books(queue.queue.account).operators(queue.queue.id).into_iter().flatten();
    let mut operators = operators.peekable();
    let looked_at = operators.by_ref().take(LOOKED_AT_MOST);
    let mut on: Vec<_> = looked_at.filter(is_shown).take(ROWS_MOST + 1).collect();
    let is_more = on.len() > ROWS_MOST || operators.peek().is_some();
    on.truncate(ROWS_MOST);
    on.sort_by_key(|it| !it.enabled);
    let more = if is_more { " There are more than are shown." } else { "" };
    let note = format!("{}: {}.{more}", queue.queue.name, queue.published);
    if on.is_empty() {
        return Step::Tell(note, None);
    }
    let title = format!("Who is on {}", queue.queue.name);
    let row = |it: &OperatorView<'_>| {
        let cause = it.cause.map(ToString::to_string).unwrap_or_default();
        let why = scene.desk.why_user(it.user.id);
        let standing = match () {
            () if why.contains(&Reason::Lingering) => "gone a moment ago".to_owned(),
            () if why.contains(&Reason::Held) => "there before the link was lost".to_owned(),
            () => standing(it),
        };
        [it.user.name.to_owned(), it.user.show.to_string(), standing, cause]
    };
    let columns = [("name", "Name"), ("show", "Show"), ("standing", "Standing"), ("reason", "Reason")];
    Step::Tell(note, Some(form::table(&title, columns, on.iter().map(row).collect())))
}
