//! `poundlock bundle split` and `join`: a bundle over several media, with no node at all.

use std::path::{Path, PathBuf};

use clap::Args;
use poundlock_transport::volumes::{
    Collected, MAX_VOLUME_BYTES, VolumeCollector, VolumeError, VolumeSplitter, VolumeTable,
};
use poundlock_transport::{Limits, NodeIdentity, PublicIdentity};
use serde_json::{Value, json};

use super::files::identities;
use crate::cli::failure::{Code, Failure};
use crate::cli::{Common, medium, print};
use crate::node::Config;
use crate::store::node_folder::{NodeFolder, PrivateData};

#[derive(Debug, Args)]
pub(in crate::cli) struct SplitArguments {
    /// The bundle, as this node exported it
    file: PathBuf,
    /// The folder to write the volumes and their table in
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// The size of a volume in bytes, or with K, M or G; by default what a FAT32 medium takes
    #[arg(long, value_name = "SIZE", value_parser = size, default_value_t = MAX_VOLUME_BYTES)]
    size: u64,
    /// Write only these volumes, for a medium that does not hold all; numbers begin at 1
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    volume: Vec<usize>,
    /// The key file that signs the table; `keys/node.key` in the folder that --node names if left out
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct JoinArguments {
    /// The folders with the volumes, in any order; give the command again for the next medium
    #[arg(required = true)]
    folder: Vec<PathBuf>,
    /// The bundle to write; what is there so far lies beside it, as FILE.DIGITS.joining,
    /// with the first 16 digits of that very bundle's hash
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The public identities of those who may have signed it
    #[arg(long, value_name = "FILE", required = true)]
    identity: Vec<PathBuf>,
    /// The table of the volumes; the one that lies in the first folder if left out
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
}

/// A number of bytes, with K, M or G for powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'K')) => (&text[..at], 1 << 10),
        Some((at, 'M')) => (&text[..at], 1 << 20),
        Some((at, 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1_u64),
    };
    let count: u64 = digits
        .parse()
        .map_err(|_| "write it as a number of bytes, or with K, M or G".to_owned())?;
    count
        .checked_mul(unit)
        .ok_or_else(|| "that is too large".to_owned())
}

pub(super) fn split(common: &Common, arguments: &SplitArguments) -> Result<(), Failure> {
    let key = match (&arguments.key, common.folder()) {
        (Some(key), _) => key.clone(),
        (None, Some(folder)) => key_of(&folder)?,
        (None, None) => {
            return Err(Failure::usage(
                "name the key that signs the table: --key FILE, or --node FOLDER",
            ));
        }
    };
    let signer = NodeIdentity::load(&key).map_err(|error| Failure::chain(&error))?;
    let mut splitter =
        VolumeSplitter::new(&arguments.file, arguments.size, &signer).map_err(|error| refused(&error))?;
    let written = if arguments.volume.is_empty() {
        splitter
            .write_all(&arguments.to)
            .map_err(|error| refused(&error))?
    } else {
        some(&mut splitter, arguments)?
    };
    let count = splitter.table().volumes().len();
    let told = json!({"volumes": count, "written": written});
    common.out().show(&told, |_| {
        let names: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
        format!(
            "The bundle makes {count} volume(s). Wrote, and read back:\n  {}",
            names.join("\n  ")
        )
    })
}

/// The key file of the node in a folder. The node may run meanwhile: the file is only read.
fn key_of(folder: &Path) -> Result<PathBuf, Failure> {
    let config = Config::load(&folder.join("poundlock.toml"), |name| std::env::var(name).ok())
        .map_err(|error| Failure::chain(&error))?;
    config.side.level().map_err(|solo| Failure::chain(&solo))?;
    let private_data = if config.side.holds_private_data() {
        PrivateData::Held
    } else {
        PrivateData::NotHeld
    };
    let opened = NodeFolder::open(folder, private_data).map_err(|error| Failure::chain(&error))?;
    Ok(opened.identity())
}

fn some(splitter: &mut VolumeSplitter, arguments: &SplitArguments) -> Result<Vec<PathBuf>, Failure> {
    let count = splitter.table().volumes().len();
    if let Some(wrong) = arguments
        .volume
        .iter()
        .find(|number| !(1..=count).contains(*number))
    {
        let detail = format!("there is no volume {wrong}: the bundle makes {count}, counted from 1");
        return Err(Failure::usage(detail));
    }
    let mut written = vec![
        splitter
            .write_table(&arguments.to)
            .map_err(|error| refused(&error))?,
    ];
    for number in &arguments.volume {
        let path = splitter.write_volume(number.saturating_sub(1), &arguments.to);
        written.push(path.map_err(|error| refused(&error))?);
    }
    Ok(written)
}

