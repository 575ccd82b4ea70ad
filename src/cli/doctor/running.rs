//! The daemon that runs, its link, and the people who have not said yes.

use std::{
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use super::{
    super::status::{self, not_approved},
    finding::Finding,
};
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
        Link::Up | Link::Sweeping { .. } => Finding::ok("link", status::link(status)),
        Link::Down { .. } => Finding::problem("link", status::link(status), HINT),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(waiting: usize) -> Status {
        let operator = |number: usize| {
            let reasons = if number < waiting { ["not-approved"] } else { ["show-chat"] };
            json!({ "id": number, "name": "x", "jid": format!("user{number}@example.org"), "show": "unavailable",
                    "status": null, "enabled": true, "reasons": reasons, "resources": [] })
        };
        let queue = json!({ "id": 1, "name": "law", "jid": "", "account": "", "show": "", "status": "", "reasons": [],
                            "ready": 0, "enabled": 0, "operators": (0..8).map(operator).collect::<Vec<_>>() });
        let tally = json!({ "unknown_shows": 0, "stale": 0, "strangers": 0, "dropped": {} });
        let status = json!({ "version": "", "link": { "state": "up" }, "onboarding": { "method": "", "in_use": null },
                             "store_failure": null, "queues": [queue], "tally": tally, "tasks": 0 });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn who_has_not_said_yes() {
        let said = |waiting| approvals(&status(waiting)).to_string();
        assert_eq!(said(0), "ok       approvals    nobody who is assigned has to say yes yet");
        let two = said(2);
        assert!(two.starts_with("warning  approvals    2 have not said yes"), "{two}");
        assert!(two.contains(": user0@example.org, user1@example.org. To do: tell them"), "{two}");
        let many = said(8);
        assert!(
            many.contains("8 have not") && many.contains("user4@example.org, ...") && !many.contains("user5"),
            "{many}"
        );
    }
}
