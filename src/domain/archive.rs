//! Dataset archives: one top folder with data files and a few texts. What a member may be called, what it becomes, and why
//! an archive is refused.
//!
//! Unpacking is [`runtime::archive`](crate::runtime::archive)'s work; nothing here reads a byte of a file.

mod headers;
mod texts;

use std::collections::BTreeMap;
use std::fmt;

pub use headers::{HeaderChoice, Headers};
pub use texts::Texts;

use super::asset::DataFormat;
use super::text;

/// How much an archive may hold. Hitting a limit refuses it whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most members, folders and ignored ones included.
    pub members: usize,
    /// The most bytes of the unpacked archive.
    pub unpacked_bytes: u64,
    /// How many times larger than the packed archive the unpacked one may be: a bomb reaches a thousand.
    pub ratio: u64,
    /// Below this many unpacked bytes the ratio is not looked at.
    pub ratio_from_bytes: u64,
    /// The most bytes of each text.
    pub text_bytes: u64,
    /// The most bytes that the descriptions of all columns may take together: they are written in one commit.
    pub schema_bytes: usize,
}

impl Limits {
    /// The limits of a node that takes uploads of `upload_bytes`.
    pub fn new(upload_bytes: u64) -> Self {
        Self {
            members: 1_000,
            unpacked_bytes: upload_bytes,
            ratio: 250,
            ratio_from_bytes: 16 << 20,
            text_bytes: 64 << 10,
            schema_bytes: 8 << 20,
        }
    }
}

/// What a member is in the file system that it was packed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A hard or a symbolic link.
    Link,
    /// A device or a pipe.
    Device,
    /// A file with holes, in one of the encodings of tar.
    Sparse,
    /// Anything else, by its type flag.
    Other(u8),
}

/// The texts that describe a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What the data is.
    Description,
    /// What the files contain.
    Manifest,
    /// Words to find it by.
    Tags,
    /// Ranges that generated mocks keep to.
    Ranges,
}

impl Part {
    const ALL: [Self; 4] = [Self::Description, Self::Manifest, Self::Tags, Self::Ranges];

    /// The name of the member, which may end in `.txt`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Description => "description",
            Self::Manifest => "manifest",
            Self::Tags => "tags",
            Self::Ranges => "ranges",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let folded = text::folded(name);
        let bare = folded.strip_suffix(".txt").unwrap_or(&folded);
        Self::ALL.into_iter().find(|part| part.word() == bare)
    }
}

/// What becomes of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is the top folder, and becomes nothing.
    Folder,
    /// It describes the dataset.
    Text(Part),
    /// It becomes an asset of this name.
    Data {
        /// The file's name.
        name: String,
        /// How it is written, by its ending.
        format: DataFormat,
    },
    /// The Finder's notes about a file, which macOS packs beside it. Not read.
    Ignored,
}

/// Why an archive is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A link could lead anywhere.
    #[error("is a link; put the file itself into the archive (tar --dereference)")]
    Link,
    /// No data comes out of a device.
    #[error("is a device or a pipe; an archive holds files")]
    Device,
    /// Holes make a small archive a large one.
    #[error("is packed as a file with holes; pack it without --sparse")]
    Sparse,
    /// A kind of member that nobody needs.
    #[error("is of type {:?}, which is not taken; an archive holds files", char::from(*.0))]
    Kind(u8),
    /// The path leads elsewhere.
    #[error("leads out of the archive's folder; pack the folder by its name, from where it is")]
    Outside,
    /// There is no top folder around it.
    #[error("stands in no folder; put all files into one folder, and pack that folder")]
    NoFolder,
    /// There are two top folders.
    #[error("stands in another folder than {0:?}; an archive holds one folder")]
    SecondFolder(String),
    /// There is a folder in the folder.
    #[error("stands in a folder within the folder; put all files into the one folder")]
    Nested,
    /// The name cannot be shown, or is none.
    #[error("has a name that is not taken: {0}")]
    Name(String),
    /// Two members have one name.
    #[error("is there twice, or differs from {0:?} in case or ending alone")]
    Twice(String),
    /// It is neither data nor text.
    #[error(
        "is neither data (.csv, .npy, .parquet) nor one of description, manifest, tags, ranges; take it out of the archive"
    )]
    NotData,
    /// Nothing would become an asset.
    #[error("the archive holds no data: no .csv, .npy or .parquet")]
    NoData,
    /// More members than allowed.
    #[error("the archive has more than {0} members")]
    TooMany(usize),
    /// Larger than allowed, or than the disk has room for.
    #[error("the unpacked archive has more than the {0} bytes that this node takes, or has room for")]
    TooLarge(u64),
    /// Packed tighter than data is.
    #[error(
        "the archive unpacks to more than {0} times its size, as data hardly ever does; pack it with `gzip -1` or in parts"
    )]
    Ratio(u64),
    /// A text is too long.
    #[error("has more than {0} bytes, which is too long for a text")]
    LongText(u64),
    /// A text does not say what it should.
    #[error("{0}")]
    Text(String),
    /// The data is not what its ending says.
    #[error("{0}")]
    Data(String),
    /// Whether there is a header cannot be told.
    #[error(
        "its first line may be a header or the first of the values; say of this file that its header is present, or absent"
    )]
    Header,
    /// The descriptions of columns are too long.
    #[error("its columns take more than {0} bytes to describe; make them fewer, or their names shorter")]
    ManyColumns(usize),
    /// No mock can be generated for it.
    #[error("no mock can be generated for it: {0}; supply mocks in an archive of their own")]
    NoMock(String),
    /// A supplied mock belongs to no asset.
    #[error("is the mock of no asset; the dataset has none of this name")]
    NoAsset,
    /// A supplied mock does not stand for the private data.
    #[error("{0}")]
    Differs(String),
    /// The archive ends too early.
    #[error("the archive ends before its end; copy or pack it again")]
    Truncated,
    /// Bytes that do not belong there.
    #[error("the archive goes on after its end; pack it again")]
    Trailing,
    /// It is no archive, or a damaged one.
    #[error("not a tar archive packed with gzip: {0}")]
    Damaged(String),
}

