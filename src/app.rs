//! The composition root: the one file that names all adapters. Builds everything, then runs it.

mod ending;
mod opening;
mod reload;
mod standing;

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use self::ending::THREADS_MOST;
use self::{
    ending::{GOODBYE_MOST, Parts},
    reload::Reloader,
};
use crate::{
    clock::Clock,
    config::{self, Problem, Problems, ProxyHeader, Settings},
    domain::{Desk, Name, Onboarding, Policy, Record, WRITES_MOST},
    ejabberd::Clerk,
    engine::{Engine, Fact, Handle, Rules, unix_now},
    http::{self, admin},
    lifecycle::{self, Part, Reload, Signals, notify, sockets::Sockets, watchdog},
    metrics::{Metrics, Watched},
    store::{Bounds, Committer, SledStore, Store, StoreError, dump},
    telemetry::Levels,
    xmpp,
};

/// The store, the engine that has read it, and the ways to it.
pub struct Core {
    /// The way to the engine.
    pub handle: Handle,
    engine: Engine,
    facts: tokio::sync::mpsc::Sender<Fact>,
    failed: CancellationToken,
    bounds: Bounds,
}

/// How everything is written down, and how exports are read. The state folder is that of `settings`.
#[must_use]
pub fn dump_format(settings: &Settings) -> admin::Format {
    let state = settings.store.path.clone();
    admin::Format {
        write: Arc::new(move |handle, form, out| {
            let form = form_of(form, &state)?;
            match handle.snapshot(form.with_audit()) {
                Ok(mut snapshot) => {
                    dump::write_snapshot(&mut *snapshot, form, out, |_| ()).map(drop).map_err(io::Error::other)
                }
                Err(error) => dump::write_failure(out, &form, &error.to_string()).and(Err(io::Error::other(error))),
            }
        }),
        read: |input| {
            dump::read_records(io::BufReader::new(input), |_| ()).map_err(|error| crate::telemetry::chain(&error))
        },
    }
}

/// What is written into a file of this form, where `state` is the state folder.
///
/// # Errors
/// When the files that belong to a backup can not be read.
pub fn form_of(form: admin::Form, state: &Path) -> io::Result<dump::Form> {
    match form {
        admin::Form::Export => Ok(dump::Form::Export),
        admin::Form::Backup => Ok(dump::Form::Backup { written: unix_now(), files: dump::kept_files(state)? }),
    }
}

fn policy(settings: &Settings) -> Policy {
    let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
    Policy {
        precedence: settings.availability.precedence,
        merge: settings.availability.merge,
        domain: settings.xmpp.domain.as_str().into(),
        user_domain: settings.xmpp.user_domain.as_str().into(),
        watcher: settings.xmpp.watcher.clone(),
        who_may_follow: settings.xmpp.who_may_subscribe,
        followers_of_queue_most: count(settings.xmpp.max_subscribers_per_queue),
        followers_most: count(settings.xmpp.max_subscribers),
        sweep_rate: settings.xmpp.sweep_rate,
        sweep_quiet: settings.xmpp.sweep_quiet,
        onboarding: settings.onboarding.method,
        roster_group: settings.onboarding.roster_group.as_deref().map(Into::into),
        ask_again: settings.xmpp.ask_again,
        ping_after: Some(settings.presence.ping_after).filter(|length| !length.is_zero()),
        ping_timeout: settings.presence.ping_timeout,
        linger: settings.presence.linger,
        link_grace: settings.xmpp.link_grace,
        session_idle: settings.http.session_idle.as_secs(),
        session_most: Some(settings.http.session_max.as_secs()).filter(|most| *most > 0),
    }
}

/// What the engine goes by.
fn rules(settings: &Settings) -> Rules {
    let audit_keep = Some(settings.audit.keep).filter(|keep| !keep.is_zero());
    Rules { policy: policy(settings), audit_keep }
}

