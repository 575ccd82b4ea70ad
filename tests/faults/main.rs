//! Faults of the server and of the network, on the real servers of Debian's packages. After each everything is as after a new
//! start, nothing was leaked, and whatever was published meanwhile was true, or `unavailable`.
//!
//! They take minutes, most of which is waiting, so they are run by `tests/faults.sh` and not with the other tests.

#[path = "../../examples/support/client.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod client;
#[path = "../support/daemon.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod daemon;
#[path = "../support/ejabberd.rs"]
mod ejabberd;
#[path = "../../examples/support/frames.rs"]
mod frames;
#[path = "../support/https.rs"]
mod https;
#[path = "../support/manager.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod manager;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../../examples/support/presence.rs"]
mod presence;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/prosody.rs"]
mod prosody;
#[path = "../support/servers.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod servers;
#[path = "../support/site.rs"]
mod site;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/times.rs"]
mod times;

mod cable;
mod network;
mod proxy;
mod record;
mod refusals;
mod rig;
mod rivals;
mod server;

use std::path::Path;

use servers::Package;

/// Makes a test of each of these functions, on each server.
macro_rules! on_both {
    ($($name:ident)*) => {
        $(
            mod $name {
                use crate::{ejabberd::Ejabberd, play, prosody::Prosody};

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_prosody() {
                    play::<Prosody>(super::$name::<Prosody>).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_ejabberd() {
                    play::<Ejabberd>(super::$name::<Ejabberd>).await;
                }
            }
        )*
    };
}
pub(crate) use on_both;

/// Plays a fault where the server is there. Where it is not, that is an error in CI, and loud elsewhere.
async fn play<P: Package>(fault: impl AsyncFnOnce() -> anyhow::Result<()>) {
    if Path::new(P::FILE).exists() {
        if let Err(error) = fault().await {
            panic!("{error:?}");
        }
        return;
    }
    let what = format!("faults of {0}: the package {0} is not installed (./tests/faults.sh installs it)", P::NAME);
    assert!(std::env::var_os("CI").is_none(), "in CI this may not be skipped: {what}");
    skip::skip(&what);
}
