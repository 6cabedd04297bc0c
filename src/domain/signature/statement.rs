//! What people sign: a context that no other use shares, a NUL, and the parts of what they say, each preceded by its length in
//! bytes as eight little-endian bytes. Every part is text in UTF-8. Ed25519 signs these bytes themselves, without a hash of
//! ours, so that any library for it will do.
//!
//! A statement covers all that a data owner goes by. In particular a request's covers
//!
//! - its id, so that it cannot be made twice of one signature;
//! - the number of its revision, so that an earlier wish cannot be passed off as the newest;
//! - its project and requester, so that it cannot be moved to another project or another name;
//! - the whole statement of its code, so that the code cannot be exchanged under it.
//!
//! It does not cover whether the object is deleted: whoever holds a node can always keep back what is on it.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{SignatureBytes, VerifyKey};
use crate::domain::code::{self, Code};
use crate::domain::id::{RequestId, UserId};
use crate::domain::request::{Request, Sight, Subject};

/// Over the claim of a key: user, key.
pub const VERIFY_KEY: &str = "poundlock v1 verify key";
/// Over code: author, name, source, entry point, parameters with their bindings, output policy.
pub const CODE: &str = "poundlock v1 signed code";
/// Over one revision of a request: id, revision, requester, project, code, the code's statement, reason, runs wanted, withdrawn,
/// predecessor.
pub const REQUEST: &str = "poundlock v1 signed request";

/// Over one revision of a request to see something: id, revision, requester, project, type of what is to be seen, its object,
/// reason, withdrawn, predecessor.
pub const REQUEST_TO_SEE: &str = "poundlock v1 signed request to see";

/// The bytes that are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement(Vec<u8>);

impl Statement {
    fn new(context: &str) -> Self {
        let mut bytes = Vec::with_capacity(1024);
        bytes.extend_from_slice(context.as_bytes());
        bytes.push(0);
        Self(bytes)
    }

    fn part(&mut self, part: impl AsRef<[u8]>) -> &mut Self {
        let part = part.as_ref();
        self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.0.extend_from_slice(part);
        self
    }

    fn id(&mut self, id: impl Into<Uuid>) -> &mut Self {
        self.part(id.into().hyphenated().to_string())
    }

    /// Nothing, of length 0, where there is no id.
    fn optional(&mut self, id: Option<impl Into<Uuid>>) -> &mut Self {
        match id {
            Some(id) => self.id(id),
            None => self.part(""),
        }
    }

    /// That a key is a person's: they sign it with the key itself, which proves that they have it.
    pub fn of_key(user: UserId, key: &VerifyKey) -> Self {
        let mut statement = Self::new(VERIFY_KEY);
        statement.id(user).part(key.to_string());
        statement
    }

    /// What the author of code says: that this is theirs, under this name, with these policies.
    pub fn of_code(code: &Code) -> Self {
        let mut statement = Self::new(CODE);
        statement.id(code.author).part(&code.name);
        code::parts(
            &code.source,
            &code.entry_point,
            &code.input_policy,
            code.output_policy,
            |part| {
                statement.part(part);
            },
        );
        statement
    }

    /// What a requester says with one revision of a request, whose number is `revision`; `code` is what it asks to run, and
    /// counts for nothing where it asks to see something.
    pub fn of_request(id: RequestId, revision: u64, request: &Request, code: &Code) -> Self {
        let Subject::Run {
            project,
            code: code_id,
            runs_wanted,
        } = request.subject
        else {
            return Self::to_see(id, revision, request);
        };
        let mut statement = Self::new(REQUEST);
        statement
            .id(id)
            .part(revision.to_string())
            .id(request.requester)
            .id(project)
            .id(code_id)
            .part(Self::of_code(code).as_bytes())
            .part(&request.reason)
            .part(runs_wanted.to_string())
            .part(if request.withdrawn { "yes" } else { "no" })
            .optional(request.predecessor);
        statement
    }

    /// What a requester says with one revision of a request to see something; none of one for a run.
    pub fn of_request_to_see(id: RequestId, revision: u64, request: &Request) -> Option<Self> {
        request.sight().map(|_| Self::to_see(id, revision, request))
    }

    fn to_see(id: RequestId, revision: u64, request: &Request) -> Self {
        let sight = request.sight();
        let mut statement = Self::new(REQUEST_TO_SEE);
        statement
            .id(id)
            .part(revision.to_string())
            .id(request.requester)
            .optional(request.project())
            .part(sight.map_or("", |sight| sight.kind().word()))
            .optional(sight.map(Sight::object))
            .part(&request.reason)
            .part(if request.withdrawn { "yes" } else { "no" })
            .optional(request.predecessor);
        statement
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The SHA-256 hash of the bytes in hexadecimal digits, for finding out why somebody's program signs something else.
    pub fn sha256(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(&self.0))
    }

    /// Signs it.
    pub fn sign(&self, key: &ed25519_dalek::SigningKey) -> SignatureBytes {
        use ed25519_dalek::Signer;
        SignatureBytes(key.sign(&self.0).to_bytes())
    }
}
