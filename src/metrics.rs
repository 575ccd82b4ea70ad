//! What can be watched from outside: counters, gauges and histograms, as Prometheus reads them (text format 0.0.4).
//!
//! Each room counts what it does in its own group, through a handle that costs an atomic addition or two. What the desk knows
//! anyway is not counted twice: it is read when somebody asks ([`Figures`]). The only room that names Prometheus' library.
//!
//! What labels say is written down here, but for the names of the queues that the administrator has listed: nothing that
//! anybody sends becomes a series.

mod desk;
mod engine;
mod family;
mod http;
mod link;
mod process;
mod store;

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use prometheus::{Registry, TextEncoder, proto::MetricFamily};

pub use self::{
    desk::Figures,
    engine::{Edited, Engine},
    family::{Family, Kind},
    http::{Api, Http, Login, Seated},
    link::{Cause, Link, Stanza},
    store::Store,
};
use crate::domain::Name;

/// What the text of [`Metrics::text`] is, as a `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is watched beside what is the same everywhere.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// Queues that have series of their own.
    pub queues: Vec<Name>,
    /// The folder under which it is told how much of the disk is free.
    pub state: Option<PathBuf>,
}

/// All that is counted. A clone counts the same.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Groups>);

#[derive(Debug)]
struct Groups {
    registry: Registry,
    watched: Watched,
    started: SystemTime,
    link: Link,
    engine: Engine,
    store: Store,
    http: Http,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Watched::default())
    }
}

impl Metrics {
    /// Everything at nothing.
    #[must_use]
    pub fn new(watched: Watched) -> Self {
        let registry = Registry::new();
        process::watch(&registry);
        let (link, engine) = (Link::new(&registry), Engine::new(&registry));
        let (store, http) = (Store::new(&registry), Http::new(&registry));
        let started = SystemTime::now();
        Self(Arc::new(Groups { registry, watched, started, link, engine, store, http }))
    }

    /// Of the link.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    /// Of the engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Of the store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Of HTTP.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.0.http
    }

    /// The queues that have series of their own.
    #[must_use]
    pub fn queues(&self) -> &[Name] {
        &self.0.watched.queues
    }

    /// Everything in the text format, by name. Asks the operating system a few things, and so may block for a moment.
    #[must_use]
    pub fn text(&self, snapshot: &Figures) -> String {
        let Groups { registry, watched, started, .. } = &*self.0;
        let mut families = registry.gather();
        families.retain(process::is_told_by_the_library);
        families.extend(snapshot.families().chain(process::families(*started, watched.state.as_deref())));
        families.sort_by(|one, other| MetricFamily::name(one).cmp(other.name()));
        // It refuses families without a name or a series, which there are not.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

/// Every metric there is, by name.
#[must_use]
pub fn families() -> Vec<Family> {
    let groups: [&[Family]; 6] =
        [&link::FAMILIES, &engine::FAMILIES, &store::FAMILIES, &http::FAMILIES, &desk::FAMILIES, &process::FAMILIES];
    let mut all: Vec<_> = groups.into_iter().flatten().copied().collect();
    all.sort_by_key(|family| family.name);
    all
}
