//! A client over TLS that decides for itself when which byte goes.

use std::{net::SocketAddr, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The bytes that a client's socket takes in before it reads them, so that who reads slowly is felt.
const RECEIVE: u32 = 4 * 1_024;

/// The way to the server.
pub(crate) struct Way {
    address: SocketAddr,
    connector: TlsConnector,
}

impl Way {
    pub(crate) fn new(address: SocketAddr, trusted: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Self { address, connector: TlsConnector::from(Arc::new(config)) }
    }

    pub(crate) async fn connect(&self) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVE).unwrap();
        let stream = socket.connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Client { stream: self.connector.connect(name, stream).await.unwrap(), read: Vec::new() }
    }
}

/// A connection that is kept.
pub(crate) struct Client {
    stream: TlsStream<TcpStream>,
    /// What came and was not looked at yet.
    read: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .next()
            .unwrap_or_else(|| panic!("{name}: {self:?}"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn request(method: &str, path: &str, cookie: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

impl Client {
    pub(crate) async fn ask(&mut self, method: &str, path: &str, cookie: &str, body: &str) -> Reply {
        self.send(&request(method, path, cookie, body)).await;
        self.reply().await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Takes in a little of what is there.
    pub(crate) async fn read_some(&mut self) {
        let mut some = [0; 512];
        let length = self.stream.read(&mut some).await.unwrap();
        assert!(length > 0, "the server closed the connection");
        self.read.extend(&some[..length]);
    }

    /// The next reply.
    pub(crate) async fn reply(&mut self) -> Reply {
        loop {
            if let Some(reply) = self.take() {
                return reply;
            }
            self.read_some().await;
        }
    }

    fn take(&mut self) -> Option<Reply> {
        let end = self.read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.read[..end].to_vec()).unwrap();
        let mut reply = Reply { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: String::new() };
        let whole = end + reply.header("content-length").parse::<usize>().unwrap();
        let body = self.read.get(end..whole)?;
        reply.body = String::from_utf8(body.to_vec()).unwrap();
        self.read.drain(..whole);
        Some(reply)
    }
}
