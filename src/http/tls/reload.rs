//! The certificate that is served, kept up to date: read anew when its files change or somebody asks.

use std::{
    convert::Infallible,
    future::pending,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime},
};

use axum_server::tls_rustls::RustlsConfig;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::warn;

use super::{
    Loaded, Settings, Source, TlsError,
    facts::{Facts, SOON},
};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// How often a certificate that ends soon is warned of, and one of our own looked at.
const DAY: Duration = Duration::from_hours(24);

/// What tells one state of a file from another, through whatever links lead to it. Who renews a certificate mostly puts another
/// file in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        let modified = (file.mtime(), file.mtime_nsec());
        Some(Self { device: file.dev(), inode: file.ino(), size: file.size(), modified })
    }
}

/// Of the certificate and of its key.
type Stamps = [Option<Stamp>; 2];

/// Holds the certificate that new connections get; those that are open keep theirs.
#[derive(Debug)]
pub(in crate::http) struct Keeper {
    served: RustlsConfig,
    state: State,
    asked: Option<watch::Receiver<()>>,
}

#[derive(Debug)]
struct State {
    source: Source,
    facts: Facts,
    /// The files as they were before they were last read.
    seen: Stamps,
    /// Why the files as they are now are not served, as it was said.
    trouble: Option<String>,
    /// When it was last looked at how long the certificate holds yet.
    checked: Instant,
}

impl Keeper {
    /// Reads the certificate that `settings` name, or makes one.
    pub(in crate::http) fn start(settings: &Settings) -> Result<Self, TlsError> {
        let source = Source::of(settings)?;
        let now = SystemTime::now();
        let (loaded, seen) = source.load_stamped(now);
        let loaded = loaded?;
        loaded.facts.log(&source.files().cert, now);
        let state = State { source, facts: loaded.facts, seen, trouble: None, checked: Instant::now() };
        Ok(Self { served: RustlsConfig::from_config(loaded.config), state, asked: None })
    }

    /// What is put in here later, new connections get.
    pub(in crate::http) fn served(&self) -> RustlsConfig {
        self.served.clone()
    }

    /// Reads them anew when this changes, whatever the files look like.
    pub(in crate::http) fn reload_when(self, asked: watch::Receiver<()>) -> Self {
        Self { asked: Some(asked), ..self }
    }

    /// Looks at the files for ever.
    pub(in crate::http) async fn run(self) -> Infallible {
        let Self { served, mut state, mut asked } = self;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_asked = tokio::select! {
                _ = ticks.tick() => false,
                () = changed(&mut asked) => true,
            };
            let served = served.clone();
            // Reading files blocks, and now and then one of them is on a disk that is away.
            let looked = tokio::task::spawn_blocking(move || {
                state.look(is_asked, &served);
                state
            });
            let Ok(after) = looked.await else { return pending().await };
            state = after;
        }
    }
}

/// Waits until somebody asks. Nobody does where nobody can, or any more.
async fn changed(asked: &mut Option<watch::Receiver<()>>) {
    let is_asked = match asked {
        Some(asked) => asked.changed().await.is_ok(),
        None => false,
    };
    if !is_asked {
        pending::<()>().await;
    }
}

impl State {
    fn look(&mut self, is_asked: bool, served: &RustlsConfig) {
        let now = SystemTime::now();
        let is_new = self.source.stamps() != self.seen || self.trouble.is_some();
        let is_due = self.is_due(now);
        if !is_asked && !is_new && !is_due {
            return;
        }
        let (loaded, seen) = self.source.load_stamped(now);
        self.seen = seen;
        match loaded {
            Ok(loaded) => {
                self.trouble = None;
                loaded.facts.log(&self.source.files().cert, now);
                self.facts = loaded.facts;
                served.reload_from_config(loaded.config);
            }
            Err(error) => {
                let trouble = crate::telemetry::chain(&error);
                if is_asked || self.trouble.as_ref() != Some(&trouble) {
                    warn!(error = trouble, "the new certificate can not be used: the old one is served on");
                }
                self.trouble = Some(trouble);
            }
        }
    }

    /// Whether one of our own is to be renewed. Of one that is not ours it is said that it is.
    fn is_due(&mut self, now: SystemTime) -> bool {
        if self.checked.elapsed() < DAY {
            return false;
        }
        self.checked = Instant::now();
        match self.source {
            Source::Own { .. } => self.facts.left(now) < SOON,
            Source::Given(_) => {
                self.facts.warn(now);
                false
            }
        }
    }
}

impl Source {
    fn stamps(&self) -> Stamps {
        let files = self.files();
        [&files.cert, &files.key].map(|path| Stamp::of(path))
    }

    /// What is there, and the stamps of what was read: of somebody else's files from before, so that nothing is missed that
    /// changes meanwhile; of our own from after, since they may have been made.
    fn load_stamped(&self, now: SystemTime) -> (Result<Loaded, TlsError>, Stamps) {
        let before = self.stamps();
        let loaded = self.load(now);
        match self {
            Self::Given(_) => (loaded, before),
            Self::Own { .. } => (loaded, self.stamps()),
        }
    }
}
