//! A small XMPP client for tests and for the demo: one TCP connection, SASL PLAIN, one resource (RFC 6120, RFC 6121).
//!
//! It speaks plain TCP, so it is for servers on loopback. What was received waits in order until somebody asks for it.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use minidom::Element;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

use super::{
    frames::{Frame, Frames},
    presence::{Heard, bare, escape},
};

/// How long anything is waited for.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The namespace of what clients send and receive.
const CLIENT: &str = "jabber:client";
const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const STREAM_MANAGEMENT: &str = "urn:xmpp:sm:3";
const ROSTER: &str = "jabber:iq:roster";
/// Stanzas that may wait to be asked for; a test that is told more than that is wrong.
const RECEIVED_MOST: usize = 10_000;

/// Whose requests to see this user's presence are granted, without asking anybody.
#[derive(Debug, Clone)]
pub(crate) enum Accept {
    /// Nobody's.
    Nobody,
    /// Those of these bare JIDs.
    Only(Vec<String>),
}

enum Command {
    Send(Vec<u8>),
    Close,
    Reset,
    Freeze(bool),
}

/// A client that is logged in. Dropping it closes its socket, without a word.
pub(crate) struct Client {
    jid: String,
    commands: mpsc::Sender<Command>,
    received: mpsc::Receiver<Element>,
    waiting: VecDeque<Element>,
    ids: u32,
    connection: JoinSet<Result<()>>,
}

impl Client {
    /// Logs in as `name@localhost` with this resource, and fetches the roster. Nobody sees a presence yet.
    pub(crate) async fn login(
        server: SocketAddr,
        jid: &str,
        resource: &str,
        password: &str,
        accept: Accept,
    ) -> Result<Self> {
        let login = async {
            let mut stream = Stream::connect(server).await?;
            stream.authenticate(jid, password).await?;
            let jid = stream.bind(resource).await?;
            Ok((jid, stream))
        };
        let (jid, stream) = timeout(LIMIT, login)
            .await
            .unwrap_or_else(|_| Err(anyhow!("no end after {LIMIT:?}")))
            .with_context(|| format!("{jid}/{resource} could not log in at {server}"))?;
        let (commands, orders) = mpsc::channel(64);
        let (sender, received) = mpsc::channel(RECEIVED_MOST);
        let mut connection = JoinSet::new();
        connection.spawn(stream.run(orders, sender, accept));
        let mut client = Self { jid, commands, received, waiting: VecDeque::new(), ids: 0, connection };
        client.roster().await?;
        Ok(client)
    }

    /// The JID with its resource.
    pub(crate) fn jid(&self) -> &str {
        &self.jid
    }

    /// Sends XML, or what is none, as it is.
    pub(crate) async fn send(&self, xml: impl Into<Vec<u8>>) -> Result<()> {
        let sent = self.commands.send(Command::Send(xml.into())).await;
        sent.ok().with_context(|| format!("the connection of {} is gone", self.jid))
    }

    /// Shows this presence to everybody who may see it; `show` is one of the six words.
    pub(crate) async fn show(&self, show: &str, priority: i8, status: &str) -> Result<()> {
        let show = match show {
            "unavailable" => return self.send("<presence type='unavailable'/>").await,
            "available" => String::new(),
            other => format!("<show>{}</show>", escape(other)),
        };
        let status = match status {
            "" => String::new(),
            text => format!("<status>{}</status>", escape(text)),
        };
        self.send(format!("<presence>{show}{status}<priority>{priority}</priority></presence>")).await
    }

    /// Asks to see the presence of `jid` from now on.
    pub(crate) async fn subscribe(&self, jid: &str) -> Result<()> {
        self.send(format!("<presence type='subscribe' to='{}'/>", escape(jid))).await
    }

    /// Lets `jid` see this user's presence no longer.
    pub(crate) async fn revoke(&self, jid: &str) -> Result<()> {
        self.send(format!("<presence type='unsubscribed' to='{}'/>", escape(jid))).await
    }

    /// Waits until `jid` has answered a ping; everything it was sent before has been read by then.
    pub(crate) async fn ping(&mut self, jid: &str) -> Result<()> {
        let ping = "<ping xmlns='urn:xmpp:ping'/>";
        self.request("get", Some(jid), ping).await.with_context(|| format!("{} pinged {jid}", self.jid)).map(drop)
    }

    /// The roster: JIDs and their subscription (`none`, `to`, `from` or `both`).
    pub(crate) async fn roster(&mut self) -> Result<Vec<(String, String)>> {
        let reply = self.request("get", None, &format!("<query xmlns='{ROSTER}'/>")).await?;
        let query = reply.get_child("query", ROSTER).context("the roster has no query element")?;
        Ok(query.children().map(roster_item).collect())
    }

