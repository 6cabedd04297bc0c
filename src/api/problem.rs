//! The one place where errors become answers: problem documents after RFC 9457, each with a stable `type`.
//!
//! A problem says what was wrong, where, and what to do. What went wrong inside the node is told to its log, once and
//! with every cause, under an incident's number; the answer holds that number and nothing else of it.

use std::error::Error;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::actors::ActError;
use crate::acts::Refusal;
use crate::domain::access::Denied;
use crate::domain::archive::ArchiveRefused;
use crate::domain::notification::mail_settings::EnablingError;
use crate::domain::notification::reply::Fault;
use crate::domain::text::Invalid;
use crate::store::records::RecordError;
use crate::store::table::TableError;

/// What `type` begins with; a word follows.
pub const TYPE_PREFIX: &str = "urn:poundlock:problem:";

/// The stable word for why a request is refused, which its answer carries within the node to whoever writes it down.
#[derive(Debug, Clone, Copy)]
pub struct Reason(pub &'static str);

/// What is wrong with a request, as its sender is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    word: &'static str,
    detail: String,
    errors: Vec<Invalid>,
    more: Map<String, Value>,
    allow: Option<String>,
}

impl Problem {
    /// A problem of a kind: `word` is stable, `detail` is for people.
    pub fn new(status: StatusCode, word: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            word,
            detail: detail.into(),
            errors: Vec::new(),
            more: Map::new(),
            allow: None,
        }
    }

    /// Fields are wrong, each named.
    pub fn invalid(errors: Vec<Invalid>) -> Self {
        let detail = errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        Self {
            errors,
            ..Self::new(StatusCode::BAD_REQUEST, "invalid", detail.join("; "))
        }
    }

    /// There is no such thing, or the caller may not know of it.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The caller has not signed in, or the session is over.
    pub fn not_signed_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not_signed_in",
            "sign in first: POST /api/v1/sessions, then send the token as `Authorization: Bearer TOKEN`",
        )
    }

    /// The node demands a second factor, which the caller has not added yet.
    pub fn second_factor_required() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "second_factor_required",
            "this node demands a second factor: add one to your account first, with POST and PUT \
             /api/v1/users/me/second-factor, on the page of your account, or with `poundlock second-factor`",
        )
    }

    /// The body is longer than `most` bytes.
    pub fn too_large(most: u64) -> Self {
        let detail = format!("the body is too large; at most {most} bytes are accepted here");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).with("limit", most)
    }

    /// An archive is refused: `reason` is a stable word, `member` and `line` tell where it is wrong.
    pub fn archive_refused(refused: &ArchiveRefused) -> Self {
        let word = "archive_refused";
        let mut problem =
            Self::new(conflict_status(word), word, refused.to_string()).with("reason", refused.fault.word());
        if let Some(member) = &refused.member {
            problem = problem.with("member", member.as_str());
        }
        match refused.line {
            Some(line) => problem.with("line", line),
            None => problem,
        }
    }

    /// The path is known and the method is not.
    pub fn method_not_allowed(allow: String) -> Self {
        let detail = format!("this address answers to {allow}");
        Self {
            allow: Some(allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        }
    }

    /// The node cannot do it now, and may later.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    }

    /// Too many tries have failed; the next may be made in so many seconds.
    pub fn too_many_tries(seconds: u64) -> Self {
        let detail = format!("too many tries have failed; try again in {seconds} seconds");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", detail).with("retry_after", seconds)
    }

    /// The node itself failed. The error goes to the log with all its causes; the answer names only the incident.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        let incident = uuid::Uuid::new_v4();
        tracing::error!(%incident, error = %Chain(error), "a request failed");
        let detail = format!("the node failed to do this; its log tells more under the incident {incident}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            .with("incident", incident.to_string())
    }

    /// The same, where whoever has sent it knows a field by another name.
    #[must_use]
    pub fn renamed(self, from: &str, to: &str) -> Self {
        if self.errors.iter().all(|wrong| wrong.field != from) {
            return self;
        }
        let mut errors = self.errors;
        for wrong in errors.iter_mut().filter(|wrong| wrong.field == from) {
            to.clone_into(&mut wrong.field);
        }
        Self {
            status: self.status,
            word: self.word,
            more: self.more,
            allow: self.allow,
            ..Self::invalid(errors)
        }
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.more.insert(member.to_owned(), value.into());
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word at the end of `type`.
    pub fn word(&self) -> &'static str {
        self.word
    }

    /// A short title, the same for every problem of its kind.
    pub fn title(&self) -> String {
        title(self.word, self.status)
    }

    /// What is wrong, and what to do.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The fields that are wrong.
    pub fn errors(&self) -> &[Invalid] {
        &self.errors
    }

    /// A further member of the document.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.more.get(name)
    }

    /// The document.
    pub fn document(&self) -> Value {
        let mut document = json!({
            "type": format!("{TYPE_PREFIX}{}", self.word),
            "title": title(self.word, self.status),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(members) = document.as_object_mut() {
            if !self.errors.is_empty() {
                members.insert("errors".to_owned(), json!(self.errors));
            }
            members.extend(self.more.clone());
        }
        document
    }
}

/// A short title; the same for every problem of a type, as RFC 9457 §3.1.3 asks.
fn title(word: &str, status: StatusCode) -> String {
    let title = match word {
        "invalid" => "The request is not valid",
        "not_set_up" => "The node is not set up yet",
        "not_signed_in" => "Not signed in",
        "forbidden" => "A permission is missing",
        "not_found" => "Not found",
        "name_taken" => "The name is taken",
        "changed" => "Something has changed meanwhile",
        "busy" => "The node is busy",
        "too_large" => "Too large",
        "wrong_side" => "This is done on the other side",
        "no_bundles" => "A solo node exchanges no bundles",
        "sandbox_not_ready" => "The sandbox is not ready",
        "code_refused" => "The code is refused",
        "archive_refused" => "The archive is refused",
        "internal" => "The node failed",
        "signature_refused" => "The signature does not hold",
        "signature_invalid" => "The signature does not hold",
        "sign_in_refused" => "Wrong e-mail address or password",
        "password_refused" => "Wrong password",
        "second_factor_needed" => "A second factor is needed",
        "second_factor_refused" => "Wrong code",
        "second_factor_required" => "A second factor must be added first",
        "reset_token_refused" => "Wrong or used token",
        "too_many_tries" => "Too many tries",
        "too_many_requests" => "Too many requests",
        "too_slow" => "The body came too slowly",
        "setup_token_refused" => "Wrong set-up token",
        "registration_closed" => "Registration is closed",
        "on_request" => "This is handed out on request",
        "method_not_allowed" => "Method not allowed",
        "form_refused" => "The form was not accepted",
        "mail_settings_incomplete" => "Something is missing",
        "not_taken" => "The other server does not take this",
        _ => return status.canonical_reason().unwrap_or("Refused").to_owned(),
    };
    title.to_owned()
}

/// An error with its causes on one line.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(out, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.word, self.detail)
    }
}

