//! Against an API in this process, which answers what a test has it answer.
#![cfg(test)]

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinSet,
    time::timeout,
};

use super::*;
use crate::{
    config::{ApiLogin, Secret},
    domain::{BareJid, Name, WriteFailure},
};

fn write(entry: Entry) -> RosterWrite {
    let contact = Name::parse(if entry == Entry::Watcher { "staffing" } else { "law" }, 60).unwrap();
    RosterWrite { user: BareJid::parse("ann@example.org").unwrap(), contact, entry }
}

#[test]
fn entries_become_calls() {
    let check = |entry, command, rest: Value| {
        let call = call(&write(entry), "queues.example.org");
        let mut expected = json!({ "localuser": "ann", "localhost": "example.org", "host": "queues.example.org" });
        for (name, value) in rest.as_object().unwrap() {
            expected[name] = value.clone();
        }
        assert_eq!(call, Call { command, arguments: expected });
    };
    let watcher = json!({ "user": "staffing", "nick": "rosterd", "group": "rosterd", "subs": "from" });
    check(Entry::Watcher, "add_rosteritem", watcher);
    let queue = json!({ "user": "law", "nick": "law", "group": "Queues", "subs": "to" });
    check(Entry::Queue { group: "Queues".into() }, "add_rosteritem", queue);
    check(Entry::Absent, "delete_rosteritem", json!({ "user": "law" }));
}

/// A clerk at work, and an API that answers each request with the next of these answers, and gives out what was asked.
struct Office {
    work: mpsc::Sender<RosterWrite>,
    facts: mpsc::Receiver<Fact>,
    asked: mpsc::Receiver<String>,
    _tasks: JoinSet<()>,
}