impl Core {
    /// Opens the store, and reads everything in it. Blocks for as long as that takes.
    ///
    /// # Errors
    /// What is wrong with the store.
    pub fn open(settings: &Settings) -> anyhow::Result<Self> {
        let (queues, state) = (settings.metrics.queues.clone(), Some(settings.store.path.clone()));
        let metrics = Metrics::new(Watched { queues, state });
        let mut store = open_store(settings)?.with_metrics(metrics.clone());
        let records = store.load()?;
        info!(records = records.len(), path = %settings.store.path.display(), "store read");
        if let Some(holder) = records.iter().find_map(|record| holder_of(record, &settings.xmpp.watcher)) {
            let what =
                format!("{} is the name of {holder}: the watcher needs a name of its own", settings.xmpp.watcher);
            let problem = Problem { key: "xmpp.watcher".to_owned(), origin: None, what };
            return Err(Problems(vec![problem]).into());
        }
        let desk = desk_of(settings, records)
            .map_err(|what| StoreError::Damaged { path: settings.store.path.clone(), what })?;
        let failed = CancellationToken::new();
        let bounds = store.bounds();
        let committer = Committer::start(Box::new(store)).map_err(|source| StoreError::Io {
            doing: "could not start a thread for",
            path: settings.store.path.clone(),
            source,
        })?;
        let (engine, handle, facts) = Engine::by(Clock::System, metrics, desk, committer, failed.clone());
        let engine = match rules(settings).audit_keep {
            None => engine,
            Some(keep) => engine.with_audit_keep(keep),
        };
        Ok(Self { handle, engine, facts, failed, bounds })
    }

    /// Runs the engine alone, for as long as `work` takes, and until everything it asked for is on disk.
    pub async fn run_for<T>(self, work: impl AsyncFnOnce(Handle) -> T) -> T {
        let stop = CancellationToken::new();
        let engine = self.engine.run(stop.clone());
        let work = async {
            let done = work(self.handle).await;
            stop.cancel();
            done
        };
        let ((), done) = tokio::join!(engine, work);
        done
    }
}

/// Opens the store alone. Blocks for as long as that takes.
///
/// # Errors
/// What is wrong with it, or that another user has to do this.
pub fn open_store(settings: &Settings) -> anyhow::Result<SledStore> {
    not_as_root(&settings.store.path)?;
    let store = SledStore::open(&settings.store.path, settings.store.min_free)?;
    Ok(store.with_audit_most(settings.audit.max_entries.into()))
}

/// A desk with these records.
///
/// # Errors
/// What does not fit, in words.
pub fn desk_of(settings: &Settings, records: Vec<Record>) -> Result<Desk, String> {
    let now = tokio::time::Instant::now().into_std();
    Desk::restore(policy(settings), records, now).map_err(|error| format!("the records do not fit together: {error}"))
}

/// Of records that were saved from a damaged store those that fit together, and in words what does not.
#[must_use]
pub fn what_fits(settings: &Settings, records: Vec<Record>) -> (Vec<Record>, Vec<String>) {
    let now = tokio::time::Instant::now().into_std();
    let is_numbered = matches!(records.first(), None | Some(Record::NextId(_)));
    let (fit, unfit) = Desk::what_fits(policy(settings), records, now);
    let mut unfit: Vec<_> = unfit.iter().map(|it| format!("{it}, so it is left out")).collect();
    if !is_numbered {
        unfit.push("the next number to give: one that was given before may be given again".to_owned());
    }
    (fit, unfit)
}

/// Opens the store in a thread of its own. `None`: a signal to stop came first.
async fn open(settings: &Settings, signals: &mut Signals, reload: &Reload) -> anyhow::Result<Option<Core>> {
    notify::status("Opening the store");
    let (opening, path) = (settings.clone(), settings.store.path.display());
    let opened = tokio::task::spawn_blocking(move || Core::open(&opening));
    let asking = opening::ask_for_time(notify::need_longer, |took| {
        notify::status(&format!("Opening the store, for {} s now", took.as_secs()));
        info!("opening the store at {path} goes on, for {} s now", took.as_secs());
    });
    tokio::select! {
        core = opened => core.context("could not read the store")?.map(Some),
        never = asking => match never {},
        signal = signals.to_stop(reload) => {
            info!(signal, "stopped before the store was open");
            Ok(None)
        }
    }
}

