//! Two paired nodes, a sink that keeps everything, and short ways to write and read.

use std::io::Cursor;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use poundlock_transport::craft;
use poundlock_transport::{
    Acknowledgement, AuditHeads, BlobHash, BundleWriter, ChainHead, Contents, Direction, Header, Limits,
    NodeIdentity, Outgoing, Party, PublicIdentity, Refusal, Side, Sink, UnpackError, Unpacked, Written,
    receive,
};
use tempfile::TempDir;
use uuid::Uuid;

pub fn node(side: Side) -> NodeIdentity {
    NodeIdentity::generate(Uuid::new_v4(), side).unwrap()
}

pub fn public(node: &NodeIdentity) -> PublicIdentity {
    node.public(None, Uuid::from_u128(7)).unwrap()
}

/// A low and a high node and a folder for their files.
pub struct Pair {
    pub low: NodeIdentity,
    pub high: NodeIdentity,
    pub folder: TempDir,
}

#[derive(Debug, Default, PartialEq)]
pub struct Kept {
    pub header: Option<Header>,
    pub records: Vec<Vec<u8>>,
    pub blobs: Vec<(BlobHash, Vec<u8>)>,
    /// Ends of blobs seen.
    pub ended: usize,
}

impl Sink for Kept {
    fn header(&mut self, header: &Header) -> Result<(), Refusal> {
        assert!(self.header.replace(header.clone()).is_none());
        Ok(())
    }

    fn record(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        self.records.push(payload.to_vec());
        Ok(())
    }

    fn blob_start(&mut self, hash: &BlobHash, _: u64) -> Result<(), Refusal> {
        self.blobs.push((*hash, Vec::new()));
        Ok(())
    }

    fn blob_bytes(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.blobs.last_mut().unwrap().1.extend(bytes);
        Ok(())
    }

    fn blob_end(&mut self, hash: &BlobHash) -> Result<(), Refusal> {
        assert_eq!(self.blobs.last().unwrap().0, *hash);
        self.ended += 1;
        Ok(())
    }
}

pub fn outgoing(contents: Contents) -> Outgoing {
    Outgoing {
        bundle: Uuid::from_u128(1),
        sender_epoch: Uuid::from_u128(2),
        recipient_epoch: Uuid::from_u128(3),
        sequence: NonZeroU64::MIN,
        base: 0,
        position: 9,
        acknowledgement: Acknowledgement::default(),
        audit: AuditHeads {
            own: ChainHead::from_bytes([5; 32]),
            echo: None,
        },
        contents,
    }
}

pub fn contents(records: &[&[u8]], blobs: &[&[u8]]) -> Contents {
    let mut contents = Contents::default();
    records
        .iter()
        .for_each(|record| contents.add_record(record.len() as u64));
    blobs.iter().for_each(|blob| contents.add_blob(blob.len() as u64));
    contents
}

/// In the order that bundles want.
pub fn sorted<'b>(blobs: &[&'b [u8]]) -> Vec<&'b [u8]> {
    let mut blobs = blobs.to_vec();
    blobs.sort_by_key(|blob| BlobHash::of(blob));
    blobs
}

pub fn workers(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

impl Pair {
    pub fn new() -> Self {
        Self {
            low: node(Side::Low),
            high: node(Side::High),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What an honest header from low to high says.
    pub fn header(&self, contents: Contents) -> Header {
        let party = |node: &NodeIdentity| Party {
            node: node.node(),
            fingerprint: node.fingerprint().unwrap(),
        };
        Header {
            format: 1,
            sender: party(&self.low),
            recipient: party(&self.high),
            direction: Direction::Up,
            reads_format: 1,
            outgoing: outgoing(contents),
        }
    }

    /// A bundle from low to high, through the writer.
    pub fn write(&self, name: &str, records: &[&[u8]], blobs: &[&[u8]], threads: usize) -> Written {
        let outgoing = outgoing(contents(records, blobs));
        let target = self.path(name);
        let mut writer = BundleWriter::create(
            &target,
            &self.low,
            &public(&self.high),
            &outgoing,
            workers(threads),
        )
        .unwrap();
        for record in records {
            writer.record(record).unwrap();
        }
        for blob in sorted(blobs) {
            writer
                .blob(&BlobHash::of(blob), blob.len() as u64, &mut Cursor::new(blob))
                .unwrap();
        }
        writer.finish().unwrap()
    }

    /// The bytes of an honest small bundle.
    pub fn small(&self) -> Vec<u8> {
        let written = self.write("small.plk", &[b"\x63one", b"\x63two"], &[b"a blob"], 1);
        let bytes = std::fs::read(&written.path).unwrap();
        std::fs::remove_file(&written.path).unwrap();
        bytes
    }

    /// Takes a file in on the high side, all steps.
    pub fn take(&self, path: &Path, limits: &Limits) -> Result<(Unpacked, Kept), Step> {
        let quarantine = self.path(&format!("quarantine-{}", Uuid::new_v4()));
        let received = receive(path, &quarantine, limits).map_err(Step::Receive)?;
        let taken = received
            .verify(&[&public(&self.low)])
            .map_err(Step::Verify)
            .and_then(|verified| {
                let mut kept = Kept::default();
                let unpacked = verified
                    .unpack(&self.high, limits, &mut kept)
                    .map_err(Step::Unpack)?;
                Ok((unpacked, kept))
            });
        std::fs::remove_file(quarantine).unwrap();
        taken
    }

    pub fn take_bytes(&self, bytes: &[u8]) -> Result<(Unpacked, Kept), Step> {
        let path = self.path("medium.plk");
        std::fs::write(&path, bytes).unwrap();
        self.take(&path, &limits())
    }

    /// What unpacking says of a plain stream that low signed.
    pub fn unpack_plain(&self, plain: &[u8]) -> Result<(Unpacked, Kept), UnpackError> {
        self.unpack_file(&craft::bundle_of(plain, &self.low, &public(&self.high)))
    }

    /// What unpacking says of a file whose signature holds.
    pub fn unpack_file(&self, file: &[u8]) -> Result<(Unpacked, Kept), UnpackError> {
        match self.take_bytes(file) {
            Ok(taken) => Ok(taken),
            Err(Step::Unpack(error)) => Err(error),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Small enough that a test needs little disk.
pub fn limits() -> Limits {
    Limits {
        free_reserve: 0,
        workers: workers(2),
        ..Limits::default()
    }
}

/// At which step a bundle was refused, and why.
#[derive(Debug)]
pub enum Step {
    Receive(poundlock_transport::ReceiveError),
    Verify(poundlock_transport::VerifyError),
    Unpack(UnpackError),
}

/// Bytes that do not compress, the same every time.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}
