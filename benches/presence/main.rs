//! What a page's question costs over HTTPS, beside nginx with a file of the same size: `cargo bench --bench presence`, or with
//! `-- --quick` a few seconds that only show that it runs.

#[path = "../link/site.rs"]
#[expect(dead_code, reason = "the benchmark of the link needs more of it")]
mod site;
#[path = "../../tests/support/skip.rs"]
mod skip;
mod web;

use std::{fmt, io::Write as _, process::Command};

use anyhow::{Context, ensure};

use self::web::Web;

/// Connections that ask, one question after the other each.
const CONNECTIONS: &str = "32";
/// How much of nginx's rate rosterd is to reach at the least.
const TARGET: f64 = 0.7;

/// Rounds of each, and seconds of a round.
struct Size {
    rounds: usize,
    seconds: u32,
}

const FULL: Size = Size { rounds: 7, seconds: 4 };
const QUICK: Size = Size { rounds: 1, seconds: 1 };

fn main() -> anyhow::Result<()> {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let size = if is_quick { QUICK } else { FULL };
    if let Some(what) = missing() {
        skip::skip(&format!("the benchmark of presence over HTTPS: {what} (./tests/run.sh installs what is needed)"));
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let rosterd = Web::rosterd(folder.path())?;
    let nginx = Web::nginx(folder.path(), &rosterd)?;
    let (ours, theirs) = (rosterd.tls()?, nginx.tls()?);
    ensure!(ours == theirs, "they speak different TLS: {ours}, {theirs}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=size.rounds {
        // By turns, so that what else the machine does meets both.
        for (web, rounds) in [(&rosterd, &mut ours), (&nginx, &mut theirs)] {
            let round_of = ask(web, size.seconds)?;
            say(&format!("round {round}, {}: {round_of}", web.name));
            rounds.push(round_of);
        }
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    let ratio = ours.a_second / theirs.a_second;
    say(&format!(
        "\n{}, {CONNECTIONS} connections, one worker each on a core of its own:\n\
         rosterd: {ours}\nnginx:   {theirs}\n\
         rosterd answers {:.0} % of what nginx does (wanted: {:.0} % at the least)",
        rosterd.tls()?,
        ratio * 100.0,
        TARGET * 100.0,
    ));
    if is_quick || cfg!(debug_assertions) {
        say("These figures say nothing: it was too little, or not optimised.");
        return Ok(());
    }
    ensure!(ratio >= TARGET, "that is less than wanted");
    Ok(())
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What it takes, and is not there.
fn missing() -> Option<String> {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
        return Some("it takes two cores".to_owned());
    }
    let programs = ["nginx", "wrk", "openssl", "taskset"].into_iter();
    // Whatever they say to that, they are there if they can be started.
    let mut absent = programs.filter(|name| Command::new(name).arg("-v").output().is_err());
    absent.next().map(|name| format!("the program {name} is not installed"))
}

/// What a server did in a round.
#[derive(Clone, Copy)]
struct Round {
    /// Requests answered in a second.
    a_second: f64,
    /// Its CPU time for one of them, in microseconds.
    cpu: f64,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} requests a second, {:.1} µs of CPU time for each", self.a_second, self.cpu)
    }
}

/// Asks for so long, as fast as it is answered.
fn ask(web: &Web, seconds: u32) -> anyhow::Result<Round> {
    let mut command = Command::new("taskset");
    command.args(["-c", web::ASKING, "wrk", "-t", "1", "-c", CONNECTIONS, "-d", &format!("{seconds}s"), &web.url]);
    let before = web.cpu()?;
    let output = command.output().context("could not run wrk")?;
    let cpu = web.cpu()?.saturating_sub(before);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success() && !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "wrk says: {said}"
    );
    let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<f64>().ok());
    let a_second = number(said.lines().find_map(|line| line.strip_prefix("Requests/sec:")));
    let all = number(said.lines().find_map(|line| line.split_once(" requests in ").map(|(all, _)| all)));
    let (a_second, all) = a_second.zip(all).with_context(|| format!("no figures in what wrk says: {said}"))?;
    Ok(Round { a_second, cpu: cpu.as_secs_f64() * 1e6 / all })
}

/// The middle of each figure.
fn median(rounds: &[Round]) -> Round {
    let middle = |figure: fn(&Round) -> f64| {
        let mut figures: Vec<_> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Round { a_second: middle(|round| round.a_second), cpu: middle(|round| round.cpu) }
}
