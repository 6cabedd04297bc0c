//! Turns a job into the sandbox that runs it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::config::SandboxConfig;
use super::format::{FormatError, Reader};
use super::job::{Argument, Job};
use super::layout::Layout;
use super::protocol::{Program, Spec};
use super::{Environment, RunError};
use crate::domain::asset::DataFormat;
use crate::domain::schema::{Column, Schema};

/// Fewer bytes than this hold no interpreter.
const MEMORY_MIN: u64 = 64 << 20;

/// Arranges the arguments: assets become descriptors, constants go along as JSON.
pub(super) fn spec(
    job: &Job,
    layout: &Layout,
    environment: &Environment,
    (sandbox, reader): (&SandboxConfig, &Reader),
) -> Result<Spec, RunError> {
    check(job)?;
    let mut inputs = Vec::new();
    let mut arguments = Vec::new();
    for (name, argument) in &job.arguments {
        arguments.push(match argument {
            Argument::Constant(value) => json!({ "name": name, "constant": value }),
            Argument::Asset { path, format } => {
                let Readable {
                    path,
                    format,
                    columns,
                } = readable(job, environment, reader, (path, *format), inputs.len())?;
                let path = fs::canonicalize(&path).map_err(|source| RunError::Io {
                    what: format!("the asset {}", path.display()),
                    source,
                })?;
                inputs.push(path);
                json!({ "name": name, "asset": inputs.len() - 1, "format": format, "columns": columns })
            }
        });
    }
    let told = json!({
        "source": job.source,
        "entry_point": job.entry_point,
        "arguments": Value::Array(arguments),
        "output_bytes": job.limits.output_bytes,
    });
    Ok(Spec {
        layout: layout.clone(),
        user: sandbox.user,
        limits: job.limits,
        inputs,
        program: Program::Harness,
        job: told.to_string(),
    })
}

fn check(job: &Job) -> Result<(), RunError> {
    for (index, (name, _)) in job.arguments.iter().enumerate() {
        if job.arguments[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(RunError::Job(format!("the parameter {name} is bound twice")));
        }
    }
    if job.limits.memory_bytes < MEMORY_MIN {
        return Err(RunError::Job(format!(
            "no interpreter runs in less than {MEMORY_MIN} bytes of memory"
        )));
    }
    let zero = [
        ("wall_seconds", job.limits.wall_seconds),
        ("scratch_bytes", job.limits.scratch_bytes),
    ];
    match zero.into_iter().find(|(_, limit)| *limit == 0) {
        // To tmpfs a size of zero means no limit.
        Some((name, _)) => Err(RunError::Job(format!("the limit {name} must not be zero"))),
        None => Ok(()),
    }
}

/// An asset in a format that the interpreter's packages read.
struct Readable {
    path: PathBuf,
    format: DataFormat,
    /// The columns, where the asset's own format told their types and this one does not: nobody is to guess them anew.
    columns: Option<Vec<Column>>,
}

fn readable(
    job: &Job,
    environment: &Environment,
    reader: &Reader,
    (path, format): (&Path, DataFormat),
    number: usize,
) -> Result<Readable, RunError> {
    let reads_parquet =
        environment.has("pandas") && (environment.has("pyarrow") || environment.has("fastparquet"));
    if format != DataFormat::Parquet || reads_parquet {
        return Ok(Readable {
            path: path.to_path_buf(),
            format,
            columns: None,
        });
    }
    let no_table =
        |error: FormatError| RunError::Job(format!("the asset {} is no table: {error}", path.display()));
    let columns = match reader.inspect(path, format).map_err(no_table)? {
        Schema::Table { columns, .. } => Some(columns),
        Schema::Tensor { .. } => None,
    };
    let converted = job.folder.join(format!("input-{number}.csv"));
    reader.parquet_to_csv(path, &converted).map_err(no_table)?;
    Ok(Readable {
        path: converted,
        format: DataFormat::Csv,
        columns,
    })
}
