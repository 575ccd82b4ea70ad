//! What is logged, and how: on standard error, without colour when that is no terminal, and for the journal where that is
//! systemd's. How much is logged can be changed while the daemon runs ([`Levels`]).
//!
//! What a request or the link does stands in a span with its id; what the engine does for it, in the same.

use std::{
    env,
    error::Error,
    fmt,
    io::{self, IsTerminal},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{Event, Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Registry,
    filter::filter_fn,
    fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use crate::config::{Directives, Format, Log};

/// Starts logging. Call it once.
#[must_use]
pub fn start(log: &Log) -> Levels {
    let look = match log.format {
        Format::Json => Look::Json,
        Format::Text if is_journal() => Look::Journal,
        Format::Text => Look::Text { colour: io::stderr().is_terminal() },
    };
    let (subscriber, levels) = subscriber(log, look, io::stderr);
    subscriber.init();
    levels
}

/// Whether standard error is systemd's journal, which takes the priority of a line from its start (sd-daemon(3)).
#[must_use]
pub fn is_journal() -> bool {
    let Ok(stat) = rustix::fs::fstat(io::stderr()) else { return false };
    env::var("JOURNAL_STREAM").is_ok_and(|stream| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// How a line looks.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// For people.
    Text { colour: bool },
    /// The same, for a journal that notes the time by itself.
    Journal,
    /// One JSON object a line: `timestamp` (RFC 3339, UTC), `level`, `target`, `message`, the line's own fields beside
    /// them, and `spans`, the outermost first, each with its `name` and fields.
    Json,
}

/// A line with its priority before it.
struct WithPriority<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(line, "<{priority}>")?;
        self.0.format_event(context, line, event)
    }
}

/// How much is logged, while the daemon runs.
#[derive(Debug, Clone)]
pub struct Levels {
    filter: reload::Handle<EnvFilter, Registry>,
    now: Arc<Mutex<Standing>>,
}

/// What is logged now, and what the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What is logged now.
    pub present: Directives,
    /// What the configuration says.
    pub configured: Directives,
}

impl Levels {
    /// What is logged now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs what `wanted` says, until the next [`Levels::configure`] or [`Levels::reset`].
    ///
    /// # Errors
    /// When nothing is logged any more.
    pub fn set(&self, wanted: Directives) -> Result<(), reload::Error> {
        self.change(|standing| standing.present = wanted)
    }

    /// Logs what the configuration says.
    ///
    /// # Errors
    /// As [`Levels::set`].
    pub fn reset(&self) -> Result<(), reload::Error> {
        self.change(|standing| standing.present = standing.configured.clone())
    }

    /// Logs what the configuration says, which is this from now on.
    ///
    /// # Errors
    /// As [`Levels::set`].
    pub fn configure(&self, configured: Directives) -> Result<(), reload::Error> {
        self.change(|standing| *standing = Standing { present: configured.clone(), configured })
    }

    fn change(&self, change: impl FnOnce(&mut Standing)) -> Result<(), reload::Error> {
        // Held for all of it, so that what is said to be logged is what is logged.
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted = now.clone();
        change(&mut wanted);
        self.filter.reload(EnvFilter::new(wanted.present.as_str()))?;
        // What libraries write through `log` is held back by a level of its own.
        log::set_max_level(LevelFilter::current().to_string().parse().unwrap_or(log::LevelFilter::Trace));
        *now = wanted;
        Ok(())
    }
}

type Lines = Box<dyn Subscriber + Send + Sync>;

fn subscriber<W>(log: &Log, look: Look, writer: W) -> (Lines, Levels)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(EnvFilter::new(log.level.as_str()));
    let standing = Standing { present: log.level.clone(), configured: log.level.clone() };
    let levels = Levels { filter: handle, now: Arc::new(Mutex::new(standing)) };
    let wanted = tracing_subscriber::registry().with(filter).with(filter_fn(may_be_logged));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(matches!(look, Look::Text { colour: true }));
    let subscriber: Lines = match look {
        Look::Text { .. } => Box::new(wanted.with(lines.with_target(false))),
        Look::Journal => {
            Box::new(wanted.with(lines.event_format(WithPriority(format().without_time().with_target(false)))))
        }
        Look::Json => Box::new(wanted.with(lines.json().flatten_event(true).with_current_span(false))),
    };
    (subscriber, levels)
}

/// Libraries that below the level `info` write out what goes through them: sled what it stores, the hashes of passwords and
/// sessions; and `tokio_xmpp` the handshake, a hash of the component's secret and of what stands beside it.
const TALKATIVE: [&str; 2] = ["sled", "tokio_xmpp"];

fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !TALKATIVE.iter().any(|library| metadata.target().starts_with(library))
}

/// An error with all of its causes, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn directives(text: &str) -> Directives {
        Directives::parse(text).unwrap()
    }

    /// Logs for as long as `work` takes.
    fn logging(level: &str, look: Look, work: impl FnOnce(&Levels, &Written)) {
        let (log, written) = (Log { level: directives(level), format: Format::Text }, Written::default());
        let writer = written.clone();
        let (subscriber, levels) = subscriber(&log, look, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || work(&levels, &written));
    }

    fn sled_speaks() {
        tracing::trace!(target: "sled::pagecache", "s3cr3t");
        tracing::debug!(target: "sled::tree", "s3cr3t");
        tracing::warn!(target: "sled::pagecache", "a page is damaged");
    }

    #[test]
    fn what_is_stored_is_logged_at_no_level() {
        for look in [Look::Text { colour: false }, Look::Journal, Look::Json] {
            for level in ["trace", "sled=trace", "sled::pagecache=debug,info"] {
                logging(level, look, |_, written| {
                    sled_speaks();
                    let text = written.take();
                    assert!(text.contains("a page is damaged") && !text.contains("s3cr3t"), "{level}: {text}");
                });
                logging("error", look, |levels, written| {
                    levels.set(directives(level)).unwrap();
                    sled_speaks();
                    let text = written.take();
                    assert!(text.contains("a page is damaged") && !text.contains("s3cr3t"), "set to {level}: {text}");
                });
            }
        }
    }

    #[test]
    fn the_journal_gets_priorities_and_no_times() {
        logging("trace", Look::Journal, |_, written| {
            let _span = tracing::error_span!("link", id = 3, by = tracing::field::Empty).entered();
            tracing::error!("a");
            tracing::warn!(why = "x y", "b");
            tracing::Span::current().record("by", "us");
            tracing::info!("c");
            tracing::debug!("d");
            tracing::trace!("e");
            insta::assert_snapshot!(written.take(), @r#"
            <3>ERROR link{id=3}: a
            <4> WARN link{id=3}: b why="x y"
            <6> INFO link{id=3 by="us"}: c
            <7>DEBUG link{id=3 by="us"}: d
            <7>TRACE link{id=3 by="us"}: e
            "#);
        });
    }

    #[test]
    fn an_object_for_collectors() {
        logging("info", Look::Json, |_, written| {
            let _outer = tracing::error_span!("request", id = "8f", by = tracing::field::Empty).entered();
            tracing::Span::current().record("by", "login sue");
            let _inner = tracing::info_span!("inner", number = 7).entered();
            tracing::info!(target: "rosterd::x", queue = "l\"aw\n", "changed");
            let line = written.take();
            let (before, rest) = line.split_once(r#""timestamp":""#).unwrap();
            let (time, rest) = rest.split_once('"').unwrap();
            assert!(time.len() == "2026-01-31T12:00:00.000000Z".len() && time.ends_with('Z'), "{time}");
            insta::assert_snapshot!(format!("{before}{rest}"), @r#"{,"level":"INFO","message":"changed","queue":"l\"aw\n","target":"rosterd::x","spans":[{"by":"login sue","id":"8f","name":"request"},{"number":7,"name":"inner"}]}"#);
        });
    }

    #[test]
    fn levels_change_while_it_is_logged() {
        fn said(written: &Written) -> Vec<String> {
            tracing::info!(target: "rosterd::http", "http info");
            tracing::debug!(target: "rosterd::http", "http debug");
            tracing::debug!(target: "rosterd::xmpp::link", "xmpp debug");
            let lines = written.take();
            lines.lines().map(|line| line.rsplitn(3, ' ').take(2).collect::<Vec<_>>().join(" ")).collect()
        }
        logging("info", Look::Text { colour: false }, |levels, written| {
            let standing = |present: &str, configured: &str| {
                let expected = Standing { present: directives(present), configured: directives(configured) };
                assert_eq!(levels.standing(), expected);
            };
            assert_eq!(said(written), ["info http"]);
            levels.set(directives("info,rosterd::xmpp=debug")).unwrap();
            assert_eq!(said(written), ["info http", "debug xmpp"]);
            standing("info,rosterd::xmpp=debug", "info");
            levels.configure(directives("debug")).unwrap();
            assert_eq!(said(written), ["info http", "debug http", "debug xmpp"]);
            standing("debug", "debug");
            levels.set(directives("off")).unwrap();
            assert!(said(written).is_empty());
            levels.reset().unwrap();
            assert_eq!(said(written), ["info http", "debug http", "debug xmpp"]);
            standing("debug", "debug");
        });
    }
}
