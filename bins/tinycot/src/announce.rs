//! What the server says on standard output when it starts.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Prints how to connect, which addresses are open, and that the server is ready.
///
/// Nobody may be reading: that is no reason not to serve.
pub(crate) fn ready(
    cot: &[SocketAddr],
    http: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    took: Duration,
) {
    let interfaces: Vec<IpAddr> = match cot.iter().any(|addr| addr.ip().is_unspecified()) {
        true => if_addrs::get_if_addrs()
            .map(|all| all.iter().map(if_addrs::Interface::ip).collect())
            .unwrap_or_default(),
        false => Vec::new(),
    };
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text(cot, http, admin, &interfaces, took).as_bytes());
    let _ = stdout.flush();
}

fn text(
    cot: &[SocketAddr],
    http: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    interfaces: &[IpAddr],
    took: Duration,
) -> String {
    let mut text = String::from(
        "In ATAK: Settings > Network Preferences > Server Connections > Add, and enter\n",
    );
    for addr in reachable(cot, interfaces) {
        let note = if addr.ip().is_loopback() { "  (this machine only)" } else { "" };
        text += &format!("  address {}  port {}  protocol TCP{note}\n", addr.ip(), addr.port());
    }
    text += "Plain TCP has no password and no encryption: use it on trusted networks only.\n";
    for addr in cot {
        text += &format!("listening cot {addr}\n");
    }
    if let Some(addr) = http {
        text += &format!("listening http {addr}\n");
    }
    if let Some(addr) = admin {
        text += &format!("listening admin {addr}\n");
    }
    text + &format!("ready in {:.1} ms\n", took.as_secs_f64() * 1e3)
}

/// The addresses a device can connect to. Only loopback ones when there is nothing else.
fn reachable(cot: &[SocketAddr], interfaces: &[IpAddr]) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for listen in cot {
        if !listen.ip().is_unspecified() {
            found.push(*listen);
            continue;
        }
        // `[::]` also takes IPv4.
        let fits = |ip: &&IpAddr| listen.is_ipv6() || ip.is_ipv4();
        let routed = |ip: &IpAddr| !ip.is_loopback() && !is_link_local(*ip);
        let mut ips: Vec<IpAddr> = interfaces.iter().filter(fits).copied().filter(routed).collect();
        if ips.is_empty() {
            ips.extend(interfaces.iter().filter(fits).find(|ip| ip.is_loopback()));
        }
        found.extend(ips.into_iter().map(|ip| SocketAddr::new(ip, listen.port())));
    }
    found
}

/// Addresses that need an interface name, or that come from nobody handing out any.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn reachable_texts(listen: &str, interfaces: &[&str]) -> Vec<String> {
        let found = reachable(&[listen.parse().unwrap()], &ips(interfaces));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_device_is_told_each_address_it_can_reach() {
        let machine = ["127.0.0.1", "192.168.1.20", "10.0.0.2", "169.254.3.4", "::1", "fd00::2"];
        assert_eq!(
            reachable_texts("0.0.0.0:8087", &machine),
            ["192.168.1.20:8087", "10.0.0.2:8087"]
        );
        assert_eq!(
            reachable_texts("[::]:9", &machine),
            ["192.168.1.20:9", "10.0.0.2:9", "[fd00::2]:9"]
        );
        assert_eq!(reachable_texts("10.0.0.2:8087", &machine), ["10.0.0.2:8087"]);
        assert_eq!(reachable_texts("0.0.0.0:8087", &["127.0.0.1", "::1"]), ["127.0.0.1:8087"]);
    }

    #[test]
    fn the_last_line_says_ready_and_lines_before_it_name_the_ports() {
        let cot = ["0.0.0.0:8087".parse().unwrap()];
        let http = Some("0.0.0.0:8080".parse().unwrap());
        let admin = Some("127.0.0.1:8088".parse().unwrap());
        let text = text(&cot, http, admin, &ips(&["192.168.1.20"]), Duration::from_micros(2_340));
        assert_eq!(
            text,
            "In ATAK: Settings > Network Preferences > Server Connections > Add, and enter\n  \
             address 192.168.1.20  port 8087  protocol TCP\n\
             Plain TCP has no password and no encryption: use it on trusted networks only.\n\
             listening cot 0.0.0.0:8087\n\
             listening http 0.0.0.0:8080\n\
             listening admin 127.0.0.1:8088\n\
             ready in 2.3 ms\n"
        );
    }
}