/// Runs the daemon until a signal, or until something that it can not do without fails. What `sockets` holds wins over the
/// addresses in `settings`, which are read anew from `file`, or where the usual one is. How much it logs is changed through
/// `levels`.
///
/// # Errors
/// What could not be started, or what failed.
pub async fn serve(settings: Settings, file: Option<PathBuf>, sockets: Sockets, levels: Levels) -> anyhow::Result<()> {
    let mut signals = Signals::take().context("could not take signals")?;
    let reload = Reload::default();
    let signalled = reload.asked();
    let Some(core) = open(&settings, &mut signals, &reload).await? else { return Ok(()) };
    let Core { handle, engine, facts, failed, bounds } = core;

    let clerk = clerk(&settings)?;
    let limits = web_limits(&settings.http, lifecycle::raise_file_limit());
    let web_settings = web_settings(&settings, limits);
    let web = http::Server::bind_on(sockets.https, web_settings.clone(), handle.clone())?;
    let public = http::Server::bind_public_on(sockets.public, &web_settings, handle.clone())?;
    let public = public.map(|public| public.beside(&web));
    let metrics = http::Server::bind_metrics(&web_settings, handle.clone())?;
    let admin = admin::AdminServer::bind(&settings.admin.socket, handle.clone(), dump_format(&settings)).await?;
    let (asks, asked) = tokio::sync::mpsc::channel(reload::ASKS);
    let admin = admin.with_levels(levels.clone()).with_reload(asks);
    let reloader = Reloader {
        file,
        running: settings.clone(),
        limits,
        engine: handle.clone(),
        web: [Some(&web), public.as_ref(), metrics.as_ref()].into_iter().flatten().map(http::Server::control).collect(),
        store: bounds,
        levels,
    };
    info!(
        version = env!("CARGO_PKG_VERSION"),
        https = %web.local_addr(),
        admin = %settings.admin.socket.display(),
        domain = settings.xmpp.domain,
        "rosterd starts"
    );

    let [
        engine_part,
        link_part,
        clerk_part,
        web_part,
        public_part,
        admin_part,
        reload_part,
        status_part,
        watchdog_part,
    ] = ["engine", "link", "ejabberd", "https", "public presence", "admin", "reload", "status", "watchdog"]
        .map(Part::new);
    let metrics_part = Part::new("metrics");
    let engine = match clerk {
        None => engine,
        Some(clerk) => {
            let (writes, work) = tokio::sync::mpsc::channel(WRITES_MOST);
            clerk_part.start(clerk.run(work, facts.clone(), clerk_part.stop_token()), &failed);
            engine.with_clerk(writes)
        }
    };
    engine_part.start(engine.run(engine_part.stop_token()), &failed);
    let stop = web_part.stop_token();
    web_part.start(async move { report(web.run(stop).await) }, &failed);
    if let Some(public) = public {
        let stop = public_part.stop_token();
        public_part.start(async move { report(public.run(stop).await) }, &failed);
    }
    if let Some(metrics) = metrics {
        let stop = metrics_part.stop_token();
        metrics_part.start(async move { report(metrics.run(stop).await) }, &failed);
    }
    let stop = admin_part.stop_token();
    admin_part.start(async move { report(admin.run(stop).await) }, &failed);
    link_part.start(xmpp::run(link_settings(&settings), handle.clone(), facts, link_part.stop_token()), &failed);

    let status = standing::text(&handle);
    notify::ready(&status);
    reload_part.start(reloader.run(asked, signalled, reload_part.stop_token()), &failed);
    status_part.start(standing::tell(handle.clone(), status, status_part.stop_token()), &failed);
    if let Some(within) = notify::alive_within() {
        let (stop, handle) = (watchdog_part.stop_token(), handle.clone());
        let feeding = async move {
            let feeding = watchdog::feed(within, || handle.turn(), notify::alive);
            if stop.run_until_cancelled(feeding).await.is_some() {
                // The engine has ended, which is told elsewhere.
                stop.cancelled().await;
            }
        };
        watchdog_part.start(feeding, &failed);
    }

    tokio::select! {
        signal = signals.to_stop(&reload) => info!(signal, "stopping"),
        () = failed.cancelled() => {}
    }
    let others = vec![clerk_part, web_part, public_part, metrics_part, admin_part, reload_part];
    let parts = Parts { engine: engine_part, link: link_part, others, status: status_part, watchdog: watchdog_part };
    tokio::select! {
        () = parts.stop(&handle) => {}
        signal = signals.to_stop(&reload) => anyhow::bail!("{signal} came again, so rosterd ended at once: not everybody was told"),
    }
    if let Some(failure) = handle.failure() {
        return Err(anyhow::Error::new(failure).context("the store has failed"));
    }
    anyhow::ensure!(!failed.is_cancelled(), "a part of rosterd ended by itself: its reason stands in the log");
    info!("stopped");
    Ok(())
}