    /// The groups that `jid` stands in.
    pub(crate) async fn groups_of(&mut self, jid: &str) -> Result<Vec<String>> {
        let reply = self.request("get", None, &format!("<query xmlns='{ROSTER}'/>")).await?;
        let query = reply.get_child("query", ROSTER).context("the roster has no query element")?;
        let item = query.children().find(|item| item.attr("jid") == Some(jid));
        Ok(item.map(|item| item.children().map(Element::text).collect()).unwrap_or_default())
    }

    /// How often `jid` has asked to see this user's presence.
    pub(crate) fn was_asked(&mut self, jid: &str) -> usize {
        self.take_received();
        let is_it = |it: &&Element| it.name() == "presence" && it.attr("type") == Some("subscribe");
        self.waiting.iter().filter(is_it).filter(|it| it.attr("from").is_some_and(|from| bare(from) == jid)).count()
    }

    /// Waits for a roster push that says that `jid` has this subscription.
    pub(crate) async fn wait_roster(&mut self, jid: &str, subscription: &str) -> Result<()> {
        let what = format!("a roster push for {jid} with subscription {subscription}");
        self.wait(&what, |stanza| {
            let query = stanza.get_child("query", ROSTER).filter(|_| stanza.attr("type") == Some("set"))?;
            query.children().map(roster_item).find(|item| item.0 == jid && item.1 == subscription)
        })
        .await
        .map(drop)
    }

    /// Waits for the next presence from a bare JID, or from anybody on a domain, whatever it says.
    pub(crate) async fn next_presence(&mut self, from: &str) -> Result<Heard> {
        self.wait(&format!("a presence from {from}"), |stanza| Heard::from(stanza, from)).await
    }

    /// Waits for a presence from the bare JID `from` that is `wanted`; others from there are forgotten.
    pub(crate) async fn wait_presence(
        &mut self,
        from: &str,
        what: &str,
        wanted: impl Fn(&Heard) -> bool,
    ) -> Result<Heard> {
        let mut others = Vec::new();
        loop {
            let next = self.next_presence(from).await;
            let heard = next.with_context(|| format!("wanted {what}, and heard {} before", listed(&others)))?;
            if wanted(&heard) {
                return Ok(heard);
            }
            others.push(heard);
        }
    }

    /// Waits for a presence about a subscription (`subscribed`, `unsubscribed`, ...) from the bare JID `from`.
    pub(crate) async fn wait_subscription(&mut self, from: &str, kind: &str) -> Result<()> {
        self.wait(&format!("{kind} from {from}"), |stanza| {
            let is_it = stanza.name() == "presence" && stanza.attr("type") == Some(kind);
            (is_it && bare(stanza.attr("from")?) == from).then_some(())
        })
        .await
    }

    /// The presences from a bare JID, or from anybody on a domain, that nobody has asked for; they are forgotten.
    pub(crate) fn unasked(&mut self, from: &str) -> Vec<Heard> {
        self.take_received();
        let heard = self.waiting.iter().filter_map(|stanza| Heard::from(stanza, from)).collect();
        self.waiting.retain(|stanza| Heard::from(stanza, from).is_none());
        heard
    }

    fn take_received(&mut self) {
        while let Ok(stanza) = self.received.try_recv() {
            self.waiting.push_back(stanza);
        }
    }

    /// Ends the stream as it should be, and waits until the server has ended it too.
    pub(crate) async fn close(mut self) -> Result<()> {
        // A connection that is gone says so below.
        let _ = self.commands.send(Command::Close).await;
        let ended = timeout(LIMIT, self.connection.join_next()).await;
        let ended = ended.with_context(|| format!("{} waited {LIMIT:?} for the end of the stream", self.jid))?;
        ended.context("the connection ends once")??.with_context(|| format!("the connection of {}", self.jid))
    }

    /// Resets the TCP connection, as a machine that crashes does; returns when it is gone.
    pub(crate) async fn drop_abruptly(mut self) {
        let _ = self.commands.send(Command::Reset).await;
        let _ = self.connection.join_next().await;
    }

    /// Gives up the account (XEP-0077 section 3.2).
    pub(crate) async fn delete_account(mut self) {
        // The server answers, or ends the stream first.
        let _ = self.request("set", None, "<query xmlns='jabber:iq:register'><remove/></query>").await;
    }

    /// Reads nothing and says nothing from now on, with the connection as it is; or goes on where it was.
    pub(crate) async fn freeze(&self, frozen: bool) -> Result<()> {
        let sent = self.commands.send(Command::Freeze(frozen)).await;
        sent.ok().with_context(|| format!("the connection of {} is gone", self.jid))
    }

