//! Certificates that are there, wrong, old, or ours.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use rcgen::CertificateParams;
use tempfile::TempDir;

use super::{own::names, *};
use crate::{http::testing, telemetry};

fn settings(state: &TempDir, cert: Option<&str>, key: Option<&str>) -> Settings {
    let path = |name: &str| state.path().join(name);
    Settings { state: state.path().into(), tls_cert: cert.map(path), tls_key: key.map(path), ..testing::settings() }
}

/// Reads or makes what `settings` say.
fn load(settings: &Settings) -> Result<Loaded, TlsError> {
    load_at(settings, SystemTime::now())
}

fn load_at(settings: &Settings, now: SystemTime) -> Result<Loaded, TlsError> {
    Source::of(settings)?.load(now)
}

const DAY: Duration = Duration::from_hours(24);

#[test]
fn a_self_signed_certificate_is_made_once() {
    let state = TempDir::new().unwrap();
    let settings = settings(&state, None, None);
    let config = load(&settings).unwrap().config;
    assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    let files = [state.path().join("tls/cert.pem"), state.path().join("tls/key.pem")];
    let modes = files.each_ref().map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
    assert_eq!(modes[1], 0o600, "nobody else reads the key");
    assert_eq!(fs::read_dir(state.path().join("tls")).unwrap().count(), 2, "nothing else is left there");
    let first = files.each_ref().map(|path| fs::read(path).unwrap());
    load(&settings).unwrap();
    assert_eq!(files.each_ref().map(|path| fs::read(path).unwrap()), first);
    fs::remove_file(&files[0]).unwrap();
    load(&settings).unwrap();
    assert!(files[0].exists(), "half a pair is made anew");
}

#[test]
fn a_pair_of_ours_that_does_not_fit_is_made_anew() {
    let (state, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = |name: &str| state.path().join("tls").join(name);
    let ours = settings(&state, None, None);
    load(&ours).unwrap();
    load(&settings(&other, None, None)).unwrap();
    // As a power cut between the two leaves it.
    fs::copy(other.path().join("tls/key.pem"), path("key.pem")).unwrap();
    load(&ours).unwrap();
    for half in ["cert.pem", "key.pem"] {
        fs::write(path(half), "-----BEGIN CERT").unwrap();
        load(&ours).unwrap();
        let given = settings(&state, Some("tls/cert.pem"), Some("tls/key.pem"));
        load(&given).expect("what was made fits");
    }
}

#[test]
fn one_of_ours_is_renewed_before_it_ends() {
    let state = TempDir::new().unwrap();
    let settings = settings(&state, None, None);
    let now = SystemTime::now();
    let first = load(&settings).unwrap().facts;
    assert_eq!(load_at(&settings, now + 780 * DAY).unwrap().facts, first);
    let renewed = load_at(&settings, now + 790 * DAY).unwrap().facts;
    assert!(renewed.left(now + 790 * DAY) > 799 * DAY, "{renewed:?}");
    assert_eq!(load_at(&settings, now + 791 * DAY).unwrap().facts, renewed);
}

#[test]
fn where_it_can_not_be_renewed_the_old_one_is_served() {
    let state = TempDir::new().unwrap();
    let settings = settings(&state, None, None);
    let first = load(&settings).unwrap().facts;
    fs::create_dir_all(state.path().join("tls/key.new/in the way")).unwrap();
    assert_eq!(load_at(&settings, SystemTime::now() + 900 * DAY).unwrap().facts, first);
}

#[test]
fn what_a_certificate_says_of_itself() {
    let state = TempDir::new().unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    fs::create_dir(state.path().join("tls")).unwrap();
    let folder = state.path().join("tls");
    own::make(&folder, &own::files(&folder), "queues.example.org", at).unwrap();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let text = |now| {
        let facts = read(&own::files(&folder)).unwrap().facts;
        facts.in_words(now).replace(&format!("{}, ", host.trim()), "")
    };
    insta::assert_snapshot!(text(at), @"is valid until 2029-03-25T08:00:00Z for localhost, 127.0.0.1, ::1, queues.example.org");
    insta::assert_snapshot!(text(at + 801 * DAY), @"expired at 2029-03-25T08:00:00Z for localhost, 127.0.0.1, ::1, queues.example.org");
}

#[test]
fn the_certificate_names_this_machine_and_the_queues() {
    let all = names("queues.example.org");
    for name in ["localhost", "127.0.0.1", "::1", "queues.example.org"] {
        assert!(all.iter().any(|other| other == name), "{name} in {all:?}");
    }
    assert!(CertificateParams::new(all).is_ok());
    assert!(!names("queues.bücher.example").iter().any(|name| name.contains('ü')), "which no certificate may hold");
    assert_eq!(names("localhost").iter().filter(|name| *name == "localhost").count(), 1);
}

#[test]
fn what_is_wrong_is_said() {
    let state = TempDir::new().unwrap();
    let other = TempDir::new().unwrap();
    load(&settings(&state, None, None)).unwrap();
    load(&settings(&other, None, None)).unwrap();
    fs::copy(other.path().join("tls/key.pem"), state.path().join("other.pem")).unwrap();
    fs::write(state.path().join("garbled.pem"), "-----BEGIN CERTIFICATE-----\n???\n").unwrap();
    fs::write(state.path().join("empty.pem"), "").unwrap();
    let check = |cert, key| {
        let error = load(&settings(&state, cert, key)).unwrap_err();
        telemetry::chain(&error).replace(state.path().to_str().unwrap(), "STATE")
    };
    let (cert, key) = (Some("tls/cert.pem"), Some("tls/key.pem"));
    insta::assert_snapshot!(check(cert, None), @"[http] tls_cert and tls_key belong together, but only tls_cert is set: set both, or neither");
    insta::assert_snapshot!(check(None, key), @"[http] tls_cert and tls_key belong together, but only tls_key is set: set both, or neither");
    insta::assert_snapshot!(check(Some("none.pem"), key), @"could not read the certificate from STATE/none.pem: check that the file is there and that rosterd may read it: No such file or directory (os error 2)");
    insta::assert_snapshot!(check(cert, Some("none.pem")), @"could not read the private key from STATE/none.pem: check that the file is there and that rosterd may read it: No such file or directory (os error 2)");
    insta::assert_snapshot!(check(Some("empty.pem"), key), @"STATE/empty.pem holds no certificate in the PEM format: there is none in it");
    insta::assert_snapshot!(check(cert, Some("empty.pem")), @"STATE/empty.pem holds no private key in the PEM format: there is none in it");
    insta::assert_snapshot!(check(Some("garbled.pem"), key), @"STATE/garbled.pem holds no certificate in the PEM format: it breaks off");
    insta::assert_snapshot!(check(key, cert), @"STATE/tls/key.pem holds no certificate in the PEM format: there is none in it");
    insta::assert_snapshot!(check(cert, Some("other.pem")), @"the certificate in STATE/tls/cert.pem can not be used with the private key in STATE/other.pem: keys may not be consistent: KeyMismatch");
}

#[test]
fn a_state_folder_that_can_not_be_written() {
    let state = TempDir::new().unwrap();
    fs::write(state.path().join("tls"), "in the way").unwrap();
    let error = load(&settings(&state, None, None)).unwrap_err();
    let text = telemetry::chain(&error).replace(state.path().to_str().unwrap(), "STATE");
    insta::assert_snapshot!(text, @"could not write STATE/tls: check that rosterd may write to the state folder ([store] path): File exists (os error 17)");
}