fn report<E: std::error::Error>(result: Result<(), E>) {
    if let Err(error) = result {
        error!(error = %crate::telemetry::chain(&error), "could not serve any more");
    }
}

/// How many connections there may be where this process may open so many files.
fn web_limits(http: &config::Http, files: usize) -> http::Limits {
    let wanted = http::Limits { connections: http.max_connections, per_address: http.max_connections_per_address };
    let limits = wanted.within(files);
    if limits == wanted {
        info!(connections = limits.connections, files, "limits of HTTPS and of open files");
    } else {
        let (connections, wanted) = (limits.connections, wanted.connections);
        warn!(
            connections,
            wanted,
            files,
            "this process may open too few files for [http] max_connections: raise its limit (LimitNOFILE)"
        );
    }
    if http.public_listen.is_some_and(|address| !address.ip().is_loopback()) && !http.hsts.is_zero() {
        warn!(
            "[http] hsts has browsers use HTTPS with every port of this host, that of public_listen included: set \
             hsts = \"0s\" unless the two have different names"
        );
    }
    if let Some(address) = http.metrics_listen.filter(|address| !address.ip().is_loopback()) {
        warn!(
            %address,
            "[http] metrics_listen tells everybody who can reach it the numbers of this deployment, without login: have a \
             firewall let in nobody but Prometheus"
        );
    }
    limits
}

fn web_settings(settings: &Settings, limits: http::Limits) -> http::Settings {
    http::Settings {
        listen: settings.http.listen,
        public_listen: settings.http.public_listen,
        metrics_listen: settings.http.metrics_listen,
        tls_cert: settings.http.tls_cert.clone(),
        tls_key: settings.http.tls_key.clone(),
        state: settings.store.path.clone(),
        domain: settings.xmpp.domain.as_str().into(),
        user_domain: settings.xmpp.user_domain.as_str().into(),
        presence_cap: settings.http.presence_cap,
        presence_of_users: settings.http.presence_of_users,
        request_timeout: settings.http.request_timeout,
        body_limit: 64 * 1024,
        hsts: settings.http.hsts,
        limits,
        access: access_settings(&settings.http),
    }
}

fn access_settings(settings: &config::Http) -> http::AccessSettings {
    let header = match settings.proxy_header {
        ProxyHeader::XForwardedFor => http::ForwardedBy::XForwardedFor,
        ProxyHeader::Forwarded => http::ForwardedBy::Forwarded,
    };
    http::AccessSettings {
        basic_cache: settings.basic_cache,
        attempts_of_address: settings.attempts_per_address,
        attempts_of_name: settings.attempts_per_name,
        attempt_every: settings.attempt_every,
        proxies: http::Proxies { trusted: settings.trusted_proxies.clone(), header },
    }
}

