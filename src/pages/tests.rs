//! The pages in the test's own process, on a real node's folder: what is refused, what every answer bears, and that what
//! strangers write stays text.

use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};

use crate::api::Context;
use crate::domain::side::Side;
use crate::node::{Config, Running, make, open};

const PASSWORD: &str = "correct horse battery staple";
const HOST: &str = "node.example:1";

pub(super) struct Lab {
    _folder: tempfile::TempDir,
    running: Running,
    setup_token: String,
}

pub(super) fn lab(side: Side) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("node");
    let mut config = Config::new(side);
    config.runtime.python.interpreter = Some("/nonexistent/python3".into());
    let made = make::make(&root, "Lab", &config).unwrap();
    let running = open(&root, config).unwrap().start().unwrap();
    Lab {
        _folder: folder,
        running,
        setup_token: made.setup_token.to_string(),
    }
}

impl Lab {
    pub(super) fn context(&self) -> web::Data<Context> {
        web::Data::new(Context::new(self.running.node().clone()))
    }
}

macro_rules! served {
    ($lab:expr) => {
        init_service(
            App::new()
                .app_data($lab.context())
                .configure(crate::api::routes($lab.context().side))
                .configure(crate::pages::routes),
        )
        .await
    };
}

/// What a browser keeps: cookies by name.
#[derive(Default, Clone)]
struct Cookies(std::collections::BTreeMap<String, String>);

