//! Proof that the engine lives, and word of how it stands, for whoever watches over the daemon.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{Engine, Handle};
use crate::domain::{Desk, LinkPhase, UnixTime};

/// Who waits for a turn of the engine's loop.
pub(super) type Turn = oneshot::Sender<()>;

/// What the engine shows of itself.
#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) asked: mpsc::Receiver<Turn>,
    /// Who asked in the turn before.
    pub(super) taken: Option<Turn>,
    pub(super) standing: watch::Sender<()>,
    /// How the link was in the turn before.
    link: LinkPhase,
    pub(super) times: Arc<Times>,
}

/// Since when the link is as it is, and when it is tried next, in seconds since 1970; 0: that is not known.
#[derive(Debug, Default)]
pub(super) struct Times {
    since: AtomicU64,
    next_try: AtomicU64,
}

impl Times {
    /// The link got into another state.
    pub(super) fn changed(&self, at: UnixTime) {
        self.since.store(at.0, Ordering::Relaxed);
    }
}

impl Pulse {
    /// What the engine shows, and how others ask for a turn.
    pub(super) fn new() -> (Self, mpsc::Sender<Turn>, watch::Receiver<()>) {
        let (turns, asked) = mpsc::channel(1);
        let (standing, seen) = watch::channel(());
        (Self { asked, taken: None, standing, link: LinkPhase::Down, times: Arc::default() }, turns, seen)
    }

    /// Says that something has changed that [`Handle::standing`] is about.
    pub(super) fn news(&self) {
        self.standing.send_replace(());
    }
}

impl Engine {
    /// To be called at the end of each turn of the loop: whoever had asked before it began has the proof.
    pub(super) fn end_turn(&mut self) {
        let link = self.read(Desk::link);
        if std::mem::replace(&mut self.pulse.link, link) != link {
            self.pulse.news();
        }
        if let Some(turn) = self.pulse.taken.take() {
            // Who asked may have given up.
            let _ = turn.send(());
        }
    }
}

impl Handle {
    /// Returns when the engine has gone through a whole turn of its loop since: it has had the desk for itself, and has handed
    /// on what the link had room for. That waits neither for the store, nor for the link, nor for edits that wait, so where it
    /// takes long the engine is stuck. `false`: the engine has ended.
    pub async fn turn(&self) -> bool {
        let (taken, turn) = oneshot::channel();
        self.turns.send(taken).await.is_ok() && turn.await.is_ok()
    }

    /// Since when the link is as it is: up, down, or asking everybody.
    #[must_use]
    pub fn link_since(&self) -> UnixTime {
        UnixTime(self.times.since.load(Ordering::Relaxed))
    }

    /// When the link is tried next; `None` while it is there, or is being tried.
    #[must_use]
    pub fn next_try(&self) -> Option<UnixTime> {
        Some(self.times.next_try.load(Ordering::Relaxed)).filter(|at| *at > 0).map(UnixTime)
    }

    /// For who makes the link: to say when that is.
    pub fn set_next_try(&self, at: Option<UnixTime>) {
        self.times.next_try.store(at.map_or(0, |at| at.0), Ordering::Relaxed);
    }

    /// Changes when the state of the link may have changed ([`Desk::link`], [`Desk::link_trouble`]), or whether changes can be
    /// stored ([`Handle::shortage`]).
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<()> {
        self.standing.clone()
    }
}