async fn office(login: ApiLogin, answers: &[&'static str]) -> Office {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap()).parse().unwrap();
    let (sender, asked) = mpsc::channel(16);
    let (answers, mut tasks) = (answers.to_vec(), JoinSet::new());
    tasks.spawn(async move {
        for answer in answers {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = BufReader::new(socket);
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let from = head.len();
                socket.read_line(&mut head).await.unwrap();
                let line = head[from..].to_lowercase();
                length = line.strip_prefix("content-length: ").map_or(length, |it| it.trim().parse().unwrap());
            }
            let mut body = vec![0; length];
            socket.read_exact(&mut body).await.unwrap();
            sender.send(head + &String::from_utf8(body).unwrap()).await.unwrap();
            let (status, text) = answer.split_once(' ').unwrap();
            let length = text.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{text}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let api = Api { url, login, ca: "/nonexistent".into() };
    let clerk = Clerk::new(&api, "queues.example.org".to_owned()).unwrap();
    let (work, writes) = mpsc::channel(16);
    let (facts_sender, facts) = mpsc::channel(16);
    tasks.spawn(clerk.run(writes, facts_sender, CancellationToken::new()));
    Office { work, facts, asked, _tasks: tasks }
}

impl Office {
    async fn result(&mut self) -> Result<(), WriteFailure> {
        self.work.send(write(Entry::Queue { group: "Queues".into() })).await.unwrap();
        let fact = timeout(Duration::from_secs(20), self.facts.recv()).await.unwrap().unwrap();
        let Fact::Input(Input::Written { user, contact, result }) = fact else { panic!("{fact:?}") };
        assert_eq!((user.as_str(), contact.as_str()), ("ann@example.org", "law"));
        result
    }
}

#[tokio::test]
async fn an_account_logs_in_and_a_token_does_and_nobody_shows_them() {
    let account = || ApiLogin::Account { user: "rosterd@example.org".into(), password: Secret::new("s3cr3t".into()) };
    let mut office_of_account = office(account(), &["200 0"]).await;
    assert_eq!(office_of_account.result().await, Ok(()));
    let asked = office_of_account.asked.recv().await.unwrap();
    assert!(asked.starts_with("POST /api/add_rosteritem HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Basic cm9zdGVyZEBleGFtcGxlLm9yZzpzM2NyM3Q=\r\n"), "{asked}");
    assert!(asked.contains("\"subs\":\"to\""), "{asked}");

    let mut office_of_token = office(ApiLogin::Token(Secret::new("t0k3n".into())), &["200 0"]).await;
    assert_eq!(office_of_token.result().await, Ok(()));
    assert!(office_of_token.asked.recv().await.unwrap().contains("authorization: Bearer t0k3n\r\n"));

    let api = Api { url: "http://127.0.0.1:1/api".parse().unwrap(), login: account(), ca: "/nonexistent".into() };
    let shown = format!("{:?}", Clerk::new(&api, "q".into()).unwrap());
    assert!(!shown.contains("s3cr3t") && !shown.contains("czNjcjN0") && !shown.contains("cm9z"), "{shown}");
}

#[tokio::test]
async fn what_the_answers_mean() {
    let answers = ["200 0", "200 1", "401 no", "403 no", "404 no", "500 \"internal_error\"", "200 <html>", "200 0"];
    let mut office = office(ApiLogin::Nobody, &answers).await;
    let (refused, unreachable) = (Err(WriteFailure::Refused), Err(WriteFailure::Unreachable));
    for expected in [Ok(()), refused, unreachable, unreachable, unreachable, refused, refused, Ok(())] {
        assert_eq!(office.result().await, expected);
    }
    assert!(!office.asked.recv().await.unwrap().contains("authorization"));
}

#[tokio::test]
async fn later_versions_take_a_list_of_groups() {
    let missing = "400 \"Request have missing argument: groups\"";
    let mut office = office(ApiLogin::Nobody, &[missing, "200 0"]).await;
    assert_eq!(office.result().await, Ok(()));
    assert!(office.asked.recv().await.unwrap().contains("\"group\":\"Queues\""));
    let second = office.asked.recv().await.unwrap();
    assert!(second.contains("\"groups\":[\"Queues\"]") && !second.contains("\"group\":"), "{second}");
}

#[tokio::test]
async fn nobody_there_is_no_answer() {
    // The listener ends with the last answer.
    let mut office = office(ApiLogin::Nobody, &[]).await;
    while !office.asked.is_closed() {
        tokio::task::yield_now().await;
    }
    assert_eq!(office.result().await, Err(WriteFailure::Unreachable));
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_not_waited_for_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap()).parse().unwrap();
    let client = Client::new(&Api { url, login: ApiLogin::Nobody, ca: "/nonexistent".into() }).unwrap();
    let error = client.call(&call(&write(Entry::Watcher), "q")).await.unwrap_err();
    assert!(matches!(error, CallError::Late), "{error:?}");
    drop(listener);
}

#[test]
fn certificates_that_are_not_there_are_said_at_the_start() {
    let of = |ca: &str| {
        let api = Api { url: "https://localhost/api".parse().unwrap(), login: ApiLogin::Nobody, ca: ca.into() };
        telemetry::chain(&Clerk::new(&api, "q".into()).unwrap_err())
    };
    assert!(of("/nonexistent").contains("api_ca"));
    assert!(of("/dev/null").contains("no certificate"));
}

#[tokio::test]
async fn over_tls_only_who_is_trusted_is_told_anything() {
    let folder = tempfile::tempdir().unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let acceptor = |key: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let secret = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![key.cert.der().clone()], secret).unwrap();
        tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config))
    };
    let [trusted, other] = [(); 2].map(|()| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, trusted.cert.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/api", listener.local_addr().unwrap().port()).parse().unwrap();
    let login = ApiLogin::Token(Secret::new("t0k3n".into()));
    let client = Client::new(&Api { url, login, ca }).unwrap();
    let call = call(&write(Entry::Watcher), "q");
    let serve = async |acceptor: tokio_rustls::TlsAcceptor| {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = acceptor.accept(socket).await?;
        let mut heard = Vec::new();
        while !heard.ends_with(b"}") {
            socket.read_buf(&mut heard).await?;
        }
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n0").await?;
        socket.flush().await?;
        Ok::<_, std::io::Error>(String::from_utf8(heard).unwrap())
    };
    let (result, heard) = tokio::join!(client.call(&call), serve(acceptor(&trusted)));
    result.unwrap();
    assert!(heard.unwrap().contains("authorization: Bearer t0k3n"));
    let (result, heard) = tokio::join!(client.call(&call), serve(acceptor(&other)));
    assert!(matches!(result, Err(CallError::Connect(_))) && heard.is_err());
}
