//! One call of ejabberd's HTTP API: a connection of its own, over TLS where the URL says so.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
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
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::Call;
use crate::{
    config::{Api, ApiLogin},
    domain::WriteFailure,
};

/// How long a call may take, from connecting to the end of the answer.
const CALL_MOST: Duration = Duration::from_secs(10);
/// The longest answer; a good one has one byte.
const ANSWER_MOST: usize = 16 * 1024;
/// How much of an error's text is said.
const SAID_MOST: usize = 200;

/// Why the API can not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file with the certificates to trust can not be read.
    #[error("could not read the certificates that ejabberd's API is trusted by from {path} ([xmpp.onboarding] api_ca)")]
    Ca {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// There is none in it that can be used.
    #[error("{path} ([xmpp.onboarding] api_ca) has no certificate that ejabberd's API could be trusted by")]
    NoCa {
        /// Which file.
        path: PathBuf,
    },
    /// The TLS library refuses.
    #[error("TLS can not be used")]
    Tls(#[from] rustls::Error),
    /// What is set can not be sent.
    #[error("[xmpp.onboarding] api_user, api_password or api_token has a character that can not be sent")]
    Login,
}

/// Why a call was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("can not connect: is ejabberd running, and is [xmpp.onboarding] api_url where its mod_http_api listens?")]
    Connect(#[source] io::Error),
    #[error("no answer within {CALL_MOST:?}: is [xmpp.onboarding] api_url where its mod_http_api listens?")]
    Late,
    #[error("the connection failed: is [xmpp.onboarding] api_url where its mod_http_api listens?")]
    Http(#[from] hyper::Error),
    #[error("the answer is too long for one of mod_http_api's")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(
        "it does not let us in ({status}: {said:?}): allow add_rosteritem and delete_rosteritem in ejabberd's \
         api_permissions, and check [xmpp.onboarding] api_user and its password, or the token"
    )]
    Forbidden { status: StatusCode, said: String },
    #[error("there is no such API ({status}): is it the path of mod_http_api, and is mod_admin_extra there?")]
    NotThere { status: StatusCode },
    #[error("ejabberd refused it ({status}: {said:?})")]
    Refused { status: StatusCode, said: String },
}

impl CallError {
    pub(super) fn failure(&self) -> WriteFailure {
        match self {
            Self::Refused { .. } => WriteFailure::Refused,
            Self::Connect(_)
            | Self::Late
            | Self::Http(_)
            | Self::Answer(_)
            | Self::Forbidden { .. }
            | Self::NotThere { .. } => WriteFailure::Unreachable,
        }
    }
}

/// The way to the API.
#[derive(Debug, Clone)]
pub(super) struct Client {
    url: Uri,
    login: Option<HeaderValue>,
    tls: Option<Connector>,
}

#[derive(Clone)]
struct Connector(TlsConnector);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConnector")
    }
}

impl Client {
    pub(super) fn new(api: &Api) -> Result<Self, SetupError> {
        let words = match &api.login {
            ApiLogin::Nobody => None,
            ApiLogin::Account { user, password } => {
                Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()))))
            }
            ApiLogin::Token(token) => Some(format!("Bearer {}", token.reveal())),
        };
        let login = words.map(|words| HeaderValue::try_from(words).map_err(|_| SetupError::Login)).transpose()?;
        let login = login.map(|mut login| {
            login.set_sensitive(true);
            login
        });
        let is_tls = api.url.scheme_str() == Some("https");
        let tls = is_tls.then(|| connector(&api.ca)).transpose()?;
        Ok(Self { url: api.url.clone(), login, tls })
    }

    pub(super) fn url(&self) -> &Uri {
        &self.url
    }

    /// Calls a command that answers with a number, 0 where it was done.
    pub(super) async fn call(&self, call: &Call) -> Result<(), CallError> {
        match self.ask(call.command, &call.arguments).await {
            // Later versions take a list of groups.
            Err(CallError::Refused { status: StatusCode::BAD_REQUEST, said }) if said.contains("groups") => {
                self.ask(call.command, &with_groups(&call.arguments)).await
            }
            result => result,
        }
    }

    async fn ask(&self, command: &str, arguments: &Value) -> Result<(), CallError> {
        let answer = timeout(CALL_MOST, self.exchange(command, arguments)).await;
        let (status, said) = answer.map_err(|_| CallError::Late)??;
        match status {
            StatusCode::OK if said.trim() == "0" => Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(CallError::Forbidden { status, said }),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Err(CallError::NotThere { status }),
            _ => Err(CallError::Refused { status, said }),
        }
    }

    async fn exchange(&self, command: &str, arguments: &Value) -> Result<(StatusCode, String), CallError> {
        let host = self.url.host().unwrap_or_default();
        let port = self.url.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let socket = TcpStream::connect((name, port)).await.map_err(CallError::Connect)?;
        let request = self.request(command, arguments);
        match &self.tls {
            None => send(socket, request).await,
            Some(Connector(connector)) => {
                let invalid = |error| CallError::Connect(io::Error::new(io::ErrorKind::InvalidInput, error));
                let name = ServerName::try_from(name.to_owned()).map_err(invalid)?;
                send(connector.connect(name, socket).await.map_err(CallError::Connect)?, request).await
            }
        }
    }

    fn request(&self, command: &str, arguments: &Value) -> Request<Full<Bytes>> {
        let path = self.url.path().trim_end_matches('/');
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::post(format!("{path}/{command}")).header(HOST, host);
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(login) = &self.login {
            request = request.header(AUTHORIZATION, login.clone());
        }
        request.body(arguments.to_string().into()).expect("a path and headers that were parsed before are good")
    }
}

/// The same arguments, with the group in a list of groups.
fn with_groups(arguments: &Value) -> Value {
    let mut arguments = arguments.clone();
    if let Some(group) = arguments.as_object_mut().and_then(|all| all.remove("group")) {
        arguments["groups"] = Value::Array(vec![group]);
    }
    arguments
}

fn connector(ca: &PathBuf) -> Result<Connector, SetupError> {
    let unreadable = |source| SetupError::Ca { path: ca.clone(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(unreadable)? {
        // One that can not be used leaves the others.
        let _ = roots.add(certificate.map_err(unreadable)?);
    }
    if roots.is_empty() {
        return Err(SetupError::NoCa { path: ca.clone() });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(Connector(TlsConnector::from(Arc::new(config))))
}

/// Sends a request on a connection that nothing else uses, and reads the answer.
async fn send<I>(io: I, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), CallError>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    let answer = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MOST).collect().await.map_err(CallError::Answer)?;
        let said = String::from_utf8_lossy(&body.to_bytes()).chars().take(SAID_MOST).collect();
        Ok((status, said))
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        answered = &mut answer => answered,
        // A connection may end badly after the answer has come.
        ended = &mut connection => match (answer.await, ended) {
            (Err(_), Err(error)) => Err(error.into()),
            (answered, _) => answered,
        }
    }
}
