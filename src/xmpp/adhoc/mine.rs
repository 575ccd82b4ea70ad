//! Which queues do I staff, and am I suspended anywhere?

use super::{Fault, ROWS_MOST, Ran, Scene, Step, Turn, form, suspension::standing};

pub(super) fn run(scene: &Scene<'_>, turn: Turn<'_>) -> Ran {
    match turn {
        Turn::First => Ok(tell(scene)),
        Turn::Back(_) => Err(Fault::BadAction),
        // It was over with its first answer.
        Turn::Filled(..) => Err(Fault::Expired),
    }
}

fn tell(scene: &Scene<'_>) -> Step {
    let mut operators: Vec<_> = scene.asker.assignments().take(ROWS_MOST + 1).collect();
    let note = match operators.len() {
        0 => return Step::Tell("You staff no queue.".to_owned(), None),
        1 => "You staff one queue.".to_owned(),
        more if more > ROWS_MOST => format!("You staff many queues; these are the first {ROWS_MOST}."),
        few => format!("You staff {few} queues."),
    };
    operators.truncate(ROWS_MOST);
    let rows = operators.iter().map(|operator| {
        let queue = operator.queue;
        let cause = operator.cause.map(ToString::to_string).unwrap_or_default();
        let you = standing(operator);
        [queue.queue.name.to_string(), queue.published.show.to_string(), queue.published.to_string(), you, cause]
    });
    let columns = [("queue", "Queue"), ("show", "Show"), ("status", "Status"), ("you", "You"), ("reason", "Reason")];
    Step::Tell(note, Some(form::table("My queues", columns, rows.collect())))
}
