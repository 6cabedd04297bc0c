//! What is wrong with source that may not be submitted.

use std::fmt;

/// One reason why code cannot be submitted, with the mend.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CodeProblem {
    /// The line, from 1; 1 where the problem has no line of its own.
    pub line: u32,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub mend: String,
}

impl fmt::Display for CodeProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}; {}", self.line, self.problem, self.mend)
    }
}

impl std::error::Error for CodeProblem {}

pub(super) fn problem(line: u32, problem: impl Into<String>, mend: impl Into<String>) -> CodeProblem {
    CodeProblem {
        line,
        problem: problem.into(),
        mend: mend.into(),
    }
}
