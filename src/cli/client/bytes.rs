//! Answers that are bytes, and requests without a body.

use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::Value;
use ureq::Body;
use ureq::http::{Method, Response};

use super::{Client, Fetched, Source};
use crate::cli::failure::{Code, Failure};
use crate::cli::print::Out;
use crate::cli::progress::Progress;

/// What was asked for as bytes.
#[derive(Debug)]
pub enum Answer {
    /// The bytes, not read yet.
    Bytes(Incoming),
    /// JSON instead: what has become of what was asked for.
    State(Value),
}

/// Bytes that are about to arrive.
#[derive(Debug)]
pub struct Incoming {
    response: Response<Body>,
    out: Out,
    /// Their hash, where the node told one.
    pub hash: Option<String>,
    /// Their media type.
    pub media: Option<String>,
    /// How many there are.
    pub length: Option<u64>,
}

/// The header that names the hash of released or reviewable bytes.
const HASH_HEADER: &str = "Poundlock-Result-Hash";

impl Client {
    /// Does something that takes no further words.
    ///
    /// # Errors
    /// The node refuses, or cannot be reached.
    pub fn act(&self, path: &str) -> Result<Value, Failure> {
        self.patiently(|| self.exchange(Method::POST, path, "", &b""[..]))
    }

    /// Asks for bytes.
    ///
    /// # Errors
    /// As [`Self::act`].
    pub fn bytes(&self, path: &str) -> Result<Incoming, Failure> {
        let response = self.patiently(|| self.fetch(self.request(Method::GET, path, ""), ()))?;
        Ok(self.incoming(response))
    }

    /// Sends JSON, and gets bytes or what has become of them.
    ///
    /// # Errors
    /// As [`Self::act`].
    pub fn ask(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let request = || self.request(Method::POST, path, "application/json");
        let response = self.patiently(|| self.fetch(request(), body.to_string()))?;
        let is_json = response
            .headers()
            .get("Content-Type")
            .is_some_and(|kind| kind == "application/json");
        if is_json && !response.headers().contains_key(HASH_HEADER) {
            return self.answer(response).map(Answer::State);
        }
        Ok(Answer::Bytes(self.incoming(response)))
    }

    fn incoming(&self, response: Response<Body>) -> Incoming {
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Incoming {
            hash: header(HASH_HEADER),
            media: header("Content-Type"),
            length: response.body().content_length(),
            out: self.out,
            response,
        }
    }
}

impl Incoming {
    /// Writes them to a file, which is there whole or not at all.
    ///
    /// # Errors
    /// They break off, or the file cannot be written.
    pub fn save(mut self, to: &Path) -> Result<Fetched, Failure> {
        let bytes = self.pass(Some(to), |reader| super::save(reader, to))?;
        Ok(Fetched {
            bytes,
            hash: self.hash,
            media: self.media,
        })
    }

    /// Passes them on as they arrive. `file` names what is written, for the error.
    ///
    /// # Errors
    /// They break off, or cannot be written.
    pub fn copy(mut self, mut to: impl Write, file: &Path) -> Result<Fetched, Failure> {
        let bytes = self.pass(Some(file), |reader| io::copy(reader, &mut to))?;
        Ok(Fetched {
            bytes,
            hash: self.hash,
            media: self.media,
        })
    }

    /// Reads the first of them, at most `most`, and whether there are more.
    ///
    /// # Errors
    /// They break off.
    pub fn begin(mut self, most: usize) -> Result<(Vec<u8>, bool), Failure> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        self.pass(None, |reader| reader.take(limit).read_to_end(&mut bytes))?;
        let more = bytes.len() > most;
        bytes.truncate(most);
        Ok((bytes, more))
    }

    /// Has the bytes taken, into a file if one is named: an error is the file's, unless they broke off.
    fn pass<T>(
        &mut self,
        file: Option<&Path>,
        take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> Result<T, Failure> {
        let progress = Progress::begin(self.out, "download", self.length);
        let reader = self.response.body_mut().with_config().limit(u64::MAX).reader();
        let mut source = Source::of(progress.read(reader));
        take(&mut source).map_err(|error| match (source.failed, file) {
            (None, Some(file)) => Failure::file(file, &error),
            (broken, _) => {
                let why = broken.unwrap_or(error);
                Failure::new(Code::Unreachable, format!("the answer broke off: {why}"))
            }
        })
    }
}
