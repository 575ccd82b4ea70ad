//! What can be watched of all this, put together when somebody asks.

use super::Handle;
use crate::{
    domain::Census,
    metrics::{Figures, Metrics},
};

/// How many users, or queues, are counted with one hold of the lock.
const COUNT_MOST: usize = 2_048;

impl Handle {
    /// What is counted. Whoever does something with the engine counts it here.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Everything that can be watched, as Prometheus reads it. One is put together at a time, off the threads that answer
    /// requests; others wait. The desk is read in many short turns, so a part may be of a moment later than another one.
    /// Nothing, once the daemon is stopping.
    pub async fn metrics_text(&self) -> String {
        let Ok(turn) = self.watching.clone().acquire_owned().await else { return String::new() };
        let handle = self.clone();
        let work = move || {
            let _turn = turn;
            handle.metrics.text(&handle.figures())
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }

    /// How everything is; blocks for as long as it takes to count the users.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut census = Census::default();
        let (mut users, mut queues) = (None, None);
        while let Some(last) = self.read(|desk| desk.count_users(users, COUNT_MOST, &mut census)) {
            users = Some(last);
        }
        while let Some(last) = self.read(|desk| desk.count_queues(queues, COUNT_MOST, &mut census)) {
            queues = Some(last);
        }
        let waiting = |most: usize, room: usize| most.saturating_sub(room);
        let facts = self.facts.upgrade().map_or(0, |facts| waiting(facts.max_capacity(), facts.capacity()));
        let edits = waiting(self.requests.max_capacity(), self.requests.capacity());
        let names = self.metrics.queues();
        self.read(|desk| Figures {
            link: desk.link(),
            tally: desk.tally().clone(),
            totals: desk.totals(),
            census,
            queues: names
                .iter()
                .filter_map(|name| desk.queue_by_name(name))
                .map(|view| (view.queue.name.clone(), view.published))
                .collect(),
            facts,
            edits,
            store_failed: self.failure().is_some() || self.shortage().is_some(),
        })
    }
}
