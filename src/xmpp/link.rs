//! One connection to the server: from its beginning to its end.

use std::{io, time::Duration};

use futures::{SinkExt, StreamExt};
use minidom::Element;
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream, lookup_host,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tokio_xmpp::xmlstream::{ReadError, StreamHeader, Timeouts, XmlStream, initiate_stream};
use tracing::{Instrument, Span, debug, debug_span, error, info, info_span, warn};
use xmpp_parsers::{component::Handshake, ns};

use super::{
    Settings,
    adhoc::{Answer, Pending, Sessions},
    decode::{StreamError, stream_error},
    door::Door,
    drops::Drops,
    encode::{FOOTER, Writer},
    gate::{Broken, Piece},
    parser::Parser,
    rival::{self, Finding, PINGS, Rivals, Step},
    wire::{Reading, Request, Wire},
    worker::{self, Worker},
};
use crate::{
    domain::{BareJid, Effect, Input},
    engine::{Fact, Handle},
    metrics::{self, Cause, Stanza},
};

/// Stanzas of the engine's that may wait to be sent; it keeps what does not fit.
const OUTBOX: usize = 1_024;
/// Replies that may wait to be sent. Who asks more than a server takes gets no answer.
const REPLIES: usize = 256;
/// About how many bytes are written at once.
const WRITE_MOST: usize = 32 * 1024;
/// How long a server that has closed its ear may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why there is no link, in words for an administrator.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("can not find the address of {server}")]
    Lookup { server: String, source: io::Error },
    #[error("{server} has no address")]
    NoAddress { server: String },
    #[error("can not connect to {address}: is the chat server running, and does it have the component?")]
    Connect { address: String, source: io::Error },
    #[error("the server did not finish the handshake within {0:?}: is it stuck, or is this not its component port?")]
    Handshake(Duration),
    #[error("what the server answered is no component stream: is this its component port?")]
    NoComponent { source: io::Error },
    #[error("what the server answered is no component stream: {0}")]
    Unexpected(&'static str),
    #[error("{0}")]
    Refused(String),
    #[error("the server ended the stream: {0}")]
    Ended(String),
    #[error("the server closed the stream")]
    Closed,
    #[error("the server dropped the connection")]
    Cut,
    #[error("the server did not answer a ping within {0:?}")]
    Silent(Duration),
    #[error("the server took nothing from us for {0:?}")]
    Deaf(Duration),
    #[error("{}", rival::words(domain, *back))]
    Rival { domain: String, back: u32 },
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("the server's stream makes no sense")]
    Broken(#[from] Broken),
    #[error("rosterd is stopping")]
    Stopped,
}

impl LinkError {
    /// As what it is counted; nothing where there is nothing wrong.
    pub(super) const fn cause(&self) -> Option<Cause> {
        Some(match self {
            Self::Lookup { .. } | Self::NoAddress { .. } => Cause::Lookup,
            Self::Connect { .. } => Cause::Connect,
            Self::Handshake(_) | Self::NoComponent { .. } | Self::Unexpected(_) => Cause::Handshake,
            Self::Refused(_) => Cause::Refused,
            Self::Ended(_) | Self::Closed => Cause::Ended,
            Self::Cut | Self::Io(_) => Cause::Cut,
            Self::Silent(_) | Self::Deaf(_) => Cause::Silent,
            Self::Rival { .. } => Cause::Rival,
            Self::Broken(_) => Cause::Broken,
            Self::Stopped => return None,
        })
    }
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Link<'a> {
    settings: &'a Settings,
    door: Door<TcpStream>,
}

impl<'a> Link<'a> {
    /// Connects, and opens a component's stream (XEP-0114 section 3).
    pub(super) async fn open(settings: &'a Settings) -> Result<Self, LinkError> {
        let socket = connect(settings).await?;
        socket.set_nodelay(true)?;
        let door = timeout(settings.connect_timeout, shake_hands(settings, Door::new(socket))).await;
        let door = door.map_err(|_| LinkError::Handshake(settings.connect_timeout))??;
        Ok(Self { settings, door })
    }

