//! How much of everything a client may have, and for how long.

use std::time::Duration;

/// How many connections there may be at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub connections: usize,
    /// Of one address, or of one /64 of IPv6. Addresses of this machine have no bound of their own.
    pub per_address: usize,
}

impl Limits {
    /// What holds where nothing else is said.
    pub const DEFAULT: Self = Self { connections: 4_096, per_address: 256 };

    /// What holds for metrics.
    pub(super) const FOR_METRICS: Self = Self { connections: 16, per_address: 8 };

    /// As many connections as a process may have that has no more than `files` open, with room for the rest of what it does.
    #[must_use]
    pub const fn within(self, files: usize) -> Self {
        let fit = files.saturating_sub(FILES_FOR_THE_REST);
        let fit = if fit == 0 { 1 } else { fit };
        let connections = if self.connections < fit { self.connections } else { fit };
        Self { connections, ..self }
    }
}

/// Files that are open for the store, the link and the log, and connections that are on their way out.
const FILES_FOR_THE_REST: usize = 128;

/// How long a handshake may take, and how long a new connection may be silent.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long the next request on an HTTP/1.1 connection may let wait, its head included: longer than pages wait between polls.
pub(super) const HEAD_WAIT: Duration = Duration::from_secs(65);
/// How long a connection is kept on which nothing is asked. Of HTTP/1.1 the head is waited for no longer anyway.
pub(super) const IDLE_MOST: Duration = Duration::from_secs(75);
/// How long a client may take nothing of what is sent to it.
pub(super) const STALL_MOST: Duration = Duration::from_secs(20);
/// How long requests in flight may go on once the server is told to stop.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// How long a connection on which nothing was asked yet may take for that once the server is told to stop: so nobody is sent
/// away who has come before. What it asks is answered within [`GRACE`].
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(1_500);
/// The most bytes in a request's head.
pub(super) const HEAD_MOST: u16 = 16 * 1_024;
/// The most header lines in a request.
pub(super) const HEADERS_MOST: usize = 64;
/// The most requests that one HTTP/2 connection has open at a time.
pub(super) const STREAMS_MOST: u32 = 64;
/// The most requests that one HTTP/2 connection may have taken back before they were looked at (CVE-2023-44487).
pub(super) const RESETS_MOST: usize = 32;
/// The most bytes of answers that wait for one HTTP/2 stream.
pub(super) const SEND_MOST: usize = 64 * 1_024;
/// The most bytes that one HTTP/2 stream, and all of a connection, may send before they are read.
pub(super) const WINDOW: u32 = 64 * 1_024;
pub(super) const WINDOWS: u32 = 256 * 1_024;

/// The bytes that a connection may send before it has asked anything.
pub(super) const CREDIT_AT_FIRST: u64 = 256 * 1_024;
/// The bytes that each request allows it to send: a head, a body, and what goes on around them, twice.
pub(super) const CREDIT_EACH: u64 = 192 * 1_024;
/// The most that it may have left: every stream that it may have open, with a body.
pub(super) const CREDIT_MOST: u64 = CREDIT_EACH * STREAMS_MOST as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_there_are_files() {
        assert_eq!(Limits::DEFAULT.within(1_000_000), Limits::DEFAULT);
        assert_eq!(Limits::DEFAULT.within(1_024).connections, 896);
        assert_eq!(Limits::DEFAULT.within(10).connections, 1);
    }
}
