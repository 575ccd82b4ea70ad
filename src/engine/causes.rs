//! What the last change of each queue came of, so that what is published of it can be followed back to the request or the
//! stanza. What is published is computed later, from what is true by then, so it is not known in any other way.

use std::collections::HashMap;

use tracing::Span;

use crate::domain::QueueId;

/// Queues of which it is known. Where more change, those before are forgotten: it is for the log alone.
const MOST: usize = 4_096;

/// Kept only where somebody reads of it: at the level `debug`.
#[derive(Debug, Default)]
pub(super) struct Causes(HashMap<QueueId, Span>);

impl Causes {
    /// What is to be published of a queue has changed for this.
    pub(super) fn note(&mut self, queue: QueueId, cause: &Span) {
        if self.0.len() >= MOST && !self.0.contains_key(&queue) {
            self.0.clear();
        }
        self.0.insert(queue, cause.clone());
    }

    /// Everybody is told everything for a reason that is no change.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// What a queue's last change came of, where that is known.
    pub(super) fn of(&self, queue: QueueId) -> Span {
        self.0.get(&queue).cloned().unwrap_or_else(Span::none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_number_is_known() {
        let mut causes = Causes::default();
        for number in 1..10_000 {
            causes.note(QueueId::new(number).unwrap(), &Span::none());
            assert!(causes.0.len() <= MOST);
        }
        causes.forget();
        assert!(causes.0.is_empty());
    }
}
