//! Scenarios without a real server: an XMPP server inside of the test that has one component (XEP-0114) and no clients,
//! but sends what a server would send if there were some (RFC 6121 sections 3 and 4, and what Prosody was seen to do).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context, Result, bail};
use minidom::Element;
use rosterd::domain::Show;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    frames::{Frame, Frames},
    presence::{Heard, bare, escape},
    process::LIMIT,
    script::Who,
    stage::World,
};

const USERS: &str = "localhost";
const QUEUES: &str = "queues.localhost";
const COMPONENT: &str = "jabber:component:accept";

/// The server, as the test holds it.
pub(crate) struct InProcess {
    address: SocketAddr,
    state: watch::Sender<State>,
    pings: u32,
    /// Dropping it ends the server.
    _task: JoinSet<()>,
}

#[derive(Debug, Default)]
struct State {
    people: BTreeMap<String, Person>,
    /// The way to the component, while there is one.
    link: Option<mpsc::Sender<String>>,
    /// What clients received, and nobody has asked for yet.
    received: Vec<(Who, Element)>,
    /// Clients that read nothing now, and what they will answer once they do.
    frozen: BTreeMap<String, Vec<String>>,
    /// The ids of the pings of clients that were answered.
    pongs: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Person {
    /// What each client said last, as XML.
    clients: BTreeMap<String, String>,
    /// Who wants to see their presence, and whether they let them.
    watchers: BTreeMap<String, bool>,
    /// Which queues they want to follow, and whether those let them.
    follows: BTreeMap<String, bool>,
}

fn jid(name: &str) -> String {
    format!("{name}@{USERS}")
}

fn full(who: &Who) -> String {
    format!("{}@{USERS}/{}", who.name, who.resource)
}

impl World for InProcess {
    const SWEEP_QUIET: &'static str = "50ms";

    async fn start(people: &[&str]) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let people = people.iter().map(|&name| (name.to_owned(), Person::default())).collect();
        let state = watch::Sender::new(State { people, ..State::default() });
        let mut task = JoinSet::new();
        task.spawn(serve(listener, state.clone()));
        Ok(Self { address, state, pings: 0, _task: task })
    }

    fn component(&self) -> SocketAddr {
        self.address
    }

    async fn show(&mut self, who: &Who, show: Show, priority: i8, status: &str) -> Result<()> {
        if show == Show::Unavailable {
            return self.leave(who).await;
        }
        let word = if show == Show::Available { "" } else { show.as_str() };
        let element = |name, text: &str| match text {
            "" => String::new(),
            text => format!("<{name}>{}</{name}>", escape(text)),
        };
        let said = format!("{}{}<priority>{priority}</priority>", element("show", word), element("status", status));
        self.state.send_modify(|state| state.show(who, said));
        Ok(())
    }

    async fn leave(&mut self, who: &Who) -> Result<()> {
        self.state.send_modify(|state| state.leave(who));
        Ok(())
    }

    async fn crash(&mut self, who: &Who) -> Result<()> {
        self.leave(who).await
    }

    async fn freeze(&mut self, who: &Who, frozen: bool) -> Result<()> {
        self.state.send_modify(|state| {
            if frozen {
                state.frozen.insert(full(who), Vec::new());
            } else {
                state.frozen.remove(&full(who)).into_iter().flatten().for_each(|answer| state.send(answer));
            }
        });
        Ok(())
    }

    async fn revoke(&mut self, name: &str) -> Result<()> {
        self.state.send_modify(|state| state.revoke(name));
        Ok(())
    }

    async fn follow(&mut self, who: &Who, queue: &str) -> Result<()> {
        let queue = format!("{queue}@{QUEUES}");
        self.state.send_modify(|state| {
            state.send(format!("<presence type='subscribe' from='{}' to='{queue}'/>", jid(&who.name)));
            state.person(&who.name).follows.insert(queue.clone(), false);
        });
        self.wait_kind(who, &queue, "subscribed").await
    }

