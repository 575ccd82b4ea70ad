//! What the desk wants sent, on its way to the link, and what it wants told, to the log and to listeners.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::mpsc;
use tracing::{Level, Span, debug, enabled, info, trace, warn};

use super::{Engine, now};
use crate::domain::{BareJid, Effect, Event, Grants, LinkPhase, Name, Published};

/// Stanzas handed to the link in one go, with one hold of the lock.
const SEND_MOST: usize = 1_024;
/// How often a long sweep says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// How far what the desk wants sent has been sent.
pub(super) enum Sending {
    /// All of it.
    Done,
    /// There is more, and may be room for it.
    More,
    /// The link is full; this is the way to it.
    Blocked(mpsc::Sender<Effect>),
    /// The link takes nothing any more, and is about to say why.
    Over,
}

impl Engine {
    /// Sends of what the desk wants sent as much as the link has room for; facts and edits have their turn before the rest.
    pub(super) fn send(&mut self) -> Sending {
        let sending = self.outbox.clone().map_or(Sending::Done, |outbox| self.send_on(&outbox));
        self.log_progress();
        if matches!(sending, Sending::Done | Sending::Over)
            && let Some(done) = self.closing.take()
        {
            let _ = done.send(());
        }
        sending
    }

    fn send_on(&mut self, outbox: &mpsc::Sender<Effect>) -> Sending {
        if outbox.is_closed() {
            return Sending::Over;
        }
        let room = outbox.capacity().min(SEND_MOST);
        let (events, effects) = self.with(|desk| {
            let now = now();
            (desk.expire(now), desk.outgoing(room, now))
        });
        self.tell(events, &Span::none());
        if enabled!(Level::DEBUG) {
            self.log_published(&effects);
        }
        let sent = effects.len();
        let mut published = 0;
        for effect in effects {
            published += u64::from(matches!(effect, Effect::Tell { .. }));
            match (effect, &self.clerk) {
                // No more of these are under way than there is room for.
                (Effect::Roster(write), Some(clerk)) => drop(clerk.try_send(write)),
                // A link that has gone says so by itself.
                (effect, _) => drop(outbox.try_send(effect)),
            }
        }
        self.metrics.engine().published(published);
        match room {
            _ if sent < room => Sending::Done,
            0 => Sending::Blocked(outbox.clone()),
            _ => Sending::More,
        }
    }

    fn log_progress(&mut self) {
        if let LinkPhase::Sweeping { done, total } = self.with(|desk| desk.link())
            // Of the end it is said how many were heard.
            && done < total
            && now() >= self.progress_due
        {
            self.progress_due = now() + PROGRESS_EVERY;
            info!("swept {done}/{total}");
        }
    }

    /// Says what is published, and of each queue what that came of: of the change that made it so.
    fn log_published(&self, effects: &[Effect]) {
        let mut told: BTreeMap<&Name, (Published, Vec<&BareJid>)> = BTreeMap::new();
        for effect in effects {
            if let Effect::Tell { queue, to, published } = effect {
                told.entry(queue).or_insert((*published, Vec::new())).1.push(to);
            }
        }
        for (queue, (Published { show, ready, enabled, .. }, followers)) in told {
            let id = self.read(|desk| desk.queue_by_name(queue).map(|view| view.queue.id));
            let _cause = id.map_or_else(Span::none, |id| self.causes.of(id)).entered();
            debug!(%queue, %show, ready, enabled, followers = followers.len(), "presence published");
            for to in followers {
                trace!(%queue, %to, %show, "follower told");
            }
        }
    }

    /// Tells what has happened, and for what.
    pub(super) fn tell(&mut self, events: Vec<Event>, cause: &Span) {
        let _cause = cause.enter();
        let is_followed = enabled!(Level::DEBUG);
        for event in events {
            match event {
                Event::Queue { id, .. } | Event::Counts { id, .. } if is_followed => self.causes.note(id, cause),
                Event::Swept { .. } => self.causes.forget(),
                Event::Queue { .. } | Event::Counts { .. } | Event::User { .. } | Event::Granted(_) => {}
            }
            match &event {
                Event::Queue { name, from, now: Published { show, .. }, .. } => {
                    info!(queue = %name, %from, to = %show, "queue show changed");
                }
                Event::Counts { id, now: Published { ready, enabled, .. } } => {
                    debug!(queue = %id, ready, enabled, "queue counts changed");
                }
                Event::User { id, from, to } => debug!(user = %id, %from, %to, "user show changed"),
                Event::Granted(grants) => say_granted(*grants),
                Event::Swept { asked, heard, in_time } => {
                    info!(asked, heard, "swept {asked}/{asked}");
                    if !in_time {
                        warn!(
                            "the server did not answer the ping after the last probe: who is shown as offline may be late"
                        );
                    }
                }
            }
            // Nobody may be listening.
            let _ = self.events.send(event);
        }
    }
}

/// What the server lets us do, and what to do about it where that is not enough.
fn say_granted(Grants { roster, presence }: Grants) {
    const WHAT_TO_ADD: &str = "in Prosody's configuration, enable mod_privilege on the users' VirtualHost, with \
        privileged_entities = { [\"<the component's domain>\"] = { roster = \"both\", presence = \"managed_entity\" } }, \
        and restart Prosody";
    if roster {
        info!(roster, presence, "the server lets us onboard people");
    } else {
        warn!(
            roster,
            presence,
            "the server does not let us write rosters, so everybody is asked and has to say yes in their client: {WHAT_TO_ADD}"
        );
    }
}

/// Until something can be sent that waits.
pub(super) async fn room(sending: Sending) {
    match sending {
        Sending::Blocked(outbox) => drop(outbox.reserve().await),
        // The link has its turn too.
        Sending::More => tokio::task::yield_now().await,
        Sending::Done | Sending::Over => std::future::pending().await,
    }
}
