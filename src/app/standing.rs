//! How the daemon stands, in words for an administrator: what `systemctl status` shows.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{Desk, LinkPhase},
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
    let text = handle.read(link);
    handle.shortage().map_or(text.clone(), |short| format!("{text}. Changes are refused: {short}"))
}

fn link(desk: &Desk) -> String {
    match (desk.link(), desk.link_trouble()) {
        (LinkPhase::Up, _) => "Linked to the chat server".to_owned(),
        (LinkPhase::Sweeping { done, total }, _) => {
            format!("Linked to the chat server, asking everybody for their presence: {done} of {total}")
        }
        (LinkPhase::Down, Some(why)) => format!("No link to the chat server, trying again: {why}"),
        (LinkPhase::Down, None) => "Connecting to the chat server".to_owned(),
    }
}