pub(super) fn join(common: &Common, arguments: &JoinArguments) -> Result<(), Failure> {
    medium::must_be_new(&arguments.to)?;
    let identities = identities(&arguments.identity)?;
    let signers: Vec<&PublicIdentity> = identities.iter().collect();
    let table = match (&arguments.table, arguments.folder.first()) {
        (Some(table), _) => table.clone(),
        (None, Some(folder)) => find_table(folder)?,
        (None, None) => return Err(Failure::usage("name a folder")),
    };
    let limits = Limits::default();
    let read = VolumeTable::read(&table, &signers).map_err(|error| refused(&error))?;
    let partial = partial(&arguments.to, &read.bundle().to_string());
    let mut collector =
        VolumeCollector::open(&table, &partial, &signers, &limits).map_err(|error| refused(&error))?;
    let mut found = Collected::default();
    for folder in &arguments.folder {
        let mut collected = collector.take_from(folder).map_err(|error| refused(&error))?;
        found.taken.append(&mut collected.taken);
        found.bad.append(&mut collected.bad);
    }
    let missing = collector.missing();
    if !missing.is_empty() {
        return Err(incomplete(&found, &missing));
    }
    let received = collector.finish(&limits).map_err(|error| refused(&error))?;
    let (size, hash) = (received.size(), received.hash().to_string());
    received
        .verify(&signers)
        .map_err(|error| Failure::new(Code::BadBundle, error.to_string()))?;
    medium::give_name(&partial, &arguments.to)?;
    let told = json!({"file": arguments.to, "size": size, "hash": hash, "taken": found.taken});
    common.out().show(&told, |told| {
        format!(
            "Joined all volumes. The signature holds.\n{}",
            print::facts(&[
                ("file", print::field(told, "file")),
                ("size", print::bytes(size)),
                ("hash", hash.clone())
            ])
        )
    })
}

/// What is still missing is named; what was taken stays, for the next medium.
fn incomplete(found: &Collected, missing: &[String]) -> Failure {
    let mut detail = format!(
        "{} volume(s) taken; still missing: {}. Give the command again with the next medium",
        found.taken.len(),
        missing.join(", ")
    );
    if !found.bad.is_empty() {
        detail.push_str(&format!(
            ". Damaged, to be copied onto the medium again: {}",
            found.bad.join(", ")
        ));
    }
    let code = if found.bad.is_empty() {
        Code::Failed
    } else {
        Code::BadBundle
    };
    let answer: Value = json!({"detail": detail, "taken": found.taken, "bad": found.bad, "missing": missing});
    Failure::answered(code, detail, answer)
}

/// The one file in a folder that is named as a table of volumes.
fn find_table(folder: &Path) -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| Failure::file(folder, &error))?;
    let mut tables = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| Failure::file(folder, &error))?.file_name();
        let is_table = name
            .to_str()
            .and_then(|name| name.strip_suffix("table"))
            .is_some_and(|prefix| prefix.len() == 6 && prefix.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_table {
            tables.push(folder.join(name));
        }
    }
    match tables.as_slice() {
        [table] => Ok(table.clone()),
        [] => Err(Failure::failed(format!(
            "no table of volumes lies in {}; name it with --table",
            folder.display()
        ))),
        _ => Err(Failure::usage(format!(
            "volumes of several bundles lie in {}; name the table of one with --table",
            folder.display()
        ))),
    }
}

/// Where the parts of a bundle lie that are there so far. Its hash keeps them apart from another's that is to have the same name: else
/// the volumes of one would be written over those of the other.
fn partial(to: &Path, hash: &str) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".{}.joining", hash.get(..16).unwrap_or(hash)));
    PathBuf::from(name)
}

fn refused(error: &VolumeError) -> Failure {
    let code = match error {
        VolumeError::VolumeSize(_) | VolumeError::TooMany(_) | VolumeError::NoSuchVolume(_) => Code::Usage,
        VolumeError::NotATable
        | VolumeError::Table(_)
        | VolumeError::Signature(_)
        | VolumeError::Preamble(_)
        | VolumeError::NotOurs
        | VolumeError::OtherBundle => Code::BadBundle,
        _ => Code::Failed,
    };
    Failure::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_may_have_a_unit() {
        assert_eq!(size("650M").unwrap(), 650 << 20);
        assert_eq!(size("4096").unwrap(), 4096);
        for wrong in ["", "M", "1.5G", "-1", "1T", "99999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_of_two_bundles_lie_apart() {
        let to = Path::new("/in/low.bundle");
        let [one, other] = ["ab", "cd"].map(|digits| partial(to, &digits.repeat(32)));
        assert_eq!(one, Path::new("/in/low.bundle.abababababababab.joining"));
        assert_ne!(one, other);
    }

    #[test]
    fn the_table_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find_table(folder.path()).unwrap_err().code(), Code::Failed);
        for name in ["3f9a0ctable", "3f9a0cv0001", "timetable", "notable"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(
            find_table(folder.path()).unwrap(),
            folder.path().join("3f9a0ctable")
        );
        std::fs::write(folder.path().join("000000table"), "").unwrap();
        assert_eq!(find_table(folder.path()).unwrap_err().code(), Code::Usage);
    }

    #[test]
    fn what_is_missing_and_what_is_damaged_is_named() {
        let found = Collected {
            taken: vec!["av0001".into()],
            bad: vec!["av0002".into()],
            stray: vec![],
        };
        let failure = incomplete(&found, &["av0002".into(), "av0003".into()]);
        assert_eq!(failure.code(), Code::BadBundle);
        assert!(
            failure.to_string().contains("still missing: av0002, av0003"),
            "{failure}"
        );
    }
}
