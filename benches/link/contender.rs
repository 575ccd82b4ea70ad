//! Components that are measured, each as a process of its own, so that its CPU time and its memory are its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use super::{
    reader::{self, Depth},
    server::{SECRET, Server},
    site::{DOMAIN, USER_DOMAIN},
};

/// How the probes after a connect are paced.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Users a second.
    pub(crate) rate: u32,
    /// How long late answers are waited for.
    pub(crate) quiet: Duration,
}

impl Pace {
    /// As fast as it goes.
    pub(crate) const FAST: Self = Self { rate: 10_000_000, quiet: Duration::from_millis(10) };
    /// What holds where nothing is configured.
    pub(crate) const DEFAULT: Self = Self { rate: 1_500, quiet: Duration::from_secs(1) };
}

/// The daemon that was built with this benchmark.
pub(crate) const ROSTERD: &str = env!("CARGO_BIN_EXE_rosterd");

/// A component that runs.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Contender {
    fn start(name: &'static str, command: &mut Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join("log");
        let output = File::create(&log)?;
        let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn();
        let child = child.with_context(|| format!("could not start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// The daemon, with everything as it is by default but the pace, and a store of its own in `folder`.
    pub(crate) fn rosterd(server: &Server, pace: Pace, folder: &Path, program: &Path) -> anyhow::Result<Self> {
        let (config, export) = (folder.join("rosterd.toml"), folder.join("export"));
        let (store, socket) = (folder.join("store"), folder.join("admin.sock"));
        let text = format!(
            "[xmpp]\nserver = '127.0.0.1:{}'\ndomain = '{DOMAIN}'\nuser_domain = '{USER_DOMAIN}'\nsecret = '{SECRET}'\n\
             sweep_rate = {}\nsweep_quiet = '{}ms'\n[http]\nlisten = '127.0.0.1:0'\n[store]\npath = '{}'\n\
             [admin]\nsocket = '{}'\n",
            server.port()?,
            pace.rate,
            pace.quiet.as_millis(),
            store.display(),
            socket.display(),
        );
        fs::write(&config, text)?;
        server.state().site.write_export(&export)?;
        let import = Command::new(program).arg("--config").arg(&config).arg("import").arg(&export).output()?;
        ensure!(import.status.success(), "the import failed: {}", String::from_utf8_lossy(&import.stderr));
        Self::start("rosterd", Command::new(program).arg("--config").arg(&config).arg("serve"), folder)
    }

    /// The component on slixmpp.
    pub(crate) fn slixmpp(
        server: &Server,
        pace: Pace,
        folder: &Path,
        python: &Path,
        lean: bool,
    ) -> anyhow::Result<Self> {
        let deployment = folder.join("deployment");
        server.state().site.write_lines(&deployment)?;
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/link/component.py"));
        command.args(["127.0.0.1", &server.port()?.to_string()]).arg(&deployment);
        command.args(["--domain", DOMAIN, "--user-domain", USER_DOMAIN, "--secret", SECRET]);
        command.args(["--rate", &pace.rate.to_string(), "--quiet", &pace.quiet.as_secs_f64().to_string()]);
        command.args(lean.then_some("--lean"));
        Self::start(if lean { "slixmpp, lean" } else { "slixmpp" }, &mut command, folder)
    }

    /// Somebody who only reads.
    pub(crate) fn reader(server: &Server, depth: Depth, folder: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(reader::VARIABLE, format!("{}:{}", depth.as_str(), server.port()?));
        Self::start(depth.as_str(), &mut command, folder)
    }

    /// # Errors
    /// When it has ended, and what it said last.
    pub(crate) fn is_alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(20).collect();
            bail!("{} has ended with {status}:\n{}", self.name, last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        Ok(())
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("could not read {path}"))
    }

    /// CPU time so far, of all its threads, in user and in kernel mode.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.proc("stat")?;
        let (_, rest) = stat.rsplit_once(')').context("this is no stat file")?;
        let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second()))
    }

    /// Memory that is in RAM, in MiB.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("this is no status file")?;
        let kib: u64 = line.trim().split(' ').next().unwrap_or_default().parse()?;
        Ok(kib >> 10)
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python that has slixmpp, in an environment of its own below `target`; it is made where it is not there.
///
/// # Errors
/// When there is no Python, or no way to the package.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/slixmpp");
    let python = folder.join("bin/python");
    let has_it = |python: &Path| {
        let tried = Command::new(python).args(["-c", "import slixmpp"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    if has_it(&python) {
        return Ok(python);
    }
    let run = |command: &mut Command| {
        let output = command.output().with_context(|| format!("could not run {command:?}"))?;
        ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        anyhow::Ok(())
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "slixmpp==1.17.0"]))?;
    Ok(python)
}
