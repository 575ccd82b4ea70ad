//! What the doctor finds, and that it changes nothing.

use std::{collections::BTreeMap, fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result, ensure};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Place, backup, daemon::Daemon, place};

impl Place {
    /// What the doctor says, where it has to end with this code.
    fn examined(&self, code: i32) -> Result<String> {
        let said = self.rosterd(&["doctor"], "")?;
        ensure!(said.code == Some(code), "{code} is wanted: {said:?}");
        Ok(said.out)
    }

    /// Only its owner can read the configuration, as it is installed.
    fn closed(self) -> Result<Self> {
        fs::set_permissions(&self.site.config, fs::Permissions::from_mode(0o600))?;
        Ok(self)
    }

    /// Somebody who listens where the chat server should.
    fn listener(&self) -> Result<TcpListener> {
        let text = fs::read_to_string(&self.site.config)?;
        let server = text.lines().find_map(|line| line.strip_prefix("server = ")).context("it names a server")?;
        Ok(TcpListener::bind(server.trim_matches('"'))?)
    }
}

/// Every file below a folder with what it holds.
fn contents(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(contents(&path)?);
        } else {
            found.insert(path.display().to_string(), fs::read(path)?);
        }
    }
    Ok(found)
}

#[test]
fn without_the_daemon() -> Result<()> {
    let place = place()?.closed()?;
    let nothing = place.examined(4)?;
    ensure!(nothing.contains("problem  link         127.0.0.1:") && nothing.contains("component_ports"), "{nothing}");
    ensure!(nothing.contains("warning  daemon       it does not run"), "{nothing}");
    ensure!(nothing.contains("ok       store        there is none in"), "{nothing}");
    ensure!(!place.site.state.exists(), "nothing was made");
    place.good(&["import", "-"], &backup::export("acme", 30)?)?;
    let before = contents(&place.site.state)?;
    let listener = place.listener()?;
    let well = place.examined(3)?;
    for line in [
        "ok       config       every key can be read",
        "ok       permissions  ",
        "ok       certificate  none is configured",
        "warning  daemon       ",
        "ok       link         something listens on ",
        "ok       store        32 records and 1 entries of the audit log, all good",
        "ok       clock        ",
        "ok       limits       ",
        "ok       disk         ",
        "ok       inodes       ",
    ] {
        ensure!(well.contains(line), "{line}: {well}");
    }
    ensure!(well.lines().count() == 10, "{well}");
    ensure!(contents(&place.site.state)? == before, "nothing was changed");
    let json: Value = serde_json::from_str(&place.rosterd(&["doctor", "--json"], "")?.out)?;
    let daemon = json.as_array().and_then(|all| all.iter().find(|it| it["check"] == "daemon"));
    ensure!(daemon.is_some_and(|it| it["level"] == "warning" && it["to_do"].is_string()), "{json}");
    let text = fs::read_to_string(&place.site.config)?;
    fs::write(&place.site.config, text + "[metrics]\nqueues = [\"queue2\", \"qeueu3\"]\n")?;
    let named = place.examined(3)?;
    ensure!(named.contains("warning  metrics      [metrics] queues names what is no queue: qeueu3. To do:"), "{named}");
    drop(listener);
    Ok(())
}

#[test]
fn what_is_wrong_with_the_configuration_and_its_files() -> Result<()> {
    let place = place()?;
    let text = fs::read_to_string(&place.site.config)?;
    fs::set_permissions(&place.site.config, fs::Permissions::from_mode(0o644))?;
    let open = place.examined(4)?;
    ensure!(open.contains("problem  permissions  everybody on this machine can read"), "{open}");
    ensure!(open.contains("To do: chmod o= "), "{open}");
    let secret = place.folder.path().join("secret");
    fs::write(&secret, "s3cr3t\n")?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640))?;
    let named = text.replace("secret = \"s3cr3t\"", &format!("secret_file = '{}'", secret.display()));
    fs::write(&place.site.config, named)?;
    ensure!(place.examined(4)?.contains("ok       permissions"), "the secret is elsewhere");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o604))?;
    ensure!(place.examined(4)?.contains("can read ") && !place.examined(4)?.contains("ok       permissions"));
    fs::write(&place.site.config, text.replace("domain =", "domian =").replace("[store]", "[stoer]"))?;
    let wrong = place.examined(4)?;
    ensure!(wrong.lines().count() > 2 && wrong.lines().all(|line| line.starts_with("problem  config ")), "{wrong}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_daemon() -> Result<()> {
    let place = place()?.closed()?;
    place.good(&["import", "-"], &backup::export("acme", 30)?)?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let said = place.examined(4)?;
    for line in [
        "ok       certificate  ",
        &format!("ok       daemon       version {} runs", env!("CARGO_PKG_VERSION")),
        "problem  link         down: ",
        "(since 20",
        "ok       approvals    ",
        "ok       store        32 records and 1 entries of the audit log, all good",
    ] {
        ensure!(said.contains(line), "{line}: {said}");
    }
    daemon.stop().await
}

