//! What browsers are told, and what they may ask for, over TLS.

use super::*;

const NEW: &str = r#"{"name": "law"}"#;

#[tokio::test]
async fn they_are_told_to_come_by_https_only() {
    bounded(async {
        let world = World::with(|settings| settings.hsts = Duration::from_mins(1)).await;
        for path in ["/healthz", "/nowhere", QUEUES, "/presence/jid/law/queues.example.org/text"] {
            let reply = world.client().await.send_request(request("GET", path, "", String::new())).await.unwrap();
            assert_eq!(reply.headers()["strict-transport-security"], "max-age=60", "{path}");
        }
        let (address, _ended) = world.public();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        world.tasks.spawn(connection);
        let path = "/presence/jid/law/queues.example.org/text";
        let reply = client.send_request(request("GET", path, "", String::new())).await.unwrap();
        assert_eq!(reply.status(), 200);
        assert!(!reply.headers().contains_key("strict-transport-security"), "it is not for who comes without TLS");
    })
    .await;
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    bounded(async {
        let world = World::new().await;
        let cookie = world.log_in().await;
        let ours = format!("localhost:{}", world.address.port());
        let ask = |origin: &str| {
            let builder = Request::post(QUEUES).header("host", &ours).header("cookie", &cookie);
            builder.header("origin", origin).body(Full::from(NEW)).unwrap()
        };
        for origin in ["https://evil.example", "null", &format!("http://{ours}"), "https://localhost"] {
            let reply = world.client().await.send_request(ask(origin)).await.unwrap();
            assert_eq!(reply.status(), 403, "{origin}");
        }
        let reply = world.client().await.send_request(ask(&format!("https://{ours}"))).await.unwrap();
        assert!(text(reply).await.contains(r#""name":"law""#));
    })
    .await;
}

#[tokio::test]
async fn pages_of_ours_may_speak_http2() {
    bounded(async {
        let world = World::new().await;
        let cookie = world.log_in().await;
        let stream = world.connect(&["h2"]).await;
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        world.tasks.spawn(connection);
        let ask = |origin: &str| {
            let builder = Request::post(format!("https://chat.example.org{QUEUES}")).header("cookie", &cookie);
            builder.header("origin", origin).body(Full::<Bytes>::from(NEW)).unwrap()
        };
        assert_eq!(client.send_request(ask("https://evil.example")).await.unwrap().status(), 403);
        assert_eq!(client.send_request(ask("https://chat.example.org")).await.unwrap().status(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_body_has_its_limit_however_it_comes() {
    bounded(async {
        let world = World::new().await;
        let cookie = world.log_in().await;
        let head = |method: &str, how: &str| {
            format!("{method} {QUEUES} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n{how}\r\n\r\n")
        };
        let piece = format!("400\r\n{}\r\n", " ".repeat(1_024));
        let plain = " ".repeat(1_024);
        for (head, piece, status) in [
            (head("POST", "Content-Length: 1000000000"), &plain, "413"),
            (head("POST", "Transfer-Encoding: chunked"), &piece, "413"),
            (head("GET", "Content-Length: 1000000000"), &plain, "200"),
            (head("GET", "Transfer-Encoding: chunked"), &piece, "200"),
        ] {
            let (mut from, mut to) = tokio::io::split(world.connect(&["http/1.1"]).await);
            to.write_all(head.as_bytes()).await.unwrap();
            let mut sent = 0;
            let sending = async {
                while to.write_all(piece.as_bytes()).await.is_ok() {
                    sent += piece.len();
                    assert!(sent < 32 * 1_024 * 1_024, "it takes all that comes");
                }
            };
            let reading = async {
                let mut reply = [0; 12];
                from.read_exact(&mut reply).await.unwrap();
                drained(&mut from).await;
                String::from_utf8(reply.into()).unwrap()
            };
            let ((), reply) = tokio::join!(sending, reading);
            assert_eq!(reply, format!("HTTP/1.1 {status}"), "{head}");
        }
    })
    .await;
}
