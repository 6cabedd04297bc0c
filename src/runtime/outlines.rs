//! Outlines sources with CPython's own parser, inside the sandbox.

use serde::Deserialize;
use serde_json::json;

use super::RunError;
use super::answer::{AnswerError, Question};
use super::config::SandboxConfig;
use super::job::Limits;
use super::layout::Layout;
use super::protocol::Program;
use crate::domain::outline::{Outline, SyntaxProblem};

const LIMITS: Limits = Limits {
    wall_seconds: 60,
    cpu_seconds: 30,
    memory_bytes: 1 << 30,
    threads: 2,
    output_bytes: 64 << 20,
    log_bytes: 16 << 10,
    scratch_bytes: 64 << 10,
    open_files: 32,
};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Outline(Outline),
    Problem(SyntaxProblem),
}

/// Outlines every source. If one of a batch ends the parser, each is asked by itself, so that it is known which.
pub(super) fn outline(
    layout: &Layout,
    sandbox: &SandboxConfig,
    sources: &[String],
) -> Result<Vec<Result<Outline, SyntaxProblem>>, RunError> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    match ask(layout, sandbox, sources) {
        Ok(answers) if answers.len() == sources.len() => Ok(answers.into_iter().map(told).collect()),
        Err(AnswerError::Run(error)) => Err(error),
        Ok(_) | Err(AnswerError::Failed(_)) if sources.len() > 1 => {
            let each = sources
                .iter()
                .map(|source| outline(layout, sandbox, std::slice::from_ref(source)));
            Ok(each
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect())
        }
        Ok(_) | Err(AnswerError::Failed(_)) => {
            let message =
                "Python's parser does not get through it; make it smaller or nest it less".to_owned();
            Ok(vec![Err(SyntaxProblem {
                line: 1,
                column: 1,
                message,
            })])
        }
    }
}

fn told(answer: Answer) -> Result<Outline, SyntaxProblem> {
    match answer {
        Answer::Outline(outline) => Ok(outline),
        Answer::Problem(problem) => Err(problem),
    }
}

fn ask(layout: &Layout, sandbox: &SandboxConfig, sources: &[String]) -> Result<Vec<Answer>, AnswerError> {
    let job = json!({ "sources": sources });
    let inputs = Vec::new();
    Question {
        layout,
        sandbox,
        program: Program::Outline,
        job,
        inputs,
        limits: LIMITS,
    }
    .ask()
}
