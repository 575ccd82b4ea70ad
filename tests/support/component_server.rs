//! A server that takes components (XEP-0114), in this process, over real TCP. It says what a test has it say, byte by byte.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use minidom::{
    Element,
    rxml::{Parse, RawEvent, RawParser, error::EndOrError},
    tree_builder::TreeBuilder,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use xmpp_parsers::component::Handshake;

pub(crate) const SECRET: &str = "s3cr3t";
const STREAM_ID: &str = "id-1";
/// Longer than anything takes that is not broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what has to come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub(crate) struct ComponentServer {
    listener: TcpListener,
    /// Of all connections.
    pub(crate) echoes: Arc<Echoes>,
}

impl ComponentServer {
    /// A server on a port of its own.
    pub(crate) fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Small, so that a server that stops reading is felt soon.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { listener: socket.listen(16).unwrap(), echoes: Arc::default() }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Takes a connection, and says nothing.
    pub(crate) async fn accept_silently(&self) -> Connection {
        let (socket, _) = soon("a connection", self.listener.accept()).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Connection::new(socket.into_split(), self.echoes.clone())
    }

    /// Takes a connection and opens the stream.
    pub(crate) async fn accept_header(&self) -> Connection {
        let mut connection = self.accept_silently().await;
        match connection.next().await {
            Said::Header(to) => assert_eq!(to, "queues.localhost"),
            other @ (Said::Stanza(_) | Said::Footer | Said::End) => panic!("expected a stream header, not {other:?}"),
        }
        connection.send_raw(&header()).await;
        connection
    }

    /// Takes a connection whose handshake is right, and answers it with these bytes.
    pub(crate) async fn accept_and_answer(&self, answer: &str) -> Connection {
        let mut connection = self.accept_header().await;
        let handshake = connection.next_stanza().await;
        let expected: Element = Handshake::from_stream_id_and_password(STREAM_ID.to_owned(), SECRET).into();
        assert_eq!(handshake, expected, "the digest");
        connection.send_raw(answer).await;
        connection
    }

    /// Takes a component in.
    pub(crate) async fn accept(&self) -> Connection {
        self.accept_and_answer("<handshake/>").await
    }

    /// Takes a connection and refuses it with a stream error.
    pub(crate) async fn refuse(&self, condition: &str) {
        let error = format!(
            "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
        );
        let connection = self.accept_and_answer(&error).await;
        connection.hang_up().await;
    }
}

/// The server's stream header.
pub(crate) fn header() -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
         xmlns='jabber:component:accept' from='queues.localhost' id='{STREAM_ID}'>"
    )
}

/// What a component says.
#[derive(Debug)]
pub(crate) enum Said {
    /// It opens the stream to this domain.
    Header(String),
    Stanza(Element),
    /// It closes the stream.
    Footer,
    /// It has closed the connection.
    End,
}

/// How pings are dealt with, and how many there were.
#[derive(Default)]
pub(crate) struct Pings {
    pub(crate) unanswered: AtomicBool,
    pub(crate) seen: watch::Sender<usize>,
}

/// What becomes of messages from an address of the component's to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mirror {
    /// They come back.
    #[default]
    All,
    /// Every other one does.
    Half,
    /// None does.
    Nothing,
    /// They come back as errors.
    Errors,
    /// Some come back, the others as errors.
    SomeErrors,
}

/// How the component's messages to itself are dealt with, and how many there were.
#[derive(Default)]
pub(crate) struct Echoes {
    pub(crate) mirror: Mutex<Mirror>,
    pub(crate) seen: watch::Sender<Vec<String>>,
}

impl Echoes {
    /// What comes back of a message.
    async fn answer(&self, message: &Element) -> Option<String> {
        let attribute = |name| message.attr(name).unwrap_or_default().to_owned();
        let (from, to, id) = (attribute("from"), attribute("to"), attribute("id"));
        self.seen.send_modify(|seen| seen.push(id.clone()));
        let is_even = self.seen.borrow().len().is_multiple_of(2);
        let error = format!("<message from='{to}' to='{from}' id='{id}' type='error'><error type='cancel'/></message>");
        match *self.mirror.lock().await {
            Mirror::Nothing => None,
            Mirror::Half if is_even => None,
            Mirror::Errors => Some(error),
            Mirror::SomeErrors if is_even => Some(error),
            Mirror::All | Mirror::Half | Mirror::SomeErrors => Some(String::from(message)),
        }
    }
}

pub(crate) struct Connection {
    out: Arc<Mutex<OwnedWriteHalf>>,
    said: mpsc::Receiver<Said>,
    reader: JoinSet<()>,
    pub(crate) pings: Arc<Pings>,
}

impl Connection {
    fn new((input, out): (OwnedReadHalf, OwnedWriteHalf), echoes: Arc<Echoes>) -> Self {
        let out = Arc::new(Mutex::new(out));
        let pings = Arc::<Pings>::default();
        let (sayings, said) = mpsc::channel(100_000);
        let mut reader = JoinSet::new();
        reader.spawn(read(input, out.clone(), sayings, pings.clone(), echoes));
        Self { out, said, reader, pings }
    }