    /// Has the server keep the session for a while when the connection dies (XEP-0198 section 3).
    pub(crate) async fn keep_session(&mut self) -> Result<()> {
        self.send(format!("<enable xmlns='{STREAM_MANAGEMENT}' resume='true'/>")).await?;
        let is_kept = |it: &Element| it.is("enabled", STREAM_MANAGEMENT).then(|| it.attr("resume").map(str::to_owned));
        let resume = self.wait("that the session is kept", is_kept).await?;
        ensure!(matches!(resume.as_deref(), Some("true" | "1")), "the session can not be resumed");
        Ok(())
    }

    async fn request(&mut self, kind: &str, to: Option<&str>, payload: &str) -> Result<Element> {
        self.ids += 1;
        let id = format!("q{}", self.ids);
        let to = to.map(|jid| format!(" to='{}'", escape(jid))).unwrap_or_default();
        self.send(format!("<iq type='{kind}' id='{id}'{to}>{payload}</iq>")).await?;
        let is_answer =
            |it: &Element| it.attr("id") == Some(&id) && matches!(it.attr("type"), Some("result" | "error"));
        let what = format!("the answer to {payload}");
        self.wait(&what, |stanza| is_answer(stanza).then(|| stanza.clone())).await
    }

    /// Waits for the first stanza that `pick` takes; the others wait for somebody else.
    async fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Element) -> Option<T>) -> Result<T> {
        let end = tokio::time::Instant::now() + LIMIT;
        let mut looked_at = 0;
        loop {
            while let Some(stanza) = self.waiting.get(looked_at) {
                if let Some(picked) = pick(stanza) {
                    self.waiting.remove(looked_at);
                    return Ok(picked);
                }
                looked_at += 1;
            }
            match tokio::time::timeout_at(end, self.received.recv()).await {
                Ok(Some(stanza)) => self.waiting.push_back(stanza),
                Ok(None) => bail!("{} waited for {what}, and its connection is gone. {}", self.jid, self.seen()),
                Err(_) => bail!("{} waited {LIMIT:?} for {what}. {}", self.jid, self.seen()),
            }
        }
    }

    fn seen(&self) -> String {
        let seen: Vec<_> = self.waiting.iter().map(|stanza| format!("\n    {}", String::from(stanza))).collect();
        match &*seen {
            [] => "Nothing else came".to_owned(),
            some => format!("What came instead:{}", some.concat()),
        }
    }
}