/// Who writes rosters, where that is not the link.
fn clerk(settings: &Settings) -> anyhow::Result<Option<Clerk>> {
    let api = settings.onboarding.api.as_ref();
    let api = api.filter(|_| settings.onboarding.method == Onboarding::EjabberdApi);
    let clerk = api.map(|api| Clerk::new(api, settings.xmpp.domain.clone())).transpose();
    clerk.map_err(|error| {
        let what = crate::telemetry::chain(&error);
        Problems(vec![Problem { key: "xmpp.onboarding".to_owned(), origin: None, what }]).into()
    })
}

fn link_settings(settings: &Settings) -> xmpp::Settings {
    let xmpp = &settings.xmpp;
    xmpp::Settings {
        server: xmpp.server.clone(),
        domain: xmpp.domain.clone(),
        user_domain: xmpp.user_domain.clone(),
        secret: xmpp.secret.clone(),
        watcher: xmpp.watcher.clone(),
        ping_after: xmpp.ping_after,
        ping_timeout: xmpp.ping_timeout,
        connect_timeout: xmpp.connect_timeout,
        lookout: Some(xmpp::Lookout { every: xmpp.rival_check, quiet: Duration::from_secs(1) })
            .filter(|lookout| !lookout.every.is_zero()),
        backoff_min: xmpp.retry_after,
        backoff_max: xmpp.retry_most,
        stable_after: Duration::from_mins(1),
        goodbye: GOODBYE_MOST,
    }
}

/// Whoever has the watcher's name already.
fn holder_of(record: &Record, watcher: &Name) -> Option<String> {
    match record {
        Record::User(user) if user.name == *watcher => Some(format!("user {}", user.id)),
        Record::Queue(queue) if queue.name == *watcher => Some(format!("queue {}", queue.id)),
        Record::User(_)
        | Record::Queue(_)
        | Record::NextId(_)
        | Record::Account(_)
        | Record::Operator(_)
        | Record::Subscriber(_)
        | Record::Session(_)
        | Record::Token(_) => None,
    }
}

/// What root makes in the state folder of somebody else, that one could not open any more.
pub(crate) fn not_as_root(state: &Path) -> anyhow::Result<()> {
    let Ok(folder) = std::fs::metadata(state) else { return Ok(()) };
    if rustix::process::geteuid().is_root() && folder.uid() != 0 {
        let (path, uid) = (state.display(), folder.uid());
        let what = format!(
            "{path} belongs to the user with the number {uid}: do this as that user (sudo -u \"#{uid}\" rosterd ...)"
        );
        return Err(NotYours(what).into());
    }
    Ok(())
}

/// Somebody else has to do this.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotYours(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_where_nothing_is_set() {
        let text = "[xmpp]\ndomain = 'queues.example.org'\nuser_domain = 'example.org'\nsecret = 'x'\n";
        let settings = crate::config::parse(text).unwrap();
        let watcher = Name::parse("staffing", Name::QUEUE_MOST).unwrap();
        assert_eq!(policy(&settings), Policy::new("queues.example.org", "example.org", watcher));
        let silent = crate::config::parse(&format!("{text}[presence]\nping_after = '0s'\n")).unwrap();
        assert_eq!(policy(&silent).ping_after, None, "this switches pings off");
    }

    /// What everybody is handed when the settings are read anew.
    fn handed_over(settings: &Settings) -> String {
        let limits = http::Limits { connections: 1, per_address: 1 };
        let (web, bounds) = (web_settings(settings, limits), (settings.store.min_free, settings.audit.max_entries));
        format!("{:?} {web:?} {bounds:?} {}", rules(settings), settings.log.level)
    }

    #[test]
    fn what_is_taken_over_reaches_somebody_and_nothing_else_does() {
        for (key, old, new) in config::changes() {
            let mut running = old.clone();
            running.take_over(new);
            let is_handed_over = handed_over(&running) != handed_over(&old);
            assert_eq!(is_handed_over, key.taken == config::Taken::AtOnce, "{}", key.path);
        }
    }
}