    /// Tells the engine of the link and works until it ends. Reading and sending never wait for each other. With `rivals` the
    /// link is on trial until there is none. The link has this `number`.
    pub(super) async fn run(
        self,
        number: u32,
        rivals: Option<Rivals>,
        (engine, sessions): (&Handle, &Sessions),
        facts: &mpsc::Sender<Fact>,
        stop: &CancellationToken,
    ) -> LinkError {
        let Self { settings, door } = self;
        let (door, socket) = door.split();
        let (effects, outbox) = mpsc::channel(OUTBOX);
        let (replies, replies_waiting) = mpsc::channel(REPLIES);
        let Settings { domain, user_domain, watcher, .. } = settings;
        let wire = Wire::new(domain, user_domain, watcher.clone(), getrandom::u64().unwrap_or_default());
        let up = if rivals.is_some() { Fact::LinkOnTrial } else { Fact::LinkUp }(effects.clone());
        let (changes, changes_waiting) = mpsc::channel(worker::WAITING_MOST);
        let worker = Worker { engine, changes: changes_waiting, replies: replies.clone() };
        let reader = Reader {
            settings,
            link: number,
            stanzas: 0,
            door,
            parser: Parser::default(),
            wire: &wire,
            engine,
            facts,
            effects,
            replies,
            changes,
            sessions,
            drops: Drops::default(),
            rivals,
        };
        let patience = settings.patience();
        let writer = Writer::new();
        let metrics = engine.metrics().link();
        let sender = Sender { socket, patience, outbox, replies: replies_waiting, wire: &wire, writer, metrics };

        let working = async {
            if facts.send(up).await.is_err() {
                return LinkError::Stopped;
            }
            let (reading, working) = (reader.run(), worker.run());
            tokio::pin!(reading);
            tokio::select! {
                ended = &mut reading => ended,
                never = working => match never {},
                sent = sender.run(stop) => match sent {
                    // The server answers our footer with its own.
                    Ok(()) => {
                        reading.await;
                        LinkError::Stopped
                    }
                    Err(error) => timeout(LAST_WORDS, reading).await.unwrap_or(error),
                },
            }
        };
        let overdue = async {
            stop.cancelled().await;
            sleep(settings.goodbye).await;
        };
        tokio::select! {
            ended = working => if stop.is_cancelled() { LinkError::Stopped } else { ended },
            () = overdue => {
                info!("the server took too long to say goodbye");
                LinkError::Stopped
            }
        }
    }
}

/// Tries every address of the server, in order; the last error stands for all.
async fn connect(settings: &Settings) -> Result<TcpStream, LinkError> {
    let server = &settings.server;
    let found = timeout(settings.connect_timeout, lookup_host(server)).await.unwrap_or_else(|late| Err(late.into()));
    let addresses = found.map_err(|source| LinkError::Lookup { server: server.clone(), source })?;
    let mut failure = LinkError::NoAddress { server: server.clone() };
    for address in addresses {
        let connected = timeout(settings.connect_timeout, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|late| Err(late.into())) {
            Ok(socket) => return Ok(socket),
            Err(source) => failure = LinkError::Connect { address: address.to_string(), source },
        }
    }
    Err(failure)
}

async fn shake_hands(settings: &Settings, door: Door<TcpStream>) -> Result<Door<TcpStream>, LinkError> {
    let header = StreamHeader { to: Some(settings.domain.as_str().into()), ..StreamHeader::default() };
    // Who waits for us does so with a clock of its own.
    let patience = Duration::from_hours(24);
    let timeouts = Timeouts { read_timeout: patience, response_timeout: patience };
    let opening = initiate_stream(door, ns::COMPONENT, header, timeouts).await;
    let mut opened = opening.map_err(|source| LinkError::NoComponent { source })?;
    let id = opened.take_header().id;
    let mut stream: XmlStream<_, Element> = opened.skip_features();
    // A server that does not know us says so at once, with no id to answer to.
    if let Some(id) = id {
        let handshake = Handshake::from_stream_id_and_password(id.into_owned(), settings.secret.reveal());
        // Where this fails, the server may still have said why.
        let _ = SinkExt::<&Element>::send(&mut stream, &handshake.into()).await;
    }
    match stream.next().await {
        Some(Ok(element)) => match stream_error(&element) {
            Some(error) => Err(LinkError::Refused(refusal(&error, &settings.domain))),
            None if element.is("handshake", ns::COMPONENT) => Ok(stream.into_inner()),
            None => Err(LinkError::Unexpected("it does not take the handshake")),
        },
        Some(Err(ReadError::HardError(source))) => Err(LinkError::NoComponent { source }),
        Some(Err(ReadError::StreamFooterReceived)) | None => Err(LinkError::Closed),
        Some(Err(ReadError::SoftTimeout | ReadError::ParseError(_))) => {
            Err(LinkError::Unexpected("it is not what a handshake is answered with"))
        }
    }
}

