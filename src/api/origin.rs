//! Where a request comes from, and how it came: as the connection says, or as a proxy in front says that the configuration names.
//! What anybody else writes into the headers that proxies set is not believed.

use std::net::{IpAddr, SocketAddr};

use actix_web::{HttpRequest, web};

use super::context::Context;

/// Where a request comes from, for counting its tries.
pub fn address(context: &Context, request: &HttpRequest) -> IpAddr {
    behind(&context.config.server.proxies, request)
}

/// The other end of the connection or, where that is a proxy, the last address in `X-Forwarded-For` that is none. What stands
/// before something that is no address may have been written by anybody: then the proxy's own counts.
fn behind(proxies: &[IpAddr], request: &HttpRequest) -> IpAddr {
    let peer = peer(request);
    if !proxies.contains(&peer) {
        return peer;
    }
    let forwarded = request.headers().get_all("X-Forwarded-For");
    let values: Vec<_> = forwarded
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        match hop_address(hop.trim()) {
            Some(address) if proxies.contains(&address) => {}
            Some(address) => return address,
            None => return peer,
        }
    }
    peer
}

/// The address of a hop, as proxies write it: alone, in brackets, or with the port that the connection came from.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let alone = bare.unwrap_or(hop).parse::<IpAddr>().ok();
    let address = alone.or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address| address.to_canonical())
}

/// Whether the browser or program speaks TLS: with the node itself, or with a proxy that says so.
pub fn is_encrypted(request: &HttpRequest) -> bool {
    if comes_through_proxy(request) {
        request.connection_info().scheme() == "https"
    } else {
        request.app_config().secure()
    }
}

/// The host, with its port where it has one of its own, that the browser or program asked.
pub fn host(request: &HttpRequest) -> String {
    if comes_through_proxy(request) {
        return request.connection_info().host().to_owned();
    }
    let header = request.headers().get(actix_web::http::header::HOST);
    let header = header.and_then(|host| host.to_str().ok());
    let target = request
        .uri()
        .authority()
        .map(actix_web::http::uri::Authority::as_str);
    header
        .or(target)
        .unwrap_or_else(|| request.app_config().host())
        .to_owned()
}

fn comes_through_proxy(request: &HttpRequest) -> bool {
    let context = request.app_data::<web::Data<Context>>();
    context.is_some_and(|context| context.config.server.proxies.contains(&peer(request)))
}

fn peer(request: &HttpRequest) -> IpAddr {
    request
        .peer_addr()
        .map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_known_proxy_is_believed() {
        let from = |peer: &str| {
            TestRequest::default()
                .peer_addr(format!("{peer}:4000").parse().unwrap())
                .insert_header(("X-Forwarded-For", "198.51.100.1, 203.0.113.9, 10.0.0.2"))
                .to_http_request()
        };
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(behind(&proxies, &from("10.0.0.1")), ip("203.0.113.9"));
        assert_eq!(behind(&proxies, &from("192.0.2.1")), ip("192.0.2.1"));
        assert_eq!(behind(&[], &from("10.0.0.1")), ip("10.0.0.1"));
    }

    #[test]
    fn a_hop_that_is_no_address_hides_those_before_it() {
        let from = |forwarded: &str| {
            let request = TestRequest::default()
                .peer_addr("10.0.0.1:4000".parse().unwrap())
                .insert_header(("X-Forwarded-For", forwarded))
                .to_http_request();
            behind(&[ip("10.0.0.1"), ip("10.0.0.2")], &request)
        };
        assert_eq!(from("198.51.100.1, 203.0.113.9:50123"), ip("203.0.113.9"));
        assert_eq!(from("198.51.100.1, [2001:db8::9]:50123"), ip("2001:db8::9"));
        assert_eq!(
            from("198.51.100.1,[2001:db8::9] , 10.0.0.2:443"),
            ip("2001:db8::9")
        );
        assert_eq!(from("198.51.100.1, ::ffff:203.0.113.9"), ip("203.0.113.9"));
        for hidden in [
            "198.51.100.1, unknown",
            "198.51.100.1, ",
            "198.51.100.1, 203.0.113.9:x",
        ] {
            assert_eq!(from(hidden), ip("10.0.0.1"), "{hidden}");
        }
    }

    #[test]
    fn nobody_but_a_proxy_says_how_a_request_came() {
        let request = TestRequest::default()
            .peer_addr("192.0.2.1:4000".parse().unwrap())
            .insert_header(("Host", "node.example.org:8460"))
            .insert_header(("Forwarded", "proto=https;host=elsewhere.example"))
            .insert_header(("X-Forwarded-Proto", "https"))
            .insert_header(("X-Forwarded-Host", "elsewhere.example"))
            .to_http_request();
        assert!(!is_encrypted(&request));
        assert_eq!(host(&request), "node.example.org:8460");
    }
}
