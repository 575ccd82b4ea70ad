//! Free ports on loopback, each given to one holder at a time on this machine.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as UnixAddr, UnixListener},
    },
};

use anyhow::{Context, Result};

/// Below the ports that the system gives to outgoing connections, which would take them away in between.
const FROM: u16 = 20_000;
const TO: u16 = 32_000;

/// A port that nobody else has, as long as this lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// An abstract socket named after the port: it goes with the process that holds it.
    _claim: UnixListener,
}

impl Port {
    /// Takes a free one.
    pub(crate) fn free() -> Result<Self> {
        let [high, low, ..] = getrandom::u32().context("no random number")?.to_be_bytes();
        let start = FROM + u16::from_be_bytes([high, low]) % (TO - FROM);
        (start..TO)
            .chain(FROM..start)
            .find_map(Self::claim)
            .with_context(|| format!("no port from {FROM} to {TO} is free on loopback"))
    }

    fn claim(number: u16) -> Option<Self> {
        let name = UnixAddr::from_abstract_name(format!("rosterd-test-port-{number}")).ok()?;
        let claim = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _claim: claim })
    }

    /// Its address on loopback.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

#[test]
fn no_two_holders_have_the_same_port() {
    let ports: Vec<_> = (0..50).map(|_| Port::free().unwrap()).collect();
    let numbers: std::collections::BTreeSet<_> = ports.iter().map(Port::address).collect();
    assert_eq!(numbers.len(), ports.len());
}