/// What an administrator can do about a refusal (XEP-0114 section 3, RFC 6120 section 4.9.3).
fn refusal(error: &StreamError, domain: &str) -> String {
    let advice = match error.condition.as_str() {
        "not-authorized" => format!(
            "the server refused the secret for component {domain}: \
             [xmpp] secret must be the one in the server's configuration (ejabberd also: it does not know the domain)"
        ),
        "host-unknown" => format!(
            "the server does not know the component {domain}: \
             add it to the server's configuration, or correct [xmpp] domain; and [xmpp] server must be the component port"
        ),
        "invalid-namespace" => {
            format!(
                "the server takes no component {domain} there: [xmpp] server must be its component port, not another one"
            )
        }
        "conflict" => format!(
            "the server has a component {domain} already: only one daemon can serve a domain, so stop the other one"
        ),
        other => format!("the server refused component {domain}: {other}"),
    };
    match &error.text {
        Some(text) => format!("{advice}; it says: {text:?}"),
        None => advice,
    }
}

/// Reads what the server sends, and says what it means.
struct Reader<'a> {
    settings: &'a Settings,
    /// The number of the link.
    link: u32,
    /// How many stanzas have come.
    stanzas: u64,
    door: Door<OwnedReadHalf>,
    parser: Parser,
    wire: &'a Wire,
    engine: &'a Handle,
    facts: &'a mpsc::Sender<Fact>,
    /// Where the engine puts what is to be sent.
    effects: mpsc::Sender<Effect>,
    replies: mpsc::Sender<Element>,
    changes: mpsc::Sender<(Pending, Span)>,
    sessions: &'a Sessions,
    drops: Drops,
    rivals: Option<Rivals>,
}

