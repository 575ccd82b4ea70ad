//! What is logged, and how: on standard error, without colour when that is no terminal. How much is logged can be changed while
//! the daemon runs ([`Levels`]).

use std::{
    error::Error,
    io::{self, IsTerminal},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Registry,
    filter::filter_fn,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::config::{Directives, Format, Log};

/// Starts logging. Call it once.
#[must_use]
pub fn start(log: &Log) -> Levels {
    let (subscriber, levels) = subscriber(log, io::stderr, io::stderr().is_terminal());
    subscriber.init();
    levels
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

fn subscriber<W>(log: &Log, writer: W, colour: bool) -> (Lines, Levels)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(EnvFilter::new(log.level.as_str()));
    let standing = Standing { present: log.level.clone(), configured: log.level.clone() };
    let levels = Levels { filter: handle, now: Arc::new(Mutex::new(standing)) };
    let wanted = tracing_subscriber::registry().with(filter).with(filter_fn(may_be_logged));
    let lines = fmt::layer().with_writer(writer).with_ansi(colour);
    let subscriber: Lines = match log.format {
        Format::Text => Box::new(wanted.with(lines.with_target(false))),
        Format::Json => Box::new(wanted.with(lines.json().flatten_event(true))),
    };
    (subscriber, levels)
}

/// Below the level `info` sled writes out what it stores: the hashes of passwords and sessions.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !metadata.target().starts_with("sled")
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
    fn logging(level: &str, format: Format, work: impl FnOnce(&Levels, &Written)) {
        let (log, written) = (Log { level: directives(level), format }, Written::default());
        let writer = written.clone();
        let (subscriber, levels) = subscriber(&log, move || writer.clone(), false);
        tracing::subscriber::with_default(subscriber, || work(&levels, &written));
    }

    fn sled_speaks() {
        tracing::trace!(target: "sled::pagecache", "s3cr3t");
        tracing::debug!(target: "sled::tree", "s3cr3t");
        tracing::warn!(target: "sled::pagecache", "a page is damaged");
    }

    #[test]
    fn what_is_stored_is_logged_at_no_level() {
        for format in [Format::Text, Format::Json] {
            for level in ["trace", "sled=trace", "sled::pagecache=debug,info"] {
                logging(level, format, |_, written| {
                    sled_speaks();
                    let text = written.take();
                    assert!(text.contains("a page is damaged") && !text.contains("s3cr3t"), "{level}: {text}");
                });
                logging("error", format, |levels, written| {
                    levels.set(directives(level)).unwrap();
                    sled_speaks();
                    let text = written.take();
                    assert!(text.contains("a page is damaged") && !text.contains("s3cr3t"), "set to {level}: {text}");
                });
            }
        }
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
        logging("info", Format::Text, |levels, written| {
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
