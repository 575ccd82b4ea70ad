//! A small HTTP client: one connection a request.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request,
    body::Bytes,
    header::{self, HeaderName},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::process::LIMIT;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("the body is not JSON: {self:?}"))
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Anybody.
    Anybody,
    /// Who shows this, a cookie or a token.
    Shows(HeaderName, String),
}

/// A way to one HTTPS server, whose certificate is trusted and nobody else's.
#[derive(Clone)]
pub(crate) struct Https {
    address: SocketAddr,
    connector: TlsConnector,
}

impl Https {
    /// To the server at `address`, which has the certificate in the file `trusted`.
    pub(crate) fn new(address: SocketAddr, trusted: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(trusted);
        roots.add(certificate.with_context(|| format!("no certificate in {}", trusted.display()))?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { address, connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Asks once. A `body` goes as JSON.
    pub(crate) async fn ask(&self, method: Method, path: &str, caller: &Caller, body: Option<&Value>) -> Result<Reply> {
        let mut request = Request::builder().method(&method).uri(path).header(header::HOST, "localhost");
        request = match caller {
            Caller::Anybody => request,
            Caller::Shows(name, what) => request.header(name, what),
        };
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body.map(Value::to_string).unwrap_or_default().into())?;
        let answer = async { self.ask_on(TcpStream::connect(self.address).await?, request).await };
        bounded(&format!("{method} https://{}{path}", self.address), answer).await
    }

    /// Asks once, on a connection that is there already.
    pub(crate) async fn ask_on(&self, socket: TcpStream, request: Request<Full<Bytes>>) -> Result<Reply> {
        exchange(self.connect(socket).await?, request).await
    }

    /// Shakes hands on a connection that is there already.
    pub(crate) async fn connect(&self, socket: TcpStream) -> Result<TlsStream<TcpStream>> {
        Ok(self.connector.connect(ServerName::try_from("localhost")?, socket).await?)
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Result<Reply> {
        self.ask(Method::GET, path, &Caller::Anybody, None).await
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn bounded(what: &str, answer: impl Future<Output = Result<Reply>>) -> Result<Reply> {
    let answer = timeout(LIMIT, answer).await.with_context(|| format!("{what}: no answer after {LIMIT:?}"))?;
    answer.with_context(|| what.to_owned())
}

/// Asks on a connection that nothing else uses.
pub(crate) async fn exchange<I>(io: I, request: Request<Full<Bytes>>) -> Result<Reply>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = String::from_utf8(body.to_vec()).context("the body is not UTF-8")?;
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
}
