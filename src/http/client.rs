//! Where a request comes from.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use ipnet::IpNet;

use super::Site;

/// The reverse proxies whose word about who asks is taken.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Where they are.
    pub trusted: Vec<IpNet>,
    /// The header that they write. Others pass through them from anybody.
    pub header: ForwardedBy,
}

/// How a proxy says for whom it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Proxies {
    /// Whether who is connected is one of them.
    pub(super) fn are_at(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }

    /// Who asks, where `peer` is who is connected: of the addresses that trusted proxies have noted, each where it got the request
    /// from, the last that is none of theirs. What can not be read ends the search: nobody before it is believed.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let hops = match self.header {
            ForwardedBy::XForwardedFor => hops(headers, &HeaderName::from_static("x-forwarded-for"), address),
            ForwardedBy::Forwarded => hops(headers, &header::FORWARDED, forwarded_for),
        };
        for hop in hops.into_iter().rev() {
            if !self.trusted.iter().any(|network| network.contains(&client)) {
                break;
            }
            let Some(hop) = hop else { break };
            client = hop.to_canonical();
        }
        client
    }
}

/// The last hops in a header that is a list, which may come in several lines: a proxy adds its own at the end.
fn hops(headers: &HeaderMap, name: &HeaderName, read: fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.to_str().unwrap_or("").split(',')).map(|hop| read(hop.trim())).collect()
}

/// An address, perhaps with a port: `192.0.2.7`, `192.0.2.7:1`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:1`.
fn address(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    inner.unwrap_or(text).parse().ok().or_else(with_port)
}

/// The `for` of an element of `Forwarded`: `for="[2001:db8::7]:1";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    address(value.trim_matches('"'))
}

/// The address of whoever asks; `None` where no socket is, in tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client(pub(super) Option<IpAddr>);

impl FromRequestParts<Site> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let settings = site.settings.get();
        let proxies = &settings.access.proxies;
        Ok(Self(peer.map(|ConnectInfo(peer)| proxies.client(peer.ip(), &parts.headers))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: ForwardedBy, peer: &str, lines: &[&str], expected: &str) {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().unwrap()).to_vec();
        let name = match header {
            ForwardedBy::XForwardedFor => "x-forwarded-for",
            ForwardedBy::Forwarded => "forwarded",
        };
        let headers = lines.iter().map(|line| (HeaderName::from_static(name), line.parse().unwrap())).collect();
        let client = Proxies { trusted, header }.client(peer.parse().unwrap(), &headers);
        assert_eq!(client.to_string(), expected, "{lines:?}");
    }

    #[test]
    fn the_last_who_is_no_proxy_counts() {
        let check = |peer, lines: &[&str], expected| check(ForwardedBy::XForwardedFor, peer, lines, expected);
        check("127.0.0.1", &["192.0.2.7"], "192.0.2.7");
        check("127.0.0.1", &["198.51.100.1, 192.0.2.7"], "192.0.2.7");
        check("127.0.0.1", &["198.51.100.1", "192.0.2.7, 10.1.2.3"], "192.0.2.7");
        check("127.0.0.1", &["2001:db8::7"], "2001:db8::7");
        check("127.0.0.1", &["192.0.2.7:4711"], "192.0.2.7");
        check("::ffff:127.0.0.1", &["::ffff:192.0.2.7"], "192.0.2.7");
        check("2001:db8:1::1", &["192.0.2.7"], "192.0.2.7");
        check("127.0.0.1", &[], "127.0.0.1");
        check("127.0.0.1", &["10.1.1.1"], "10.1.1.1");
    }

    #[test]
    fn who_is_no_proxy_is_not_believed() {
        let check = |peer, lines: &[&str], expected| check(ForwardedBy::XForwardedFor, peer, lines, expected);
        check("192.0.2.1", &["192.0.2.7"], "192.0.2.1");
        check("192.0.2.1", &["10.0.0.1"], "192.0.2.1");
        check("127.0.0.1", &["192.0.2.7, unknown"], "127.0.0.1");
        check("127.0.0.1", &["192.0.2.7, 10.0.0.1, nonsense, 10.0.0.2"], "10.0.0.2");
        check("127.0.0.1", &[""], "127.0.0.1");
    }

    #[test]
    fn forwarded() {
        let check = |lines: &[&str], expected| check(ForwardedBy::Forwarded, "127.0.0.1", lines, expected);
        check(&["for=192.0.2.7"], "192.0.2.7");
        check(&["for=198.51.100.1, For=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.1"], "2001:db8::7");
        check(&["proto=https; for=\"192.0.2.7\"", "for=10.0.0.9"], "192.0.2.7");
        check(&["for=192.0.2.7, for=_hidden"], "127.0.0.1");
        check(&["proto=https"], "127.0.0.1");
    }
}
