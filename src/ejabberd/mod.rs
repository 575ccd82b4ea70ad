//! Rosters written through ejabberd's HTTP API (`mod_http_api`, the commands `add_rosteritem` and `delete_rosteritem`).
//!
//! Everything is done by one task, a few requests at a time. What becomes of each write is told to the engine as a fact;
//! what to do about a failure stands in the log, once a minute at the most.

mod client;

use std::time::Duration;

use futures::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::client::SetupError;
use self::client::{CallError, Client};
use crate::{
    config::Api,
    domain::{Entry, Input, RosterWrite},
    engine::Fact,
    telemetry,
};

/// Requests that are under way at a time.
const AT_ONCE: usize = 4;
/// How often it is said that something goes on going wrong.
const WARN_EVERY: Duration = Duration::from_mins(1);
/// What the watcher is named in rosters, and the group that it stands in there.
const WATCHER_NAME: &str = "rosterd";

/// Who writes rosters for the engine.
#[derive(Debug)]
pub struct Clerk {
    client: Client,
    /// The domain of our JIDs.
    domain: String,
    warn_due: Instant,
    fails: bool,
}

impl Clerk {
    /// Makes ready to work with the API, without asking it anything yet. `domain` is the component's.
    ///
    /// # Errors
    /// When the certificates to trust can not be read.
    pub fn new(api: &Api, domain: String) -> Result<Self, SetupError> {
        if api.is_in_the_clear() {
            warn!(
                api = %api.url,
                "others on the way can read what rosterd logs in to ejabberd's API with: use https, or an address of this \
                 machine ([xmpp.onboarding] api_url)"
            );
        }
        Ok(Self { client: Client::new(api)?, domain, warn_due: Instant::now(), fails: false })
    }

    /// Does all of `work` until `stop`, and tells what became of each; ends early when the engine is gone.
    pub async fn run(
        mut self,
        mut work: mpsc::Receiver<RosterWrite>,
        facts: mpsc::Sender<Fact>,
        stop: CancellationToken,
    ) {
        let client = self.client.clone();
        let mut calls = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(write) = work.recv(), if calls.len() < AT_ONCE => {
                    let (client, call) = (&client, call(&write, &self.domain));
                    calls.push(async move { (write, client.call(&call).await) });
                }
                Some((write, result)) = calls.next() => {
                    self.log(&write, &result);
                    let RosterWrite { user, contact, entry: _ } = write;
                    let result = result.map_err(|error| error.failure());
                    if facts.send(Fact::Input(Input::Written { user, contact, result })).await.is_err() {
                        return;
                    }
                }
                () = stop.cancelled() => return,
            }
        }
    }

    fn log(&mut self, write: &RosterWrite, result: &Result<(), CallError>) {
        match result {
            Ok(()) => {
                if std::mem::take(&mut self.fails) {
                    info!(api = %self.client.url(), "ejabberd's API works again");
                    self.warn_due = Instant::now();
                }
            }
            Err(error) => {
                self.fails = true;
                if Instant::now() >= self.warn_due {
                    self.warn_due = Instant::now() + WARN_EVERY;
                    let (api, error) = (self.client.url(), telemetry::chain(error));
                    warn!(
                        %api, user = %write.user, error,
                        "a roster could not be written through ejabberd's API: it is tried again, and who waits is asked \
                         in their client meanwhile"
                    );
                }
            }
        }
    }
}

/// A command and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    command: &'static str,
    arguments: Value,
}

/// The call that writes an entry into a roster.
fn call(RosterWrite { user, contact, entry }: &RosterWrite, domain: &str) -> Call {
    let mut arguments = json!({
        "localuser": user.localpart(),
        "localhost": user.domain(),
        "user": contact.as_str(),
        "host": domain,
    });
    let (nick, group, subscription) = match entry {
        Entry::Watcher => (WATCHER_NAME, WATCHER_NAME, "from"),
        Entry::Queue { group } => (contact.as_str(), &**group, "to"),
        Entry::Absent => return Call { command: "delete_rosteritem", arguments },
    };
    for (name, value) in [("nick", nick), ("group", group), ("subs", subscription)] {
        arguments[name] = value.into();
    }
    Call { command: "add_rosteritem", arguments }
}

mod tests;
