//! The node on a network: encrypted, with bounds on what it takes of those whom it does not know.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::mail::{MailServer, Tls};
use crate::node::{Node, OWNER, PASSWORD};
use crate::person::{Person, word};
use crate::world::text;

fn with(variables: &[(&str, &str)]) -> Node {
    let set = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Node::with_environment("low", &[], set.collect())
}

/// The status and the headers of an answer as it came over the wire.
fn head(answer: &str) -> (u16, String) {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), head.to_lowercase())
}

#[test]
fn with_a_certificate_everything_is_encrypted_and_stays_so() {
    // The mail server's authority, which is made for each test, vouches for localhost too.
    let authority = MailServer::new(Tls::Implicit, None);
    let ca = authority.authority();
    let folder = ca.parent().unwrap().to_path_buf();
    let mut node = Node::new("low");
    std::fs::set_permissions(
        folder.join("server.key"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let section = format!(
        "\n[server.tls]\ncertificate = {:?}\nkey = {:?}\nname = \"localhost\"\n",
        folder.join("server.pem"),
        folder.join("server.key")
    );
    node.environment
        .push(("POUNDLOCK_CA_FILE".to_owned(), ca.display().to_string()));
    node.reconfigure(|text| text + &section);
    assert!(
        node.address().starts_with("https://localhost:"),
        "{}",
        node.address()
    );

    // Commands that name the folder speak TLS, and trust the authority that they were given and no other.
    let token = node.made["setup_token"].as_str().unwrap().to_owned();
    let token = node.file("token", token.as_bytes()).display().to_string();
    let ca_file = ca.display().to_string();
    let set_up = [
        "--ca-file",
        &ca_file,
        "setup",
        "--owner",
        "Olga",
        "--email",
        OWNER,
        "--allow-registration",
        "--token-file",
        &token,
    ];
    let refused = node.run(OWNER, &set_up[2..]);
    assert_eq!(refused.code, 6, "nobody vouches: {}", refused.stderr);
    node.run(OWNER, &set_up).json();
    let port = node.address().rsplit(':').next().unwrap().to_owned();

    // What is not TLS is not answered.
    let mut plain = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    plain
        .write_all(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer));
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"));

    // Stock clients are content with it, and every answer says to come back encrypted; session cookies are bound to the host.
    let curl = |arguments: &[&str]| {
        let output = std::process::Command::new("curl")
            .args(["--silent", "--show-error", "--include", "--cacert", &ca_file])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let address = node.address();
    for path in [
        "/api/v1/health",
        "/api/v1/nowhere",
        "/sign-in",
        "/nowhere",
        "/static/style.css",
    ] {
        let (_, headers) = head(&curl(&[&format!("{address}{path}")]));
        let hsts = "strict-transport-security: max-age=31536000; includesubdomains";
        assert!(headers.contains(hsts), "{path}: {headers}");
    }
    let (_, headers) = head(&curl(&[&format!("{address}/sign-in")]));
    assert!(
        headers.contains("set-cookie: __host-") && headers.contains("secure"),
        "{headers}"
    );
    for old in ["--tls-max 1.1", "--tls-max 1.0"] {
        let mut arguments: Vec<&str> = old.split(' ').collect();
        let health = format!("{address}/api/v1/health");
        arguments.push(&health);
        assert!(!curl(&arguments).contains("200 OK"), "{old}");
    }

    // A key that others can read is refused before anything listens.
    std::fs::set_permissions(
        folder.join("server.key"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    node.stop();
    let started = node.run(OWNER, &["serve", &node.folder().display().to_string()]);
    assert_eq!(started.code, 1);
    assert!(started.stderr.contains("chmod 600"), "{}", started.stderr);
    std::fs::set_permissions(
        folder.join("server.key"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    node.start();
}

#[test]
fn every_answer_bears_its_headers_whatever_is_asked() {
    let node = Node::ready("low");
    let asked = [
        ("GET", "/api/v1/health"),
        ("GET", "/api/v1/users/me"),
        ("GET", "/api/v1/nowhere"),
        ("PUT", "/api/v1/users"),
        ("TRACE", "/api/v1/health"),
        ("GET", "/docs"),
        ("GET", "/sign-in"),
        ("GET", "/nowhere"),
        ("GET", "/static/style.css"),
        ("GET", "/static/../poundlock.toml"),
        ("GET", "/static/%2e%2e/poundlock.toml"),
        ("TRACE", "/"),
        ("OPTIONS", "/"),
    ];
    for (method, path) in asked {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Secret: shibboleth\r\n\r\n"
        );
        let answer = node.raw(request.as_bytes());
        let (status, headers) = head(&answer);
        assert!((200..500).contains(&status), "{method} {path}: {answer}");
        for header in [
            "x-content-type-options: nosniff",
            "content-security-policy: ",
            "referrer-policy: ",
        ] {
            assert!(
                headers.contains(header),
                "{method} {path} lacks {header}: {headers}"
            );
        }
        for directive in ["frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"] {
            assert!(
                headers.contains(directive),
                "{method} {path} lacks {directive}: {headers}"
            );
        }
        for told in ["server:", "x-powered-by:", "access-control-allow-origin"] {
            assert!(!headers.contains(told), "{method} {path} tells {told}");
        }
        assert!(
            !headers.contains("strict-transport-security"),
            "it is not encrypted"
        );
        if method == "TRACE" {
            assert!(status >= 400 && !answer.contains("shibboleth"), "{answer}");
        }
    }
}

#[test]
fn a_client_that_sends_slowly_or_too_much_is_cut_off_and_others_are_served() {
    let node = with(&[
        ("POUNDLOCK_HEAD_SECONDS", "1"),
        ("POUNDLOCK_BODY_IDLE_SECONDS", "1"),
    ]);
    node.set_up();
    let address = node.address().strip_prefix("http://").unwrap();
    let person = Person::sign_in(node.address(), OWNER, PASSWORD);
    let token = person.token.clone().unwrap();

    // A head that is never finished, and bodies that stop or drip, as JSON and as an upload.
    let drip = |first: String, piece: &'static [u8]| {
        let mut connection = TcpStream::connect(address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        connection.write_all(first.as_bytes()).unwrap();
        let (begun, mut answer) = (Instant::now(), Vec::new());
        loop {
            let mut buffer = [0; 4096];
            match connection.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    if connection.write_all(piece).is_err() {
                        break;
                    }
                }
                Err(_) => break,
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "it is never cut off");
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    let head_of = |path: &str, kind: &str| {
        format!(
            "POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\nContent-Length: 60000\r\nConnection: close\r\n\r\n"
        )
    };
    let json = "application/json";
    std::thread::scope(|threads| {
        let cases = [
            threads.spawn(|| drip("GET /api/v1/health HTTP/1.1\r\nHost: loc".to_owned(), b"")),
            threads.spawn(|| drip(head_of("/projects", json) + "{\"name\": \"", b"")),
            threads.spawn(|| drip(head_of("/projects", json) + "{\"name\": \"", b"x")),
            threads.spawn(|| drip(head_of("/sessions", json), b" ")),
        ];
        // Meanwhile others are served at once.
        let begun = Instant::now();
        for _ in 0..20 {
            assert_eq!(person.get("/users/me")["email"], OWNER);
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
        let answers = cases.map(|case| case.join().unwrap());
        for (answer, name) in answers.iter().zip(["head", "stopped", "dripping", "anonymous"]) {
            let (status, _) = head(answer);
            assert!(status == 408, "{name}: {answer}");
        }
        assert!(answers[1].contains("too_slow"), "{}", answers[1]);
    });

    // Too long: said so before it is read, or at the bound.
    let large = vec![b'x'; 200_000];
    let refused = person.try_post("/projects", &json!({"name": String::from_utf8(large).unwrap()}));
    assert_eq!((refused.0, word(&refused)), (413, "too_large"), "{:#}", refused.1);
    let long = format!(
        "GET /api/v1/users?search={} HTTP/1.1\r\nHost: x\r\n\r\n",
        "a".repeat(300_000)
    );
    let (status, _) = head(&node.raw(long.as_bytes()));
    assert!(status == 0 || (400..500).contains(&status), "{status}");
    assert_eq!(person.get("/users/me")["email"], OWNER);
}

#[test]
fn strangers_are_served_at_a_bounded_rate_and_people_are_not_held_up() {
    let node = with(&[("POUNDLOCK_STRANGER_REQUESTS_PER_MINUTE", "30")]);
    node.set_up();
    let person = Person::sign_in(node.address(), OWNER, PASSWORD);
    let (mut served, mut refused) = (0, Value::Null);
    // Credentials that prove nothing make nobody known.
    let asks = [
        "",
        "Authorization: Bearer guessed\r\n",
        "Cookie: poundlock=guessed\r\n",
    ]
    .map(|header| {
        format!("GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n{header}Connection: close\r\n\r\n")
    });
    for number in 0..200 {
        let answer = node.raw(asks[number % 3].as_bytes());
        match head(&answer) {
            (200, _) => served += 1,
            (429, headers) => {
                for header in [
                    "retry-after: ",
                    "x-content-type-options: nosniff",
                    "content-security-policy: ",
                ] {
                    assert!(headers.contains(header), "{header}: {headers}");
                }
                let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
                refused = serde_json::from_str(body).unwrap();
                break;
            }
            _ => panic!("{answer}"),
        }
    }
    assert!((10..=60).contains(&served), "{served}");
    assert_eq!(refused["type"], "urn:poundlock:problem:too_many_requests");
    for _ in 0..100 {
        assert_eq!(
            person.get("/users/me")["email"],
            OWNER,
            "who is signed in is not held up"
        );
    }
}

#[test]
fn connections_are_bounded_and_the_next_is_served_when_one_ends() {
    let node = with(&[("POUNDLOCK_CONNECTIONS", "2"), ("POUNDLOCK_HEAD_SECONDS", "1")]);
    let address = node.address().strip_prefix("http://").unwrap();
    // Many connections that say nothing: each is cut off in time, so that everybody gets a turn.
    let silent: Vec<_> = (0..12).map(|_| TcpStream::connect(address).unwrap()).collect();
    let begun = Instant::now();
    let answer = node.raw(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let waited = begun.elapsed();
    assert_eq!(head(&answer).0, 200, "{answer}");
    assert!(
        waited > Duration::from_millis(500),
        "nothing bounds connections: {waited:?}"
    );
    let files = std::fs::read_dir(format!("/proc/{}/fd", node.process_id())).unwrap();
    let sockets = files
        .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"));
    assert!(sockets.count() < 16, "no more connections are open than may be");
    drop(silent);
}

#[test]
fn what_follows_a_body_in_chunks_is_no_request() {
    let node = with(&[("POUNDLOCK_BODY_IDLE_SECONDS", "1")]);
    node.set_up();
    let address = node.address().strip_prefix("http://").unwrap();
    let health = "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let chunks = "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                  Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n";
    // An honest end, and one that programs read differently.
    for end in ["\r\n", "\n"] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
            .write_all(format!("{health}{chunks}{end}").as_bytes())
            .unwrap();
        let mut answers = vec![0; 64 * 1024];
        let mut read = 0;
        while String::from_utf8_lossy(&answers[..read])
            .matches("HTTP/1.1 ")
            .count()
            < 2
        {
            let more = stream.read(&mut answers[read..]).unwrap();
            assert!(more > 0, "{}", String::from_utf8_lossy(&answers[..read]));
            read += more;
        }
        drop(stream.write_all(health.as_bytes()));
        let mut rest = String::new();
        drop(stream.read_to_string(&mut rest));
        let all = format!("{}{rest}", String::from_utf8_lossy(&answers[..read])).to_lowercase();
        assert_eq!(all.matches("http/1.1 ").count(), 2, "{all}");
        assert!(all.contains("connection: close"), "{all}");
    }
}

#[test]
fn what_somebody_may_not_do_is_written_down() {
    let node = Node::ready("low");
    let sam = text(&node.scientist("sam@example.org")["id"]);
    let scientist = Person::sign_in(node.address(), "sam@example.org", PASSWORD);
    assert_eq!(scientist.try_get("/audit").0, 403);
    let log = std::fs::read_to_string(node.log()).unwrap();
    let line = log.lines().find(|line| line.contains("refused")).unwrap();
    assert!(line.contains(&sam) && line.contains("/api/v1/audit"), "{line}");

    // So are those who ask for what is not theirs to know of, say what is not valid, or are not signed in; what they said is not.
    let unseen = format!("/projects/{}", uuid::Uuid::from_u128(9));
    assert_eq!(scientist.try_get(&unseen).0, 404);
    let body = json!({"name": "private words", "unknown": 1});
    assert_eq!(scientist.try_post("/projects", &body).0, 400);
    let stranger = "GET /api/v1/users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(head(&node.raw(stranger.as_bytes())).0, 401);
    let log = std::fs::read_to_string(node.log()).unwrap();
    for (user, route, reason) in [
        (sam.as_str(), "/api/v1/projects/{id}", "not_found"),
        (&sam, "/api/v1/projects", "invalid"),
        ("", "/api/v1/users/me", "not_signed_in"),
    ] {
        let mut told = log
            .lines()
            .filter(|line| line.contains("refused") && line.contains(reason));
        let line = told
            .next_back()
            .unwrap_or_else(|| panic!("{reason} stands nowhere:\n{log}"));
        assert!(
            line.contains(user) && line.contains(route) && line.contains("127.0.0.1"),
            "{line}"
        );
    }
    assert!(!log.contains("private words"));
}

#[test]
fn people_are_served_at_a_bounded_rate_and_their_commands_wait() {
    let node = with(&[("POUNDLOCK_PERSON_REQUESTS_PER_MINUTE", "60")]);
    node.set_up();
    let person = Person::sign_in(node.address(), OWNER, PASSWORD);
    let mut answers = (0..400).map(|_| person.try_get("/users/me"));
    let refused = answers.find(|answer| answer.0 != 200).unwrap();
    assert_eq!((refused.0, word(&refused)), (429, "too_many_requests"));
    assert!(refused.1["retry_after"].as_u64().unwrap() > 0);
    assert_eq!(node.run(OWNER, &["whoami"]).json()["email"], OWNER);
    let stranger = "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(
        head(&node.raw(stranger.as_bytes())).0,
        200,
        "nobody else is held up"
    );
}