impl Fault {
    /// A stable word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Device => "device",
            Self::Sparse => "sparse",
            Self::Kind(_) => "kind",
            Self::Outside => "outside",
            Self::NoFolder => "no_folder",
            Self::SecondFolder(_) => "second_folder",
            Self::Nested => "nested",
            Self::Name(_) => "name",
            Self::Twice(_) => "twice",
            Self::NotData => "not_data",
            Self::NoData => "no_data",
            Self::TooMany(_) => "too_many",
            Self::TooLarge(_) => "too_large",
            Self::Ratio(_) => "ratio",
            Self::LongText(_) => "long_text",
            Self::Text(_) => "text",
            Self::Data(_) => "data",
            Self::Header => "header",
            Self::ManyColumns(_) => "many_columns",
            Self::NoMock(_) => "no_mock",
            Self::NoAsset => "no_asset",
            Self::Differs(_) => "differs",
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::Damaged(_) => "damaged",
        }
    }
}

/// An archive is refused, whole. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ArchiveRefused {
    /// Why.
    pub fault: Fault,
    /// Which member, as it may be shown; none where it is the archive itself.
    pub member: Option<String>,
    /// Which of its lines, from 1, where it is one.
    pub line: Option<u64>,
}

impl fmt::Display for ArchiveRefused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.member, self.line) {
            (Some(member), Some(line)) => write!(out, "{member}, line {line}: {}", self.fault),
            (Some(member), None) => write!(out, "{member}: {}", self.fault),
            (None, _) => write!(out, "{}", self.fault),
        }?;
        out.write_str(". Nothing was stored")
    }
}

impl Fault {
    /// Of the archive itself.
    pub fn of_archive(self) -> ArchiveRefused {
        ArchiveRefused {
            fault: self,
            member: None,
            line: None,
        }
    }

    /// Of a member.
    pub fn at(self, member: impl Into<String>) -> ArchiveRefused {
        ArchiveRefused {
            member: Some(member.into()),
            ..self.of_archive()
        }
    }

    /// Of a line of a member.
    pub fn at_line(self, member: impl Into<String>, line: u64) -> ArchiveRefused {
        ArchiveRefused {
            line: Some(line),
            ..self.at(member)
        }
    }
}

/// The longest path that a message shows, in characters.
const SHOWN_MAX: usize = 200;

