//! Takes bundles apart, and makes others of them that no honest node would write: under real keys, so that each gets as far as
//! the check that it is to fail.

use std::num::NonZeroU64;
use std::path::Path;

use ciborium::Value;
use poundlock::sync::record::{Carried, Direction};
use poundlock_transport::cbor::to_deterministic_vec;
use poundlock_transport::{
    Acknowledgement, AuditHeads, BlobHash, ChainHead, Contents, Direction as Way, Header, Limits,
    NodeIdentity, Outgoing, Party, PublicIdentity, Received, Refusal, Sink, craft,
};
use uuid::Uuid;

use crate::node::Node;

/// The keys of a node of these tests.
pub fn keys(node: &Node) -> NodeIdentity {
    NodeIdentity::load(&node.folder().join("keys/node.key")).unwrap()
}

/// What a bundle holds, in clear.
#[derive(Clone)]
pub struct Parts {
    pub header: Header,
    pub records: Vec<Vec<u8>>,
    pub blobs: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Taken {
    header: Option<Header>,
    records: Vec<Vec<u8>>,
    blobs: Vec<Vec<u8>>,
}

impl Sink for Taken {
    fn header(&mut self, header: &Header) -> Result<(), Refusal> {
        self.header = Some(header.clone());
        Ok(())
    }
    fn record(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        self.records.push(payload.to_vec());
        Ok(())
    }
    fn blob_start(&mut self, _: &BlobHash, _: u64) -> Result<(), Refusal> {
        self.blobs.push(Vec::new());
        Ok(())
    }
    fn blob_bytes(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.blobs.last_mut().unwrap().extend_from_slice(bytes);
        Ok(())
    }
    fn blob_end(&mut self, _: &BlobHash) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Parts {
    /// Opens a bundle as its recipient would.
    pub fn open(file: &Path, sender: &PublicIdentity, recipient: &NodeIdentity) -> Self {
        let mut taken = Taken::default();
        let limits = Limits::default();
        let received = Received::open(file, &limits).unwrap();
        let verified = received.verify(&[sender]).unwrap();
        verified.unpack(recipient, &limits, &mut taken).unwrap();
        Self {
            header: taken.header.unwrap(),
            records: taken.records,
            blobs: taken.blobs,
        }
    }

    /// The same under another number, as the next bundle of its sender: a new id, and counts that are true.
    pub fn next(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        next.header.outgoing.bundle = Uuid::new_v4();
        change(&mut next);
        let contents = &mut next.header.outgoing.contents;
        *contents = Contents::default();
        for record in &next.records {
            contents.add_record(record.len() as u64);
        }
        next.blobs.sort_by_key(|blob| BlobHash::of(blob));
        for blob in &next.blobs {
            contents.add_blob(blob.len() as u64);
        }
        next
    }

    /// As [`Self::next`], with another header, whose counts stay as `change` leaves them.
    pub fn lying(&self, change: impl FnOnce(&mut Header)) -> Self {
        let mut lying = self.next(|_| {});
        change(&mut lying.header);
        lying
    }

    pub fn plain(&self) -> Vec<u8> {
        let records: Vec<&[u8]> = self.records.iter().map(Vec::as_slice).collect();
        let blobs: Vec<&[u8]> = self.blobs.iter().map(Vec::as_slice).collect();
        craft::plain_stream(&self.header, &records, &blobs)
    }

    /// A bundle file.
    pub fn file(&self, signer: &NodeIdentity, recipient: &PublicIdentity) -> Vec<u8> {
        craft::bundle_of(&self.plain(), signer, recipient)
    }

    /// The newest record of a kind, and where it stands: they are in the order of their ids.
    pub fn record(&self, kind: &str) -> (usize, Vec<u8>) {
        let found = self.records.iter().enumerate().rfind(|(_, record)| {
            let Value::Map(body) = field(&read(record), "body").clone() else {
                return false;
            };
            body[0].0 == Value::from(kind)
        });
        let (at, record) = found.unwrap_or_else(|| panic!("no {kind} in the bundle"));
        (at, record.clone())
    }
}

fn read(record: &[u8]) -> Value {
    ciborium::from_reader(record).unwrap()
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    let map = value.as_map().unwrap();
    let found = map.iter().find(|(key, _)| *key == Value::from(name));
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

/// A field of a record, by the way to it.
pub fn at<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Value {
    let mut value = value;
    for name in path {
        let map = value.as_map_mut().unwrap();
        let found = map.iter_mut().find(|(key, _)| *key == Value::from(*name));
        value = &mut found.unwrap_or_else(|| panic!("no {name}")).1;
    }
    value
}

/// An item changed, in its one form.
pub fn changed(item: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = read(item);
    change(&mut value);
    to_deterministic_vec(&value).unwrap()
}

/// An item with a field set.
pub fn with(item: &[u8], path: &[&str], to: impl Into<Value>) -> Vec<u8> {
    changed(item, |value| *at(value, path) = to.into())
}

/// The id of a record's object.
pub fn id_of(record: &[u8]) -> Uuid {
    let value = read(record);
    Uuid::from_slice(field(&value, "id").as_bytes().unwrap()).unwrap()
}

/// An id as records hold it.
pub fn id(id: Uuid) -> Value {
    Value::Bytes(id.as_bytes().to_vec())
}

/// A record of an object, made as its home would make it.
pub fn record<D: Direction>(
    home: Uuid,
    id: Uuid,
    number: u64,
    root: Uuid,
    body: &poundlock::domain::object::Body,
) -> Vec<u8> {
    let carried = Carried {
        id,
        home: poundlock::domain::id::NodeId(home),
        number,
        deleted: false,
        root,
        body: D::of(body).unwrap(),
    };
    to_deterministic_vec(&carried).unwrap()
}

/// A node that is only keys: what it sends is made here.
pub struct Outsider {
    pub keys: NodeIdentity,
    pub epoch: Uuid,
}

impl Outsider {
    pub fn new(side: poundlock_transport::Side) -> Self {
        Self {
            keys: NodeIdentity::generate(Uuid::new_v4(), side).unwrap(),
            epoch: Uuid::new_v4(),
        }
    }

    pub fn public(&self) -> PublicIdentity {
        self.keys.public(Some("outsider"), self.epoch).unwrap()
    }

    /// A bundle of its own.
    pub fn parts(&self, to: &PublicIdentity, sequence: u64, records: Vec<Vec<u8>>) -> Parts {
        let party = |of: &PublicIdentity| Party {
            node: of.node(),
            fingerprint: of.fingerprint(),
        };
        let header = Header {
            format: 1,
            sender: party(&self.public()),
            recipient: party(to),
            direction: Way::between(self.keys.side(), to.side()).unwrap(),
            reads_format: 1,
            outgoing: Outgoing {
                bundle: Uuid::new_v4(),
                sender_epoch: self.epoch,
                recipient_epoch: to.epoch(),
                sequence: NonZeroU64::new(sequence).unwrap(),
                base: 0,
                position: sequence,
                acknowledgement: Acknowledgement::default(),
                audit: AuditHeads {
                    own: ChainHead::from_bytes([7; 32]),
                    echo: None,
                },
                contents: Contents::default(),
            },
        };
        let parts = Parts {
            header,
            records,
            blobs: Vec::new(),
        };
        parts.next(|_| {})
    }

    pub fn bundle(&self, to: &PublicIdentity, sequence: u64, records: Vec<Vec<u8>>) -> Vec<u8> {
        self.parts(to, sequence, records).file(&self.keys, to)
    }
}
