//! Clients that take their time. From the pause of the clock on, time passes as soon as there is nothing else to do.

use super::*;

/// Writes `text` byte by byte, one every `every`, until the server has had enough; gives how long that took.
async fn drip(mut stream: impl AsyncWriteExt + Unpin, text: &[u8], every: Duration) -> Duration {
    let began = Instant::now();
    for byte in text {
        if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
            break;
        }
        tokio::time::sleep(every).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn a_head_that_drips() {
    bounded(async {
        let world = World::new().await;
        let stream = world.connect(&["http/1.1"]).await;
        let head = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: {}\r\n\r\n", "x".repeat(1_000));
        tokio::time::pause();
        let (from, to) = tokio::io::split(stream);
        let (took, answer) = tokio::join!(drip(to, head.as_bytes(), Duration::from_millis(500)), drained(from));
        assert!(took < Duration::from_secs(90), "{took:?}");
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_drips() {
    bounded(async {
        let world = World::new().await;
        let cookie = world.log_in().await;
        let mut stream = world.connect(&["http/1.1"]).await;
        let head =
            format!("POST {QUEUES} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nContent-Length: 60000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let body = " ".repeat(60_000);
        tokio::time::pause();
        let (from, to) = tokio::io::split(stream);
        let (took, answer) = tokio::join!(drip(to, body.as_bytes(), Duration::from_secs(1)), drained(from));
        assert!(took < Duration::from_mins(1), "{took:?}");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("the request took longer than 30s"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_drips() {
    bounded(async {
        let world = World::new().await;
        let stream = TcpStream::connect(world.address).await.unwrap();
        let hello = [&[0x16, 3, 1, 1, 0, 1, 0, 0, 0xfc, 3, 3][..], &[7; 245]].concat();
        tokio::time::pause();
        let (from, to) = stream.into_split();
        let (took, answer) = tokio::join!(drip(to, &hello, Duration::from_secs(1)), drained(from));
        assert!(took < Duration::from_secs(30), "{took:?}");
        assert_eq!(answer, b"");
    })
    .await;
}

#[tokio::test]
async fn who_takes_no_answers() {
    bounded(async {
        let world = World::new().await;
        let mut stream = world.connect(&["http/1.1"]).await;
        let requests = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
        tokio::time::pause();
        let began = Instant::now();
        let mut sent = 0;
        while stream.write_all(requests.as_bytes()).await.is_ok() {
            sent += 1;
            assert!(sent < 1_000, "answers are kept for who does not take them");
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    })
    .await;
}

/// Speaks HTTP/2 by hand: answers pings, and tells what else there was until the end.
async fn pinged_until_the_end(mut stream: TlsStream<TcpStream>) -> (Duration, Vec<u8>) {
    let began = Instant::now();
    let mut kinds = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        if stream.read_exact(&mut payload).await.is_err() {
            break;
        }
        kinds.push(head[3]);
        if head[3] == floods::PING && head[4] == 0 {
            // It may have gone.
            let _ = stream.write_all(&floods::frame(floods::PING, 1, 0, &payload)).await;
        }
    }
    (began.elapsed(), kinds)
}

#[tokio::test]
async fn who_opens_no_window_for_answers() {
    bounded(async {
        let world = World::new().await;
        let mut stream = world.connect(&["h2"]).await;
        // SETTINGS_INITIAL_WINDOW_SIZE of nothing.
        let settings = floods::frame(floods::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
        stream.write_all(&[floods::PREFACE, &settings, &floods::get(1), &floods::get(3)].concat()).await.unwrap();
        tokio::time::pause();
        let (took, kinds) = pinged_until_the_end(stream).await;
        assert!(took < Duration::from_secs(70), "{took:?}");
        assert!(kinds.contains(&floods::HEADERS) && !kinds.contains(&floods::DATA), "{kinds:?}");
    })
    .await;
}

#[tokio::test]
async fn who_only_answers_pings() {
    let world = World::new().await;
    // Nothing, a request that was answered, and one whose head does not end.
    for begun in [vec![], floods::get(1), floods::frame(floods::HEADERS, 0, 1, &[0x82])] {
        bounded(async {
            let mut stream = world.connect(&["h2"]).await;
            let settings = floods::frame(floods::SETTINGS, 0, 0, &[]);
            stream.write_all(&[floods::PREFACE, &settings, &begun].concat()).await.unwrap();
            tokio::time::pause();
            let (took, kinds) = pinged_until_the_end(stream).await;
            assert!(took < Duration::from_secs(90), "{took:?} {kinds:?}");
            tokio::time::resume();
        })
        .await;
    }
}
