//! The daemon that runs, its link, and the people who have not said yes.

use std::{
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use super::{super::status::not_approved, finding::Finding};
use crate::{
    config::Settings,
    http::admin::{Link, Status},
};

const HINT: &str = "see that the server runs and listens for components: Prosody with `Component \"DOMAIN\"` and component_ports, \
                    ejabberd with a listener of the module ejabberd_service; [xmpp] server, domain and secret have to be the same there";
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most people who are named.
const NAMED_MOST: usize = 5;

pub(super) fn look_at(status: &Status) -> Vec<Finding> {
    vec![version(status), link(status), approvals(status)]
}

fn version(status: &Status) -> Finding {
    let (runs, ours) = (&status.version, env!("CARGO_PKG_VERSION"));
    match &status.store_failure {
        Some(failure) => Finding::problem("daemon", failure, "make room on the disk, and start rosterd again"),
        None if runs == ours => Finding::ok("daemon", format!("version {runs} runs")),
        None => {
            let what = format!("version {runs} runs, and this is version {ours}");
            Finding::warning("daemon", what, "restart it (systemctl restart rosterd)")
        }
    }
}

fn link(status: &Status) -> Finding {
    match &status.link {
        Link::Up => Finding::ok("link", "up"),
        Link::Sweeping { done, total } => {
            Finding::ok("link", format!("up, and everybody is being asked for their presence: {done} of {total}"))
        }
        Link::Down { why } => {
            Finding::problem("link", format!("down: {}", why.as_deref().unwrap_or("not connected yet")), HINT)
        }
    }
}

fn approvals(status: &Status) -> Finding {
    let waiting = not_approved(status);
    if waiting.is_empty() {
        return Finding::ok("approvals", "nobody who is assigned has to say yes yet");
    }
    let named = waiting.iter().take(NAMED_MOST).copied().collect::<Vec<_>>().join(", ");
    let more = if waiting.len() > NAMED_MOST { ", ..." } else { "" };
    let what = format!(
        "{} have not said yes, so they are not seen and their queues may look closed: {named}{more}",
        waiting.len()
    );
    let to_do = "tell them to accept the contact request in their chat client (they are asked again once a day; \
                 `rosterd status` has all of them), or let the server do it ([xmpp.onboarding] method)";
    Finding::warning("approvals", what, to_do)
}

/// Whether the server's port for components can be reached.
pub(super) fn server(settings: &Settings) -> Finding {
    let server = &settings.xmpp.server;
    let reached = server.to_socket_addrs().and_then(|addresses| {
        let mut last = Err(std::io::ErrorKind::NotFound.into());
        for address in addresses {
            last = TcpStream::connect_timeout(&address, PATIENCE);
            if last.is_ok() {
                break;
            }
        }
        last
    });
    match reached {
        Ok(_) => Finding::ok("link", format!("something listens on {server}")),
        Err(error) => Finding::problem("link", format!("{server} can not be reached: {error}"), HINT),
    }
}
