//! What presence costs on its whole way, from the server's socket to the followers' presence, beside other components that
//! do the same or less: `cargo bench --bench link`, or with `-- --quick` a few seconds that only show that it runs. With
//! `-- WORD` only what has the word in its name is measured; with `-- --beside=PROGRAM` another `rosterd` is measured too.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod contender;
mod measure;
mod reader;
mod report;
mod server;
mod site;
#[path = "../../tests/support/skip.rs"]
mod skip;
mod stanza;

use std::{io::Write as _, iter, path::Path, time::Duration};

use self::{
    contender::{Contender, Pace, python},
    measure::{Latency, Resync, Throughput, latency, resync, throughput},
    reader::Depth,
    report::Report,
    server::Server,
    site::Site,
};

/// How much is done.
struct Size {
    users: usize,
    queues: usize,
    /// Presences in a round, for what is fast and for what is slow.
    stanzas: usize,
    stanzas_slow: usize,
    rounds: usize,
    /// Presences a second while it is measured how long each takes, and for how long.
    rate: u32,
    length: Duration,
    /// Users of the resync.
    many: usize,
}

const FULL: Size = Size {
    users: 10_000,
    queues: 1_000,
    stanzas: 200_000,
    stanzas_slow: 20_000,
    rounds: 3,
    rate: 1_000,
    length: Duration::from_secs(5),
    many: 100_000,
};
const QUICK: Size = Size {
    users: 1_000,
    queues: 200,
    stanzas: 2_000,
    stanzas_slow: 2_000,
    rounds: 1,
    rate: 100,
    length: Duration::from_secs(1),
    many: 1_000,
};

fn main() -> anyhow::Result<()> {
    if let Ok(order) = std::env::var(reader::VARIABLE) {
        return reader::run(&order);
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    // Cargo adds this one.
    let is_known = |it: &&String| !it.starts_with("--") || ["--quick", "--bench"].contains(&it.as_str());
    if let Some(unknown) = arguments.iter().find(|it| !is_known(it) && !it.starts_with("--beside=")) {
        anyhow::bail!(
            "{unknown} is not known; what is: --quick, --beside=PROGRAM, and a word of what is to be measured"
        );
    }
    let size = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { FULL };
    let wanted = arguments.iter().find(|argument| !argument.starts_with("--"));
    let beside = arguments.iter().find_map(|argument| argument.strip_prefix("--beside="));
    let is_wanted = |name: &str| {
        let is_it = wanted.is_none_or(|wanted| name.contains(wanted));
        if is_it {
            say(&format!("{name} ..."));
        }
        is_it
    };
    let python = python();
    if let Err(why) = &python {
        skip::skip(&format!("the component on slixmpp, beside rosterd: {why:#}"));
    }
    let ours = || iter::once(Kind::Rosterd).chain(beside.map(|program| Kind::Beside(Path::new(program))));
    let rivals = |leans: &'static [bool]| {
        let python = python.as_deref().ok();
        python.into_iter().flat_map(move |python| leans.iter().map(move |lean| Kind::Slixmpp(python, *lean)))
    };
    let mut report = Report::default();
    for depth in Depth::ALL.into_iter().filter(|depth| is_wanted(depth.as_str())) {
        report.readers.push((depth.as_str(), reading(&size, depth)?));
    }
    let kinds = ours().chain(rivals(&[true, false]));
    for kind in kinds.filter(|kind| is_wanted(kind.name())) {
        report.working.push((kind.name(), working(&size, kind)?));
    }
    let kinds = ours().chain(rivals(&[true]));
    for kind in kinds.filter(|kind| is_wanted(&format!("resync of {}", kind.name()))) {
        report.resyncs.push((kind.name(), resyncing(&size, kind)?));
    }
    if is_wanted("resync at the default pace") {
        report.paced = Some(paced(&size)?);
    }
    say(&report.text(&size));
    if arguments.iter().any(|argument| argument == "--quick") || cfg!(debug_assertions) {
        say("These figures say nothing: it was too little, or not optimised.");
    }
    Ok(())
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Who does the whole work.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Rosterd,
    /// Another build of it.
    Beside(&'a Path),
    /// With which Python, and whether as lean as it goes.
    Slixmpp(&'a Path, bool),
}

impl Kind<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::Rosterd => "rosterd",
            Self::Beside(_) => "the rosterd beside it",
            Self::Slixmpp(_, true) => "slixmpp, lean",
            Self::Slixmpp(_, false) => "slixmpp, as documented",
        }
    }

    fn start(self, server: &Server, pace: Pace, folder: &Path) -> anyhow::Result<Contender> {
        match self {
            Self::Rosterd => Contender::rosterd(server, pace, folder, Path::new(contender::ROSTERD)),
            Self::Beside(program) => Contender::rosterd(server, pace, folder, program),
            Self::Slixmpp(python, lean) => Contender::slixmpp(server, pace, folder, python, lean),
        }
    }
}

fn reading(size: &Size, depth: Depth) -> anyhow::Result<Throughput> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(Site::new(size.users, size.queues))?;
    let mut contender = Contender::reader(&server, depth, folder.path())?;
    let (link, _) = server.accept(&mut contender)?;
    let stanzas = size.stanzas;
    median(size.rounds, || throughput(&server, &link, &contender, stanzas, false))
}

fn working(size: &Size, kind: Kind) -> anyhow::Result<(Throughput, Latency)> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(Site::new(size.users, size.queues))?;
    let mut contender = kind.start(&server, Pace::FAST, folder.path())?;
    let (link, _) = resync(&server, &mut contender)?;
    let stanzas = match kind {
        Kind::Rosterd | Kind::Beside(_) => size.stanzas,
        Kind::Slixmpp(..) => size.stanzas_slow,
    };
    let throughput = median(size.rounds, || throughput(&server, &link, &contender, stanzas, true))?;
    Ok((throughput, latency(&server, &link, size.rate, size.length)?))
}

/// The first link, and one after that was lost.
fn resyncing(size: &Size, kind: Kind) -> anyhow::Result<(Resync, Resync)> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(Site::new(size.many, size.queues))?;
    let mut contender = kind.start(&server, Pace::FAST, folder.path())?;
    let (link, first) = resync(&server, &mut contender)?;
    drop(link);
    let (_link, second) = resync(&server, &mut contender)?;
    Ok((first, second))
}

fn paced(size: &Size) -> anyhow::Result<Resync> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(Site::new(size.many, size.queues))?;
    let mut contender = Kind::Rosterd.start(&server, Pace::DEFAULT, folder.path())?;
    Ok(resync(&server, &mut contender)?.1)
}

/// Of so many rounds, the one in the middle.
fn median(rounds: usize, mut round: impl FnMut() -> anyhow::Result<Throughput>) -> anyhow::Result<Throughput> {
    let mut all = (0..rounds).map(|_| round()).collect::<anyhow::Result<Vec<_>>>()?;
    all.sort_by(|a, b| a.a_second.total_cmp(&b.a_second));
    Ok(all[rounds / 2])
}
