//! What the daemon tells Prometheus: asked of a real daemon after real traffic, and checked with Prometheus' own tool.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::float_cmp, reason = "what is counted is whole")]

#[path = "support/component_server.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod component_server;
#[path = "support/daemon.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod daemon;
#[path = "metrics/deployed.rs"]
mod deployed;
#[path = "support/https.rs"]
mod https;
#[path = "support/manager.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod manager;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/process.rs"]
mod process;
#[path = "metrics/promtool.rs"]
mod promtool;
#[path = "support/site.rs"]
mod site;
#[path = "support/skip.rs"]
mod skip;
#[path = "support/times.rs"]
mod times;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    process::Command,
    time::Duration,
};

use http_body_util::Full;
use hyper::{Method, Request, body::Bytes, header};
use rosterd::metrics::{Kind, families};
use serde_json::json;
use tokio::net::TcpStream;

use component_server::{ComponentServer, Connection, soon};
use daemon::Daemon;
use https::{Caller, Https, Reply};
use manager::Manager;
use ports::Port;
use promtool::promtool;

const LAW: &str = "law@queues.localhost";
const WATCHER: &str = "staffing@queues.localhost";
const BOB: &str = "bob@localhost";
const PASSWORD: &str = "a password for tests";

/// A daemon with a link, the queue law, and ann on it.
struct World {
    server: ComponentServer,
    connection: Connection,
    manager: Manager,
    https: Https,
    daemon: Daemon,
    metrics: SocketAddr,
    _ports: [Port; 2],
    _folder: tempfile::TempDir,
}

impl World {
    async fn start(pings: Option<(String, String)>) -> Self {
        let server = ComponentServer::start();
        let folder = tempfile::tempdir().unwrap();
        let ports = [Port::free().unwrap(), Port::free().unwrap()];
        let [https, metrics] = ports.each_ref().map(Port::address);
        let mut settings = site::Settings::new(server.address().parse().unwrap(), https);
        settings.times.pings = pings;
        let site = site::site_for_tests(folder.path(), &settings).unwrap();
        let text = fs::read_to_string(&site.config).unwrap();
        let http = format!("[http]\nmetrics_listen = \"{metrics}\"\nattempts_per_address = 3");
        let text = text.replace("[http]", &http) + "\n[metrics]\nqueues = [\"law\", \"missing\"]\n";
        fs::write(&site.config, text).unwrap();
        site.add_account("boss", PASSWORD).unwrap();
        let daemon = Daemon::start(site).unwrap();
        let connection = server.accept().await;
        daemon.serves().await.unwrap();
        daemon.process.wait_line("the end of the sweep", |line| line.contains("swept")).await.unwrap();
        let https = daemon.https().unwrap();
        let mut manager = Manager::login(https.clone(), "boss", PASSWORD).await.unwrap();
        manager.create_queue("law").await.unwrap();
        manager.create_user("ann").await.unwrap();
        manager.assign("ann", "law").await.unwrap();
        Self { server, connection, manager, https, daemon, metrics, _ports: ports, _folder: folder }
    }

    async fn ask(&self, method: Method, path: &str) -> Reply {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let answer = async { https::exchange(TcpStream::connect(self.metrics).await?, request).await };
        https::bounded(path, answer).await.unwrap()
    }

    async fn text(&self) -> String {
        let reply = self.ask(Method::GET, "/metrics").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        reply.body
    }

    async fn samples(&self) -> BTreeMap<String, f64> {
        samples(&self.text().await)
    }

    /// Everything that was sent before has been worked off: by the link, which answers, and by the engine, which stores.
    async fn settle(&mut self) {
        let answer = self.connection.ask(LAW, "get", "<ping xmlns='urn:xmpp:ping'/>").await;
        assert_eq!(answer.attr("type"), Some("result"));
        self.manager.write_nothing().await.unwrap();
    }

    /// Waits until a series is so.
    async fn until(&self, series: &str, is_so: impl Fn(f64) -> bool) {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let looking = async {
            while !self.samples().await.get(series).is_some_and(|value| is_so(*value)) {
                look.tick().await;
            }
        };
        soon(series, looking).await;
    }
}

/// Every series, with its value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

