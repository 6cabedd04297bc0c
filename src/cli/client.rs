//! Speaks to a running node: one client for all commands.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Method, Request, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body, SendBody};
use zeroize::Zeroizing;

use super::Common;
use super::failure::{Code, Failure};
use super::print::Out;
use super::profile::{self, Remembered};
use super::progress::Progress;

mod bytes;

pub use bytes::{Answer, Incoming};

/// The file in a node's folder that says where it listens while it runs.
pub const ADDRESS_FILE: &str = "run/address";

/// The longest JSON answer that is read.
const ANSWER_MAX: u64 = 64 * 1024 * 1024;

/// Speaks to one node, with the session that the profile remembers.
pub struct Client {
    agent: Agent,
    base: String,
    /// How the node was named: what its session is remembered under.
    named: String,
    profile: String,
    token: RefCell<Option<Zeroizing<String>>>,
    /// Where the session is remembered that the token is of; none where the token comes from the environment.
    remembered: Option<PathBuf>,
    out: Out,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// For the node and the profile that the command line names.
    ///
    /// # Errors
    /// No node is named, or it does not run.
    pub fn open(common: &Common) -> Result<Self, Failure> {
        let (base, named) = locate(common)?;
        let (token, remembered) = match std::env::var("POUNDLOCK_TOKEN") {
            Ok(token) => (Some(Zeroizing::new(token)), None),
            Err(_) => {
                let file = profile::file(&common.profile, &named)?;
                let token = profile::recall(&file)?.map(|session| session.token);
                (token, Some(file))
            }
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(10)));
        if is_local(&base) {
            config = config.proxy(None);
        }
        if let Some(authority) = &common.ca_file {
            config = config.tls_config(trusting(authority)?);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            base,
            named,
            profile: common.profile.clone(),
            token: RefCell::new(token),
            remembered,
            out: common.out(),
        })
    }

    /// How the node was named.
    pub fn named(&self) -> &str {
        &self.named
    }

    /// The profile in use.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Asks for something. `path` is what follows `/api/v1`.
    ///
    /// # Errors
    /// The node refuses, or cannot be reached.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.json(Method::GET, path, None)
    }

    /// Asks for a whole list, page after page.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn list(&self, path: &str, all: bool) -> Result<Value, Failure> {
        let mut list = self.get(path)?;
        while all && let Some(cursor) = list["next"].as_str() {
            let joint = if path.contains('?') { '&' } else { '?' };
            let mut more = self.get(&format!("{path}{joint}cursor={cursor}"))?;
            list["next"] = more["next"].take();
            if let (Some(items), Some(further)) = (list["items"].as_array_mut(), more["items"].as_array_mut())
            {
                items.append(further);
            }
        }
        Ok(list)
    }

    /// Sends something as JSON.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(Method::POST, path, Some(body))
    }

    /// Changes something.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(Method::PATCH, path, Some(body))
    }

    /// Removes something.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.json(Method::DELETE, path, None)
    }

    fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.patiently(|| match body {
            Some(body) => self.exchange(method.clone(), path, "application/json", body.to_string()),
            None => self.exchange(method.clone(), path, "", ()),
        })
    }

    /// Where the node has had too many requests of this person, they go on when it says that they may: nothing of a request that
    /// it turns away for that has been done.
    fn patiently<T>(&self, mut ask: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        loop {
            let done = ask();
            match done.as_ref().err().and_then(Failure::too_many_requests) {
                Some(wait) if self.token.borrow().is_some() => std::thread::sleep(wait),
                _ => return done,
            }
        }
    }

    /// Sends bytes or text as they are.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn send(&self, method: Method, path: &str, media: &str, body: &[u8]) -> Result<Value, Failure> {
        self.patiently(|| self.exchange(method.clone(), path, media, body))
    }

    /// Sends a file, streamed, with a bar on a terminal. What is no file, such as a pipe, can be sent but once.
    ///
    /// # Errors
    /// As [`Self::get`], and when the file cannot be read.
    pub fn send_file(&self, method: Method, path: &str, file: &Path) -> Result<Value, Failure> {
        if file.is_file() {
            self.patiently(|| self.send_file_once(method.clone(), path, file))
        } else {
            self.send_file_once(method, path, file)
        }
    }

    fn send_file_once(&self, method: Method, path: &str, file: &Path) -> Result<Value, Failure> {
        let failed = |error: io::Error| Failure::file(file, &error);
        let opened = File::open(file).map_err(failed)?;
        let metadata = opened.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let length = metadata.is_file().then_some(metadata.len());
        let what = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let progress = Progress::begin(self.out, &super::print::plain(&what), length);
        let mut request = self.request(method, path, "application/octet-stream");
        if let Some(length) = length {
            request = request.header("Content-Length", length);
        }
        let mut reader = Source::of(progress.read(opened));
        let sent = self.run(request, SendBody::from_reader(&mut reader));
        match (sent, reader.failed) {
            (Err(_), Some(error)) => Err(failed(error)),
            (sent, _) => self.answer(sent?),
        }
    }

    /// Fetches a text of at most 64 MiB.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn text(&self, path: &str) -> Result<String, Failure> {
        let mut response = self.patiently(|| self.fetch(self.request(Method::GET, path, ""), ()))?;
        let read = response
            .body_mut()
            .with_config()
            .limit(ANSWER_MAX)
            .lossy_utf8(true)
            .read_to_string();
        read.map_err(|error| self.unreachable(&error))
    }

    fn exchange(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: impl AsSendBody,
    ) -> Result<Value, Failure> {
        let response = self.run(self.request(method, path, media), body)?;
        self.answer(response)
    }

    fn request(&self, method: Method, path: &str, media: &str) -> ureq::http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", self.base));
        if !media.is_empty() {
            request = request.header("Content-Type", media);
        }
        if let Some(token) = &*self.token.borrow() {
            request = request.header("Authorization", format!("Bearer {}", **token));
            if self.remembered.is_some() {
                request = request.header("Poundlock-Renews", "yes");
            }
        }
        request
    }

    fn run(
        &self,
        request: ureq::http::request::Builder,
        body: impl AsSendBody,
    ) -> Result<Response<Body>, Failure> {
        let request = request
            .body(body)
            .map_err(|error| Failure::usage(format!("not an address: {error}")))?;
        let response = self
            .agent
            .run(request)
            .map_err(|error| self.unreachable(&error))?;
        self.take_up_token(&response)?;
        Ok(response)
    }

    /// Goes on with the token that the session has got in place of the one before, and remembers it.
    fn take_up_token(&self, response: &Response<Body>) -> Result<(), Failure> {
        let told = response.headers().get("Poundlock-Token");
        let (Some(file), Some(token)) = (&self.remembered, told.and_then(|told| told.to_str().ok())) else {
            return Ok(());
        };
        let token = Zeroizing::new(token.to_owned());
        *self.token.borrow_mut() = Some(token.clone());
        match profile::recall(file)? {
            Some(session) => profile::remember(file, &Remembered { token, ..session }),
            None => Ok(()),
        }
    }

    /// The node's answer, if it does not refuse.
    fn fetch(
        &self,
        request: ureq::http::request::Builder,
        body: impl AsSendBody,
    ) -> Result<Response<Body>, Failure> {
        let response = self.run(request, body)?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(self.refused(response))
        }
    }

    fn answer(&self, mut response: Response<Body>) -> Result<Value, Failure> {
        if !response.status().is_success() {
            return Err(self.refused(response));
        }
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_MAX)
            .read_to_string();
        let text = text.map_err(|error| self.unreachable(&error))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let is_json = response
            .headers()
            .get("Content-Type")
            .is_some_and(|kind| kind == "application/json");
        if !is_json {
            return Ok(Value::String(text));
        }
        serde_json::from_str(&text)
            .map_err(|error| Failure::failed(format!("{} answers what is not JSON: {error}", self.base)))
    }

    fn refused(&self, mut response: Response<Body>) -> Failure {
        let status = response.status().as_u16();
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_MAX)
            .read_to_string()
            .unwrap_or_default();
        match serde_json::from_str(&text) {
            Ok(problem @ Value::Object(_)) => Failure::problem(status, problem),
            _ => Failure::failed(format!(
                "{} answered {status}; is it a Poundlock node?",
                self.base
            )),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::new(
            Code::Unreachable,
            format!("the node at {} cannot be reached: {error}", self.base),
        )
    }
}

