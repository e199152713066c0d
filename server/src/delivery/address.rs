//! Which addresses are called: those of the public Internet, unless the settings say more.
//!
//! Addresses come from users, who must not reach through this server what only the server may reach. The name of a
//! target is resolved, every address that it has is checked, and only these are connected to; redirects are not
//! followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// An address leads where this server does not call.
#[derive(Debug, thiserror::Error)]
#[error("the address leads into a private network, which is not allowed")]
pub(crate) struct Blocked;

/// Something private that may be called all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedTarget {
    /// Everything that a name leads to, lower case.
    Host(String),
    /// The addresses that share so many bits.
    Network(IpAddr, u8),
}

impl FromStr for AllowedTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is no name, address or network like 10.0.0.0/8");
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address, num_bits(address)));
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| refuse())?;
            let bits: u8 = bits.parse().map_err(|_| refuse())?;
            if bits > num_bits(address) {
                return Err(refuse());
            }
            return Ok(Self::Network(address, bits));
        }
        let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if text.is_empty() || !text.bytes().all(is_in_name) {
            return Err(refuse());
        }
        Ok(Self::Host(text.to_ascii_lowercase()))
    }
}

fn num_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// What may be called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    /// Whether private addresses may be called as well.
    pub(crate) allows_private: bool,
    /// Those that may be called although they are private.
    pub(crate) allowed: Vec<AllowedTarget>,
}

impl Guard {
    /// Refuses an address whose host is written as an IP address that may not be called; names are looked at when they
    /// are resolved.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), Blocked> {
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match literal {
            Ok(address) => self.check(host, &[address]),
            Err(_) => Ok(()),
        }
    }

    /// Refuses a name if any of its addresses may not be called.
    fn check(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Blocked> {
        let may_be_called =
            |address: &IpAddr| self.allows_private || is_public(*address) || self.is_allowed(host, *address);
        if addresses.iter().all(may_be_called) { Ok(()) } else { Err(Blocked) }
    }

    fn is_allowed(&self, host: &str, address: IpAddr) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.allowed.iter().any(|allowed| match allowed {
            AllowedTarget::Host(name) => *name == host,
            AllowedTarget::Network(network, bits) => is_within(unmapped(address), *network, *bits),
        })
    }
}

/// Names resolved to addresses that may be called.
#[derive(Debug)]
pub(crate) struct GuardedResolver(pub(crate) Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            let addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
            guard.check(name.as_str(), &addresses)?;
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// An IPv4 address in the form of an IPv6 one is that IPv4 address.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let shares = |left: u128, right: u128, unused: u8| {
        let mask = u128::MAX.checked_shl(u32::from(unused)).unwrap_or(0);
        left & mask == right & mask
    };
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            shares(address.to_bits().into(), network.to_bits().into(), 32 - bits)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            shares(address.to_bits(), network.to_bits(), 128 - bits)
        }
        _ => false,
    }
}

/// Networks of IPv4 that are not of the public Internet, by the registry of special-purpose addresses.
const NOT_PUBLIC_V4: [([u8; 4], u8); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Carriers' networks.
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Link-local, where clouds keep metadata.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    ([255, 255, 255, 255], 32),
];

