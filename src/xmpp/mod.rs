//! The link to the XMPP server: a component (XEP-0114) that is connected for ever, again and again.
//!
//! socket -> gate (whole stanzas within limits) -> parse and decode (what it means) -> facts to the engine, replies to who
//! asks; effects from the engine -> encode -> socket. Nothing that anybody sends ends the link: a stanza that is too large
//! or not well-formed is passed over alone, counted, and its sender named in the log.

pub mod gate;
pub mod parser;
pub mod wire;

mod adhoc;
mod backoff;
mod decode;
mod disco;
mod door;
mod drops;
mod encode;
mod form;
mod iq;
mod link;
mod ours;
mod page;
mod ping;
mod place;
mod rival;
mod testing;
mod vcard;
mod version;
mod worker;

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error_span, info, warn};

use self::{
    adhoc::Sessions,
    backoff::Backoff,
    link::{Link, LinkError},
    rival::{Nonce, Rivals},
};
use crate::{
    config::Secret,
    domain::{Name, UnixTime},
    engine::{Fact, Handle},
    telemetry,
};
pub use rival::Lookout;

/// Where the server is, who we are there, and how patient we are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's component port, `host:port`. The connection is plain TCP: across a network it needs a tunnel.
    pub server: String,
    /// Our domain, prepared (RFC 7622 section 3.2).
    pub domain: String,
    /// The users' domain on the same server: pings go there.
    pub user_domain: String,
    /// What we share with the server.
    pub secret: Secret,
    /// The localpart of the watcher.
    pub watcher: Name,
    /// How long one address may take to connect, and then the handshake.
    pub connect_timeout: Duration,
    /// How long the server may be silent before it is pinged.
    pub ping_after: Duration,
    /// How long it may then go on being silent before the link is given up.
    pub ping_timeout: Duration,
    /// How it is made sure that nobody else serves our domain; `None`: it is not.
    pub lookout: Option<Lookout>,
    /// The pause after a first failure. It doubles with every further one.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
    /// A link that lasted this long was good: the pauses start from the shortest again.
    pub stable_after: Duration,
    /// How long saying goodbye may take.
    pub goodbye: Duration,
}

impl Settings {
    /// How long the server may say nothing at all.
    fn patience(&self) -> Duration {
        self.ping_after + self.ping_timeout
    }
}

/// Keeps a link to the server until `stop`, and tells the engine through `facts` what happens on it.
///
/// When `facts` is full, nothing is read from the server until the engine has caught up; sending goes on. On `stop`, what
/// the engine has handed over is sent, and the stream is closed (RFC 6120 section 4.4). Ends early when the engine is gone.
pub async fn run(settings: Settings, engine: Handle, facts: mpsc::Sender<Fact>, stop: CancellationToken) {
    let mut backoff = Backoff::new(settings.backoff_min, settings.backoff_max, settings.stable_after);
    let nonce = Nonce::new([(); 2].map(|()| getrandom::u64().unwrap_or_default()));
    let sessions = Sessions::new(Instant::now());
    for number in 1.. {
        let (server, domain) = (settings.server.as_str(), settings.domain.as_str());
        // Of the highest level, so that every line of the link has it.
        let span = error_span!("link", id = number, server, domain);
        engine.set_next_try(None);
        let opened = tokio::select! {
            opened = Link::open(&settings).instrument(span.clone()) => opened,
            () = stop.cancelled() => return,
        };
        let (error, lasted) = match opened {
            Ok(link) => {
                span.in_scope(|| info!("link up"));
                engine.metrics().link().connected();
                let since = Instant::now();
                let rivals =
                    settings.lookout.map(|lookout| Rivals::new(lookout, settings.patience(), &nonce, number, since));
                let running = link.run(number, rivals, (&engine, &sessions), &facts, &stop);
                (running.instrument(span.clone()).await, since.elapsed())
            }
            Err(error) => (error, Duration::ZERO),
        };
        let why = telemetry::chain(&error);
        if let Some(cause) = error.cause() {
            engine.metrics().link().failed(cause);
        }
        if matches!(error, LinkError::Stopped) {
            span.in_scope(|| info!("link closed"));
            // The engine may be gone already, or busy with its own end.
            let _ = facts.try_send(Fact::LinkDown(why));
            return;
        }
        if matches!(error, LinkError::Rival { .. }) {
            // Whoever serves the domain rightly is disturbed by every attempt.
            backoff.be_patient();
        }
        let retry_in = backoff.wait(lasted, getrandom::u32().unwrap_or(u32::MAX));
        span.in_scope(|| warn!(error = why, ?retry_in, "link down"));
        engine.set_next_try(Some(UnixTime(engine.clock().now().0 + retry_in.as_secs())));
        tokio::select! {
            sent = facts.send(Fact::LinkDown(why)) => if sent.is_err() { return },
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = sleep(retry_in) => {}
            () = stop.cancelled() => return,
        }
    }
}