/// A member's path as it may be shown: what is not text, not seen or turns the text around it is written out.
pub fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_MAX) {
        if c.is_control() || text::is_invisible(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// What has been seen of an archive's members: admits the next one, or refuses the archive.
#[derive(Debug)]
pub struct Layout {
    members_max: usize,
    members: usize,
    top: Option<String>,
    /// Names by what makes them one: for data the name without regard to case, for texts without its ending too.
    names: BTreeMap<String, String>,
    data: usize,
}

impl Layout {
    /// Nothing has been seen yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            members_max: limits.members,
            members: 0,
            top: None,
            names: BTreeMap::new(),
            data: 0,
        }
    }

    /// Admits the next member, and tells what becomes of it.
    ///
    /// # Errors
    /// The archive must be refused.
    pub fn admit(&mut self, path: &[u8], kind: MemberKind) -> Result<Place, ArchiveRefused> {
        self.members += 1;
        if self.members > self.members_max {
            return Err(Fault::TooMany(self.members_max).of_archive());
        }
        self.place(path, kind).map_err(|fault| fault.at(shown(path)))
    }

    fn place(&mut self, path: &[u8], kind: MemberKind) -> Result<Place, Fault> {
        let is_folder = match kind {
            MemberKind::File => false,
            MemberKind::Folder => true,
            MemberKind::Link => return Err(Fault::Link),
            MemberKind::Device => return Err(Fault::Device),
            MemberKind::Sparse => return Err(Fault::Sparse),
            MemberKind::Other(flag) => return Err(Fault::Kind(flag)),
        };
        let components = components(path)?;
        if let Some(name) = components.last()
            && !is_folder
            && components.len() <= 2
            && (name.starts_with("._") || *name == ".DS_Store")
        {
            return Ok(Place::Ignored);
        }
        match (components.as_slice(), is_folder) {
            // `./`, which tar packs when it is told to pack `.`.
            ([], true) => Ok(Place::Folder),
            ([top], true) => self.stands_in(top).map(|()| Place::Folder),
            ([] | [_], false) => Err(Fault::NoFolder),
            ([top, name], false) => {
                self.stands_in(top)?;
                self.file(name)
            }
            ([top, ..], _) => {
                self.stands_in(top)?;
                Err(Fault::Nested)
            }
        }
    }

    fn stands_in(&mut self, folder: &str) -> Result<(), Fault> {
        match &self.top {
            Some(top) if top == folder => Ok(()),
            Some(top) => Err(Fault::SecondFolder(top.clone())),
            None => {
                self.top = Some(name(folder)?);
                Ok(())
            }
        }
    }

    fn file(&mut self, given: &str) -> Result<Place, Fault> {
        let name = name(given)?;
        let (key, place) = match (Part::named(&name), format_of(&name)) {
            (Some(part), _) => (part.word().to_owned(), Place::Text(part)),
            (None, Some(format)) => {
                let place = Place::Data {
                    name: name.clone(),
                    format,
                };
                (text::folded(&name), place)
            }
            (None, None) => return Err(Fault::NotData),
        };
        if let Some(other) = self.names.insert(key, name) {
            return Err(Fault::Twice(other));
        }
        self.data += usize::from(matches!(place, Place::Data { .. }));
        Ok(place)
    }

    /// That all members have been seen; the name of the top folder.
    ///
    /// # Errors
    /// There was no data among them.
    pub fn finish(self) -> Result<String, ArchiveRefused> {
        match self.top {
            Some(top) if self.data > 0 => Ok(top),
            _ => Err(Fault::NoData.of_archive()),
        }
    }
}

/// The parts of a path, without a leading `./`.
fn components(path: &[u8]) -> Result<Vec<&str>, Fault> {
    let path = std::str::from_utf8(path).map_err(|_| Fault::Name("it is not UTF-8".to_owned()))?;
    if path.is_empty() {
        return Err(Fault::Name("it is empty".to_owned()));
    }
    if path.contains('\\') {
        let problem = "it holds a backslash, which other systems take for the end of a folder's name";
        return Err(Fault::Name(problem.to_owned()));
    }
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(Fault::Outside);
    }
    let mut rest = path;
    while let Some(inner) = rest.strip_prefix("./") {
        rest = inner;
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest == "." {
        return Ok(Vec::new());
    }
    let parts: Vec<_> = rest.split('/').collect();
    if parts.iter().any(|part| part.is_empty() || *part == ".") {
        return Err(Fault::Name("a folder in its path has no name".to_owned()));
    }
    Ok(parts)
}

/// A name that can be an asset's or a dataset's, exactly as it stands.
fn name(given: &str) -> Result<String, Fault> {
    let checked = text::name("name", given).map_err(|invalid| Fault::Name(invalid.problem))?;
    if checked != given {
        return Err(Fault::Name("it begins or ends with a space".to_owned()));
    }
    Ok(checked)
}

/// How a file is written, by its ending.
fn format_of(name: &str) -> Option<DataFormat> {
    let (stem, ending) = name.rsplit_once('.')?;
    let known = [DataFormat::Csv, DataFormat::Parquet, DataFormat::Npy];
    let found = known
        .into_iter()
        .find(|format| format.extension().eq_ignore_ascii_case(ending));
    found.filter(|_| !stem.is_empty())
}

#[cfg(test)]
mod tests;