/// Where bytes come from. It keeps the error that reading it ended with, so that a medium that fails is not taken for a node that
/// does, nor a node for a medium.
struct Source<R> {
    reader: R,
    failed: Option<io::Error>,
}

impl<R: Read> Source<R> {
    fn of(reader: R) -> Self {
        Self { reader, failed: None }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failed = Some(io::Error::new(error.kind(), error.to_string()));
        }
        read
    }
}

/// Bytes that were fetched.
#[derive(Debug)]
pub struct Fetched {
    /// How many.
    pub bytes: u64,
    /// The hash that the node told.
    pub hash: Option<String>,
    /// Their media type.
    pub media: Option<String>,
}

fn save(reader: &mut dyn Read, to: &Path) -> io::Result<u64> {
    if to.as_os_str() == "-" {
        let mut out = io::stdout().lock();
        let bytes = io::copy(reader, &mut out)?;
        out.flush()?;
        return Ok(bytes);
    }
    let folder = to
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let bytes = io::copy(reader, &mut file)?;
    file.as_file().sync_all()?;
    file.persist(to).map_err(|error| error.error)?;
    Ok(bytes)
}

/// The node's address, and what its sessions are remembered under.
fn locate(common: &Common) -> Result<(String, String), Failure> {
    let Some(named) = &common.node else {
        return Err(Failure::usage(
            "name the node: --node URL|FOLDER, or the variable POUNDLOCK_NODE",
        ));
    };
    let Some(folder) = common.folder() else {
        let base = named.trim_end_matches('/').to_owned();
        return Ok((base.clone(), base));
    };
    let folder = folder
        .canonicalize()
        .map_err(|error| Failure::file(&folder, &error))?;
    let path = folder.join(ADDRESS_FILE);
    match std::fs::read_to_string(&path) {
        Ok(address) => Ok((address.trim().to_owned(), folder.display().to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let detail = format!(
                "no node runs in {0}; start it with: poundlock serve {0}",
                folder.display()
            );
            Err(Failure::new(Code::Unreachable, detail))
        }
        Err(error) => Err(Failure::file(&path, &error)),
    }
}

/// Trusts the authorities of a file, and no others.
fn trusting(file: &Path) -> Result<TlsConfig, Failure> {
    let pem = std::fs::read(file).map_err(|error| Failure::file(file, &error))?;
    let mut trusted = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        let item = item.map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
        if let PemItem::Certificate(certificate) = item {
            trusted.push(certificate);
        }
    }
    if trusted.is_empty() {
        let detail = format!("{} holds no certificate in PEM", file.display());
        return Err(Failure::failed(detail));
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&trusted))
        .build())
}

fn is_local(base: &str) -> bool {
    let host = base.split("://").nth(1).unwrap_or_default();
    host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]")
}

/// A part of an address, escaped so that it stays one.
pub fn part(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