/// Networks within 2000::/3, outside of which nothing is public, that are not of the public Internet.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    // Protocols, Teredo among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4, which holds an IPv4 address.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public Internet.
fn is_public(address: IpAddr) -> bool {
    match unmapped(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |(network, bits): &([u8; 4], u8)| {
        is_within(IpAddr::V4(address), IpAddr::V4(Ipv4Addr::from(*network)), *bits)
    };
    !NOT_PUBLIC_V4.iter().any(within)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
    /// Of translators: an IPv4 address follows.
    const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
    let within = |network: Ipv6Addr, bits: u8| is_within(IpAddr::V6(address), IpAddr::V6(network), bits);
    if within(NAT64, 96) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    within(GLOBAL, 3) && !NOT_PUBLIC_V6.iter().any(|(network, bits)| within(*network, *bits))
}

/// Refuses what is no address of HTTP, or has a name or a password in it. Where it leads is looked at when it is
/// called, since names change their addresses.
pub(crate) fn require_callable(url: &str) -> Result<(), &'static str> {
    let parsed = Url::parse(url).map_err(|_| "expected a URL")?;
    if !["http", "https"].contains(&parsed.scheme()) || !parsed.has_host() {
        return Err("expected a URL that begins with https:// or http://");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("a URL with a user or a password in it is not called");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &[&str]) -> Guard {
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        Guard { allows_private: false, allowed }
    }

    fn may_call(guard: &Guard, url: &str) -> bool {
        guard.check_url(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn what_is_not_of_the_public_internet_is_not_called() {
        for host in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.1",
            "198.51.100.7",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[2001::1]",
            "[2002:7f00:1::]",
            "[3fff::1]",
            "[100::1]",
            "[5f00::1]",
            "0x7f.1",
            "2130706433",
            "0177.0.0.1",
            "127.1",
        ] {
            let url = format!("http://{host}/x");
            assert!(!may_call(&guard(&[]), &url), "{host}");
            assert!(may_call(&Guard { allows_private: true, allowed: vec![] }, &url), "{host}");
        }
    }

    #[test]
    fn what_is_public_is_called() {
        for host in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[::ffff:1.1.1.1]",
            "[64:ff9b::101:101]",
            "[2001:4860::8888]",
            "example.org",
        ] {
            assert!(may_call(&guard(&[]), &format!("https://{host}:8443/x")), "{host}");
        }
    }

    #[test]
    fn what_is_allowed_is_called_although_it_is_private() {
        let guard = guard(&["10.1.0.0/16", "192.168.1.7", "fd00::/8", "Hooks.Internal"]);
        for (host, expected) in [
            ("10.1.200.3", true),
            ("10.2.0.1", false),
            ("[::ffff:10.1.0.1]", true),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("[fd12::1]", true),
            ("[fe80::1]", false),
        ] {
            assert_eq!(may_call(&guard, &format!("http://{host}/")), expected, "{host}");
        }
        let private = [IpAddr::from([10, 9, 9, 9])];
        assert!(guard.check("hooks.internal", &private).is_ok());
        assert!(guard.check("HOOKS.internal.", &private).is_ok());
        assert!(guard.check("other.internal", &private).is_err());
    }

    #[test]
    fn one_private_address_among_several_is_enough_to_refuse() {
        let mixed = [IpAddr::from([1, 1, 1, 1]), IpAddr::from([127, 0, 0, 1])];
        assert!(guard(&[]).check("example.org", &mixed).is_err());
        assert!(guard(&[]).check("example.org", &mixed[..1]).is_ok());
    }

    #[test]
    fn entries_of_the_list_are_names_addresses_or_networks() {
        assert_eq!("::/0".parse(), Ok(AllowedTarget::Network(IpAddr::from([0; 16]), 0)));
        for text in ["", "10.0.0.0/33", "a/8", "fd00::/129", "http://x", "a b", "10.0.0.0/-1"] {
            assert!(text.parse::<AllowedTarget>().is_err(), "{text}");
        }
        assert!(guard(&["0.0.0.0/0"]).is_allowed("x", IpAddr::from([10, 0, 0, 1])));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_resolved() {
        let name = || "localhost".parse::<Name>().unwrap();
        let blocked = GuardedResolver(Arc::new(guard(&[]))).resolve(name()).await;
        assert!(blocked.is_err_and(|error| error.is::<Blocked>()));
        let allowed = GuardedResolver(Arc::new(guard(&["localhost"]))).resolve(name()).await;
        assert!(allowed.is_ok_and(|mut addresses| addresses.next().is_some()));
    }
}