    pub(crate) async fn send_raw(&self, bytes: impl AsRef<[u8]>) {
        self.out.lock().await.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends what the component still takes.
    pub(crate) async fn send_what_goes(&self, bytes: impl AsRef<[u8]>) {
        let _ = self.out.lock().await.write_all(bytes.as_ref()).await;
    }

    /// What the component says next; pings to the users' domain are answered and left out, and so are messages to itself.
    pub(crate) async fn next(&mut self) -> Said {
        soon("something from the component", self.said.recv()).await.unwrap_or(Said::End)
    }

    pub(crate) async fn next_stanza(&mut self) -> Element {
        match self.next().await {
            Said::Stanza(stanza) => stanza,
            other @ (Said::Header(_) | Said::Footer | Said::End) => panic!("expected a stanza, not {other:?}"),
        }
    }

    /// Passes over stanzas until one is so.
    pub(crate) async fn stanza_that(&mut self, is_it: impl Fn(&Element) -> bool) -> Element {
        loop {
            let stanza = self.next_stanza().await;
            if is_it(&stanza) {
                return stanza;
            }
        }
    }

    /// The next presence from somebody of the component's, as `type show status`.
    pub(crate) async fn presence(&mut self, from: &str, to: &str) -> String {
        let is_it =
            |it: &Element| it.name() == "presence" && it.attr("from") == Some(from) && it.attr("to") == Some(to);
        let stanza = self.stanza_that(is_it).await;
        let child = |name| stanza.get_child(name, stanza.ns().as_str()).map(Element::text);
        let parts = [stanza.attr("type").map(ToOwned::to_owned), child("show"), child("status")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Asks the component something, and gives its answer.
    pub(crate) async fn ask(&mut self, to: &str, kind: &str, payload: &str) -> Element {
        let id = self.begin_to_ask("bob@localhost/phone", to, kind, payload).await;
        self.answer(&id).await
    }

    /// Asks the component something in somebody's name, and gives the id of the request.
    pub(crate) async fn begin_to_ask(&mut self, from: &str, to: &str, kind: &str, payload: &str) -> String {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let id = format!("ask-{}", ASKED.fetch_add(1, Ordering::Relaxed));
        self.send_raw(format!("<iq from='{from}' to='{to}' id='{id}' type='{kind}'>{payload}</iq>")).await;
        id
    }

    /// The answer to what was asked.
    pub(crate) async fn answer(&mut self, id: &str) -> Element {
        self.stanza_that(|stanza| stanza.name() == "iq" && stanza.attr("id") == Some(id)).await
    }

    /// Reads nothing any more. What is read already stays.
    pub(crate) async fn stop_reading(&mut self) {
        self.reader.shutdown().await;
    }

    /// Closes the sending side; reading goes on.
    pub(crate) async fn half_close(&self) {
        self.out.lock().await.shutdown().await.unwrap();
    }

    /// Closes the connection once the component has read everything.
    pub(crate) async fn hang_up(mut self) {
        self.half_close().await;
        while !matches!(self.next().await, Said::End) {}
    }
}

async fn read(
    mut input: OwnedReadHalf,
    out: Arc<Mutex<OwnedWriteHalf>>,
    sayings: mpsc::Sender<Said>,
    pings: Arc<Pings>,
    echoes: Arc<Echoes>,
) {
    let mut parser = RawParser::new();
    let mut tree = TreeBuilder::new();
    let mut buffer = vec![0; 16 * 1024];
    let mut was_open = false;
    while let Ok(read @ 1..) = input.read(&mut buffer).await {
        let mut bytes = &buffer[..read];
        loop {
            let event = match parser.parse(&mut bytes, false) {
                Ok(Some(event)) => event,
                Err(EndOrError::NeedMoreData) => break,
                other => panic!("the component says what is not well-formed: {other:?}"),
            };
            let is_text = matches!(event, RawEvent::Text(..));
            if !(is_text && tree.depth() == 1) {
                tree.process_event(event).unwrap();
            }
            let mut said = None;
            if tree.root.is_some() {
                let _ = sayings.send(Said::Footer).await;
                return;
            } else if tree.depth() == 1 && !was_open {
                was_open = true;
                said = tree.top().map(|stream| Said::Header(stream.attr("to").unwrap_or_default().to_owned()));
            } else if tree.depth() == 1 {
                said = tree.unshift_child().map(Said::Stanza);
            }
            if let Some(Said::Stanza(stanza)) = &said
                && stanza.attr("to") == Some("localhost")
                && stanza.has_child("ping", "urn:xmpp:ping")
            {
                pings.seen.send_modify(|seen| *seen += 1);
                if !pings.unanswered.load(Ordering::Relaxed) {
                    let (from, id) = (stanza.attr("from").unwrap(), stanza.attr("id").unwrap());
                    let answer = format!("<iq from='localhost' to='{from}' id='{id}' type='result'/>");
                    let _ = out.lock().await.write_all(answer.as_bytes()).await;
                }
                said = None;
            }
            if let Some(Said::Stanza(stanza)) = &said
                && stanza.name() == "message"
                && stanza.attr("to").is_some_and(|to| to.ends_with("@queues.localhost"))
            {
                if let Some(answer) = echoes.answer(stanza).await {
                    let _ = out.lock().await.write_all(answer.as_bytes()).await;
                }
                said = None;
            }
            if let Some(said) = said {
                let _ = sayings.send(said).await;
            }
        }
    }
}
