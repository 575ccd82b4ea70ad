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
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::{error, warn};

use super::{
    Loaded, Settings, Source, TlsError,
    facts::{Facts, SOON},
};
use crate::metrics::Metrics;

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
    metrics: Metrics,
    renewal: Renewal,
    asked: mpsc::Receiver<Asked>,
}

/// Waits until the certificate was read anew, and why that was in vain.
type Asked = oneshot::Sender<Result<(), String>>;

/// Has a certificate read anew.
#[derive(Debug, Clone)]
pub(in crate::http) struct Renewal(mpsc::Sender<Asked>);

impl Renewal {
    /// Has it read, whatever its files look like; returns when new connections get it.
    ///
    /// # Errors
    /// Why it can not be used, in words for an administrator: the old one is served on.
    pub(in crate::http) async fn ask(&self) -> Result<(), String> {
        let over = |()| "certificates are not read anew any more".to_owned();
        let (done, read) = oneshot::channel();
        self.0.send(done).await.map_err(|_| over(()))?;
        read.await.map_err(|_| over(()))?
    }
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
    pub(in crate::http) fn start(settings: &Settings, metrics: Metrics) -> Result<Self, TlsError> {
        let source = Source::of(settings)?;
        let now = SystemTime::now();
        let (loaded, seen) = source.load_stamped(now);
        let loaded = loaded?;
        loaded.facts.log(&source.files().cert, now);
        metrics.http().certificate(loaded.facts.until);
        let state = State { source, facts: loaded.facts, seen, trouble: None, checked: Instant::now() };
        let (renewal, asked) = mpsc::channel(1);
        Ok(Self { served: RustlsConfig::from_config(loaded.config), state, renewal: Renewal(renewal), asked, metrics })
    }

    /// What is put in here later, new connections get.
    pub(in crate::http) fn served(&self) -> RustlsConfig {
        self.served.clone()
    }

    /// What has it read anew.
    pub(in crate::http) fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    /// Looks at the files for ever.
    pub(in crate::http) async fn run(self) -> Infallible {
        // As long as this is here, somebody may ask.
        let Self { served, mut state, renewal: _renewal, mut asked, metrics } = self;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => None,
                asked = asked.recv() => asked,
            };
            let is_asked = asked.is_some();
            // Reading files blocks, and now and then one of them is on a disk that is away.
            let looked = tokio::task::spawn_blocking(move || {
                let seen = state.look(is_asked, SystemTime::now());
                (state, seen)
            });
            let Ok((after, seen)) = looked.await else {
                error!("certificates are not read anew any more: restart rosterd when they change");
                return pending().await;
            };
            state = after;
            let read = match seen {
                Seen::Same => Ok(()),
                Seen::New(loaded) => {
                    loaded.facts.log(&state.source.files().cert, SystemTime::now());
                    metrics.http().certificate(loaded.facts.until);
                    served.reload_from_config(loaded.config);
                    Ok(())
                }
                Seen::Trouble(error) => {
                    warn!(error, "the new certificate can not be used: the old one is served on");
                    Err(error)
                }
            };
            if let Some(asked) = asked {
                // Who asked may have gone.
                let _ = asked.send(read);
            }
        }
    }
}

/// What there is to be done about the files.
#[derive(Debug)]
enum Seen {
    /// Nothing.
    Same,
    /// To serve this.
    New(Loaded),
    /// To say this.
    Trouble(String),
}

impl State {
    /// Reads the files if they changed, or can not be used as they are, or somebody asks. The same trouble is told once, and
    /// to whoever asks.
    fn look(&mut self, is_asked: bool, now: SystemTime) -> Seen {
        let is_new = self.source.stamps() != self.seen || self.trouble.is_some();
        let is_due = self.is_due(now);
        if !is_asked && !is_new && !is_due {
            return Seen::Same;
        }
        let (loaded, seen) = self.source.load_stamped(now);
        self.seen = seen;
        match loaded {
            Ok(loaded) => {
                self.trouble = None;
                self.facts = loaded.facts.clone();
                Seen::New(loaded)
            }
            Err(error) => {
                let trouble = crate::telemetry::chain(&error);
                let is_told = self.trouble.replace(trouble.clone()).is_some_and(|told| told == trouble);
                if is_told && !is_asked { Seen::Same } else { Seen::Trouble(trouble) }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::http::{testing, tls::own};

    /// One pair in use, and another one that may be put in its place.
    struct Place {
        folder: TempDir,
        state: State,
    }

    fn place(is_own: bool) -> Place {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["tls", "other"] {
            own::make(&path(name), &own::files(&path(name)), "queues.example.org", SystemTime::now()).unwrap();
        }
        let given = |name| Some(path(name)).filter(|_| !is_own);
        let settings = Settings {
            state: folder.path().into(),
            tls_cert: given("tls/cert.pem"),
            tls_key: given("tls/key.pem"),
            ..testing::settings()
        };
        let state = Keeper::start(&settings, Metrics::default()).unwrap().state;
        Place { folder, state }
    }

    impl Place {
        fn put(&self, name: &str) {
            let [from, to] = ["other", "tls"].map(|folder| self.folder.path().join(folder).join(name));
            fs::copy(from, to).unwrap();
        }

        fn look(&mut self, is_asked: bool) -> &'static str {
            match self.state.look(is_asked, SystemTime::now()) {
                Seen::Same => "same",
                Seen::New(_) => "new",
                Seen::Trouble(_) => "trouble",
            }
        }
    }

    #[tokio::test]
    async fn what_changed_is_read_once() {
        let mut place = place(false);
        assert_eq!(place.look(false), "same");
        assert_eq!(place.look(true), "new", "somebody wants it read");
        place.put("cert.pem");
        assert_eq!([place.look(false), place.look(false)], ["trouble", "same"], "it is said once");
        assert_eq!(place.look(true), "trouble", "or to whoever asks");
        place.put("key.pem");
        assert_eq!([place.look(false), place.look(false)], ["new", "same"]);
        fs::remove_file(place.folder.path().join("tls/cert.pem")).unwrap();
        assert_eq!([place.look(false), place.look(false)], ["trouble", "same"]);
        place.put("cert.pem");
        assert_eq!(place.look(false), "new", "it is tried until it works");
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_ours_is_renewed_while_we_run() {
        let mut place = place(true);
        let much_later = SystemTime::now() + 790 * DAY;
        assert!(matches!(place.state.look(false, much_later), Seen::Same), "it is looked at once a day");
        tokio::time::advance(DAY).await;
        let Seen::New(loaded) = place.state.look(false, much_later) else { panic!("it is to be renewed") };
        assert!(loaded.facts.left(much_later) > 799 * DAY);
        tokio::time::advance(DAY).await;
        assert!(matches!(place.state.look(false, much_later), Seen::Same));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_given_is_not_ours_to_renew() {
        let mut place = place(false);
        tokio::time::advance(DAY).await;
        assert!(matches!(place.state.look(false, SystemTime::now() + 790 * DAY), Seen::Same));
    }
}