    async fn unfollow(&mut self, who: &Who, queue: &str) -> Result<()> {
        let queue = format!("{queue}@{QUEUES}");
        self.state.send_modify(|state| {
            state.person(&who.name).follows.remove(&queue);
            state.send(format!("<presence type='unsubscribe' from='{}' to='{queue}'/>", jid(&who.name)));
        });
        Ok(())
    }

    async fn next_presence(&mut self, who: &Who, queue: &str) -> Result<Heard> {
        let queue = format!("{queue}@{QUEUES}");
        self.wait(&format!("{who} to be told something by {queue}"), |state| {
            state.take(who, |stanza| Heard::from(stanza, &queue))
        })
        .await
    }

    async fn wait_unsubscribed(&mut self, who: &Who, queue: &str) -> Result<()> {
        self.wait_kind(who, &format!("{queue}@{QUEUES}"), "unsubscribed").await
    }

    fn unasked(&mut self) -> Vec<(Who, Heard)> {
        let mut unasked = Vec::new();
        self.state.send_modify(|state| {
            let received = std::mem::take(&mut state.received).into_iter();
            unasked.extend(received.filter_map(|(who, stanza)| {
                let from = stanza.attr("from").map(bare)?;
                Heard::from(&stanza, from).map(|heard| (who, heard))
            }));
        });
        unasked
    }

    async fn settle(&mut self) -> Result<()> {
        self.pings += 1;
        let mut ids = BTreeSet::new();
        self.state.send_modify(|state| {
            for who in state.clients() {
                let (id, from) = (format!("{}-{who}", self.pings), full(&who));
                let ping = "<ping xmlns='urn:xmpp:ping'/>";
                let to = format!("staffing@{QUEUES}");
                state.send(format!("<iq type='get' id='{id}' from='{from}' to='{to}'>{ping}</iq>"));
                ids.insert(id);
            }
        });
        self.wait("all pings to be answered", |state| ids.is_subset(&state.pongs).then_some(())).await
    }

    async fn restart(&mut self) -> Result<()> {
        self.state.send_modify(|state| {
            // The end of the link follows from this.
            state.link = None;
            state.received.clear();
            state.people.values_mut().for_each(|person| person.clients.clear());
        });
        self.wait("the component to connect again", |state| state.link.is_some().then_some(())).await
    }

    fn log(&self) -> String {
        format!("---- the server inside of the test ----\n{:#?}\n", self.state.borrow())
    }
}

impl InProcess {
    async fn wait_kind(&mut self, who: &Who, from: &str, kind: &str) -> Result<()> {
        self.wait(&format!("{who} to be told {kind} by {from}"), |state| {
            let is_it = |it: &Element| it.attr("type") == Some(kind) && it.attr("from").map(bare) == Some(from);
            state.take(who, |stanza| is_it(stanza).then_some(()))
        })
        .await
    }

    /// Waits until `take` gives something.
    async fn wait<T>(&self, what: &str, mut take: impl FnMut(&mut State) -> Option<T>) -> Result<T> {
        let mut changes = self.state.subscribe();
        let taking = async {
            loop {
                let mut taken = None;
                changes.mark_unchanged();
                self.state.send_if_modified(|state| {
                    taken = take(state);
                    false
                });
                if let Some(taken) = taken {
                    return Ok(taken);
                }
                changes.changed().await?;
            }
        };
        timeout(LIMIT, taking).await.unwrap_or_else(|_| bail!("waited {LIMIT:?} for {what}"))
    }
}

/// What clients do.
impl State {
    fn person(&mut self, name: &str) -> &mut Person {
        self.people.entry(name.to_owned()).or_default()
    }

    fn clients(&self) -> Vec<Who> {
        let clients = |(name, person): (&String, &Person)| {
            let who = |resource: &String| Who { name: name.clone(), resource: resource.clone() };
            person.clients.keys().map(who).collect::<Vec<_>>()
        };
        self.people.iter().flat_map(clients).collect()
    }