impl Cookies {
    fn keep<B>(&mut self, response: &ServiceResponse<B>) {
        for line in response.headers().get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            assert!(
                line.contains("HttpOnly") && line.contains("SameSite=Lax"),
                "{line}"
            );
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn line(&self) -> String {
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }
}

/// Sends a request as a browser with these cookies; its status, where it leads, and its body.
macro_rules! send {
    ($app:expr, $cookies:expr, $request:expr) => {{
        let request = $request
            .insert_header(("Host", HOST))
            .insert_header(("Cookie", $cookies.line()));
        let response = call_service(&$app, request.to_request()).await;
        $cookies.keep(&response);
        let status = response.status().as_u16();
        let led = response
            .headers()
            .get(LOCATION)
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let body = to_bytes(response.into_body()).await.unwrap_or_default();
        (status, led, String::from_utf8_lossy(&body).into_owned())
    }};
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

fn post(path: &str, fields: &[(&str, &str)]) -> TestRequest {
    TestRequest::post()
        .uri(path)
        .insert_header(("Sec-Fetch-Site", "same-origin"))
        .set_form(fields)
}

/// The token of the first form on a page.
fn token(html: &str) -> String {
    let at = html.split("name=\"form_token\" value=\"").nth(1).unwrap();
    at.split('"').next().unwrap().to_owned()
}

/// Sets a node up and signs its owner in, by the forms; the token of their forms.
macro_rules! owner {
    ($app:expr, $lab:expr, $cookies:expr) => {{
        let form = token(&send!($app, $cookies, get("/setup")).2);
        let fields = [
            ("form_token", form.as_str()),
            ("token", &$lab.setup_token),
            ("name", "Lab"),
            ("owner_name", "Olga"),
            ("email", "olga@example.org"),
            ("password", PASSWORD),
            ("password_again", PASSWORD),
        ];
        let made = send!($app, $cookies, post("/setup", &fields));
        assert_eq!((made.0, made.1.as_str()), (303, "/sign-in"), "{}", made.2);
        let page = send!($app, $cookies, get("/sign-in")).2;
        assert!(page.contains("The node is set up."), "{page}");
        let form = token(&page);
        let fields = [
            ("form_token", form.as_str()),
            ("email", "olga@example.org"),
            ("password", PASSWORD),
        ];
        let signed_in = send!($app, $cookies, post("/sign-in", &fields));
        assert_eq!((signed_in.0, signed_in.1.as_str()), (303, "/"), "{}", signed_in.2);
        token(&send!($app, $cookies, get("/account")).2)
    }};
}

/// Signs somebody in by the form; their cookies.
macro_rules! signed_in {
    ($app:expr, $email:expr) => {{
        let mut cookies = Cookies::default();
        let form = token(&send!($app, cookies, get("/sign-in")).2);
        let fields = [
            ("form_token", form.as_str()),
            ("email", $email),
            ("password", PASSWORD),
        ];
        let answer = send!($app, cookies, post("/sign-in", &fields));
        assert_eq!((answer.0, answer.1.as_str()), (303, "/"), "{}", answer.2);
        cookies
    }};
}

/// Calls REST as whoever has these cookies; the status and the JSON of the answer.
macro_rules! rest {
    ($app:expr, $cookies:expr, $request:expr) => {{
        let bearer = format!("Bearer {}", $cookies.0["poundlock-1"]);
        let request = $request.insert_header(("Authorization", bearer));
        let answer = send!($app, Cookies::default(), request);
        let json: serde_json::Value = serde_json::from_str(&answer.2).unwrap_or_default();
        (answer.0, json)
    }};
}

/// Calls REST, which must do it; the JSON of the answer.
macro_rules! done {
    ($app:expr, $cookies:expr, $request:expr) => {{
        let answer = rest!($app, $cookies, $request);
        assert!((200..300).contains(&answer.0), "{answer:?}");
        answer.1
    }};
}

/// Makes an account with a role and signs its owner in; their cookies and id.
macro_rules! person {
    ($app:expr, $owner:expr, $name:expr, $role:expr) => {{
        let email = format!("{}@example.org", $name);
        let account = json!({"name": $name, "email": email, "password": PASSWORD, "role": $role});
        let made = done!($app, $owner, call("POST", "/users", &account));
        (signed_in!($app, email.as_str()), id(&made))
    }};
}

/// A call of REST.
fn call(method: &str, path: &str, body: &serde_json::Value) -> TestRequest {
    let request = TestRequest::with_uri(&format!("/api/v1{path}")).method(method.parse().unwrap());
    if body.is_null() {
        request
    } else {
        request.set_json(body)
    }
}

fn id(made: &serde_json::Value) -> String {
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// What stands in the hidden field of a page.
fn hidden(html: &str, name: &str) -> String {
    let named = format!("name=\"{name}\" value=\"");
    let at = html.split(&named).nth(1).unwrap_or_else(|| panic!("{html}"));
    at.split('"').next().unwrap().to_owned()
}

mod bounds;
mod named;
mod renewed;
mod shown;
mod stale;

#[actix_web::test]
async fn until_set_up_every_page_leads_to_the_set_up() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    for path in ["/", "/account", "/nowhere", "/sign-in"] {
        let answer = send!(app, cookies, get(path));
        assert_eq!((answer.0, answer.1.as_str()), (303, "/setup"), "{path}");
    }
    let wrong = token(&send!(app, cookies, get("/setup")).2);
    let fields = [
        ("form_token", wrong.as_str()),
        ("token", "guessed"),
        ("name", "Lab"),
    ];
    let refused = send!(app, cookies, post("/setup", &fields));
    assert_eq!(refused.0, 401);
    assert!(refused.2.contains("not the one-time token"), "{}", refused.2);
    owner!(app, lab, cookies);
    let again = send!(app, cookies, get("/setup"));
    assert_eq!((again.0, again.1.as_str()), (303, "/"));
}

#[actix_web::test]
async fn a_form_that_is_not_the_senders_own_does_nothing() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    let form = owner!(app, lab, cookies);
    let mut other = Cookies::default();
    let strange = token(&send!(app, other, get("/sign-in")).2);
    let right = [("form_token", form.as_str())];

    let mut refused = Vec::new();
    refused.push(send!(app, cookies, post("/sign-out", &[])));
    refused.push(send!(app, cookies, post("/sign-out", &[("form_token", "")])));
    refused.push(send!(
        app,
        cookies,
        post("/sign-out", &[("form_token", strange.as_str())])
    ));
    let from = |header: (&'static str, &'static str)| {
        TestRequest::post()
            .uri("/sign-out")
            .insert_header(header)
            .set_form(right)
    };
    refused.push(send!(app, cookies, from(("Sec-Fetch-Site", "cross-site"))));
    refused.push(send!(app, cookies, from(("Sec-Fetch-Site", "same-site"))));
    refused.push(send!(app, cookies, from(("Origin", "http://evil.example"))));
    refused.push(send!(app, cookies, from(("Origin", "null"))));
    refused.push(send!(app, cookies, from(("Accept", "text/html"))));
    for (status, _, body) in refused {
        assert_eq!(status, 403, "{body}");
        assert!(body.contains("The form was not accepted"), "{body}");
    }
    assert_eq!(
        send!(app, cookies, get("/sign-out")).0,
        404,
        "reading changes nothing"
    );
    let json = post("/sign-out", &[]).set_json(serde_json::json!({"form_token": form}));
    assert_eq!(send!(app, cookies, json).0, 415);
    assert_eq!(send!(app, cookies, get("/account")).0, 200, "still signed in");

    let session = cookies.clone();
    let out = send!(app, cookies, from(("Origin", "https://NODE.example:1")));
    assert_eq!((out.0, out.1.as_str()), (303, "/sign-in?signed-out"));
    let mut stolen = session;
    assert_eq!(
        send!(app, stolen, get("/account")).0,
        303,
        "the token holds no more"
    );
    let late = send!(app, stolen, post("/sign-out", &right));
    assert_eq!((late.0, late.1.as_str()), (303, "/sign-in"));
}

#[actix_web::test]
async fn the_session_of_a_page_is_the_session_of_rest() {
    let lab = lab(Side::High);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    owner!(app, lab, cookies);
    let bearer = format!("Bearer {}", cookies.0["poundlock-1"]);
    let me = get("/api/v1/users/me").insert_header(("Authorization", bearer));
    assert_eq!(send!(app, Cookies::default(), me).0, 200);
    // REST takes no cookie: a page of another site could send one.
    assert_eq!(send!(app, cookies, get("/api/v1/users/me")).0, 401);
}

#[actix_web::test]
async fn every_answer_bears_the_headers_that_keep_browsers_safe() {
    let lab = lab(Side::Low);
    let app = served!(lab);
    let mut cookies = Cookies::default();
    owner!(app, lab, cookies);
    for path in ["/account", "/nowhere", "/sign-in", super::statics::style()] {
        let request = get(path)
            .insert_header(("Host", HOST))
            .insert_header(("Cookie", cookies.line()));
        let response = call_service(&app, request.to_request()).await;
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for rule in [
            "default-src 'self'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let kept = if path.starts_with("/static/") {
            "immutable"
        } else {
            "no-store"
        };
        assert!(header("cache-control").contains(kept), "{path}");
    }
    assert_eq!(
        send!(app, cookies, get("/static/0000000000000000/style.css")).0,
        404
    );
    let html = send!(app, cookies, get("/account")).2;
    for inline in ["<style", " style=", " onclick", "javascript:", "<script>"] {
        assert!(!html.contains(inline), "{inline} in {html}");
    }
}