#[tokio::test]
async fn each_moves_when_what_it_measures_happens() {
    let mut world = World::start(None).await;
    let before = world.samples().await;
    traffic(&mut world).await;
    let during = world.samples().await;
    for (series, value) in [
        ("rosterd_link_state{state=\"up\"}", 1.0),
        ("rosterd_link_state{state=\"down\"}", 0.0),
        ("rosterd_users{show=\"available\"}", 1.0),
        ("rosterd_queues{show=\"available\"}", 1.0),
        ("rosterd_queues_unstaffed", 0.0),
        ("rosterd_resources{state=\"heard\"}", 2.0),
        ("rosterd_operators{state=\"enabled\"}", 1.0),
        ("rosterd_accounts", 1.0),
        ("rosterd_followers", 1.0),
        ("rosterd_sessions", 1.0),
        ("rosterd_queue_ready_operators{queue=\"law\"}", 1.0),
        ("rosterd_queue_enabled_operators{queue=\"law\"}", 1.0),
        ("rosterd_store_failed", 0.0),
        ("rosterd_build_info{version=\"0.1.0\"}", 1.0),
    ] {
        assert_eq!(during.get(series), Some(&value), "{series}");
    }
    let since = during["rosterd_link_state_change_timestamp_seconds"];
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!(since <= now && since > now - 600.0, "{since}");
    assert!(during["rosterd_tls_certificate_expiry_timestamp_seconds"] > now);
    assert!(during["rosterd_store_free_bytes"] > 0.0 && during["rosterd_audit_entries"] >= 4.0);
    assert!(during["process_resident_memory_bytes"] > 1_000_000.0);

    let World { connection, server, .. } = world;
    connection.hang_up().await;
    let connection = server.accept().await;
    world = World { server, connection, ..world };
    world.until("rosterd_link_connects_total", |count| count == 2.0).await;
    world.until("rosterd_sweep_duration_seconds_count", |count| count >= 2.0).await;
    let text = world.text().await;
    let after = samples(&text);
    for (series, least) in [
        ("rosterd_link_failures_total{cause=\"cut\"}", 1.0),
        ("rosterd_stanzas_received_total{kind=\"presence\"}", 5.0),
        ("rosterd_stanzas_received_total{kind=\"message\"}", 1.0),
        ("rosterd_stanzas_received_total{kind=\"iq\"}", 1.0),
        ("rosterd_stanzas_received_total{kind=\"other\"}", 1.0),
        ("rosterd_stanzas_sent_total{kind=\"presence\"}", 2.0),
        ("rosterd_stanzas_sent_total{kind=\"iq\"}", 1.0),
        ("rosterd_presences_unknown_show_total", 1.0),
        ("rosterd_presences_stranger_total", 1.0),
        ("rosterd_presences_published_total", 2.0),
        ("rosterd_edits_total{result=\"done\"}", 1.0),
        ("rosterd_edits_total{result=\"refused\"}", 1.0),
        ("rosterd_engine_step_duration_seconds_count", 5.0),
        ("rosterd_store_commit_duration_seconds_count", 2.0),
        ("rosterd_store_flush_duration_seconds_count", 2.0),
        ("rosterd_http_requests_total{family=\"libraryh3lp\",status=\"401\"}", 3.0),
        ("rosterd_http_requests_total{family=\"libraryh3lp\",status=\"429\"}", 1.0),
        ("rosterd_http_requests_total{family=\"v1\",status=\"401\"}", 1.0),
        ("rosterd_http_requests_total{family=\"presence\",status=\"200\"}", 1.0),
        ("rosterd_http_requests_total{family=\"health\",status=\"200\"}", 1.0),
        ("rosterd_http_requests_total{family=\"docs\",status=\"200\"}", 1.0),
        ("rosterd_http_requests_total{family=\"none\",status=\"404\"}", 1.0),
        ("rosterd_http_requests_total{family=\"admin\",status=\"200\"}", 1.0),
        ("rosterd_http_request_duration_seconds_count{family=\"metrics\"}", 1.0),
        ("rosterd_http_connections_total{result=\"taken\"}", 5.0),
        ("rosterd_logins_total{result=\"refused\"}", 3.0),
        ("rosterd_logins_total{result=\"throttled\"}", 1.0),
    ] {
        let grew = after.get(series).unwrap_or(&0.0) - before.get(series).unwrap_or(&0.0);
        assert!(grew >= least, "{series} grew by {grew}\n{text}");
    }
    assert!(after.keys().any(|series| series.starts_with("rosterd_stanzas_dropped_total{reason=\"")), "{text}");
    check_families(&text);
    if let Some(said) = promtool(&["check", "metrics"], &text) {
        assert_eq!(said, "", "promtool has nothing to say");
    }
    world.daemon.stop().await.unwrap();
}

