//! Components that only read, each a step deeper than the one before: what the daemon's work is to be compared with.

use std::{
    io::{Read, Write as _},
    net::TcpStream,
};

use anyhow::{Context, ensure};
use futures::{SinkExt, StreamExt};
use minidom::Element;
use rosterd::xmpp::{
    gate::{Gate, Piece},
    parser::Parser,
};
use tokio::io::BufStream;
use tokio_xmpp::xmlstream::{ReadError, StreamHeader, Timeouts, XmlStream, initiate_stream};
use xmpp_parsers::{component::Handshake, ns};

use super::{
    server::{SECRET, STREAM_ID},
    site::DOMAIN,
};

/// Says to this program that it is to read: how deep, and from which port.
pub(crate) const VARIABLE: &str = "ROSTERD_BENCH_READER";

const ANSWER: &[u8] = b"<iq from='staffing@queues.example.org' to='example.org' id='sync' type='result'/>";

/// How far a reader goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Bytes come off the socket.
    Raw,
    /// They are cut into stanzas.
    Gate,
    /// Each is parsed, by a parser of its own.
    ParseAnew,
    /// Each is parsed by itself, as rosterd does.
    Parse,
    /// The whole stream is parsed, by tokio-xmpp.
    XmlStream,
}

impl Depth {
    pub(crate) const ALL: [Self; 5] = [Self::Raw, Self::Gate, Self::ParseAnew, Self::Parse, Self::XmlStream];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw TCP read",
            Self::Gate => "gate alone",
            Self::ParseAnew => "gate, then a parser for each stanza",
            Self::Parse => "gate, then rosterd's parser",
            Self::XmlStream => "tokio-xmpp XmlStream with minidom",
        }
    }
}

/// Reads as `order` says until the server goes away: presences, and then a ping, which is answered.
pub(crate) fn run(order: &str) -> anyhow::Result<()> {
    let (depth, port) = order.split_once(':').context("this is no order")?;
    let depth = Depth::ALL.into_iter().find(|it| it.as_str() == depth).context("there is no such depth")?;
    let port: u16 = port.parse()?;
    if depth == Depth::XmlStream {
        return tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(read_xml(port));
    }
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        socket,
        "<?xml version='1.0'?><stream:stream xmlns:stream='{}' xmlns='{}' to='{DOMAIN}'>",
        ns::STREAM,
        ns::COMPONENT
    )?;
    read_past(&mut socket, b"'>")?;
    let handshake = Handshake::from_stream_id_and_password(STREAM_ID.to_owned(), SECRET);
    write!(socket, "<handshake>{}</handshake>", Element::from(handshake).text())?;
    read_past(&mut socket, b"<handshake/>")?;
    if depth == Depth::Raw { read_raw(socket) } else { read_pieces(socket, depth) }
}

/// Reads up to `end` and not a byte more: what comes next may be under way already.
fn read_past(socket: &mut TcpStream, end: &[u8]) -> anyhow::Result<()> {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(end) {
        socket.read_exact(&mut byte).context("the server went away before the stream was open")?;
        read.extend(byte);
    }
    Ok(())
}

fn read_raw(mut socket: TcpStream) -> anyhow::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let read = socket.read(&mut buffer)?;
        ensure!(read > 0, "the server went away");
        // Nothing but the ping has this end, and nothing comes after it.
        if buffer[..read].ends_with(b"q>") {
            socket.write_all(ANSWER)?;
        }
    }
}

fn read_pieces(mut socket: TcpStream, depth: Depth) -> anyhow::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    let (mut gate, mut parser) = (Gate::default(), Parser::default());
    // The stream's header was read already.
    gate.take(&mut &b"<stream>"[..])?;
    loop {
        let read = socket.read(&mut buffer)?;
        ensure!(read > 0, "the server went away");
        let mut input = &buffer[..read];
        while let Some(piece) = gate.take(&mut input)? {
            ensure!(piece == Piece::Stanza, "this is no stanza: {piece:?}");
            let is_ping = match depth {
                Depth::ParseAnew => Parser::default().parse(gate.bytes())?.name() == "iq",
                Depth::Parse => parser.parse(gate.bytes())?.name() == "iq",
                Depth::Raw | Depth::Gate | Depth::XmlStream => gate.bytes().starts_with(b"<iq"),
            };
            if is_ping {
                socket.write_all(ANSWER)?;
            }
        }
    }
}

async fn read_xml(port: u16) -> anyhow::Result<()> {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    let header = StreamHeader { to: Some(DOMAIN.into()), ..StreamHeader::default() };
    let opened = initiate_stream(BufStream::new(socket), ns::COMPONENT, header, Timeouts::default()).await?;
    let mut stream: XmlStream<_, Element> = opened.skip_features();
    let handshake = Handshake::from_stream_id_and_password(STREAM_ID.to_owned(), SECRET);
    SinkExt::<&Element>::send(&mut stream, &handshake.into()).await?;
    loop {
        match stream.next().await {
            Some(Ok(stanza)) if stanza.name() == "iq" => {
                SinkExt::<&Element>::send(&mut stream, &Parser::default().parse(ANSWER)?).await?;
            }
            Some(Ok(_) | Err(ReadError::SoftTimeout)) => {}
            Some(Err(error)) => anyhow::bail!("the stream failed: {error:?}"),
            None => anyhow::bail!("the server went away"),
        }
    }
}
