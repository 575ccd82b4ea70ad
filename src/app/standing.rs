//! How the daemon stands, in words for an administrator: what `systemctl status` shows.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    domain::{Desk, LinkPhase, UnixTime},
    engine::Handle,
    lifecycle::notify,
};

/// However often it changes, it is told no more often than this.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Keeps the status at what is so, until `stop`. `told` is what was told before.
pub(super) async fn tell(handle: Handle, mut told: String, stop: CancellationToken) {
    let mut changes = handle.standing();
    let telling = async {
        loop {
            let text = text(&handle);
            if text != told {
                notify::status(&text);
                told = text;
            }
            sleep(TELL_EVERY).await;
            if changes.changed().await.is_err() {
                return;
            }
        }
    };
    stop.run_until_cancelled(telling).await;
}

/// How it is now.
pub(super) fn text(handle: &Handle) -> String {
    let text = handle.read(|desk| link(desk, handle.next_try()));
    handle.shortage().map_or(text.clone(), |short| format!("{text}. Changes are refused: {short}"))
}

fn link(desk: &Desk, next_try: Option<UnixTime>) -> String {
    match (desk.link(), desk.link_trouble()) {
        (LinkPhase::Up, _) => "Linked to the chat server".to_owned(),
        (LinkPhase::Sweeping { done, total }, _) => {
            format!("Linked to the chat server, asking everybody for their presence: {done} of {total}")
        }
        (LinkPhase::Down, Some(why)) => {
            // The moment, and not how long it is until then: this text stays while time goes on.
            let next = next_try.map_or(String::new(), |at| format!(" (next try at {})", clock::write(at)));
            format!("No link to the chat server, trying again: {why}{next}")
        }
        (LinkPhase::Down, None) => "Connecting to the chat server".to_owned(),
    }
}
