//! The gate with a socket behind it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::gate::{Broken, Gate, Piece};

/// How much is read at once.
const READ_MOST: usize = 32 * 1024;

/// Reads through a [`Gate`]. As an [`AsyncBufRead`] it gives out the bytes of whole pieces, one piece at a time, so that
/// who reads a piece has not read anything of the next.
#[derive(Debug)]
pub(super) struct Door<Io> {
    io: Io,
    gate: Gate,
    input: Box<[u8]>,
    /// What of the input was not yet given to the gate.
    unread: std::ops::Range<usize>,
    /// The gate's piece, where it is being given out as bytes, and how many of them were read.
    given: Option<(Piece, usize)>,
}

impl<Io> Door<Io> {
    pub(super) fn new(io: Io) -> Self {
        Self { io, gate: Gate::default(), input: vec![0; READ_MOST].into(), unread: 0..0, given: None }
    }

    /// The next piece, out of what was read already.
    pub(super) fn next_piece(&mut self) -> Result<Option<Piece>, Broken> {
        match self.given.take() {
            // Looked at, but not read: a parser may ask for more before it has said all about what it has.
            Some((piece, 0)) => Ok(Some(piece)),
            Some(_) | None => self.advance(),
        }
    }

    fn advance(&mut self) -> Result<Option<Piece>, Broken> {
        let mut input = &self.input[self.unread.clone()];
        let piece = self.gate.take(&mut input);
        self.unread.start = self.unread.end - input.len();
        piece
    }

    /// The gate, which has the piece that was taken last.
    pub(super) const fn gate(&self) -> &Gate {
        &self.gate
    }
}

impl<Io: AsyncRead + Unpin> Door<Io> {
    /// Reads more, once everything was taken; how much, which is 0 at the end. May be dropped and called again.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        let read = self.io.read(&mut self.input).await?;
        self.unread = 0..read;
        Ok(read)
    }
}

impl Door<TcpStream> {
    /// Reading and writing apart from each other.
    pub(super) fn split(self) -> (Door<OwnedReadHalf>, OwnedWriteHalf) {
        let (io, out) = self.io.into_split();
        (Door { io, gate: self.gate, input: self.input, unread: self.unread, given: self.given }, out)
    }
}

impl<Io: AsyncRead + Unpin> AsyncBufRead for Door<Io> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.given.is_none() {
            match this.advance() {
                // Nobody but the server itself speaks before the handshake is done.
                Ok(Some(Piece::Dropped(_))) => {}
                Ok(Some(piece @ (Piece::Header | Piece::Stanza | Piece::Footer))) => this.given = Some((piece, 0)),
                Err(broken) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, broken))),
                Ok(None) => {
                    let mut buf = ReadBuf::new(&mut this.input);
                    ready!(Pin::new(&mut this.io).poll_read(cx, &mut buf))?;
                    this.unread = 0..buf.filled().len();
                    if this.unread.is_empty() {
                        return Poll::Ready(Ok(&[]));
                    }
                }
            }
        }
        let read = this.given.map_or(0, |(_, read)| read);
        Poll::Ready(Ok(&this.gate.bytes()[read..]))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        let given = self.given.map(|(piece, read)| (piece, read + amount));
        self.given = given.filter(|(_, read)| *read < self.gate.bytes().len());
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Door<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Door<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_reader_never_gets_more_than_a_piece() {
        let (mut server, client) = tokio::io::duplex(1024);
        let mut door = Door::new(client);
        server.write_all(b"<s><handshake/><presence/><p").await.unwrap();
        for expected in ["<s>", "<handshake/>"] {
            assert_eq!(door.fill_buf().await.unwrap(), expected.as_bytes());
            door.consume(expected.len());
        }
        assert_eq!(door.fill_buf().await.unwrap(), b"<presence/>", "looked at");
        assert_eq!(door.next_piece(), Ok(Some(Piece::Stanza)));
        assert_eq!(door.gate().bytes(), b"<presence/>");
        assert_eq!(door.next_piece(), Ok(None));
        server.write_all(b"/>").await.unwrap();
        assert_eq!(door.fill().await.unwrap(), 2);
        assert_eq!(door.next_piece(), Ok(Some(Piece::Stanza)));
        drop(server);
        assert_eq!(door.fill().await.unwrap(), 0);
    }
}
