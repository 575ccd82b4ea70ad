//! HTTP/2 by hand: floods of frames that cost the sender little (RFC 9113 section 10.5) end their connection, soon and without
//! much memory, and nobody else notices.

use super::*;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The most that a flood may bring in, with all that the two sockets hold.
const MOST: usize = 64 * 1_024 * 1_024;
/// The most that the process may grow meanwhile.
const GROWTH_MOST: usize = 64 * 1_024;

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The fields of a request for `/healthz` (RFC 7541: indexed, then literal with an indexed name).
fn fields(method: u8) -> Vec<u8> {
    [&[method, 0x87, 0x44, 8][..], b"/healthz", &[0x41, 9], b"localhost"].concat()
}

pub(super) fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields(0x82))
}

/// A request whose body never comes.
fn post(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &fields(0x83))
}

/// Kilobytes of memory that this process has had at the most.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends what `next` makes until the server has had enough.
async fn flood(what: &str, reads: bool, start: &[u8], mut next: impl FnMut(u32) -> Vec<u8>) {
    let world = World::new().await;
    let before = peak();
    let (mut from, mut to) = tokio::io::split(world.connect(&["h2"]).await);
    to.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), start].concat()).await.unwrap();
    let sending = async {
        let (mut sent, mut number) = (0, 1);
        loop {
            let mut piece = Vec::new();
            while piece.len() < 16 * 1_024 {
                piece.extend(next(number));
                number += 2;
            }
            if to.write_all(&piece).await.is_err() || to.flush().await.is_err() {
                return sent;
            }
            sent += piece.len();
            assert!(sent < MOST, "{what}: it takes all that comes");
        }
    };
    let reading = async {
        if reads {
            drained(&mut from).await;
        }
    };
    if !reads {
        // It ends when it has taken nothing for a while.
        tokio::time::pause();
    }
    tokio::join!(sending, reading);
    if !reads {
        tokio::time::resume();
    }
    let growth = peak() - before;
    assert!(growth < GROWTH_MOST, "{what}: {growth} KiB more");
    let reply = world.client().await.send_request(request("GET", "/healthz", "", String::new())).await.unwrap();
    assert_eq!(reply.status(), 200, "{what}");
}

fn ping(_: u32) -> Vec<u8> {
    frame(PING, 0, 0, &[7; 8])
}

fn settings(_: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[])
}

#[tokio::test]
async fn of_pings_and_settings() {
    bounded(async {
        flood("pings", true, &[], ping).await;
        flood("settings", true, &[], settings).await;
    })
    .await;
}

#[tokio::test]
async fn of_what_has_to_be_answered_and_is_not_read() {
    bounded(async {
        flood("pings", false, &[], ping).await;
        flood("settings", false, &[], settings).await;
        flood("requests", false, &[], get).await;
    })
    .await;
}

#[tokio::test]
async fn of_heads_without_an_end() {
    bounded(async {
        let begun = frame(HEADERS, END_STREAM, 1, &fields(0x82));
        flood("continuations", true, &begun, |_| frame(CONTINUATION, 0, 1, &[0x82; 64])).await;
        flood("empty continuations", true, &begun, |_| frame(CONTINUATION, 0, 1, &[])).await;
    })
    .await;
}

#[tokio::test]
async fn of_requests_that_are_taken_back() {
    bounded(async {
        let cancel = |number| [get(number), frame(RST_STREAM, 0, number, &[0, 0, 0, 8])].concat();
        flood("rapid reset", true, &[], cancel).await;
        // The server is made to take them back (CVE-2025-8671): a window may not be opened by nothing.
        let provoke = |number| [get(number), frame(WINDOW_UPDATE, 0, number, &[0, 0, 0, 0])].concat();
        flood("made you reset", true, &[], provoke).await;
    })
    .await;
}

#[tokio::test]
async fn of_requests_without_an_end() {
    bounded(flood("streams", true, &[], post)).await;
}

#[tokio::test]
async fn of_frames_that_say_nothing() {
    bounded(async {
        flood("empty data", true, &post(1), |_| frame(DATA, 0, 1, &[])).await;
        flood("priorities", true, &[], |number| frame(PRIORITY, 0, number, &[0, 0, 0, 0, 1])).await;
        flood("windows", true, &[], |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])).await;
        flood("unknown frames", true, &[], |_| frame(0xbe, 0, 0, &[7; 100])).await;
    })
    .await;
}
