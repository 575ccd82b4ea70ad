//! The HTTPS server over real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    future::Future,
    io::ErrorKind,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rosterd::{
    domain::{Desk, Edit, Name, Policy, Record, Who, Write},
    engine::{Engine, Handle},
    http::{AccessSettings, Control, Limits, ServeError, Server, Settings},
    password,
    store::{Committer, MemoryStore, Store, StoreError, Trail},
    telemetry,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[path = "https/browsers.rs"]
mod browsers;
#[path = "https/certificates.rs"]
mod certificates;
#[path = "https/floods.rs"]
mod floods;
#[path = "https/room.rs"]
mod room;
#[path = "https/slow.rs"]
mod slow;

const PASSWORD: &str = "a password";
const QUEUES: &str = "/2011-12-03/queues";

/// A running server, with account `boss`.
struct World {
    state: TempDir,
    address: SocketAddr,
    desk: Handle,
    gate: Gate,
    tasks: TaskTracker,
    stop: CancellationToken,
    control: Control,
    ended: oneshot::Receiver<Result<(), ServeError>>,
}

/// A store that can be held up.
#[derive(Debug, Clone, Default)]
struct Gate(Arc<(Mutex<Held>, Condvar)>);

#[derive(Debug, Default)]
struct Held {
    closed: bool,
    waiting: usize,
}

impl Gate {
    fn set(&self, closed: bool) {
        self.0.0.lock().unwrap().closed = closed;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut held = self.0.0.lock().unwrap();
        held.waiting += 1;
        held = self.0.1.wait_while(held, |held| held.closed).unwrap();
        held.waiting -= 1;
    }

    async fn somebody_waits(&self) {
        while self.0.0.lock().unwrap().waiting == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Opens the gate when the test ends, so that the store's thread ends too.
struct Opened(Gate);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

struct GatedStore(MemoryStore, Gate);

impl Store for GatedStore {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        self.0.load()
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        self.1.pass();
        self.0.commit(change)
    }

    fn trail(&self) -> std::sync::Arc<dyn Trail> {
        self.0.trail()
    }
}

fn settings(state: &Path) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_listen: None,
        metrics_listen: None,
        tls_cert: None,
        tls_key: None,
        state: state.into(),
        domain: "queues.example.org".into(),
        user_domain: "example.org".into(),
        presence_cap: true,
        presence_of_users: false,
        request_timeout: Duration::from_secs(30),
        access: AccessSettings::default(),
        body_limit: 64 * 1_024,
        hsts: Duration::from_hours(365 * 24),
        limits: Limits::DEFAULT,
    }
}

fn desk() -> Desk {
    let policy = Policy {
        sweep_rate: 500,
        ask_again: Duration::from_hours(1),
        ping_after: None,
        session_idle: 3_600,
        ..Policy::new("queues.example.org", "example.org", name("staffing"))
    };
    Desk::new(policy, Instant::now().into_std())
}

fn name(text: &str) -> Name {
    Name::parse(text, Name::QUEUE_MOST).unwrap()
}

/// Runs a test that must end.
async fn bounded(test: impl Future<Output = ()>) {
    timeout(Duration::from_mins(2), test).await.expect("the test ends in time");
}

