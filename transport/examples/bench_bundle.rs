//! How fast a bundle is written and read, and in how much memory.
//!
//! ```text
//! bench_bundle export FILE FOLDER   writes FOLDER/bundle.plk with FILE as its one blob, and keys beside it
//! bench_bundle import FOLDER        takes that bundle in, and writes the blob to FOLDER/blob
//! ```
//!
//! Both print one line: step, bytes of FILE, seconds, MB/s, peak resident memory in KiB. An export ends when the bundle is
//! synced, read back from the device and verified; an import when the blob is synced. The file's hash is taken
//! before the clock starts, since a node knows it.

#![allow(
    clippy::expect_used,
    reason = "a program for developers: the first thing that fails ends it"
)]

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Instant;

use poundlock_transport::{
    Acknowledgement, AuditHeads, BlobHash, BundleWriter, ChainHead, Contents, Header, Limits, NodeIdentity,
    Outgoing, PublicIdentity, Refusal, Side, Sink, default_workers, receive,
};
use uuid::Uuid;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["export", file, folder] => export(Path::new(file), Path::new(folder)),
        ["import", folder] => import(Path::new(folder)),
        _ => {
            eprintln!("usage: bench_bundle export FILE FOLDER | bench_bundle import FOLDER");
            std::process::exit(2);
        }
    }
}

fn export(file: &Path, folder: &Path) {
    let (low, high) = (node(folder, Side::Low), node(folder, Side::High));
    let to = public(&low);
    let (hash, length) = hash_of(file);
    let contents = Contents {
        records: 0,
        record_bytes: 0,
        blobs: 1,
        blob_bytes: length,
    };
    let outgoing = Outgoing {
        bundle: Uuid::new_v4(),
        sender_epoch: Uuid::nil(),
        recipient_epoch: Uuid::nil(),
        sequence: NonZeroU64::MIN,
        base: 0,
        position: 1,
        acknowledgement: Acknowledgement::default(),
        audit: AuditHeads {
            own: ChainHead::from_bytes([0; 32]),
            echo: None,
        },
        contents,
    };
    let target = folder.join("bundle.plk");
    let start = Instant::now();
    let mut writer =
        BundleWriter::create(&target, &high, &to, &outgoing, default_workers()).expect("create the bundle");
    writer
        .blob(&hash, length, &mut File::open(file).expect("open the file"))
        .expect("write the blob");
    let encoded = start.elapsed();
    let written = writer.finish().expect("finish the bundle");
    report("export", length, start);
    eprintln!(
        "bundle of {} bytes; {:.2} s until all was handed to the pipeline",
        written.size,
        encoded.as_secs_f64()
    );
}

fn import(folder: &Path) {
    let (low, high) = (node(folder, Side::Low), node(folder, Side::High));
    let quarantine = folder.join("quarantine");
    let mut staged = Staged {
        path: folder.join("blob"),
        file: None,
        length: 0,
    };
    let limits = Limits::default();
    let start = Instant::now();
    let received = receive(&folder.join("bundle.plk"), &quarantine, &limits).expect("copy the bundle");
    let copied = start.elapsed();
    let verified = received.verify(&[&public(&high)]).expect("verify the bundle");
    verified
        .unpack(&low, &limits, &mut staged)
        .expect("unpack the bundle");
    report("import", staged.length, start);
    eprintln!(
        "{:.2} s of it to copy, hash and sync the bundle",
        copied.as_secs_f64()
    );
    std::fs::remove_file(quarantine).expect("remove the copy");
}

struct Staged {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    length: u64,
}

impl Sink for Staged {
    fn header(&mut self, _: &Header) -> Result<(), Refusal> {
        Ok(())
    }

    fn record(&mut self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }

    fn blob_start(&mut self, _: &BlobHash, length: u64) -> Result<(), Refusal> {
        self.length = length;
        self.file = Some(BufWriter::new(File::create(&self.path)?));
        Ok(())
    }

    fn blob_bytes(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        Ok(self
            .file
            .as_mut()
            .ok_or("no blob was started")?
            .write_all(bytes)?)
    }

    fn blob_end(&mut self, _: &BlobHash) -> Result<(), Refusal> {
        let file = self.file.take().ok_or("no blob was started")?.into_inner()?;
        Ok(file.sync_all()?)
    }
}

/// The same keys for export and import, and for stock `age -d -i`.
fn node(folder: &Path, side: Side) -> NodeIdentity {
    let path = folder.join(format!("{side}.key"));
    if !path.try_exists().expect("look for the key") {
        let node = NodeIdentity::generate(Uuid::new_v4(), side).expect("make keys");
        node.create_file(&path).expect("write the key");
    }
    NodeIdentity::load(&path).expect("read the key")
}

fn public(node: &NodeIdentity) -> PublicIdentity {
    node.public(None, Uuid::nil()).expect("make a public identity")
}

fn hash_of(file: &Path) -> (BlobHash, u64) {
    let mut file = File::open(file).expect("open the file");
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let got = file.read(&mut buffer).expect("read the file");
        if got == 0 {
            return (BlobHash::from_bytes(*hasher.finalize().as_bytes()), length);
        }
        hasher.update(&buffer[..got]);
        length += got as u64;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn report(step: &str, bytes: u64, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let rate = bytes as f64 / seconds / 1e6;
    println!("{step} {bytes} {seconds:.3} {rate:.0} {}", peak_kib());
}

/// `VmHWM` of this process.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
