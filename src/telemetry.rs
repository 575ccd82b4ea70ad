//! What is logged, and how: on standard error, without colour when that is no terminal.

use std::{
    error::Error,
    io::{self, IsTerminal},
};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    filter::filter_fn,
    fmt::{MakeWriter, fmt},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{Format, Log};

/// Starts logging. Call it once.
pub fn start(log: &Log) {
    subscriber(log, io::stderr, io::stderr().is_terminal()).init();
}

fn subscriber<W>(log: &Log, writer: W, colour: bool) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt().with_env_filter(EnvFilter::new(&log.level)).with_writer(writer).with_ansi(colour);
    let filter = filter_fn(may_be_logged);
    match log.format {
        Format::Text => Box::new(lines.with_target(false).finish().with(filter)),
        Format::Json => Box::new(lines.json().flatten_event(true).finish().with(filter)),
    }
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
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_stored_is_logged_at_no_level() {
        for format in [Format::Text, Format::Json] {
            for level in ["trace", "sled=trace", "sled::pagecache=debug,info"] {
                let (log, lines) = (Log { level: level.into(), format }, Lines::default());
                let writer = lines.clone();
                tracing::subscriber::with_default(subscriber(&log, move || writer.clone(), false), || {
                    tracing::trace!(target: "sled::pagecache", "s3cr3t");
                    tracing::debug!(target: "sled::tree", "s3cr3t");
                    tracing::warn!(target: "sled::pagecache", "a page is damaged");
                });
                let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
                assert!(text.contains("a page is damaged") && !text.contains("s3cr3t"), "{level}: {text}");
            }
        }
    }
}
