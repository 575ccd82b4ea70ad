//! What the service manager is told (`sd_notify(3)`). Where there is none that wants to know, nothing happens.

use std::{
    env,
    ffi::OsStr,
    fmt::Write,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use sd_notify::NotifyState;
use tracing::warn;

/// The most bytes of a status.
const STATUS_MOST: usize = 400;
/// How long a service manager may take to have room for a word. One that has none for longer is told nothing: nobody waits for it.
const ROOM_MOST: Duration = Duration::from_millis(100);

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
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    let mut words = String::new();
    for state in states {
        // A text takes everything.
        let _ = writeln!(words, "{state}");
    }
    if let Err(error) = send_to(&socket, &words) {
        warn!(%error, "could not tell the service manager");
    }
}

fn send_to(socket: &OsStr, words: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let ours = UnixDatagram::unbound()?;
    ours.set_write_timeout(Some(ROOM_MOST))?;
    ours.send_to_addr(words.as_bytes(), &address).map(drop)
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
    fn who_does_not_listen_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("@{}", path.display());
        let abstract_name = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let deaf = [UnixDatagram::bind(&path).unwrap(), UnixDatagram::bind_addr(&abstract_name).unwrap()];
        for (socket, deaf) in [path.as_os_str(), OsStr::new(&name)].into_iter().zip(deaf) {
            send_to(socket, "READY=1\n").unwrap();
            let mut bytes = [0; 20];
            let length = deaf.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], b"READY=1\n");
            let error = loop {
                if let Err(error) = send_to(socket, "WATCHDOG=1\n") {
                    break error;
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn nobody_else_speaks_to_the_service_manager() {
        assert_eq!(one_line("the server said:\nWATCHDOG=trigger\r\u{85}x"), "the server said: WATCHDOG=trigger  x");
        assert_eq!(one_line(&"ä".repeat(300)), "ä".repeat(200));
    }
}