/// Something of everything.
async fn traffic(world: &mut World) {
    let World { connection, https, manager, daemon, .. } = world;
    connection.send_raw(format!("<presence from='{BOB}' to='{LAW}' type='subscribe'/>")).await;
    assert_eq!(connection.presence(LAW, BOB).await, "subscribed");
    let ann = |resource: &str, show: &str| {
        format!("<presence from='ann@localhost/{resource}' to='{WATCHER}'><show>{show}</show></presence>")
    };
    connection.send_raw(ann("desk", "away")).await;
    connection.send_raw(ann("phone", "dancing")).await;
    connection.send_raw(format!("<presence from='eve@elsewhere/x' to='{WATCHER}'/>")).await;
    connection.send_raw(format!("<message from='{BOB}/x' to='{LAW}' id='m'><body>hello</body></message>")).await;
    connection.send_raw(format!("<presence from='eve@elsewhere/x' to='{WATCHER}'><a></b></presence>")).await;
    connection.send_raw("<strange from='eve@elsewhere/x'/>").await;
    assert!(manager.create_queue("law").await.is_err(), "it is there already");
    let wrong = json!({ "username": "boss", "password": "wrong" });
    for expected in [401, 401, 401, 429] {
        let reply = https.ask(Method::POST, "/api/auth/login", &Caller::Anybody, Some(&wrong)).await.unwrap();
        assert_eq!(reply.status, expected);
    }
    for (path, expected) in [("/v1/queues", 401), ("/healthz", 200), ("/openapi.json", 200), ("/nowhere", 404)] {
        assert_eq!(https.get(path).await.unwrap().status, expected, "{path}");
    }
    manager.public_show("law").await.unwrap();
    let output = Command::new(&daemon.site.binary).arg("--config").arg(&daemon.site.config).arg("metrics").output();
    let output = output.unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"# HELP "), "{output:?}");
    world.settle().await;
}

/// Each family is told, as it is described, and no other one.
fn check_families(text: &str) {
    let told: BTreeSet<_> = text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect();
    let described = families().into_iter().flat_map(|family| {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        // Of what the others write, and of what nobody asked for, there may be nothing.
        [format!("# HELP {} {}", family.name, family.help), format!("# TYPE {} {kind}", family.name)]
    });
    assert_eq!(told, described.collect());
}

#[tokio::test]
async fn who_does_not_answer_is_counted() {
    let world = World::start(Some(("1s".to_owned(), "1s".to_owned()))).await;
    world.connection.send_raw(format!("<presence from='ann@localhost/desk' to='{WATCHER}'/>")).await;
    world.until("rosterd_resources{state=\"stale\"}", |count| count == 1.0).await;
    let samples = world.samples().await;
    assert_eq!(samples["rosterd_resources_stale_total"], 1.0);
    assert_eq!(samples["rosterd_queues_unstaffed"], 1.0);
    assert_eq!(samples["rosterd_queue_ready_operators{queue=\"law\"}"], 0.0);
}

#[tokio::test]
async fn metrics_and_nothing_else_are_served_there() {
    let world = World::start(None).await;
    for (method, path, expected) in [
        (Method::HEAD, "/metrics", 200),
        (Method::POST, "/metrics", 405),
        (Method::GET, "/", 404),
        (Method::GET, "/healthz", 404),
        (Method::GET, "/v1/queues", 404),
        (Method::POST, "/command", 404),
    ] {
        assert_eq!(world.ask(method.clone(), path).await.status, expected, "{method} {path}");
    }
    assert_eq!(world.https.get("/metrics").await.unwrap().status, 404, "not for everybody");
}

#[tokio::test]
async fn nothing_that_is_sent_becomes_a_series() {
    let mut world = World::start(None).await;
    let before: BTreeSet<_> = world.samples().await.into_keys().collect();
    for number in 0..300 {
        let name = format!("zq{number}");
        let stanzas = [
            format!("<{name} from='{name}@localhost/{name}' to='{WATCHER}'/>"),
            format!("<presence from='{name}@localhost/{name}' to='{WATCHER}' type='{name}'/>"),
            format!("<presence from='ann@localhost/{name}' to='{WATCHER}'><show>{name}</show></presence>"),
            format!("<presence from='ann@localhost/{name}' to='{name}@queues.localhost' type='{name}'/>"),
            format!("<presence from='{name}@localhost' to='{LAW}'><{name}></x{name}></presence>"),
            format!("<iq from='ann@localhost/x' to='{LAW}' id='{name}' type='{name}'><{name} xmlns='{name}'/></iq>"),
        ];
        world.connection.send_raw(stanzas.concat()).await;
    }
    for number in 0..20 {
        let name = format!("zq{number}");
        let method = Method::from_bytes(name.to_uppercase().as_bytes()).unwrap();
        for path in ["", "v1/", "v1/queues/", "api/", "presence/jid/law/queues.localhost/", "docs/"] {
            let path = format!("/{path}{name}?{name}={name}");
            for method in [&Method::GET, &method] {
                world.https.ask(method.clone(), &path, &Caller::Anybody, None).await.unwrap();
            }
            world.ask(Method::GET, &path).await;
        }
    }
    world.settle().await;
    let after: BTreeSet<_> = world.samples().await.into_keys().collect();
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.len() < 40 && !new.iter().any(|series| series.to_lowercase().contains("zq")), "{new:#?}");
}
