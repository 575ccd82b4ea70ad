//! Has changes stored that were asked for on the link, and answers when they are kept. The link's reader never waits for the
//! store: it hands over what is to be changed, or says at once that there is no room.

use std::{collections::HashMap, convert::Infallible, future::pending};

use futures::{StreamExt, stream::FuturesUnordered};
use jid::BareJid;
use minidom::Element;
use tokio::sync::mpsc;
use tracing::{Instrument, Span};

use super::adhoc::Pending;
use crate::{domain::Who, engine::Handle};

/// Changes that may wait for the worker to take them up, which it does at once unless nobody takes its answers.
pub(super) const WAITING_MOST: usize = 64;
/// Changes that may wait for the store.
const MOST: usize = 64;
/// How many of these may be one person's.
const OF_ONE_MOST: usize = 4;

/// Works for one link, and ends with it. A change that was handed to the engine before that is made, and nobody answered.
pub(super) struct Worker<'a> {
    pub(super) engine: &'a Handle,
    /// What is to be changed, and what that is part of in the log.
    pub(super) changes: mpsc::Receiver<(Pending, Span)>,
    pub(super) replies: mpsc::Sender<Element>,
}

impl Worker<'_> {
    /// Never ends by itself.
    pub(super) async fn run(self) -> Infallible {
        let Self { engine, mut changes, replies } = self;
        let mut kept = FuturesUnordered::new();
        let mut askers: HashMap<BareJid, usize> = HashMap::new();
        loop {
            let reply = tokio::select! {
                Some((change, span)) = changes.recv() => {
                    let asker = change.from.to_bare();
                    let theirs = askers.get(&asker).copied().unwrap_or_default();
                    if kept.len() < MOST && theirs < OF_ONE_MOST {
                        askers.insert(asker, theirs + 1);
                        kept.push(keep(engine, change).instrument(span));
                        continue;
                    }
                    change.refuse()
                }
                Some((asker, reply)) = kept.next() => {
                    if let Some(theirs) = askers.get_mut(&asker) {
                        *theirs -= 1;
                        if *theirs == 0 {
                            askers.remove(&asker);
                        }
                    }
                    reply
                }
                else => return pending().await,
            };
            // While the server takes nothing, this waits, and nothing is taken up.
            if replies.send(reply).await.is_err() {
                return pending().await;
            }
        }
    }
}

async fn keep(engine: &Handle, change: Pending) -> (BareJid, Element) {
    let asker = change.from.to_bare();
    let result = engine.edit(Who::Jid(change.by.clone()), change.edit.clone()).await;
    (asker, change.answer(&result))
}