impl Reader<'_> {
    async fn run(mut self) -> LinkError {
        match self.read().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn read(&mut self) -> Result<std::convert::Infallible, LinkError> {
        let Settings { ping_after, ping_timeout, .. } = *self.settings;
        let mut due = Instant::now() + ping_after;
        let mut pinged = false;
        loop {
            while let Some(piece) = self.door.next_piece()? {
                self.take(piece).await?;
            }
            tokio::select! {
                // What has come while we were held up counts.
                biased;
                read = self.door.fill() => {
                    if read? == 0 {
                        return Err(LinkError::Cut);
                    }
                    (due, pinged) = (Instant::now() + ping_after, false);
                }
                () = rival::is_due(self.rivals.as_ref()) => self.look_for_rivals(Rivals::tick).await?,
                () = sleep_until(due) => {
                    if pinged {
                        return Err(LinkError::Silent(ping_timeout));
                    }
                    // Where there is no room for it, the server takes nothing from us, and is silent too.
                    let _ = self.replies.try_send(self.wire.alive());
                    (due, pinged) = (Instant::now() + ping_timeout, true);
                }
            }
        }
    }

    async fn take(&mut self, piece: Piece) -> Result<(), LinkError> {
        self.count(piece);
        self.stanzas += 1;
        let span = debug_span!("stanza", link = self.link, number = self.stanzas);
        self.act_on(piece).instrument(span).await
    }

    async fn act_on(&mut self, piece: Piece) -> Result<(), LinkError> {
        match self.wire.read(&mut self.parser, self.door.gate(), piece) {
            Reading::Tell(Fact::Input(input)) => self.hear(input).await,
            Reading::Tell(fact) => self.tell(fact).await,
            Reading::Asked(request) => self.answer(*request).await,
            Reading::Answer { to, reply } => self.reply(&to, reply).await,
            Reading::Dropped { from, reason, glimpsed } => {
                self.name(from.as_ref().map_or("?", BareJid::as_str), reason);
                if let Some(input) = glimpsed {
                    self.hear(input).await?;
                }
                self.hear(Input::Dropped { reason }).await
            }
            Reading::Echo { id, is_error } => {
                self.look_for_rivals(|rivals, now, _| rivals.echo(&id, is_error, now)).await
            }
            Reading::NotWritten { input, condition } => {
                self.name_refusal(&input, &condition);
                self.hear(input).await
            }
            Reading::Worked => {
                if let Some(rivals) = &mut self.rivals {
                    rivals.answered(Instant::now());
                }
                Ok(())
            }
            Reading::Ended(why) => Err(LinkError::Ended(why)),
            Reading::Closed => Err(LinkError::Closed),
            Reading::Nothing => Ok(()),
        }
    }

    fn count(&self, piece: Piece) {
        let stanza = match piece {
            Piece::Stanza => Stanza::written(self.door.gate().bytes()),
            Piece::Dropped(_) => Stanza::Other,
            Piece::Header | Piece::Footer => return,
        };
        self.engine.metrics().link().received(stanza);
    }

    /// Passes on what the stanza says that was just read.
    async fn hear(&self, input: Input) -> Result<(), LinkError> {
        if let Input::Seen { user, resource, seen } = &input {
            // Not what people wrote: that is theirs.
            debug!(%user, %resource, show = %seen.show, priority = seen.priority, "presence heard");
        } else if let Input::Gone { user, resource } = &input {
            debug!(%user, resource, "presence heard: gone");
        }
        self.tell(Fact::Stanza { link: self.link, number: self.stanzas, input }).await
    }

    /// Does what is to be done next to find out whether somebody else serves our domain.
    async fn look_for_rivals(
        &mut self,
        next: impl FnOnce(&mut Rivals, Instant, usize) -> Step,
    ) -> Result<(), LinkError> {
        let room = self.replies.capacity();
        let Some(rivals) = &mut self.rivals else { return Ok(()) };
        match next(rivals, Instant::now(), room) {
            Step::Nothing => Ok(()),
            Step::Send(ids) => {
                self.send_all(ids.iter().map(|id| self.wire.echo(id)));
                self.ping_to_look();
                Ok(())
            }
            Step::Ping => {
                self.ping_to_look();
                Ok(())
            }
            Step::Alone => self.tell(Fact::Input(Input::TrialPassed)).await,
            Step::Leave(Finding::Rival { back }) => {
                Err(LinkError::Rival { domain: self.settings.domain.clone(), back })
            }
            Step::AloneAgain => {
                let domain = &self.settings.domain;
                warn!(
                    "somebody else was connected as {domain} too, and may have got what was meant for us: \
                     everybody is asked anew"
                );
                // For the engine this is another link.
                self.tell(Fact::LinkUp(self.effects.clone())).await
            }
            Step::Leave(Finding::Silent) => Err(LinkError::Silent(self.settings.patience())),
        }
    }

    fn ping_to_look(&self) {
        self.send_all(std::iter::repeat_with(|| self.wire.has_worked()).take(PINGS));
    }

    /// Where there is no room for pings there are more of them later.
    fn send_all(&self, stanzas: impl Iterator<Item = Element>) {
        for stanza in stanzas {
            let _ = self.replies.try_send(stanza);
        }
    }

    /// Answers, or has stored what was asked for; where there is no room for that, it says so.
    async fn answer(&mut self, request: Request) -> Result<(), LinkError> {
        let to = request.from().to_string();
        let (wire, sessions, now) = (self.wire, self.sessions, self.engine.clock().both());
        let reply = match self.engine.read(|desk| wire.answer(request, desk, sessions, now)) {
            Answer::Now(reply) => reply,
            Answer::Change(change) => {
                let span = info_span!("command", link = self.link, stanza = self.stanzas, by = %change.by);
                match self.changes.try_send((*change, span)) {
                    Ok(()) => return Ok(()),
                    Err(TrySendError::Full((change, _)) | TrySendError::Closed((change, _))) => change.refuse(),
                }
            }
        };
        self.reply(&to, reply).await
    }

    /// Replies if there is room for it; who asks more than the server takes gets no answer.
    async fn reply(&mut self, to: &str, reply: Element) -> Result<(), LinkError> {
        if self.replies.try_send(reply).is_ok() {
            return Ok(());
        }
        self.name(to, "reply-not-sent");
        self.tell(Fact::Input(Input::Dropped { reason: "reply-not-sent" })).await
    }

    /// Names a sender now and then.
    fn name(&mut self, from: &str, reason: &'static str) {
        if self.drops.is_news(from, Instant::now()) {
            warn!(from, reason, "stanza dropped; more from this sender are counted, not logged, for a minute");
        }
    }

    /// Names a user, now and then, whose roster the server does not let us write.
    fn name_refusal(&mut self, written: &Input, condition: &str) {
        if let Input::Written { user, contact, .. } = written
            // What is not there need not be taken out.
            && condition != "item-not-found"
            && self.drops.is_news(user.as_str(), Instant::now())
        {
            warn!(%user, %contact, condition, "the server did not write a roster: has the user an account there?");
        }
    }

    /// Waits while the engine has enough to do.
    async fn tell(&self, fact: Fact) -> Result<(), LinkError> {
        self.facts.send(fact).await.map_err(|_| LinkError::Stopped)
    }
}

