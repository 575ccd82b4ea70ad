//! Files that change under the daemon, and how many it may open.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use super::{Place, daemon::Daemon, https::Https, place};

/// Writes a new pair for `localhost` and this name.
fn write_pair(folder: &Path, name: &str) -> Result<()> {
    let key = KeyPair::generate()?;
    let cert = CertificateParams::new(["localhost".to_owned(), name.to_owned()])?.self_signed(&key)?;
    fs::write(folder.join("key.pem"), key.serialize_pem())?;
    fs::write(folder.join("cert.pem"), cert.pem())?;
    Ok(())
}

/// A place whose configuration names a certificate in its folder.
fn place_with_pair() -> Result<Place> {
    let place = place()?;
    write_pair(place.folder.path(), "one.example.org")?;
    let folder = place.folder.path().display();
    let keys = format!("[http]\ntls_cert = '{folder}/cert.pem'\ntls_key = '{folder}/key.pem'\n");
    fs::write(&place.site.config, fs::read_to_string(&place.site.config)?.replace("[http]\n", &keys))?;
    Ok(place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_read_anew_on_sighup() -> Result<()> {
    let place = place_with_pair()?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let has = async |what: &str, name: &str| {
        daemon.process.wait_line(what, |line| line.contains(what) && line.contains(name)).await
    };
    has("certificate read", "one.example.org").await?;
    let is_served = async || -> Result<()> {
        let reply = Https::new(place.site.https, &place.folder.path().join("cert.pem"))?.get("/healthz").await?;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    };
    is_served().await?;
    write_pair(place.folder.path(), "two.example.org")?;
    kill_process(daemon.process.id(), Signal::HUP)?;
    has("certificate read", "two.example.org").await?;
    is_served().await?;
    let cert = fs::read(place.folder.path().join("cert.pem"))?;
    fs::write(place.folder.path().join("cert.pem"), "")?;
    kill_process(daemon.process.id(), Signal::HUP)?;
    has("the old one is served on", "holds no certificate").await?;
    fs::write(place.folder.path().join("cert.pem"), cert)?;
    is_served().await?;
    daemon.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_may_open_as_many_files_as_there_can_be() -> Result<()> {
    let place = place()?;
    // What the daemon is started with; it may raise that.
    setrlimit(Resource::Nofile, Rlimit { current: Some(512), ..getrlimit(Resource::Nofile) })?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.process.id()))?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).context("there is a limit")?;
    let [soft, hard] = [3, 4].map(|at| line.split_whitespace().nth(at));
    ensure!(soft == hard && soft.is_some(), "{line}");
    let said = daemon.process.wait_line("its limits", |line| line.contains("open files")).await?;
    ensure!(said.contains(&format!("files={}", soft.unwrap_or_default())), "{said}");
    daemon.stop().await
}

#[test]
fn check_config_reads_the_certificate() -> Result<()> {
    let place = place_with_pair()?;
    let good = place.good(&["check-config"], "")?;
    ensure!(good.contains("is valid until") && good.contains("for localhost, one.example.org"), "{good}");
    ensure!(good.ends_with("the configuration is good\n"), "{good}");
    let other = place_with_pair()?;
    fs::copy(other.folder.path().join("key.pem"), place.folder.path().join("key.pem"))?;
    let bad = place.bad(78, &["check-config"], "")?;
    ensure!(bad.contains("can not be used with the private key in"), "{bad}");
    Ok(())
}
