//! Processes that end with who started them, and what they print.

use std::{
    io::{self, BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::sync::watch;

/// How long anything is waited for.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A child process in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    pub(crate) child: Child,
    pub(crate) lines: watch::Receiver<Vec<String>>,
}

/// A command that runs `program`, and is killed when the thread that starts it ends, whatever ends it.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, privileges: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(privileges).args(["--pdeathsig", "KILL"]).arg(program);
    command
}

impl Process {
    /// Starts `command`; both of its outputs go to the log.
    pub(crate) fn start(name: &str, command: Command) -> Result<Self> {
        Self::start_with(name, command, Stdio::null())
    }

    /// The same with something as its standard input.
    pub(crate) fn start_with(name: &str, mut command: Command, stdin: Stdio) -> Result<Self> {
        use std::os::unix::process::CommandExt;
        let (reader, writer) = io::pipe().context("no pipe")?;
        command.stdin(stdin).stdout(writer.try_clone()?).stderr(writer).process_group(0);
        let child = command.spawn().with_context(|| format!("could not start {name}"))?;
        drop(command);
        let (log, lines) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                log.send_modify(|lines| lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
        });
        Ok(Self { name: name.to_owned(), child, lines })
    }

    /// How it ended, if it has.
    pub(crate) fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Its number.
    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Everything that it has printed.
    pub(crate) fn log(&self) -> String {
        format!("---- {} printed ----\n{}\n", self.name, self.lines.borrow().join("\n"))
    }

    /// Waits until it has printed a line that is `wanted`.
    pub(crate) async fn wait_line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let find = |lines: &Vec<String>| lines.iter().find(|line| wanted(line)).cloned();
        let mut lines = self.lines.clone();
        let found = tokio::time::timeout(LIMIT, lines.wait_for(|lines| find(lines).is_some())).await;
        match found {
            Ok(Ok(lines)) => find(&lines).context("it is there"),
            Ok(Err(_)) => bail!("{} ended before it printed {what}\n{}", self.name, self.log()),
            Err(_) => bail!("waited {LIMIT:?} for {} to print {what}\n{}", self.name, self.log()),
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(&mut self) -> Result<ExitStatus> {
        kill_process(self.id(), Signal::TERM)
            .with_context(|| format!("{} is gone already\n{}", self.name, self.log()))?;
        self.ended().await
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        let poll = async {
            loop {
                look.tick().await;
                if let Some(status) = self.has_ended()? {
                    // Until all that it printed has been read.
                    while self.lines.changed().await.is_ok() {}
                    return Ok(status);
                }
            }
        };
        let ended = tokio::time::timeout(LIMIT, poll).await;
        ended.unwrap_or_else(|_| Err(anyhow!("waited {LIMIT:?} for {} to end\n{}", self.name, self.log())))
    }

    /// Kills it and all of its group, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // It may be gone already, and its group with it.
        let _ = kill_process_group(self.id(), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
