//! Cookies: the session, the secret of somebody who has none yet, and the message that a redirect brings along.
//!
//! All are `HttpOnly` and `SameSite=Lax`. Not `Strict`: mails and notes lead to pages, and whoever follows such a link is
//! signed in; nothing is changed by following one, and what does change something carries a token besides. Over TLS their
//! names begin with `__Host-`, so that no other host and no unencrypted page can set them. Browsers do not keep cookies
//! of two ports apart: two nodes on one machine would sign each other out, so the port stands in the name.

use actix_web::HttpRequest;
use actix_web::http::header::COOKIE;
use zeroize::Zeroizing;

use super::origin;

/// The longest value that is looked at.
const VALUE_MAX: usize = 4096;

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// The token of a session, the same as REST takes.
    Session,
    /// A random secret from which the forms of somebody who has not signed in get their token.
    Visitor,
    /// What the page after a redirect says.
    Notice,
}

/// How cookies are named and sent on this connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jar {
    encrypted: bool,
    port: Option<String>,
}

impl Jar {
    /// For the connection of a request.
    pub fn of(request: &HttpRequest) -> Self {
        let host = origin::host(request);
        let port = host.rsplit_once(':').map(|(_, port)| port);
        let port = port.filter(|port| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()));
        Self {
            encrypted: origin::is_encrypted(request),
            port: port.map(str::to_owned),
        }
    }

    fn name(&self, cookie: Cookie) -> String {
        let prefix = if self.encrypted { "__Host-" } else { "" };
        let name = match cookie {
            Cookie::Session => "poundlock",
            Cookie::Visitor => "poundlock-visitor",
            Cookie::Notice => "poundlock-notice",
        };
        match &self.port {
            Some(port) => format!("{prefix}{name}-{port}"),
            None => format!("{prefix}{name}"),
        }
    }

    /// The value that a request brings, if it is one that this program could have set.
    pub fn read(&self, request: &HttpRequest, cookie: Cookie) -> Option<Zeroizing<String>> {
        let name = self.name(cookie);
        let lines = request.headers().get_all(COOKIE);
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(named, _)| *named == name).map(|(_, value)| value);
        let value = values.next()?;
        let fits = !value.is_empty()
            && value.len() <= VALUE_MAX
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        fits.then(|| Zeroizing::new(value.to_owned()))
    }

    /// The header that sets a cookie until the browser is closed.
    pub fn set(&self, cookie: Cookie, value: &str) -> String {
        format!("{}={value}; {}", self.name(cookie), self.attributes())
    }

    /// The header that removes a cookie.
    pub fn remove(&self, cookie: Cookie) -> String {
        format!("{}=; Max-Age=0; {}", self.name(cookie), self.attributes())
    }

    fn attributes(&self) -> &'static str {
        if self.encrypted {
            "Path=/; HttpOnly; SameSite=Lax; Secure"
        } else {
            "Path=/; HttpOnly; SameSite=Lax"
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn two_nodes_on_one_machine_do_not_share_a_session() {
        let jar = |host: &str| {
            Jar::of(
                &TestRequest::default()
                    .insert_header(("Host", host))
                    .to_http_request(),
            )
        };
        let low = jar("127.0.0.1:8460").set(Cookie::Session, "t");
        let high = jar("127.0.0.1:8461").set(Cookie::Session, "t");
        assert_eq!(low, "poundlock-8460=t; Path=/; HttpOnly; SameSite=Lax");
        assert_ne!(low, high);
        let encrypted = Jar {
            encrypted: true,
            ..jar("node.example.org")
        };
        let encrypted = encrypted.set(Cookie::Session, "t");
        assert_eq!(
            encrypted,
            "__Host-poundlock=t; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn only_what_could_be_ours_is_read() {
        let read = |line: &str| {
            let request = TestRequest::default()
                .insert_header(("Host", "n:1"))
                .insert_header(("Cookie", line));
            let request = request.to_http_request();
            let read = Jar::of(&request).read(&request, Cookie::Session);
            read.map(|value| value.to_string())
        };
        assert_eq!(read("a=b; poundlock-1=x_y-z"), Some("x_y-z".to_owned()));
        assert_eq!(read("poundlock-2=x"), None);
        assert_eq!(read("poundlock-1=\"x\""), None);
        assert_eq!(read("poundlock-1="), None);
    }
}
