//! The XMPP server's side of the component's stream (XEP-0114), over TCP: it answers what a server and its clients would
//! answer, and compares what followers are told with what they have to be told.

use std::{
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rosterd::{
    domain::Show,
    xmpp::gate::{Gate, Piece},
};
use xmpp_parsers::component::Handshake;

use super::{
    contender::Contender,
    site::{DOMAIN, Site},
    stanza::Stanza,
};

pub(crate) const SECRET: &str = "s3cr3t";
pub(crate) const STREAM_ID: &str = "id-1";
/// Longer than anything takes that is not broken.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// What the server knows.
pub(crate) struct State {
    pub(crate) site: Site,
    /// What the follower of each queue was told last: its show and its status.
    told: Vec<Option<(String, String)>>,
    /// How many of them were told something else than what is true.
    wrong: usize,
    counted: Counted,
    /// When the last change of each queue was sent to the component, and how long its answers took.
    pub(crate) sent: Vec<Option<Instant>>,
    pub(crate) latencies: Vec<Duration>,
    is_over: bool,
}

/// How often something has come from the component.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counted {
    /// What followers were told.
    pub(crate) tells: usize,
    /// Answers to our pings.
    pub(crate) pongs: usize,
}

impl State {
    fn new(site: Site) -> Self {
        let queues = site.queues + 1;
        Self {
            site,
            told: vec![None; queues],
            wrong: queues,
            counted: Counted::default(),
            sent: vec![None; queues],
            latencies: Vec::new(),
            is_over: false,
        }
    }

    pub(crate) const fn counted(&self) -> Counted {
        self.counted
    }

    /// Whether every follower was told the truth last.
    pub(crate) const fn all_right(&self) -> bool {
        self.wrong == 0
    }

    fn is_right(&self, queue: usize) -> bool {
        let published = self.site.published(queue);
        let told = self.told[queue].as_ref();
        told.is_some_and(|(show, status)| show == published.show.as_str() && *status == published.to_string())
    }

    /// Somebody is something else from now on.
    pub(crate) fn change(&mut self, user: usize, show: Show) {
        let queue = self.site.queue_of(user);
        let was_right = self.is_right(queue);
        self.site.change(user, show);
        self.count(queue, was_right);
    }

    fn count(&mut self, queue: usize, was_right: bool) {
        self.wrong = self.wrong + usize::from(was_right) - usize::from(self.is_right(queue));
    }

    fn forget(&mut self) {
        self.told.fill(None);
        self.is_over = false;
        self.wrong = self.told.len();
    }

    fn tell(&mut self, queue: usize, stanza: &Stanza) {
        let show = match stanza.attr("type") {
            None => stanza.text("show").unwrap_or("available"),
            Some("unavailable") => "unavailable",
            Some(_) => return,
        };
        let was_right = self.is_right(queue);
        self.told[queue] = Some((show.to_owned(), stanza.text("status").unwrap_or_default().to_owned()));
        self.count(queue, was_right);
        self.counted.tells += 1;
        self.latencies.extend(self.sent[queue].take().map(|sent| sent.elapsed()));
    }

    /// Takes a stanza of the component's, and adds what it is answered with.
    fn take(&mut self, bytes: &[u8], answers: &mut Vec<u8>) {
        let stanza = Stanza::new(bytes);
        let (from, to) = (stanza.attr("from").unwrap_or_default(), stanza.attr("to").unwrap_or_default());
        let is_to_component = to.strip_suffix(DOMAIN).is_some_and(|rest| rest.is_empty() || rest.ends_with('@'));
        match (stanza.name(), stanza.attr("type")) {
            _ if is_to_component => answers.extend_from_slice(bytes),
            ("presence", Some("probe")) => {
                if let Some(user) = number(to, "user-") {
                    self.site.presence(user, answers);
                }
            }
            ("presence", _) => {
                if let Some(queue) = number(from, "queue-") {
                    self.tell(queue, &stanza);
                }
            }
            ("iq", Some("get")) => {
                let id = stanza.attr("id").unwrap_or_default();
                let _ = write!(answers, "<iq from='{to}' to='{from}' id='{id}' type='result'/>");
            }
            ("iq", _) => self.counted.pongs += 1,
            _ => {}
        }
    }
}

