//! What was measured, as tables.

use std::fmt::Write as _;

use super::{
    Size,
    contender::Pace,
    measure::{Latency, Resync, Throughput},
};

/// Everything that was measured, by whom it was.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) readers: Vec<(&'static str, Throughput)>,
    /// The first is rosterd.
    pub(crate) working: Vec<(&'static str, (Throughput, Latency))>,
    /// The first is rosterd.
    pub(crate) resyncs: Vec<(&'static str, (Resync, Resync))>,
    pub(crate) paced: Option<Resync>,
}

impl Report {
    /// Markdown. Ratios say how many times as fast, or as little, rosterd is.
    pub(crate) fn text(&self, size: &Size) -> String {
        [self.throughput(size), self.latency(size), self.resync(size)].join("\n")
    }

    fn throughput(&self, size: &Size) -> String {
        let mut text = format!(
            "\n{} users in {} queues, each with a follower; random changes, to the last follower told:\n\n\
             | | presences a second | CPU seconds a million | rosterd's are |\n|---|---|---|---|\n",
            size.users, size.queues
        );
        let whole = self.working.iter().map(|(name, (throughput, _))| (name, throughput));
        let readers = self.readers.iter().map(|(name, throughput)| (name, throughput));
        let own = self.working.first().map(|(_, (throughput, _))| *throughput);
        for (name, it) in readers.chain(whole) {
            let ratio = own.map_or(1.0, |own| own.a_second / it.a_second);
            let less = own.map_or(1.0, |own| own.cpu_of_a_million / it.cpu_of_a_million);
            let tells =
                if it.tells > 0.0 { format!(", {:.2} presences told for each", it.tells) } else { String::new() };
            let _ = writeln!(
                text,
                "| {name}{tells} | {:.0} | {:.2} | {ratio:.2} times as many, at {less:.2} times the CPU |",
                it.a_second, it.cpu_of_a_million
            );
        }
        text
    }

    fn latency(&self, size: &Size) -> String {
        let mut text = format!(
            "\nFrom a user's presence to their queue's, at {} a second:\n\n\
             | | half take at most | 99 of 100 at most | rosterd's are |\n|---|---|---|---|\n",
            size.rate
        );
        let own = self.working.first().map(|(_, (_, latency))| *latency);
        for (name, (_, it)) in &self.working {
            let ratio = |mine: fn(&Latency) -> f64| own.map_or(1.0, |own| mine(&own) / mine(it));
            let (half, most) = (ratio(|it| it.half.as_secs_f64()), ratio(|it| it.most.as_secs_f64()));
            let _ = writeln!(
                text,
                "| {name} | {:.2} ms | {:.2} ms | {half:.2} and {most:.2} times as long |",
                it.half.as_secs_f64() * 1e3,
                it.most.as_secs_f64() * 1e3
            );
        }
        text
    }

    fn resync(&self, size: &Size) -> String {
        let mut text = format!(
            "\n{} users who are all online, from the handshake to the last follower told:\n\n\
             | | link up, first time | link lost and back | memory before, after | rosterd's are, when back |\n\
             |---|---|---|---|---|\n",
            size.many
        );
        let own = self.resyncs.first().map(|(_, (_, back))| *back);
        for (name, (first, back)) in &self.resyncs {
            let ratio = own.map_or(1.0, |own| own.length.as_secs_f64() / back.length.as_secs_f64());
            let less = own.map_or(1.0, |own| own.cpu.as_secs_f64() / back.cpu.as_secs_f64());
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {}, {} MiB | {ratio:.2} times as long, {less:.2} times the CPU |",
                took(first),
                took(back),
                first.resident.0,
                first.resident.1
            );
        }
        if let Some(paced) = &self.paced {
            let (rate, quiet) = (Pace::DEFAULT.rate, Pace::DEFAULT.quiet);
            let _ = writeln!(text, "| rosterd at {rate} a second, with {quiet:?} of quiet | {} | | | |", took(paced));
        }
        text
    }
}

fn took(it: &Resync) -> String {
    format!("{:.2} s, {:.2} CPU s", it.length.as_secs_f64(), it.cpu.as_secs_f64())
}