    fn show(&mut self, who: &Who, said: String) {
        let is_new = self.person(&who.name).clients.insert(who.resource.clone(), said).is_none();
        self.broadcast(who);
        if is_new {
            let waiting: Vec<_> =
                self.person(&who.name).watchers.iter().filter(|it| !it.1).map(|it| it.0.clone()).collect();
            for watcher in waiting {
                self.approve(&who.name, &watcher);
            }
            let from = full(who);
            for queue in self.person(&who.name).follows.clone().into_keys() {
                self.send(format!("<presence type='probe' from='{from}' to='{queue}'/>"));
            }
        }
    }

    fn leave(&mut self, who: &Who) {
        self.person(&who.name).clients.remove(&who.resource);
        self.received.retain(|(receiver, _)| receiver != who);
        for watcher in self.allowed(&who.name) {
            self.send(format!("<presence type='unavailable' from='{}' to='{watcher}'/>", full(who)));
        }
    }

    fn revoke(&mut self, name: &str) {
        for watcher in self.allowed(name) {
            self.person(name).watchers.remove(&watcher);
            self.send(format!("<presence type='unsubscribed' from='{}' to='{watcher}'/>", jid(name)));
            for who in self.clients().into_iter().filter(|who| who.name == name) {
                self.send(format!("<presence type='unavailable' from='{}' to='{watcher}'/>", full(&who)));
            }
        }
    }

    fn allowed(&mut self, name: &str) -> Vec<String> {
        self.person(name).watchers.iter().filter(|it| *it.1).map(|it| it.0.clone()).collect()
    }

    fn broadcast(&mut self, who: &Who) {
        for watcher in self.allowed(&who.name) {
            self.send_presence(who, &watcher, "");
        }
    }

    fn approve(&mut self, name: &str, watcher: &str) {
        self.person(name).watchers.insert(watcher.to_owned(), true);
        self.send(format!("<presence type='subscribed' from='{}' to='{watcher}'/>", jid(name)));
        for who in self.clients().into_iter().filter(|who| who.name == name) {
            // Real servers do so twice.
            self.send_presence(&who, watcher, "");
            self.send_presence(&who, watcher, "");
        }
    }

    fn send_presence(&mut self, who: &Who, to: &str, more: &str) {
        let said = self.person(&who.name).clients.get(&who.resource).cloned().unwrap_or_default();
        self.send(format!("<presence from='{}' to='{to}'>{said}{more}</presence>", full(who)));
    }

    /// To the component; lost where there is none.
    fn send(&self, stanza: String) {
        if let Some(link) = &self.link {
            link.try_send(stanza).expect("the component reads what it is sent");
        }
    }

    fn take<T>(&mut self, who: &Who, pick: impl Fn(&Element) -> Option<T>) -> Option<T> {
        let at = self.received.iter().position(|(receiver, stanza)| receiver == who && pick(stanza).is_some())?;
        pick(&self.received.remove(at).1)
    }
}

/// What comes from the component.
impl State {
    fn receive(&mut self, stanza: &Element) {
        let attribute = |name| stanza.attr(name).unwrap_or_default();
        let (from, to, kind) = (attribute("from"), attribute("to"), stanza.attr("type"));
        match stanza.name() {
            "iq" => self.receive_iq(stanza, from, to),
            "message" if to.ends_with(&format!("@{QUEUES}")) => self.send(String::from(stanza)),
            "presence" => {
                let name = bare(to).split('@').next().unwrap_or_default().to_owned();
                if self.people.contains_key(&name) {
                    self.receive_presence(stanza, &name, bare(from), kind);
                }
            }
            _ => {}
        }
    }

    fn receive_presence(&mut self, stanza: &Element, name: &str, from: &str, kind: Option<&str>) {
        match kind {
            Some("subscribe") => {
                self.person(name).watchers.entry(from.to_owned()).or_insert(false);
                if !self.person(name).clients.is_empty() {
                    self.approve(name, from);
                }
            }
            Some("unsubscribe") => {
                self.person(name).watchers.remove(from);
            }
            Some("probe") => self.answer_probe(name, from),
            Some("subscribed") => {
                self.person(name).follows.insert(from.to_owned(), true);
                self.deliver(name, stanza);
            }
            Some("unsubscribed") => {
                self.person(name).follows.remove(from);
                self.deliver(name, stanza);
            }
            _ => self.deliver(name, stanza),
        }
    }

