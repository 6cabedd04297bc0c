//! Makes archives for tests, sound ones and others.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A tar archive under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

/// A header of POSIX's format.
pub(crate) fn header(path: &[u8], flag: u8, size: u64) -> [u8; 512] {
    let mut block = [0; 512];
    block[..path.len()].copy_from_slice(path);
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

/// Puts the checksum right.
pub(crate) fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A record of a pax header.
pub(crate) fn record(key: &str, value: &str) -> String {
    let body = key.len() + value.len() + 3;
    let length = (1..)
        .find(|digits: &usize| (body + digits).to_string().len() == *digits)
        .unwrap()
        + body;
    format!("{length} {key}={value}\n")
}

impl Tar {
    pub(crate) fn block(mut self, header: &[u8; 512], content: &[u8]) -> Self {
        self.0.extend(header);
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn entry(self, path: &[u8], flag: u8, content: &[u8]) -> Self {
        self.block(&header(path, flag, content.len() as u64), content)
    }

    pub(crate) fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(path.as_bytes(), b'0', content)
    }

    /// The archive with its end, filled up to a record of 20 blocks.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0.resize(self.0.len().next_multiple_of(10_240), 0);
        self.0
    }

    /// The same, packed.
    pub(crate) fn packed(self) -> Vec<u8> {
        pack(&self.end())
    }
}

pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