#[test]
fn what_is_wrong_with_the_certificate() -> Result<()> {
    let place = place()?.closed()?;
    let folder = place.folder.path();
    let (key, other) = (KeyPair::generate()?, KeyPair::generate()?);
    let mut expired = CertificateParams::new(["localhost".to_owned()])?;
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    fs::write(folder.join("cert.pem"), expired.self_signed(&key)?.pem())?;
    fs::write(folder.join("key.pem"), key.serialize_pem())?;
    fs::set_permissions(folder.join("key.pem"), fs::Permissions::from_mode(0o600))?;
    let keys = format!("[http]\ntls_cert = '{0}/cert.pem'\ntls_key = '{0}/key.pem'\n", folder.display());
    fs::write(&place.site.config, fs::read_to_string(&place.site.config)?.replace("[http]\n", &keys))?;
    let certificate = |what: &str| -> Result<String> {
        let said = place.examined(4)?;
        let line = said.lines().find(|line| line.contains("  certificate  ")).context(what.to_owned())?;
        Ok(line.to_owned())
    };
    let line = certificate("expired")?;
    ensure!(line.starts_with("problem") && line.contains("2021-01-01") && line.contains("To do: "), "{line}");
    fs::write(folder.join("key.pem"), other.serialize_pem())?;
    let line = certificate("another key")?;
    ensure!(line.starts_with("problem") && line.contains("key.pem"), "{line}");
    fs::remove_file(folder.join("cert.pem"))?;
    ensure!(place.examined(4)?.contains("http.tls_cert: could not read"));
    Ok(())
}

#[test]
fn a_clock_that_is_behind_what_was_stored() -> Result<()> {
    let place = place()?.closed()?;
    place.good(&["account", "add", "acme", "--password-stdin"], "correct horse\n")?;
    // As if it had been stored in a hundred years.
    let backup = place.good(&["backup", "-"], "")?;
    let mut lines: Vec<_> = backup.lines().map(str::to_owned).collect();
    let footer = lines.pop().context("it has a last line")?;
    for line in lines.iter_mut().filter(|line| line.starts_with("{\"noted\":")) {
        let at = line.find("\"at\":").context("it says when")? + 5;
        let end = line[at..].find(|c: char| !c.is_ascii_digit()).context("it goes on")? + at;
        line.replace_range(at..end, "4900000000");
    }
    let text = lines.join("\n") + "\n";
    let sum = Sha256::digest(text.as_bytes()).iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"));
    let mut footer: Value = serde_json::from_str(&footer)?;
    footer["end"]["sha256"] = sum.into();
    place.good(&["restore", "--force", "-"], &format!("{text}{footer}\n"))?;
    let said = place.examined(4)?;
    ensure!(said.contains("problem  clock        it is ") && said.contains("was stored at 2125-"), "{said}");
    ensure!(said.contains("timedatectl"), "{said}");
    Ok(())
}

#[test]
fn a_disk_that_is_short() -> Result<()> {
    let place = place()?.closed()?;
    let text = fs::read_to_string(&place.site.config)?;
    fs::write(&place.site.config, text.replace("[store]\n", "[store]\nmin_free = \"1000000GiB\"\n"))?;
    let said = place.examined(4)?;
    ensure!(said.contains("problem  disk         ") && said.contains("are to stay free ([store] min_free)"), "{said}");
    ensure!(said.contains("To do: make room"), "{said}");
    Ok(())
}