/// Sends what the engine wants sent, and replies.
struct Sender<'a> {
    socket: OwnedWriteHalf,
    /// How long the server may take nothing of what is written.
    patience: Duration,
    outbox: mpsc::Receiver<Effect>,
    replies: mpsc::Receiver<Element>,
    wire: &'a Wire,
    writer: Writer,
    metrics: &'a metrics::Link,
}

impl Sender<'_> {
    /// Until `stop`: then what waits is sent, and the stream closed.
    async fn run(mut self, stop: &CancellationToken) -> Result<(), LinkError> {
        let mut has_outbox = true;
        loop {
            tokio::select! {
                Some(reply) = self.replies.recv() => self.put(&reply),
                effect = self.outbox.recv(), if has_outbox => match effect {
                    Some(effect) => self.put(&self.wire.stanza(&effect)),
                    None => has_outbox = false,
                },
                () = stop.cancelled() => break,
            }
            self.put_waiting();
            self.write().await?;
        }
        self.outbox.close();
        loop {
            self.put_waiting();
            if self.writer.bytes().is_empty() {
                break;
            }
            self.write().await?;
        }
        self.writer.put_raw(FOOTER);
        self.write().await?;
        Ok(self.socket.shutdown().await?)
    }

    /// What can be written in the same go.
    fn put_waiting(&mut self) {
        while self.writer.bytes().len() < WRITE_MOST {
            // In turn: who asks much does not hold up what the engine has to say.
            let (reply, effect) = (self.replies.try_recv(), self.outbox.try_recv());
            if reply.is_err() && effect.is_err() {
                break;
            }
            if let Ok(reply) = reply {
                self.put(&reply);
            }
            if let Ok(effect) = effect {
                self.put(&self.wire.stanza(&effect));
            }
        }
    }

    fn put(&mut self, stanza: &Element) {
        match self.writer.put(stanza) {
            Ok(()) => self.metrics.sent(Stanza::named(stanza.name())),
            Err(error) => error!(%error, "a stanza of our own can not be written"),
        }
    }

    async fn write(&mut self) -> Result<(), LinkError> {
        let mut rest = self.writer.bytes();
        while !rest.is_empty() {
            let written = timeout(self.patience, self.socket.write(rest)).await;
            let written = written.map_err(|_| LinkError::Deaf(self.patience))??;
            rest = rest.get(written..).unwrap_or_default();
        }
        self.writer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let check = |condition: &str, text: Option<&str>, expected: &str| {
            let error = StreamError { condition: condition.into(), text: text.map(Into::into) };
            let refusal = refusal(&error, "queues.localhost");
            assert!(refusal.contains(expected) && refusal.contains("queues.localhost"), "{refusal}");
        };
        check("not-authorized", None, "refused the secret");
        check("host-unknown", None, "does not know");
        check("conflict", None, "already");
        check("invalid-namespace", None, "must be its component port");
        check("policy-violation", Some("no"), "policy-violation; it says: \"no\"");
    }
}
