//! `poundlock bundle inspect` and `verify`: a file where it lies, with no node at all.

use std::path::{Path, PathBuf};

use clap::Args;
use poundlock_transport::{
    Header, InspectError, Inspection, NodeIdentity, PublicIdentity, Signed, check_signature, inspect as look,
    inspect_header,
};
use serde_json::{Value, json};

use crate::cli::failure::{Code, Failure};
use crate::cli::{Common, input, print};

#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArguments {
    /// The bundle
    file: PathBuf,
    /// Also say which of these public identities signed it; this reads the whole file
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Also decrypt the header with this node's own key file, `keys/node.key` in its folder
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArguments {
    /// The bundle
    file: PathBuf,
    /// The public identities of those who may have signed it
    #[arg(long, value_name = "FILE", required = true)]
    identity: Vec<PathBuf>,
}

pub(super) fn inspect(common: &Common, arguments: &InspectArguments) -> Result<(), Failure> {
    let identities = identities(&arguments.identity)?;
    let inspection = look(&arguments.file).map_err(|error| refused(&error))?;
    let mut told = json!({"file": arguments.file, "format": inspection.format, "size": inspection.size});
    if !identities.is_empty() {
        told["signature"] = signature(&signed(&arguments.file, &identities)?);
    }
    if let Some(key) = &arguments.key {
        let node = NodeIdentity::load(key).map_err(|error| Failure::chain(&error))?;
        let header = inspect_header(&arguments.file, &node).map_err(|error| refused(&error))?;
        told["header"] = header_view(&header);
    }
    common.out().show(&told, |told| words(&inspection, told))
}

pub(super) fn verify(common: &Common, arguments: &VerifyArguments) -> Result<(), Failure> {
    let signed = signed(&arguments.file, &identities(&arguments.identity)?)?;
    let told = json!({"file": arguments.file, "size": signed.size, "signature": signature(&signed)});
    common.out().show(&told, |told| {
        format!(
            "The signature holds. What is inside is checked when the bundle is imported.\n{}",
            print::facts(&signature_facts(&told["signature"]))
        )
    })
}

fn signed(file: &Path, identities: &[PublicIdentity]) -> Result<Signed, Failure> {
    let all: Vec<_> = identities.iter().collect();
    check_signature(file, &all).map_err(|error| refused(&error))
}

/// Public identity files, as `pair identity` writes them.
pub(super) fn identities(files: &[PathBuf]) -> Result<Vec<PublicIdentity>, Failure> {
    let read = |path: &PathBuf| {
        let text = input::text(path)?;
        PublicIdentity::from_text(&text)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
    };
    files.iter().map(read).collect()
}

fn refused(error: &InspectError) -> Failure {
    match error {
        InspectError::Io { .. } => Failure::failed(error.to_string()),
        _ => Failure::new(Code::BadBundle, error.to_string()),
    }
}

fn signature(signed: &Signed) -> Value {
    let side = match signed.signer.side() {
        poundlock_transport::Side::Low => "low",
        poundlock_transport::Side::High => "high",
        _ => "solo",
    };
    json!({
        "node": signed.signer.node(), "name": signed.signer.name(), "side": side,
        "hash": signed.hash.to_string(),
    })
}

fn signature_facts(signature: &Value) -> Vec<(&'static str, String)> {
    let called = format!(
        "{} ({} side, {})",
        print::field(signature, "name"),
        print::field(signature, "side"),
        print::field(signature, "node")
    );
    vec![("signed by", called), ("hash", print::field(signature, "hash"))]
}

fn header_view(header: &Header) -> Value {
    let outgoing = &header.outgoing;
    json!({
        "sender": header.sender.node, "recipient": header.recipient.node,
        "bundle": outgoing.bundle, "sequence": outgoing.sequence, "base": outgoing.base,
        "sender_epoch": outgoing.sender_epoch, "recipient_epoch": outgoing.recipient_epoch,
        "records": outgoing.contents.records, "blobs": outgoing.contents.blobs,
        "blob_bytes": outgoing.contents.blob_bytes, "reads_format": header.reads_format,
    })
}

fn words(inspection: &Inspection, told: &Value) -> String {
    let mut facts = vec![
        ("format", inspection.format.to_string()),
        ("size", print::bytes(inspection.size)),
    ];
    match &told["signature"] {
        Value::Null => facts.push((
            "signature",
            "not checked; name the sender with --identity".to_owned(),
        )),
        signature => facts.extend(signature_facts(signature)),
    }
    let header = &told["header"];
    if !header.is_null() {
        let names = [
            "sender",
            "recipient",
            "bundle",
            "sequence",
            "base",
            "sender_epoch",
            "recipient_epoch",
            "records",
            "blobs",
            "blob_bytes",
        ];
        facts.extend(names.map(|name| (name, print::field(header, name))));
    }
    let mut text = print::facts(&facts);
    if told["signature"].is_null() && !header.is_null() {
        text.push_str("\nNothing vouches for the header: no signature was checked.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_bundle_has_an_exit_code_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bundle");
        std::fs::write(&file, vec![b'x'; 300]).unwrap();
        assert_eq!(refused(&look(&file).unwrap_err()).code(), Code::BadBundle);
        let missing = look(&folder.path().join("none")).unwrap_err();
        assert_eq!(refused(&missing).code(), Code::Failed);
    }
}
