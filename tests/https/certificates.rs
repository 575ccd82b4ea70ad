//! Certificates that come and go, and versions of TLS that are gone.

use std::{fs, os::unix::fs::symlink};

use rcgen::{CertificateParams, KeyPair};

use super::*;

/// Writes a new pair into `folder`, and gives the certificate.
fn write_pair(folder: &Path) -> CertificateDer<'static> {
    fs::create_dir_all(folder).unwrap();
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

/// Makes `live` in the folder lead to another pair, as programs that renew certificates do.
fn link(folder: &Path, to: &str) {
    symlink(to, folder.join("next")).unwrap();
    fs::rename(folder.join("next"), folder.join("live")).unwrap();
}

struct Site {
    world: World,
    folder: TempDir,
    certs: [CertificateDer<'static>; 2],
}

/// A server that has the first of two certificates.
async fn site() -> Site {
    let folder = TempDir::new().unwrap();
    let certs = ["one", "two"].map(|name| write_pair(&folder.path().join(name)));
    link(folder.path(), "one");
    let world = World::with(|settings| {
        settings.tls_cert = Some(folder.path().join("live/cert.pem"));
        settings.tls_key = Some(folder.path().join("live/key.pem"));
    });
    Site { world: world.await, folder, certs }
}

impl Site {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        for cert in &self.certs {
            roots.add(cert.clone()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(&[&TLS13]).unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(self.world.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    /// Which of the two is served.
    async fn served(&self) -> Option<usize> {
        let stream = self.connect().await;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        self.certs.iter().position(|cert| *cert == shown)
    }
}

#[tokio::test]
async fn a_new_one_is_served_when_somebody_asks() {
    bounded(async {
        let site = site().await;
        let stream = site.connect().await;
        let (mut old, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        site.world.tasks.spawn(connection);
        assert_eq!(site.served().await, Some(0));
        link(site.folder.path(), "two");
        site.world.control.renew_certificate().await.unwrap();
        assert_eq!(site.served().await, Some(1));
        let reply = old.send_request(request("GET", "/healthz", "", String::new())).await.unwrap();
        assert_eq!(reply.status(), 200, "connections that are open stay open");
        fs::remove_file(site.folder.path().join("live/cert.pem")).unwrap();
        let why = site.world.control.renew_certificate().await.unwrap_err();
        assert!(why.contains("could not read the certificate from"), "{why}");
        assert_eq!(site.served().await, Some(1), "the old one is served on");
    })
    .await;
}

#[tokio::test]
async fn a_new_one_is_served_when_the_files_change() {
    bounded(async {
        let site = site().await;
        tokio::time::pause();
        assert_eq!(site.served().await, Some(0));
        link(site.folder.path(), "two");
        let began = Instant::now();
        while site.served().await == Some(0) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(began.elapsed() <= Duration::from_secs(15), "{:?}", began.elapsed());
        // Written in place, and not whole at first.
        let (live, whole) = (site.folder.path().join("live"), site.folder.path().join("one"));
        fs::write(live.join("cert.pem"), "-----BEGIN CERT").unwrap();
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert_eq!(site.served().await, Some(1), "half of one is none");
        fs::copy(whole.join("cert.pem"), live.join("cert.pem")).unwrap();
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert_eq!(site.served().await, Some(1), "nor is one that does not fit its key");
        fs::copy(whole.join("key.pem"), live.join("key.pem")).unwrap();
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(site.served().await, Some(0));
    })
    .await;
}

/// A `ClientHello` of an old version, whose only cipher suite is one of its time.
fn hello(version: u8) -> Vec<u8> {
    let body = [&[3, version][..], &[7; 32], &[0, 0, 4, 0, 0x2f, 0xc0, 0x13, 1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

#[tokio::test]
async fn old_versions_of_tls_are_refused() {
    bounded(async {
        let world = World::new().await;
        for version in [0, 1, 2] {
            let mut stream = TcpStream::connect(world.address).await.unwrap();
            stream.write_all(&hello(version)).await.unwrap();
            let answer = drained(stream).await;
            // A fatal alert (RFC 8446 section 6), and nothing else.
            assert!(matches!(answer.as_slice(), [0x15, 3, _, 0, 2, 2, _]), "SSL 3.0 and up, {version}: {answer:x?}");
        }
    })
    .await;
}
