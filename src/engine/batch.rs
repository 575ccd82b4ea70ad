//! Edits that are written together, and what becomes of them.

use std::{collections::VecDeque, future::Future, pin::Pin, sync::Arc};

use tracing::{Span, debug, error};

use super::{
    Engine, WARN_EVERY,
    follows::{Follower, Follows},
    handle::{Answer, Asked, EditError},
    now,
};
use crate::{
    domain::{Change, Claims, Edit, Outcome, Who},
    store::StoreError,
};

/// Writes that share one flush, about.
const BATCH_MOST: usize = 4_096;

type Commit = Pin<Box<dyn Future<Output = (Change, Result<(), StoreError>)> + Send>>;

/// Edits that are being written together.
pub(super) struct Batch {
    edits: Vec<Edited>,
    /// What stanzas asked for.
    follows: Vec<(Follower, bool)>,
    commit: Commit,
}

/// An edit that is being written.
struct Edited {
    answer: Answer,
    outcome: Outcome,
    /// How many of the writes are its own; those of the first edit come first.
    writes: usize,
    cause: Span,
}

impl Engine {
    /// Plans what waits, and has written what fits together. What clashes waits for the next round; the first never does.
    pub(super) fn start_batch(&mut self, stopping: bool) {
        if let Some(failure) = self.failure.get() {
            self.follows = Follows::default();
            self.ageing = None;
            for asked in self.waiting.drain(..) {
                let _ = asked.answer.send(Err(EditError::Store(failure.clone())));
            }
            return;
        }
        let (mut waiting, mut follows) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.follows));
        let wall = self.returns.now();
        let returns = if stopping { 0 } else { self.returns.most() };
        let mut taken = Vec::new();
        let mut later = VecDeque::new();
        let (mut claims, mut change, mut edits) = (Claims::default(), Change::new(), Vec::new());
        self.with(|desk| {
            while let Some(asked) = waiting.pop_front() {
                if change.len() >= BATCH_MOST {
                    later.push_back(asked);
                    continue;
                }
                match desk.plan(&asked.by, wall, &asked.edit) {
                    Err(refusal) => {
                        asked.cause.in_scope(|| debug!(%refusal, by = %asked.by, "edit refused"));
                        let _ = asked.answer.send(Err(refusal.into()));
                    }
                    Ok(plan) => match claims.join(plan.claims) {
                        Ok(()) => {
                            let Asked { answer, cause, .. } = asked;
                            edits.push(Edited { answer, outcome: plan.outcome, writes: plan.change.len(), cause });
                            change.extend(plan.change);
                        }
                        Err(_) => later.push_back(asked),
                    },
                }
            }
            while let Some(edit) = follows.first().filter(|_| follows.is_due(now()) && change.len() < BATCH_MOST) {
                match desk.plan(&Who::Daemon.into(), wall, &edit) {
                    Err(refusal) => follows.deny_first(&refusal, desk),
                    Ok(plan) => match claims.join(plan.claims) {
                        Ok(()) => change.extend(plan.change),
                        Err(_) => break,
                    },
                }
                taken.extend(follows.pop());
            }
            for (queue, user) in desk.returns(wall).take(returns).collect::<Vec<_>>() {
                // What clashes is due still when this is written.
                if let Ok(plan) = desk.plan(&Who::Daemon.into(), wall, &Edit::EndSuspension { queue, user, now: wall })
                    && claims.join(plan.claims).is_ok()
                {
                    debug!(%queue, %user, "suspension over");
                    change.extend(plan.change);
                }
            }
        });
        (self.waiting, self.follows) = (later, follows);
        change.extend(self.ageing.as_mut().and_then(|ageing| ageing.outdated(&self.readers, wall, now())));
        if change.is_empty() {
            for edit in edits {
                let _ = edit.answer.send(Ok(edit.outcome));
            }
        } else {
            let committer = self.committer.clone();
            let commit = Box::pin(async move { committer.commit(change).await });
            self.batch = Some(Batch { edits, follows: taken, commit });
        }
    }

    pub(super) fn finish_batch(&mut self, change: Change, result: Result<(), StoreError>) {
        let Some(batch) = self.batch.take() else { return };
        let failure = match result {
            Ok(()) => {
                self.take_in(change, &batch.edits);
                if self.short.send_if_modified(|short| short.take().is_some()) {
                    self.pulse.news();
                }
                self.returns.not_before = None;
                None
            }
            Err(failure) => Some(Arc::new(failure)),
        };
        match &failure {
            // Nothing was written, so nothing is in doubt: these edits are refused, and everything else goes on.
            Some(short) if matches!(**short, StoreError::Short { .. }) => {
                self.warn_of(short);
                if self.short.send_replace(Some(short.clone())).is_none() {
                    self.pulse.news();
                }
                // Nobody asks for these again, so they wait.
                self.follows.not_before = Some(now() + WARN_EVERY);
                self.returns.not_before = Some(now() + WARN_EVERY);
                for (who, follow) in batch.follows {
                    if !self.follows.waits(&who) {
                        self.follows.put(who, follow);
                    }
                }
            }
            Some(failure) => {
                error!(error = %crate::telemetry::chain(&**failure), "the store has failed, rosterd stops");
                let _ = self.failure.set(failure.clone());
                self.failed.cancel();
            }
            None => {}
        }
        for edit in batch.edits {
            let result = failure.clone().map_or(Ok(edit.outcome), |failure| Err(EditError::Store(failure)));
            let _ = edit.answer.send(result);
        }
    }

    /// What is on disk holds, all of it at once; and what came of each edit is told as that.
    fn take_in(&mut self, change: Change, edits: &[Edited]) {
        let mut change = change.into_iter();
        let happened = self.with(|desk| {
            // What is to change now changes now.
            let mut happened = vec![(desk.expire(now()), Span::none())];
            for Edited { writes, cause, .. } in edits {
                happened.push((desk.commit(change.by_ref().take(*writes).collect()), cause.clone()));
            }
            happened.push((desk.commit(change.collect()), Span::none()));
            happened
        });
        for Edited { writes, cause, .. } in edits {
            cause.in_scope(|| debug!(writes, "edit stored"));
        }
        for (events, cause) in happened {
            self.tell(events, &cause);
        }
    }

    fn warn_of(&mut self, short: &StoreError) {
        if now() >= self.warn_due {
            self.warn_due = now() + WARN_EVERY;
            error!(error = %short, "changes are refused");
        }
    }
}

/// The end of what is being written; never, where nothing is.
pub(super) async fn finished(batch: &mut Option<Batch>) -> (Change, Result<(), StoreError>) {
    match batch {
        Some(batch) => (&mut batch.commit).await,
        None => std::future::pending().await,
    }
}