fn number(jid: &str, prefix: &str) -> Option<usize> {
    jid.strip_prefix(prefix)?.split('@').next()?.parse().ok()
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// The server, for one component after the other.
pub(crate) struct Server {
    listener: TcpListener,
    shared: Shared,
}

impl Server {
    pub(crate) fn start(site: Site) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, shared: Arc::new((Mutex::new(State::new(site)), Condvar::new())) })
    }

    pub(crate) fn port(&self) -> anyhow::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the component in, up to the end of the handshake. What followers were told on another link counts no more.
    /// Says when that was.
    pub(crate) fn accept(&self, contender: &mut Contender) -> anyhow::Result<(Link, Instant)> {
        let deadline = Instant::now() + PATIENCE;
        let socket = loop {
            match self.listener.accept() {
                Ok((socket, _)) => break socket,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            contender.is_alive()?;
            ensure!(Instant::now() < deadline, "{} did not connect", contender.name);
            thread::sleep(Duration::from_millis(10));
        };
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        self.state().forget();
        let link = Link::open(socket, self.shared.clone());
        Ok((link.with_context(|| format!("{} did not shake hands", contender.name))?, Instant::now()))
    }

    /// Waits until it is so; says when.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&State) -> bool) -> anyhow::Result<Instant> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        while !is_so(&state) {
            ensure!(!state.is_over, "the component went away before {what}");
            let Some(rest) = deadline.checked_duration_since(Instant::now()) else {
                bail!("waited in vain for {what}: {} followers were told something else than the truth", state.wrong);
            };
            state = self.shared.1.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(Instant::now())
    }
}

/// A stream that is open.
pub(crate) struct Link {
    out: Arc<Mutex<TcpStream>>,
    reader: Option<JoinHandle<()>>,
}

impl Link {
    fn open(mut socket: TcpStream, shared: Shared) -> anyhow::Result<Self> {
        let mut gate = Gate::default();
        let mut said = Vec::new();
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
             xmlns='jabber:component:accept' from='{DOMAIN}' id='{STREAM_ID}'>"
        );
        let (_, rest) = next_piece(&mut socket, &mut gate, &mut said)?;
        socket.write_all(header.as_bytes())?;
        said.drain(..said.len() - rest);
        next_piece(&mut socket, &mut gate, &mut said)?;
        let digest = Handshake::from_stream_id_and_password(STREAM_ID.to_owned(), SECRET);
        let digest: minidom::Element = digest.into();
        let handshake = String::from_utf8_lossy(gate.bytes()).into_owned();
        ensure!(handshake.contains(&digest.text()), "this is no handshake: {handshake}");
        socket.write_all(b"<handshake/>")?;
        let out = Arc::new(Mutex::new(socket.try_clone()?));
        let answers = out.clone();
        let reader = thread::spawn(move || {
            // The end of the stream is an end like any other here.
            let _ = read(socket, gate, &shared, &answers);
            shared.0.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
            shared.1.notify_all();
        });
        Ok(Self { out, reader: Some(reader) })
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.out.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)?)
    }
}

impl Drop for Link {
    /// The link is lost.
    fn drop(&mut self) {
        let _ = self.out.lock().unwrap_or_else(PoisonError::into_inner).shutdown(std::net::Shutdown::Both);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Reads up to the end of a piece; says how many bytes of `said` are behind it.
fn next_piece(socket: &mut TcpStream, gate: &mut Gate, said: &mut Vec<u8>) -> anyhow::Result<(Piece, usize)> {
    loop {
        let mut input = &said[..];
        if let Some(piece) = gate.take(&mut input)? {
            return Ok((piece, input.len()));
        }
        said.resize(4096, 0);
        let read = socket.read(said)?;
        ensure!(read > 0, "the connection was closed");
        said.truncate(read);
    }
}

fn read(mut socket: TcpStream, mut gate: Gate, shared: &Shared, out: &Mutex<TcpStream>) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut answers = Vec::new();
    loop {
        let read = socket.read(&mut buffer)?;
        ensure!(read > 0, "the connection was closed");
        let mut input = &buffer[..read];
        {
            let mut state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(piece) = gate.take(&mut input)? {
                match piece {
                    Piece::Stanza => state.take(gate.bytes(), &mut answers),
                    Piece::Dropped(why) => bail!("the component said something that no server takes: {why}"),
                    Piece::Footer => return Ok(()),
                    Piece::Header => {}
                }
            }
            shared.1.notify_all();
        }
        if !answers.is_empty() {
            out.lock().unwrap_or_else(PoisonError::into_inner).write_all(&answers)?;
            answers.clear();
        }
    }
}