impl World {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let gate = Gate::default();
        let committer = Committer::start(Box::new(GatedStore(MemoryStore::default(), gate.clone()))).unwrap();
        let (engine, desk, _facts) = Engine::new(desk(), committer, CancellationToken::new());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(engine.run(CancellationToken::new()));
        let state = TempDir::new().unwrap();
        let mut settings = settings(state.path());
        change(&mut settings);
        let server = Server::bind(settings, desk.clone()).unwrap();
        let control = server.control();
        let address = server.local_addr();
        let (end, ended) = oneshot::channel();
        let serving = server.run(stop.clone());
        tasks.spawn(async move { end.send(serving.await) });
        let password_hash = password::hash(PASSWORD).unwrap();
        desk.edit(Who::Daemon, Edit::AddAccount { name: name("boss"), password_hash }).await.unwrap();
        Self { state, address, desk, gate, tasks, stop, control, ended }
    }

    /// What a client that trusts the server's own certificate has to know.
    fn tls(&self, alpn: &[&str], versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.state.path().join("tls/cert.pem")).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    async fn connect(&self, alpn: &[&str]) -> TlsStream<TcpStream> {
        self.connect_as("localhost", alpn, &[&TLS13, &TLS12]).await
    }

    async fn connect_as(
        &self,
        name: &str,
        alpn: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        self.tls(alpn, versions).connect(name, stream).await.unwrap()
    }

    /// An HTTP/1.1 connection.
    async fn client(&self) -> http1::SendRequest<Full<Bytes>> {
        let (client, connection) = http1::handshake(TokioIo::new(self.connect(&["http/1.1"]).await)).await.unwrap();
        self.tasks.spawn(connection);
        client
    }

    /// A server for public presence beside it, without TLS, and how it will have ended.
    fn public(&self) -> (SocketAddr, oneshot::Receiver<Result<(), ServeError>>) {
        let settings = Settings { public_listen: Some("127.0.0.1:0".parse().unwrap()), ..settings(self.state.path()) };
        let server = Server::bind_public(&settings, self.desk.clone()).unwrap().unwrap();
        let (address, stop) = (server.local_addr(), self.stop.clone());
        let (done, ended) = oneshot::channel();
        self.tasks.spawn(async move {
            let _ = done.send(server.run(stop).await);
        });
        (address, ended)
    }

    /// A cookie of a session that was opened over HTTPS.
    async fn log_in(&self) -> String {
        let body = format!(r#"{{"username": "boss", "password": "{PASSWORD}"}}"#);
        let request = request("POST", "/2011-12-03/auth/login", "", body);
        let response = self.client().await.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

fn request(method: &str, path: &str, cookie: &str, body: String) -> Request<Full<Bytes>> {
    let builder = Request::builder().method(method).uri(path).header("host", "localhost");
    builder.header("cookie", cookie).body(Full::new(body.into())).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let (status, body) = (response.status(), response.into_body().collect().await.unwrap().to_bytes());
    format!("{} {}", status.as_u16(), String::from_utf8_lossy(&body))
}

/// Reads until the server closes the connection, however it does.
async fn drained(mut stream: impl AsyncReadExt + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

#[tokio::test]
async fn from_login_to_logout_on_one_connection() {
    bounded(async {
        let world = World::new().await;
        let mut client = world.client().await;
        let mut ask = async |method: &str, path: &str, cookie: &str, body: &str| {
            client.ready().await.unwrap();
            text(client.send_request(request(method, path, cookie, body.to_owned())).await.unwrap()).await
        };
        assert_eq!(ask("GET", "/healthz", "", "").await, r#"200 {"alive":true}"#);
        let not_ready = r#"503 {"ready":false,"reasons":["link-down"]}"#;
        assert_eq!(ask("GET", "/readyz", "", "").await, not_ready);
        assert!(ask("GET", QUEUES, "", "").await.starts_with("401 "));
        let cookie = world.log_in().await;
        assert_eq!(ask("GET", QUEUES, &cookie, "{}").await, "200 []");
        assert!(ask("POST", QUEUES, &cookie, r#"{"name": "law"}"#).await.contains(r#""name":"law""#));
        assert_eq!(ask("GET", "/presence/jid/law/queues.example.org/text", "", "").await, "200 unavailable");
        assert_eq!(ask("POST", "/api/auth/logout", &cookie, "").await, r#"200 {"success":true}"#);
        assert!(ask("GET", QUEUES, &cookie, "").await.starts_with("401 "));
    })
    .await;
}

#[tokio::test]
async fn versions_of_http_and_tls() {
    bounded(async {
        let world = World::new().await;
        let stream = world.connect(&["h2", "http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        world.tasks.spawn(connection);
        let request = Request::get("https://localhost/healthz").body(Full::<Bytes>::default()).unwrap();
        assert_eq!(text(client.send_request(request).await.unwrap()).await, r#"200 {"alive":true}"#);

        for version in [&TLS12, &TLS13] {
            for name in ["localhost", "127.0.0.1", "queues.example.org"] {
                let stream = world.connect_as(name, &[], &[version]).await;
                assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version), "{name}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_plaintext() {
    bounded(async {
        let world = World::new().await;
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let answer = drained(stream).await;
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn what_keeps_it_from_starting() {
    let world = World::new().await;
    let check = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(world.state.path());
        change(&mut settings);
        let error = Server::bind(settings, world.desk.clone()).unwrap_err();
        telemetry::chain(&error)
            .replace(world.state.path().to_str().unwrap(), "STATE")
            .replace(&world.address.to_string(), "ADDRESS")
    };
    insta::assert_snapshot!(check(&|settings| settings.listen = world.address), @"could not listen on ADDRESS ([http] listen): check that no other program listens there and that this machine has the address: Address already in use (os error 98)");
    insta::assert_snapshot!(check(&|settings| settings.listen = "192.0.2.1:443".parse().unwrap()), @"could not listen on 192.0.2.1:443 ([http] listen): check that no other program listens there and that this machine has the address: Cannot assign requested address (os error 99)");
    let taken = Settings { public_listen: Some(world.address), ..settings(world.state.path()) };
    let error = telemetry::chain(&Server::bind_public(&taken, world.desk.clone()).unwrap_err());
    insta::assert_snapshot!(error.replace(&world.address.to_string(), "ADDRESS"), @"could not listen on ADDRESS ([http] public_listen): check that no other program listens there and that this machine has the address: Address already in use (os error 98)");
    insta::assert_snapshot!(check(&|settings| settings.tls_cert = Some("cert.pem".into())), @"[http] tls_cert and tls_key belong together, but only tls_cert is set: set both, or neither");
    insta::assert_snapshot!(check(&|settings| {
        settings.tls_cert = Some(settings.state.join("missing.pem"));
        settings.tls_key = Some(settings.state.join("tls/key.pem"));
    }), @"could not read the certificate from STATE/missing.pem: check that the file is there and that rosterd may read it: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_stop_waits_for_the_request_in_flight() {
    bounded(async {
        let world = World::new().await;
        let _opened = Opened(world.gate.clone());
        let cookie = world.log_in().await;
        let (mut client, mut idle) = (world.client().await, world.client().await);
        assert!(idle.send_request(request("GET", "/healthz", "", String::new())).await.is_ok());
        world.gate.set(true);
        let answer = client.send_request(request("POST", QUEUES, &cookie, r#"{"name": "law"}"#.to_owned()));
        let stopped = async {
            world.gate.somebody_waits().await;
            world.stop.cancel();
            while TcpStream::connect(world.address).await.is_ok() {}
            while idle.ready().await.is_ok() {
                tokio::task::yield_now().await;
            }
            world.gate.set(false);
        };
        let (answer, ()) = tokio::join!(answer, stopped);
        assert!(text(answer.unwrap()).await.starts_with("200 [{"));
        world.ended.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_for_a_first_request() {
    bounded(async {
        let world = World::new().await;
        let (mut client, stream) = (world.client().await, world.connect(&["h2"]).await);
        let (mut newer, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        world.tasks.spawn(connection);
        world.stop.cancel();
        while TcpStream::connect(world.address).await.is_ok() {}
        let answer = client.send_request(request("GET", "/healthz", "", String::new())).await.unwrap();
        assert_eq!(answer.headers()["connection"], "close");
        assert_eq!(text(answer).await, r#"200 {"alive":true}"#);
        let request = Request::get("https://localhost/healthz").body(Full::<Bytes>::default()).unwrap();
        assert_eq!(text(newer.send_request(request).await.unwrap()).await, r#"200 {"alive":true}"#);
        world.ended.await.unwrap().unwrap();
        assert!(client.ready().await.is_err() && newer.ready().await.is_err(), "that was it");
    })
    .await;
}

#[tokio::test]
async fn a_stop_does_not_wait_long_for_who_asks_nothing() {
    bounded(async {
        let world = World::new().await;
        let (silent, _client) = (TcpStream::connect(world.address).await.unwrap(), world.client().await);
        tokio::time::pause();
        let before = Instant::now();
        world.stop.cancel();
        world.ended.await.unwrap().unwrap();
        assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
        assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
        assert!(drained(silent).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    bounded(async {
        let world = World::new().await;
        let _opened = Opened(world.gate.clone());
        let cookie = world.log_in().await;
        let mut client = world.client().await;
        world.gate.set(true);
        let answer = client.send_request(request("POST", QUEUES, &cookie, r#"{"name": "law"}"#.to_owned()));
        let stopped = async {
            world.gate.somebody_waits().await;
            tokio::time::pause();
            let before = Instant::now();
            world.stop.cancel();
            world.ended.await.unwrap().unwrap();
            assert!(before.elapsed() >= Duration::from_secs(3), "{:?}", before.elapsed());
            assert!(before.elapsed() < Duration::from_secs(4), "{:?}", before.elapsed());
        };
        let (answer, ()) = tokio::join!(answer, stopped);
        assert!(answer.is_err());
    })
    .await;
}

#[tokio::test]
async fn who_is_slow_is_cut_off() {
    let world = World::new().await;
    for said in [
        "",
        "P",
        "GET /healthz HTTP/1.1\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: 1",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        bounded(async {
            let mut stream = world.connect(&[]).await;
            stream.write_all(said.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            // From here on, time passes as soon as there is nothing else to do.
            tokio::time::pause();
            let before = Instant::now();
            let answer = drained(stream).await;
            assert!(!String::from_utf8_lossy(&answer).contains("200"), "{said:?}: {answer:?}");
            assert!(before.elapsed() < Duration::from_secs(90), "{said:?}: {:?}", before.elapsed());
            tokio::time::resume();
        })
        .await;
    }
    bounded(async {
        let stream = TcpStream::connect(world.address).await.unwrap();
        tokio::time::pause();
        assert_eq!(drained(stream).await, b"", "nor may the handshake take for ever");
    })
    .await;
}

#[tokio::test]
async fn large_heads_are_refused() {
    bounded(async {
        let world = World::new().await;
        for head in ["X-Large: ".to_owned() + &"x".repeat(64 * 1_024), "X-Many: x\r\n".repeat(200)] {
            let mut stream = world.connect(&[]).await;
            let said = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n");
            match stream.write_all(said.as_bytes()).await {
                Err(error) if error.kind() != ErrorKind::ConnectionReset && error.kind() != ErrorKind::BrokenPipe => {
                    panic!("{error}");
                }
                _ => {}
            }
            let answer = drained(stream).await;
            assert!(!String::from_utf8_lossy(&answer).contains("200"), "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn public_presence_without_tls_and_nothing_else() {
    bounded(async {
        let world = World::new().await;
        assert!(Server::bind_public(&settings(world.state.path()), world.desk.clone()).unwrap().is_none());
        let (address, ended) = world.public();
        let cookie = world.log_in().await;
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        world.tasks.spawn(connection);
        let mut ask = async |method: &str, path: &str| {
            client.ready().await.unwrap();
            text(client.send_request(request(method, path, &cookie, String::new())).await.unwrap()).await
        };
        for prefix in ["", "/2011-12-03", "/2013-07-21", "/2016-02-10", "/api"] {
            let path = format!("{prefix}/presence/jid/law/queues.example.org/text?_=1");
            assert_eq!(ask("GET", &path).await, "200 unavailable");
            assert!(ask("POST", &path).await.starts_with("405 {"));
        }
        for path in ["/", "/healthz", "/readyz", QUEUES, "/api/queues", "/v1/users", "/presence", "/presence/law"] {
            assert!(ask("GET", path).await.starts_with("404 {"), "{path}");
        }
        assert!(ask("POST", "/2011-12-03/auth/login").await.starts_with("404 {"));
        world.stop.cancel();
        ended.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "it listens no more");
    })
    .await;
}

#[tokio::test]
async fn the_limits_hold_without_tls_too() {
    let world = World::new().await;
    let (address, _ended) = world.public();
    let path = "GET /presence/jid/law/queues.example.org/text HTTP/1.1";
    for said in ["", "P", &format!("{path}\r\n"), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        bounded(async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            // From here on, time passes as soon as there is nothing else to do.
            tokio::time::pause();
            let before = Instant::now();
            let answer = drained(stream).await;
            assert!(!String::from_utf8_lossy(&answer).contains("200"), "{said:?}: {answer:?}");
            assert!(before.elapsed() < Duration::from_secs(90), "{said:?}: {:?}", before.elapsed());
            tokio::time::resume();
        })
        .await;
    }
    bounded(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "X-Many: x\r\n".repeat(200);
        stream.write_all(format!("{path}\r\nHost: localhost\r\n{head}\r\n").as_bytes()).await.unwrap();
        let answer = String::from_utf8(drained(stream).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    })
    .await;
}
