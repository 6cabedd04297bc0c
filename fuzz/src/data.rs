//! Data, results and archives that people upload, and copies of a store: what a node does with each when it arrives.

use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use poundlock::domain::archive::{Limits, Part};
use poundlock::domain::asset::DataFormat;
use poundlock::domain::mock::Ranges;
use poundlock::domain::release::OutputFormat;
use poundlock::runtime::archive::{UnpackError, unpack};
use poundlock::runtime::format::{self, DataFile, FormatError, Reader, Window};
use poundlock::store::dump::{self, DumpError};
use tempfile::TempDir;

use super::{Parser, fixture, folder};

/// The longest result that is written again: seeds are far shorter.
const RESULT_MAX: u64 = 16 << 10;

/// What is looked at of a table.
const WINDOW: Window = Window {
    from: 1,
    rows: 20,
    from_column: 0,
    columns: 20,
};

/// Where there is a node's program, as the node reads: in processes of their own, which files that contradict themselves must not keep.
/// The fuzzer sees only what its own process does.
fn reader() -> Reader {
    match option_env!("CARGO_BIN_EXE_poundlock") {
        Some(program) => Reader::apart(program).within(1),
        None => Reader::in_this_process(),
    }
}

/// Where an input is put, and where what is made of it.
struct Desk {
    reader: Reader,
    input: PathBuf,
    made: PathBuf,
    _folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = folder();
        Self {
            reader: reader(),
            input: folder.path().join("input"),
            made: folder.path().join("made"),
            _folder: folder,
        }
    }

    fn put(&self, bytes: &[u8]) {
        fs::write(&self.input, bytes).unwrap();
    }

    /// An asset is looked into, shown and compared with private data.
    fn look(&self, format: DataFormat, bytes: &[u8]) -> bool {
        self.put(bytes);
        let known = self.reader.inspect(&self.input, format).is_ok();
        drop(
            self.reader
                .glance(File::open(&self.input).unwrap(), format.as_output(), WINDOW),
        );
        let file = DataFile {
            path: &self.input,
            format,
        };
        drop(self.reader.shared_rows(file, file, &[7; 32]));
        known
    }

    /// A result is written again, looked at as a reviewer would, and written again as it was written: it must not change any more.
    fn deposit(&self, format: OutputFormat, bytes: &[u8]) -> bool {
        self.put(bytes);
        drop(
            self.reader
                .glance(File::open(&self.input).unwrap(), format, WINDOW),
        );
        let again = || -> Result<Vec<u8>, FormatError> {
            self.reader.deposit(format, &self.input, &self.made, RESULT_MAX)?;
            let made = fs::read(&self.made).unwrap();
            fs::remove_file(&self.made).unwrap();
            Ok(made)
        };
        let first = again();
        if let Ok(first) = &first {
            self.put(first);
            match again() {
                Ok(second) => assert_eq!(
                    *first, second,
                    "a result that was written again has changed once more"
                ),
                // What was as long as may be can grow by its new header.
                Err(FormatError::TooLong(_)) => {}
                Err(error) => panic!("what was written is not read: {error}"),
            }
        }
        first.is_ok()
    }
}

/// The first lines of the tables that the project is shown with.
fn tables() -> Vec<Vec<u8>> {
    let first_lines = |name: &str| {
        let whole = fs::read_to_string(fixture(name)).unwrap();
        let lines: Vec<&str> = whole.split_inclusive('\n').take(20).collect();
        lines.concat().into_bytes()
    };
    ["data/pima_train.csv", "data/lung_cancer.csv"]
        .map(first_lines)
        .to_vec()
}

pub(super) fn csv() -> Parser {
    let desk = Desk::new();
    Parser::new(tables(), move |bytes| {
        let known = desk.look(DataFormat::Csv, bytes);
        drop(format::first_line(&desk.input));
        let mut tensor = Vec::new();
        if let Ok(schema) = format::csv_to_float32(&desk.input, &mut tensor) {
            desk.put(&tensor);
            let read = desk.reader.inspect(&desk.input, DataFormat::Npy).unwrap();
            assert_eq!(read, schema, "a tensor that was made of a CSV is another");
        }
        desk.deposit(OutputFormat::Csv, bytes);
        known
    })
}

