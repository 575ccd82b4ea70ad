//! How many connections there may be, and who has to go.

use super::*;

async fn is_served(world: &World) -> bool {
    let reply = world.client().await.send_request(request("GET", "/healthz", "", String::new())).await;
    reply.is_ok_and(|reply| reply.status() == 200)
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    bounded(async {
        let world = World::with(|settings| settings.limits.connections = 3).await;
        let mut idle = Vec::new();
        for _ in 0..3 {
            let mut client = world.client().await;
            let reply = client.send_request(request("GET", "/healthz", "", String::new())).await.unwrap();
            assert!(text(reply).await.starts_with("200 "));
            idle.push(client);
        }
        for _ in 0..3 {
            assert!(is_served(&world).await);
        }
        // All three had to go for those that came, who had gone themselves by then, or were idle.
        let first = &mut idle[0];
        while first.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn nor_do_those_that_never_finish_their_handshake() {
    bounded(async {
        let world = World::with(|settings| settings.limits.connections = 3).await;
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(TcpStream::connect(world.address).await.unwrap());
        }
        assert!(is_served(&world).await);
        assert_eq!(drained(silent.remove(0)).await, b"", "who came first has gone");
    })
    .await;
}

#[tokio::test]
async fn nobody_goes_who_waits_for_an_answer() {
    bounded(async {
        let world = World::with(|settings| settings.limits.connections = 2).await;
        let _opened = Opened(world.gate.clone());
        let cookie = world.log_in().await;
        let (mut ann, mut bob) = (world.client().await, world.client().await);
        // Each has the other's seat no more, and both are in work.
        world.gate.set(true);
        let ask = |name: &str| request("POST", QUEUES, &cookie, format!(r#"{{"name": "{name}"}}"#));
        let asked = async { tokio::join!(ann.send_request(ask("law")), bob.send_request(ask("tax"))) };
        let turned_away = async {
            world.gate.somebody_waits().await;
            loop {
                let stream = TcpStream::connect(world.address).await.unwrap();
                let name = ServerName::try_from("localhost").unwrap();
                // Until both requests are in work there is somebody idle.
                if world.tls(&["http/1.1"], &[&TLS13]).connect(name, stream).await.is_err() {
                    break;
                }
            }
            world.gate.set(false);
        };
        let ((law, tax), ()) = tokio::join!(asked, turned_away);
        assert!(text(law.unwrap()).await.contains(r#""name":"law""#));
        assert!(text(tax.unwrap()).await.contains(r#""name":"tax""#));
        drop((ann, bob));
        assert!(is_served(&world).await);
    })
    .await;
}

#[tokio::test]
async fn who_takes_no_answers_makes_room_at_once() {
    bounded(async {
        let world = World::with(|settings| settings.limits.connections = 1).await;
        let mut stream = world.connect(&["http/1.1"]).await;
        let requests = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
        // From here on, time passes as soon as there is nothing else to do: when neither takes anything any more.
        tokio::time::pause();
        while timeout(Duration::from_secs(1), stream.write_all(requests.as_bytes()))
            .await
            .is_ok_and(|sent| sent.is_ok())
        {}
        let began = Instant::now();
        assert!(is_served(&world).await, "somebody else has the seat");
        while stream.write_all(requests.as_bytes()).await.is_ok() {}
        assert!(began.elapsed() < Duration::from_secs(5), "it stayed for {:?} without a seat", began.elapsed());
    })
    .await;
}

#[tokio::test]
async fn who_is_slow_with_a_body_keeps_nobody_out() {
    bounded(async {
        let world = World::with(|settings| settings.limits.connections = 3).await;
        let mut slow = Vec::new();
        for _ in 0..3 {
            let mut stream = world.connect(&["http/1.1"]).await;
            let head = "POST /2011-12-03/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                        Content-Length: 40\r\nExpect: 100-continue\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            // Said when the body is waited for.
            let mut go_on = [0; 25];
            stream.read_exact(&mut go_on).await.unwrap();
            assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
            slow.push(stream);
        }
        // A byte now and then makes nobody less slow.
        slow[0].write_all(b"{").await.unwrap();
        assert!(is_served(&world).await);
        drained(slow.remove(0)).await;
        for _ in 0..3 {
            assert!(is_served(&world).await);
        }
    })
    .await;
}