    fn answer_probe(&mut self, name: &str, watcher: &str) {
        if !self.allowed(name).iter().any(|allowed| allowed == watcher) {
            // Prosody 0.12 forgets a request that waits when it answers so.
            self.person(name).watchers.remove(watcher);
            self.send(format!("<presence type='unsubscribed' from='{}' to='{watcher}'/>", jid(name)));
            return;
        }
        if self.person(name).clients.is_empty() {
            self.send(format!("<presence type='unavailable' from='{}' to='{watcher}'/>", jid(name)));
        }
        for who in self.clients().into_iter().filter(|who| who.name == name) {
            self.send_presence(&who, watcher, "<delay xmlns='urn:xmpp:delay' stamp='2024-01-01T00:00:00Z'/>");
        }
    }

    fn deliver(&mut self, name: &str, stanza: &Element) {
        for who in self.clients().into_iter().filter(|who| who.name == name) {
            self.received.push((who, stanza.clone()));
        }
    }

    fn receive_iq(&mut self, stanza: &Element, from: &str, to: &str) {
        let id = stanza.attr("id").unwrap_or_default();
        if matches!(stanza.attr("type"), Some("result" | "error")) {
            self.pongs.insert(id.to_owned());
            return;
        }
        let is_there = to == USERS || self.clients().iter().any(|who| full(who) == to);
        let is_ping = stanza.get_child("ping", "urn:xmpp:ping").is_some();
        let unavailable = "<error type='cancel'><service-unavailable \
                           xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        let (kind, error) = if is_there && is_ping { ("result", "") } else { ("error", unavailable) };
        let answer = format!("<iq type='{kind}' id='{}' from='{to}' to='{from}'>{error}</iq>", escape(id));
        match self.frozen.get_mut(to) {
            Some(later) => later.push(answer),
            None => self.send(answer),
        }
    }
}

/// Serves one component after the other.
async fn serve(listener: TcpListener, state: watch::Sender<State>) {
    while let Ok((socket, _)) = listener.accept().await {
        // A link that ends badly ends like any other: the component says what it makes of it.
        let _ = talk(socket, &state).await;
        state.send_modify(|state| state.link = None);
    }
}

async fn talk(mut socket: TcpStream, state: &watch::Sender<State>) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut frames = Frames::default();
    let (sender, mut stanzas) = mpsc::channel(10_000);
    let mut sender = Some(sender);
    let mut bytes = [0; 8_192];
    loop {
        while let Some(frame) = frames.next() {
            match frame {
                Frame::Open => {
                    let header = format!(
                        "<?xml version='1.0'?><stream:stream xmlns='{COMPONENT}' \
                         xmlns:stream='http://etherx.jabber.org/streams' from='{QUEUES}' id='1'>"
                    );
                    socket.write_all(header.as_bytes()).await?;
                }
                Frame::Stanza(stanza) if stanza.name() == "handshake" => {
                    socket.write_all(b"<handshake/>").await?;
                    let link = Some(sender.take().context("one handshake is enough")?);
                    state.send_modify(|state| state.link = link);
                }
                Frame::Stanza(stanza) => state.send_modify(|state| state.receive(&stanza)),
                Frame::Close => return Ok(()),
            }
        }
        tokio::select! {
            read = socket.read(&mut bytes) => match read? {
                0 => return Ok(()),
                read => frames.feed(&bytes[..read])?,
            },
            stanza = stanzas.recv() => match stanza {
                Some(stanza) => socket.write_all(stanza.as_bytes()).await?,
                None => return Ok(socket.write_all(b"</stream:stream>").await?),
            },
        }
    }
}
