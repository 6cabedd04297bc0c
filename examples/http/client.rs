//! A client that costs little, so that what is measured is the server: requests made beforehand, kept connections, a thread for
//! each.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A connection that is used again and again.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request without a body.
pub fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// A request with a JSON body.
pub fn post(path: &str, token: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server answers");
        stream.set_nodelay(true).expect("a socket");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a socket");
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Sends a request, and takes the whole answer: its status and its body.
    pub fn ask(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).expect("it takes the request");
        self.buffer.clear();
        let head = loop {
            self.more();
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head]).expect("a head");
        let status = text
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        let end = head + length.expect("an answer that says how long it is");
        while self.buffer.len() < end {
            self.more();
        }
        (status, &self.buffer[head..end])
    }

    fn more(&mut self) {
        let before = self.buffer.len();
        self.buffer.resize(before + 16 * 1024, 0);
        let read = self.stream.read(&mut self.buffer[before..]).expect("an answer");
        assert!(read > 0, "the server closed the connection");
        self.buffer.truncate(before + read);
    }
}

/// How long each answer took, over all connections.
pub struct Times(Vec<Duration>, Duration);

impl Times {
    /// Of answers that came within `during`.
    pub fn new(mut times: Vec<Duration>, during: Duration) -> Self {
        times.sort_unstable();
        Self(times, during)
    }

    /// Answers a second.
    #[allow(clippy::cast_precision_loss)]
    pub fn rate(&self) -> f64 {
        self.0.len() as f64 / self.1.as_secs_f64()
    }

    /// How many answers there were.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Within which time a part of the answers came, in milliseconds.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    pub fn within(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let place = (last as f64 * part) as usize;
        self.0.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
    }
}

/// Has so many connections ask for a while. `request` makes the next request of a connection, and says which status it must be
/// answered with; `class` sorts the answers.
pub fn load<const CLASSES: usize>(
    address: &str,
    connections: usize,
    time: Duration,
    request: impl Fn(usize, usize) -> (usize, Vec<u8>, u16) + Sync,
) -> [Times; CLASSES] {
    let all: [Mutex<Vec<Duration>>; CLASSES] = std::array::from_fn(|_| Mutex::default());
    let begun = Instant::now();
    std::thread::scope(|threads| {
        for connection in 0..connections {
            let (all, request) = (&all, &request);
            threads.spawn(move || {
                let mut asking = Connection::open(address);
                let mut own: [Vec<Duration>; CLASSES] = std::array::from_fn(|_| Vec::new());
                for round in 0.. {
                    if begun.elapsed() >= time {
                        break;
                    }
                    let (class, bytes, wanted) = request(connection, round);
                    let asked = Instant::now();
                    let (status, body) = asking.ask(&bytes);
                    assert_eq!(status, wanted, "{}", String::from_utf8_lossy(body));
                    own[class].push(asked.elapsed());
                }
                for (all, own) in all.iter().zip(own) {
                    all.lock().expect("no thread failed").extend(own);
                }
            });
        }
    });
    let during = begun.elapsed();
    all.map(|times| Times::new(times.into_inner().expect("no thread failed"), during))
}