pub(super) fn npy() -> Parser {
    let arrays = [
        ("<f8", "(3, 2)", 48),
        ("|u1", "(7,)", 7),
        ("<i4", "()", 4),
        (">c16", "(2,)", 32),
        ("<U2", "(1, 2)", 16),
        ("|b1", "(2, 3, 1)", 6),
        ("<f2", "(2,)", 4),
    ];
    let seeds = arrays.map(|(kind, shape, length)| {
        let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        let padded = format!("{text:<117}\n");
        // One is a boolean, and no character's half.
        let content: Vec<u8> = (0..length).map(|at| u8::from(at % 4 == 0)).collect();
        [
            &b"\x93NUMPY\x01\x00"[..],
            &118_u16.to_le_bytes(),
            padded.as_bytes(),
            &content,
        ]
        .concat()
    });
    let desk = Desk::new();
    Parser::new(seeds.to_vec(), move |bytes| {
        desk.deposit(OutputFormat::Npy, bytes);
        desk.look(DataFormat::Npy, bytes)
    })
}

/// The kept corpus is its seed: tables that other programs wrote.
pub(super) fn parquet() -> Parser {
    let desk = Desk::new();
    Parser::new(Vec::new(), move |bytes| {
        desk.deposit(OutputFormat::Parquet, bytes);
        desk.look(DataFormat::Parquet, bytes)
    })
}

/// As [`parquet()`].
pub(super) fn arrow() -> Parser {
    let desk = Desk::new();
    Parser::new(Vec::new(), move |bytes| desk.deposit(OutputFormat::Arrow, bytes))
}

/// As [`parquet()`]: images.
pub(super) fn png() -> Parser {
    let desk = Desk::new();
    Parser::new(Vec::new(), move |bytes| desk.deposit(OutputFormat::Png, bytes))
}

/// Unpacks an archive as an upload is unpacked, and reads its texts.
fn take(packed: &[u8]) -> bool {
    let limits = Limits::new(4 << 20);
    let unpacked = unpack(&mut Cursor::new(packed), &limits, |_, content| {
        let mut read = Vec::new();
        // A reader that failed has told `unpack` why.
        content
            .read_to_end(&mut read)
            .map(drop)
            .or(Ok::<_, UnpackError>(()))
    });
    let Ok(contents) = unpacked else {
        return false;
    };
    drop(contents.texts.draft(&contents.folder));
    if let Some(ranges) = contents.texts.get(Part::Ranges) {
        drop(Ranges::parse(&ranges.text));
    }
    true
}

fn packed() -> Vec<u8> {
    fs::read(fixture("archives/pima.tar.gz")).unwrap()
}

pub(super) fn archive_gzip() -> Parser {
    Parser::new(vec![packed()], take)
}

/// What gzip holds. Checksums are made right, so that an input gets as far as the fields that they are over.
pub(super) fn archive_tar() -> Parser {
    let mut tar = Vec::new();
    MultiGzDecoder::new(packed().as_slice())
        .read_to_end(&mut tar)
        .unwrap();
    Parser::new(vec![tar], |tar| {
        let mut tar = tar.to_vec();
        tar.chunks_exact_mut(512)
            .filter(|block| block[257..262] == *b"ustar")
            .for_each(check);
        let mut writer = GzEncoder::new(Vec::new(), Compression::none());
        writer.write_all(&tar).unwrap();
        take(&writer.finish().unwrap())
    })
}

/// Writes a header's checksum: the sum of its bytes, with spaces in the place of itself.
fn check(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

/// What a backup holds of a store. The hash at the end is made right, so that an input gets as far as what stands before it.
pub(super) fn store_dump() -> Parser {
    let entries = b"PNDLDUMP\x01\0\0\0\x02\0\x03\0\0\0\x07\x01abc\0\0\x01\0\0\0\0\0\0\0".to_vec();
    Parser::new(vec![entries], |bytes| {
        let read = |bytes: &[u8]| dump::read(bytes, |_, _| Ok::<_, DumpError>(()));
        let whole = [bytes, blake3::hash(bytes).as_bytes()].concat();
        drop(read(bytes));
        read(&whole).is_ok()
    })
}
