//! A network cable between the daemon and the server, that can be pulled: from then on every packet is lost, and neither
//! side is told anything. It needs root, and a kernel with network namespaces.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    os::fd::AsFd,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    ports::Port,
    process::{self, Process},
};

/// The cable. It goes with the process that holds the network at its far end.
pub(crate) struct Cable {
    holder: Process,
    far: String,
    address: Ipv4Addr,
    _unique: Port,
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("no {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
    Ok(())
}

impl Cable {
    /// Lays one.
    pub(crate) async fn lay() -> Result<Self> {
        let unique = Port::free()?;
        let number = unique.address().port();
        let mut command = process::command("unshare", &[]);
        command.args(["--net", "sh", "-c", "echo there; exec sleep infinity"]);
        let holder = Process::start("the far end", command)?;
        holder.wait_line("that it is there", |line| line == "there").await?;
        let (near, far, pid): (String, String, String) =
            (format!("rosterd{number}"), format!("far{number}"), holder.child.id().to_string());
        run("ip", &["link", "add", &near, "type", "veth", "peer", "name", &far, "netns", &pid])?;
        // Addresses for tests of networks (RFC 2544), four for each port that could be ours.
        let at = move |last: u16| {
            let [high, low] = ((number - 20_000) * 4 + last).to_be_bytes();
            Ipv4Addr::new(198, 18, high, low)
        };
        let cable = Self { holder, far: far.clone(), address: at(2), _unique: unique };
        run("ip", &["address", "add", &format!("{}/30", at(1)), "dev", &near])?;
        run("ip", &["link", "set", &near, "up"])?;
        cable.far(&["address", "add", &format!("{}/30", at(2)), "dev", &cable.far])?;
        cable.plug(true)?;
        Ok(cable)
    }

    fn far(&self, arguments: &[&str]) -> Result<()> {
        let target = self.holder.child.id().to_string();
        run("nsenter", &[&["--target", &target, "--net", "ip"], arguments].concat())
    }

    /// Plugs it in, or pulls it.
    pub(crate) fn plug(&self, plugged: bool) -> Result<()> {
        self.far(&["link", "set", &self.far, if plugged { "up" } else { "down" }])
    }

    /// Listens at its far end.
    pub(crate) fn listen(&self) -> Result<TcpListener> {
        let network = File::open(format!("/proc/{}/ns/net", self.holder.child.id()))?;
        let address = (self.address, 0);
        // Only the thread that makes the socket moves.
        let listening = std::thread::spawn(move || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            TcpListener::bind(address)
        });
        Ok(listening.join().map_err(|_| anyhow::anyhow!("no listener"))??)
    }
}