/// A list of presences, for messages.
fn listed(heard: &[Heard]) -> String {
    let all: Vec<_> = heard.iter().map(Heard::to_string).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

fn roster_item(item: &Element) -> (String, String) {
    let attribute = |name| item.attr(name).unwrap_or_default().to_owned();
    (attribute("jid"), attribute("subscription"))
}

/// The connection, and what was read of it.
struct Stream {
    socket: TcpStream,
    frames: Frames,
}

impl Stream {
    async fn connect(server: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(server).await.context("no connection")?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, frames: Frames::default() })
    }

    async fn write(&mut self, xml: impl AsRef<[u8]>) -> Result<()> {
        self.socket.write_all(xml.as_ref()).await.context("the connection broke")
    }

    /// The next frame; an end without a word counts as [`Frame::Close`].
    async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Ok(frame);
            }
            let mut bytes = [0; 8_192];
            match self.socket.read(&mut bytes).await.context("the connection broke")? {
                0 => return Ok(Frame::Close),
                read => self.frames.feed(&bytes[..read])?,
            }
        }
    }

    async fn next_stanza(&mut self) -> Result<Element> {
        match self.next().await? {
            Frame::Stanza(stanza) => Ok(stanza),
            Frame::Open => bail!("the server opened the stream twice"),
            Frame::Close => bail!("the server closed the stream"),
        }
    }

    async fn open(&mut self, domain: &str) -> Result<Element> {
        self.frames = Frames::default();
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='http://etherx.jabber.org/streams' \
             to='{}' version='1.0'>",
            escape(domain)
        );
        self.write(&header).await?;
        ensure!(self.next().await? == Frame::Open, "the server did not open a stream");
        self.next_stanza().await
    }

    async fn authenticate(&mut self, jid: &str, password: &str) -> Result<()> {
        let (name, domain) = jid.split_once('@').with_context(|| format!("{jid} has no @"))?;
        self.open(domain).await?;
        let plain = BASE64_STANDARD.encode(format!("\0{name}\0{password}"));
        self.write(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")).await?;
        let answer = self.next_stanza().await?;
        ensure!(answer.name() == "success", "refused: {}", String::from(&answer));
        self.open(domain).await.map(drop)
    }

    async fn bind(&mut self, resource: &str) -> Result<String> {
        let resource = escape(resource);
        let bind = format!("<iq type='set' id='b'><bind xmlns='{BIND}'><resource>{resource}</resource></bind></iq>");
        self.write(&bind).await?;
        let answer = self.next_stanza().await?;
        let jid = answer.get_child("bind", BIND).and_then(|bind| bind.get_child("jid", BIND)).map(Element::text);
        jid.with_context(|| format!("no resource was bound: {}", String::from(&answer)))
    }

    /// Passes stanzas on, both ways, until the stream ends.
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        received: mpsc::Sender<Element>,
        accept: Accept,
    ) -> Result<()> {
        let (mut frozen, mut handled) = (false, 0_u32);
        // Nothing may be said after the end of our side (RFC 6120 section 4.4).
        let mut has_said_all = false;
        loop {
            tokio::select! {
                frame = self.next(), if !frozen => match frame? {
                    Frame::Stanza(_) if has_said_all => {}
                    // How much has arrived since the session is kept (XEP-0198 section 4).
                    Frame::Stanza(stanza) if stanza.is("r", STREAM_MANAGEMENT) => {
                        self.write(&format!("<a xmlns='{STREAM_MANAGEMENT}' h='{handled}'/>")).await?;
                    }
                    Frame::Stanza(stanza) => {
                        handled = if stanza.is("enabled", STREAM_MANAGEMENT) { 0 } else { handled.wrapping_add(1) };
                        if let Some(answer) = answer_to(&stanza, &accept) {
                            self.write(&answer).await?;
                        }
                        received.try_send(stanza).ok().context("more stanzas came than anybody asked for")?;
                    }
                    Frame::Open => bail!("the server opened the stream twice"),
                    Frame::Close => return Ok(()),
                },
                command = commands.recv() => match command {
                    Some(Command::Send(xml)) => self.write(&xml).await?,
                    Some(Command::Close) => {
                        self.write("</stream:stream>").await?;
                        has_said_all = true;
                    }
                    Some(Command::Freeze(is)) => frozen = is,
                    Some(Command::Reset) => return self.socket.set_zero_linger().context("no reset"),
                    None => return Ok(()),
                },
            }
        }
    }
}

/// What a client answers by itself: requests for its presence as `accept` says, roster pushes, and pings.
fn answer_to(stanza: &Element, accept: &Accept) -> Option<String> {
    let from = stanza.attr("from");
    match (stanza.name(), stanza.attr("type")) {
        ("presence", Some("subscribe")) => {
            let from = bare(from?);
            let accepted = match accept {
                Accept::Nobody => false,
                Accept::Only(jids) => jids.iter().any(|jid| jid == from),
            };
            accepted.then(|| format!("<presence type='subscribed' to='{}'/>", escape(from)))
        }
        ("iq", Some(kind @ ("get" | "set"))) => {
            let id = escape(stanza.attr("id")?);
            let to = from.map(|from| format!(" to='{}'", escape(from))).unwrap_or_default();
            let unknown = "<error type='cancel'><service-unavailable \
                           xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
            let is_known = stanza.get_child("ping", "urn:xmpp:ping").is_some_and(|_| kind == "get")
                || stanza.get_child("query", ROSTER).is_some_and(|_| kind == "set");
            let (kind, payload) = if is_known { ("result", "") } else { ("error", unknown) };
            Some(format!("<iq type='{kind}' id='{id}'{to}>{payload}</iq>"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(text: &str) -> Element {
        text.replacen(' ', " xmlns='jabber:client' ", 1).parse().unwrap()
    }

    #[test]
    fn what_is_answered() {
        let accept = Accept::Only(vec!["staffing@q".to_owned()]);
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(answer_to(&stanza(text), &accept).as_deref(), want, "{text}");
        };
        let subscribed = "<presence type='subscribed' to='staffing@q'/>";
        check("<presence type='subscribe' from='staffing@q'/>", Some(subscribed));
        check("<presence type='subscribe' from='mallory@q'/>", None);
        let pong = "<iq type='result' id='1' to='q'></iq>";
        check("<iq type='get' id='1' from='q'><ping xmlns='urn:xmpp:ping'/></iq>", Some(pong));
        check("<iq type='result' id='1' from='q'/>", None);
        let error = answer_to(&stanza("<iq type='get' id='1' from='q'><x xmlns='y'/></iq>"), &accept);
        assert!(error.unwrap().contains("service-unavailable"));
    }
}