impl Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.insert_header((RETRY_AFTER, "1"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let seconds = self.more.get("retry_after").and_then(Value::as_u64);
                response.insert_header((RETRY_AFTER, seconds.unwrap_or(1).to_string()));
            }
            _ => {}
        }
        if let Some(allow) = &self.allow {
            response.insert_header((ALLOW, allow.as_str()));
        }
        let mut response = response.body(self.document().to_string());
        response.extensions_mut().insert(Reason(self.word));
        response
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(vec![invalid])
    }
}

impl From<EnablingError> for Problem {
    fn from(error: EnablingError) -> Self {
        match error {
            EnablingError::Incomplete(said) => {
                Self::new(StatusCode::BAD_REQUEST, "mail_settings_incomplete", said)
            }
            EnablingError::Invalid(invalid) => invalid.into(),
        }
    }
}

/// A server outside does not take what it was given. What it said is told: who asks has to mend it.
impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not_taken",
            format!("this was not taken: {}", fault.said),
        )
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let permission = denied.0.word();
        Self::new(StatusCode::FORBIDDEN, "forbidden", denied.to_string()).with("permission", permission)
    }
}

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        Self::internal(&error)
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        let detail = error.to_string();
        match &error {
            RecordError::NameTaken { kind, name } => Self::new(StatusCode::CONFLICT, "name_taken", detail)
                .with("kind", kind.word())
                .with("name", name.as_str()),
            RecordError::NotTheHome { .. } => Self::new(StatusCode::CONFLICT, "not_the_home", detail),
            RecordError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail),
            RecordError::Encoding(_) => Self::new(StatusCode::BAD_REQUEST, "invalid", detail),
            RecordError::Table(_) | RecordError::Audit(_) | RecordError::NoNode => Self::internal(&error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denied) => denied.into(),
            Refusal::NotFound { .. } => Self::not_found(refusal.to_string()),
            Refusal::Invalid(errors) => Self::invalid(errors),
            Refusal::Changed { detail, difference } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "changed", detail).with("difference", difference)
            }
            Refusal::Conflict { word, detail } => Self::new(conflict_status(word), word, detail),
            Refusal::Record(error) => error.into(),
        }
    }
}

impl From<ActError> for Problem {
    fn from(error: ActError) -> Self {
        let detail = error.to_string();
        match error {
            ActError::Refusal(refusal) => refusal.into(),
            ActError::CodeRefused(problems) => {
                let word = "code_refused";
                Self::new(conflict_status(word), word, detail).with("errors", json!(problems))
            }
            ActError::NotReady(not_ready) => {
                let word = "sandbox_not_ready";
                Self::new(conflict_status(word), word, detail).with("missing", json!(not_ready.missing))
            }
            ActError::Busy | ActError::Stopping => Self::busy(detail),
            ActError::Unknown => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unknown_outcome", detail),
            ActError::Internal(cause) => Self::internal(cause.as_ref()),
        }
    }
}

/// What a state of things that does not allow something is told as.
fn conflict_status(word: &str) -> StatusCode {
    match word {
        "sandbox_not_ready" | "busy" => StatusCode::SERVICE_UNAVAILABLE,
        "code_refused" | "mock_differs" | "unreadable_data" | "archive_refused" | "signature_refused" => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        "sign_in_refused"
        | "setup_token_refused"
        | "second_factor_needed"
        | "second_factor_refused"
        | "reset_token_refused"
        | "password_refused" => StatusCode::UNAUTHORIZED,
        "registration_closed" | "on_request" => StatusCode::FORBIDDEN,
        _ => StatusCode::CONFLICT,
    }
}

#[cfg(test)]
mod tests;
