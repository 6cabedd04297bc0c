//! Why a command failed, and the exit code that says so.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::plain::prose;

/// The exit codes. Stable: scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Refused or failed, for a reason without a code of its own.
    Failed = 1,
    /// The command line is wrong. Clap uses the same number.
    Usage = 2,
    /// Not signed in, or a permission is missing.
    Forbidden = 3,
    /// There is no such thing, or you may not know of it.
    NotFound = 4,
    /// Something has changed since you looked.
    Changed = 5,
    /// The node cannot be reached or is busy.
    Unreachable = 6,
    /// The bundle is damaged, forged, or not for this node.
    BadBundle = 7,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Failed => 1,
            Code::Usage => 2,
            Code::Forbidden => 3,
            Code::NotFound => 4,
            Code::Changed => 5,
            Code::Unreachable => 6,
            Code::BadBundle => 7,
        })
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    message: String,
    /// The node's own words, where it refused.
    problem: Option<Value>,
}

impl Failure {
    /// Says what failed, with its exit code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            problem: None,
        }
    }

    /// Failed, for a reason without a code of its own.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Says what failed, with an answer for programs.
    pub fn answered(code: Code, message: impl Into<String>, answer: Value) -> Self {
        Self {
            problem: Some(answer),
            ..Self::new(code, message)
        }
    }

    /// A file or folder cannot be used.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::IsADirectory {
            return Self::failed(format!("{} is a folder; name the file", path.display()));
        }
        Self::failed(format!("{}: {error}", path.display()))
    }

    /// An error with all its causes.
    pub fn chain(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let told = error.to_string();
            if !message.ends_with(&told) {
                message = format!("{message}: {told}");
            }
            cause = error.source();
        }
        Self::failed(message)
    }

    /// The node refused.
    pub fn problem(status: u16, problem: Value) -> Self {
        let code = match (status, word_of(&problem)) {
            (_, word) if word.starts_with("bundle_") => Code::BadBundle,
            (401 | 403, _) => Code::Forbidden,
            (404, _) => Code::NotFound,
            (412, _) => Code::Changed,
            (429 | 503, _) => Code::Unreachable,
            _ => Code::Failed,
        };
        let detail = problem["detail"].as_str().or(problem["title"].as_str());
        let message = match (mend(word_of(&problem)), detail) {
            (Some(mend), _) => mend.to_owned(),
            (None, Some(detail)) => detail.to_owned(),
            (None, None) => format!("the node answered {status}"),
        };
        Self {
            code,
            message,
            problem: Some(problem),
        }
    }

    /// How long to wait before the same is asked again, where that is all that stands against it: a minute at most, whatever the
    /// node says.
    pub fn too_many_requests(&self) -> Option<Duration> {
        let problem = self.problem.as_ref()?;
        let seconds = problem["retry_after"].as_u64().filter(|seconds| *seconds <= 60)?;
        (word_of(problem) == "too_many_requests").then(|| Duration::from_secs(seconds))
    }

    /// Adds a member to the node's problem, for programs.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        if let Some(Value::Object(problem)) = &mut self.problem {
            problem.insert(member.to_owned(), value.into());
        }
        self
    }

    /// The stable word of the node's problem; empty where there is none.
    pub fn word(&self) -> &str {
        self.problem.as_ref().map(word_of).unwrap_or_default()
    }

    /// The exit code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Prints the failure to the standard error stream: one line, or with `json` the problem document.
    pub fn print(&self, json: bool) {
        if json {
            let own = || json!({"detail": self.message});
            eprintln!("{}", self.problem.clone().unwrap_or_else(own));
            return;
        }
        eprintln!("poundlock: {}", prose(&self.message));
        let difference = self.problem.as_ref().map(|problem| &problem["difference"]);
        if let Some(difference) = difference.filter(|difference| !difference.is_null()) {
            let shown = serde_json::to_string_pretty(difference).unwrap_or_default();
            eprintln!("What has changed:\n{}", prose(&shown));
        }
    }
}

/// What to do on the command line, where the node's own words are for those who speak REST.
fn mend(word: &str) -> Option<&'static str> {
    Some(match word {
        "not_signed_in" => {
            "you are not signed in at this node, or the session is over; sign in: poundlock login EMAIL"
        }
        "second_factor_needed" => {
            "this account has a second factor; give what the authenticator shows, or a recovery code, with --code"
        }
        _ => return None,
    })
}

fn word_of(problem: &Value) -> &str {
    let kind = problem["type"].as_str().unwrap_or_default();
    kind.rsplit(':').next().unwrap_or_default()
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mend_is_a_command_and_programs_get_the_nodes_own_words() {
        let refused = |word: &str| {
            let problem =
                json!({"type": format!("urn:poundlock:problem:{word}"), "detail": "POST, as `code`"});
            Failure::problem(401, problem)
        };
        for (word, mend) in [
            ("not_signed_in", "poundlock login"),
            ("second_factor_needed", "--code"),
        ] {
            let failure = refused(word);
            assert!(failure.to_string().contains(mend), "{failure}");
            assert_eq!(failure.problem.unwrap()["detail"], "POST, as `code`");
        }
        assert_eq!(refused("sign_in_refused").to_string(), "POST, as `code`");
    }

    #[test]
    fn what_the_node_says_decides_the_exit_code() {
        let of = |status, word: &str| {
            Failure::problem(
                status,
                json!({"type": format!("urn:poundlock:problem:{word}"), "detail": "d"}),
            )
            .code()
        };
        assert_eq!(of(401, "not_signed_in"), Code::Forbidden);
        assert_eq!(of(403, "forbidden"), Code::Forbidden);
        assert_eq!(of(404, "not_found"), Code::NotFound);
        assert_eq!(of(412, "changed"), Code::Changed);
        assert_eq!(of(503, "busy"), Code::Unreachable);
        assert_eq!(of(422, "bundle_signature"), Code::BadBundle);
        assert_eq!(of(409, "name_taken"), Code::Failed);
    }
}
