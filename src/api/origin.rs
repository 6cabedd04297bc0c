//! Where a request comes from, and how it came: as the connection says, or as a proxy in front says that the configuration names.
//! What anybody else writes into the headers that proxies set is not believed.

use std::net::IpAddr;

use actix_web::{HttpRequest, web};

use super::context::Context;

/// The other end of the connection or, where that is a proxy, the last address in `X-Forwarded-For` that is none.
pub fn address(request: &HttpRequest, proxies: &[IpAddr]) -> IpAddr {
    let peer = peer(request);
    if !proxies.contains(&peer) {
        return peer;
    }
    let forwarded = request.headers().get_all("X-Forwarded-For");
    let mut hops: Vec<IpAddr> = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|hop| hop.trim().parse::<IpAddr>().ok())
        .collect();
    while let Some(hop) = hops.pop() {
        if !proxies.contains(&hop) {
            return hop;
        }
    }
    peer
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
        assert_eq!(address(&from("10.0.0.1"), &proxies), ip("203.0.113.9"));
        assert_eq!(address(&from("192.0.2.1"), &proxies), ip("192.0.2.1"));
        assert_eq!(address(&from("10.0.0.1"), &[]), ip("10.0.0.1"));
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
