//! The scenarios of `tests/scenarios/`: the real daemon, and an XMPP server inside of the test.

#[path = "support/cable.rs"]
mod cable;
#[path = "support/catalogue.rs"]
mod catalogue;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "../examples/support/frames.rs"]
mod frames;
#[path = "support/https.rs"]
mod https;
#[path = "support/in_process.rs"]
mod in_process;
#[path = "support/manager.rs"]
mod manager;
#[path = "support/ports.rs"]
mod ports;
#[path = "../examples/support/presence.rs"]
mod presence;
#[path = "support/process.rs"]
mod process;
#[path = "support/ready.rs"]
mod ready;
#[path = "support/script.rs"]
mod script;
#[path = "support/site.rs"]
mod site;
#[path = "support/stage.rs"]
#[expect(dead_code, reason = "the real servers need more of it")]
mod stage;
#[path = "support/times.rs"]
mod times;

use in_process::InProcess;

catalogue::play_all!(InProcess, true);
