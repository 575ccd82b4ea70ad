//! What is measured.

use std::{
    thread,
    time::{Duration, Instant},
};

use rosterd::domain::Show;

use super::{
    contender::Contender,
    server::{Link, Server, State},
    site::{DOMAIN, Dice, USER_DOMAIN},
};

/// How many bytes of the load are written at once.
const WRITE_MOST: usize = 64 * 1024;

/// How fast stanzas are taken, and at what cost.
#[derive(Clone, Copy)]
pub(crate) struct Throughput {
    pub(crate) a_second: f64,
    /// CPU seconds.
    pub(crate) cpu_of_a_million: f64,
    /// How many followers were told something, for each stanza.
    pub(crate) tells: f64,
}

/// Random changes, then one in the queue that is apart, then a ping. The end is when the ping was answered and, where the
/// contender publishes, every follower was told what is true after the last of them: that queue is told of last.
pub(crate) fn throughput(
    server: &Server,
    link: &Link,
    contender: &Contender,
    stanzas: usize,
    publishes: bool,
) -> anyhow::Result<Throughput> {
    let load = load(server, stanzas);
    let before = server.state().counted();
    let (cpu, began) = (contender.cpu()?, Instant::now());
    for part in &load {
        link.send(part)?;
    }
    let is_done = |state: &State| state.counted().pongs > before.pongs && (state.all_right() || !publishes);
    let ended = server.wait("everything was taken", is_done)?;
    let cpu = contender.cpu()?.saturating_sub(cpu);
    let tells = server.state().counted().tells - before.tells;
    #[expect(clippy::cast_precision_loss, reason = "they are small")]
    let (stanzas, tells) = (stanzas as f64, tells as f64);
    Ok(Throughput {
        a_second: stanzas / (ended - began).as_secs_f64(),
        cpu_of_a_million: cpu.as_secs_f64() / stanzas * 1e6,
        tells: tells / stanzas,
    })
}

/// Whole stanzas, in parts that are written at once.
fn load(server: &Server, stanzas: usize) -> Vec<Vec<u8>> {
    let mut state = server.state();
    let (mut load, mut part, mut dice) = (Vec::new(), Vec::new(), Dice::new());
    for _ in 1..stanzas {
        let user = dice.roll(state.site.users);
        let now = state.site.show(user);
        let others = Show::ALL.into_iter().filter(|show| *show != now && *show != Show::Unavailable);
        let show = others.cycle().nth(dice.roll(4)).expect("there are four");
        state.change(user, show);
        state.site.presence(user, &mut part);
        if part.len() > WRITE_MOST {
            load.push(std::mem::take(&mut part));
        }
    }
    let last = state.site.users;
    turn(&mut state, last, &mut part);
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    part.extend(format!("<iq from='{USER_DOMAIN}' to='staffing@{DOMAIN}' id='sync' type='get'>{ping}</iq>").bytes());
    load.push(part);
    load
}

/// A change that followers are told of, whatever the others of the queue are.
fn turn(state: &mut State, user: usize, out: &mut Vec<u8>) {
    let takes_work = matches!(state.site.show(user), Show::Chat | Show::Available);
    state.change(user, if takes_work { Show::Away } else { Show::Chat });
    state.site.presence(user, out);
}

/// How long it takes from somebody's presence to that of their queue.
#[derive(Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) half: Duration,
    pub(crate) most: Duration,
}

/// So many changes a second, each in another queue than the ones before it.
pub(crate) fn latency(server: &Server, link: &Link, rate: u32, length: Duration) -> anyhow::Result<Latency> {
    let count = rate * u32::try_from(length.as_secs()).expect("it is short");
    server.state().latencies.clear();
    let began = Instant::now();
    let mut stanza = Vec::new();
    for place in 0..count {
        let due = began + length * place / count;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        stanza.clear();
        {
            let mut state = server.state();
            let user = place as usize % state.site.users;
            turn(&mut state, user, &mut stanza);
            let queue = state.site.queue_of(user);
            // Of two changes that are told of together the first one counts.
            state.sent[queue].get_or_insert_with(Instant::now);
        }
        link.send(&stanza)?;
    }
    server.wait("everything was told", State::all_right)?;
    let mut latencies = std::mem::take(&mut server.state().latencies);
    anyhow::ensure!(!latencies.is_empty(), "changes are told");
    latencies.sort_unstable();
    let at = |hundredths: usize| latencies[(latencies.len() - 1) * hundredths / 100];
    Ok(Latency { half: at(50), most: at(99) })
}

/// What it takes to know everybody anew.
#[derive(Clone, Copy)]
pub(crate) struct Resync {
    /// From the end of the handshake until every follower was told.
    pub(crate) length: Duration,
    pub(crate) cpu: Duration,
    /// Memory before, with nobody known, and after, in MiB.
    pub(crate) resident: (u64, u64),
}

/// Takes the contender in, and waits until it knows everybody.
pub(crate) fn resync(server: &Server, contender: &mut Contender) -> anyhow::Result<(Link, Resync)> {
    let (link, began) = server.accept(contender)?;
    let (before, cpu) = (contender.resident()?, contender.cpu()?);
    let ended = server.wait("everybody was heard", State::all_right)?;
    let resync = Resync {
        length: ended - began,
        cpu: contender.cpu()?.saturating_sub(cpu),
        resident: (before, contender.resident()?),
    };
    Ok((link, resync))
}
