//! Header and trailer as they stand in the stream: `[0, {…}]` and `[4, {…}]`.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Acknowledgement, AuditHeads, Contents, Direction, Header, Outgoing, Party};
use crate::cbor::{CborError, from_deterministic_slice, to_deterministic_vec};

/// The header's map. A field that this version does not know is refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHeader {
    format: u16,
    bundle: Uuid,
    sender: Party,
    recipient: Party,
    direction: Direction,
    sender_epoch: Uuid,
    recipient_epoch: Uuid,
    sequence: NonZeroU64,
    base: u64,
    position: u64,
    acknowledgement: Acknowledgement,
    audit: AuditHeads,
    reads_format: u16,
    contents: Contents,
}

/// The map of the last item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trailer {
    /// The header's declaration again.
    pub(crate) contents: Contents,
    /// BLAKE3 of every plain byte before the trailer, but for those inside of chunks: the blob's hash, which is
    /// among the hashed bytes, covers them already.
    #[serde(with = "serde_bytes")]
    pub(crate) hash: [u8; 32],
}

pub(crate) fn encode_header(header: &Header) -> Result<Vec<u8>, CborError> {
    let out = &header.outgoing;
    to_deterministic_vec(&WireHeader {
        format: header.format,
        bundle: out.bundle,
        sender: header.sender,
        recipient: header.recipient,
        direction: header.direction,
        sender_epoch: out.sender_epoch,
        recipient_epoch: out.recipient_epoch,
        sequence: out.sequence,
        base: out.base,
        position: out.position,
        acknowledgement: out.acknowledgement,
        audit: out.audit,
        reads_format: header.reads_format,
        contents: out.contents,
    })
}

pub(crate) fn decode_header(bytes: &[u8]) -> Result<Header, CborError> {
    let wire: WireHeader = from_deterministic_slice(bytes)?;
    Ok(Header {
        format: wire.format,
        sender: wire.sender,
        recipient: wire.recipient,
        direction: wire.direction,
        reads_format: wire.reads_format,
        outgoing: Outgoing {
            bundle: wire.bundle,
            sender_epoch: wire.sender_epoch,
            recipient_epoch: wire.recipient_epoch,
            sequence: wire.sequence,
            base: wire.base,
            position: wire.position,
            acknowledgement: wire.acknowledgement,
            audit: wire.audit,
            contents: wire.contents,
        },
    })
}
