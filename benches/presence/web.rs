//! The two servers: each with one worker, on the same core, with the same certificate.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::site::{DOMAIN, Site, USER_DOMAIN};

/// The core of the servers.
const SERVING: &str = "0";
/// The core of who asks.
pub(crate) const ASKING: &str = "1";

const ROSTERD: &str = env!("CARGO_BIN_EXE_rosterd");
/// What rosterd answers without an XMPP server; nginx has it in a file.
const ANSWER: &str = "unavailable";

/// A server that runs. Dropping it kills it.
pub(crate) struct Web {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    address: String,
    child: Child,
    log: PathBuf,
}

impl Web {
    /// The daemon as it is by default, with 1,000 queues.
    pub(crate) fn rosterd(folder: &Path) -> anyhow::Result<Self> {
        let (config, export) = (folder.join("rosterd.toml"), folder.join("export"));
        let (state, socket) = (folder.join("state"), folder.join("admin.sock"));
        let port = free_port()?;
        let text = format!(
            "[xmpp]\nserver = '127.0.0.1:9'\ndomain = '{DOMAIN}'\nuser_domain = '{USER_DOMAIN}'\nsecret = 'x'\n\
             [http]\nlisten = '127.0.0.1:{port}'\n[store]\npath = '{}'\n[admin]\nsocket = '{}'\n",
            state.display(),
            socket.display(),
        );
        fs::write(&config, text)?;
        Site::new(1_000, 1_000).write_export(&export)?;
        let import = Command::new(ROSTERD).arg("--config").arg(&config).arg("import").arg(&export).output()?;
        ensure!(import.status.success(), "the import failed: {}", String::from_utf8_lossy(&import.stderr));
        let mut command = Command::new("taskset");
        command.args(["-c", SERVING, ROSTERD, "--config"]).arg(&config).arg("serve");
        Self::start("rosterd", port, &format!("/presence/jid/queue-7/{DOMAIN}/text"), command, folder)
    }

    /// nginx with the certificate of `other`, as fast as its manual has it: files are kept open, and nothing is logged.
    pub(crate) fn nginx(folder: &Path, other: &Self) -> anyhow::Result<Self> {
        let home = folder.join("nginx");
        fs::create_dir_all(&home)?;
        let tls = folder.join("state/tls");
        ensure!(tls.join("cert.pem").exists(), "{} has made no certificate", other.name);
        fs::write(home.join("text"), ANSWER)?;
        let port = free_port()?;
        let text = format!(
            "daemon off; worker_processes 1; pid {home}/pid; error_log stderr;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n\
             access_log off; default_type text/plain; sendfile on; tcp_nodelay on; keepalive_requests 100000000;\n\
             open_file_cache max=100 inactive=1h; open_file_cache_valid 1h;\n\
             client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;\n\
             uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;\n\
             server {{\n\
             listen 127.0.0.1:{port} ssl; root {home}; ssl_protocols TLSv1.3;\n\
             ssl_certificate {tls}/cert.pem; ssl_certificate_key {tls}/key.pem;\n\
             }} }}\n",
            home = home.display(),
            tls = tls.display(),
        );
        let config = home.join("nginx.conf");
        fs::write(&config, text)?;
        // Its worker is another user where root starts it.
        open_to_all(folder, &home)?;
        let mut command = Command::new("taskset");
        command.args(["-c", SERVING, "nginx", "-p"]).arg(&home).arg("-c").arg(&config);
        Self::start("nginx", port, "/text", command, &home)
    }

    fn start(name: &'static str, port: u16, path: &str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn();
        let child = child.with_context(|| format!("could not start {name}"))?;
        let address = format!("127.0.0.1:{port}");
        let mut web = Self { name, url: format!("https://{address}{path}"), address, child, log };
        web.serves()?;
        Ok(web)
    }

    /// CPU time so far, of it and its worker, in user and in kernel mode.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let pid = self.child.id().to_string();
        let read = |path: String| fs::read_to_string(&path).with_context(|| format!("could not read {path}"));
        let children = read(format!("/proc/{pid}/task/{pid}/children"))?;
        let mut ticks = 0;
        for pid in children.split_whitespace().chain([&*pid]) {
            let stat = read(format!("/proc/{pid}/stat"))?;
            let (_, rest) = stat.rsplit_once(')').context("this is no stat file")?;
            ticks += rest.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum::<u64>();
        }
        Ok(Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second()))
    }

    /// Waits until it takes connections.
    fn serves(&mut self) -> anyhow::Result<()> {
        for _ in 0..1_000 {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} has ended with {status}: {}", self.name, fs::read_to_string(&self.log)?);
            }
            if std::net::TcpStream::connect(&self.address).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("{} does not listen on {}: {}", self.name, self.address, fs::read_to_string(&self.log)?)
    }

    /// The version of TLS, the cipher and the key that a client like the one that asks gets.
    pub(crate) fn tls(&self) -> anyhow::Result<String> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &self.address]).stdin(Stdio::null());
        let output = command.output().context("could not run openssl")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = |start: &str| said.lines().map(str::trim).find(|line| line.starts_with(start)).map(str::to_owned);
        let lines = ["New, ", "Peer signature type: ", "Server Temp Key: "].map(line);
        let [cipher, signature, exchange] = lines;
        let all = cipher.zip(signature).zip(exchange);
        let ((cipher, signature), exchange) = all.with_context(|| format!("{}: no TLS in {said}", self.name))?;
        Ok(format!("{}; {signature}; {exchange}", cipher.trim_start_matches("New, ")))
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // nginx ends its worker when it is asked to end, not when it is killed.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Lets anybody read what nginx serves.
fn open_to_all(folder: &Path, home: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for (path, mode) in [(folder, 0o711), (home, 0o755), (&home.join("text"), 0o644)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
