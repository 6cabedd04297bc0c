//! Fetched bytes, to where a person wants them: a file, a pipe, or the terminal if they are text.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::client::Incoming;
use super::failure::Failure;
use super::print::{self, Out};

/// How much of a text is shown on a terminal.
const SHOWN_MAX: usize = 1 << 20;

/// Where fetched bytes go.
#[derive(Debug, Args)]
pub(super) struct Destination {
    /// Write to this file, in place of the standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Destination {
    /// Refuses what cannot work, before anything is asked of the node.
    pub(super) fn check(&self, out: Out) -> Result<(), Failure> {
        if out.json && self.output.as_deref().is_none_or(|path| path.as_os_str() == "-") {
            return Err(Failure::usage(
                "with --json, name a file for the bytes: --output FILE",
            ));
        }
        Ok(())
    }

    /// Brings the bytes there.
    pub(super) fn take(&self, out: Out, incoming: Incoming) -> Result<(), Failure> {
        match &self.output {
            Some(path) if path.as_os_str() != "-" => into_file(out, incoming, path),
            _ if io::stdout().is_terminal() => onto_terminal(out, incoming),
            _ => {
                let mut stdout = io::stdout().lock();
                incoming.copy(&mut stdout, Path::new("the standard output"))?;
                stdout
                    .flush()
                    .map_err(|error| Failure::file(Path::new("the standard output"), &error))
            }
        }
    }
}

fn into_file(out: Out, incoming: Incoming, path: &Path) -> Result<(), Failure> {
    let fetched = incoming.save(path)?;
    let told = json!({
        "file": path, "bytes": fetched.bytes, "hash": fetched.hash, "media_type": fetched.media,
    });
    out.show(&told, |told| {
        let mut line = format!("Wrote {} to {}.", print::bytes(fetched.bytes), path.display());
        if fetched.hash.is_some() {
            line.push_str(&format!("\nhash  {}", print::field(told, "hash")));
        }
        line
    })
}

fn onto_terminal(out: Out, incoming: Incoming) -> Result<(), Failure> {
    let hash = incoming.hash.clone();
    let (bytes, more) = incoming.begin(SHOWN_MAX)?;
    let Some(text) = as_text(&bytes, more) else {
        return Err(Failure::usage(
            "this is not text, and would upset the terminal; use --output FILE",
        ));
    };
    out.line(print::prose(text).trim_end())?;
    if more {
        out.remark("(there is more: use --output FILE)");
    }
    if let Some(hash) = hash {
        out.remark(&format!("hash  {hash}"));
    }
    Ok(())
}

/// The bytes as text, if they are; a character that the limit cut in two is left out.
fn as_text(bytes: &[u8], cut: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_reaches_the_terminal() {
        assert_eq!(as_text("é".as_bytes(), false), Some("é"));
        assert_eq!(as_text(&"aé".as_bytes()[..2], true), Some("a"));
        assert_eq!(as_text(&"aé".as_bytes()[..2], false), None);
        assert_eq!(as_text(b"\x93NUMPY\x01\x00", false), None);
        assert_eq!(as_text(b"a\0b", false), None);
    }

    #[test]
    fn json_and_raw_bytes_do_not_share_the_output() {
        let nowhere = Destination { output: None };
        assert!(nowhere.check(Out { json: true }).is_err());
        assert!(nowhere.check(Out { json: false }).is_ok());
    }
}
