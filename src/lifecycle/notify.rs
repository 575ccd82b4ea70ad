//! What the service manager is told (`sd_notify(3)`). Where there is none that wants to know, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

/// The most bytes of a status.
const STATUS_MOST: usize = 400;

/// The daemon is ready to do its work; `text` is its first status.
pub fn ready(text: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&one_line(text))]);
}

/// What `systemctl status` shows, in words for an administrator.
pub fn status(text: &str) {
    send(&[NotifyState::Status(&one_line(text))]);
}

/// Settings are being read anew. [`reloaded`] has to follow, whatever becomes of it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "could not read the clock"),
    }
}

/// They have been read, or the old ones hold on.
pub fn reloaded() {
    send(&[NotifyState::Ready]);
}

/// The daemon is about to end.
pub fn stopping(text: &str) {
    send(&[NotifyState::Stopping, NotifyState::Status(&one_line(text))]);
}

/// The start, or the stop, takes this much longer from now on.
pub fn need_longer(length: Duration) {
    send(&[NotifyState::ExtendTimeoutUsec(u32::try_from(length.as_micros()).unwrap_or(u32::MAX))]);
}

/// The engine lives.
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// Within which time [`alive`] is wanted again and again, if at all.
#[must_use]
pub fn alive_within() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|within| !within.is_zero())
}

/// One datagram, so that what belongs together arrives together.
fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "could not tell the service manager");
    }
}

/// A status may hold what a chat server said: a second line of it would be a word to the service manager.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text[..text.floor_char_boundary(STATUS_MOST)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_speaks_to_the_service_manager() {
        assert_eq!(one_line("the server said:\nWATCHDOG=trigger\r\u{85}x"), "the server said: WATCHDOG=trigger  x");
        assert_eq!(one_line(&"ä".repeat(300)), "ä".repeat(200));
    }
}
