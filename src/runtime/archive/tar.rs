//! The members of a tar archive, one after the other: POSIX.1-2001 (ustar and pax) and GNU tar's long names.
//!
//! Stricter than tar itself. Where readers are known to differ (a size that stands twice, a name that stands twice, extension
//! headers in a row), the archive is refused.

use std::io::{self, Read};

use super::UnpackError;
use super::gzip::Unpacked;
use crate::domain::archive::{Fault, MemberKind};

const BLOCK: usize = 512;
/// The longest extension header: a path and whatever else an archiver notes of a file.
const EXTENSION_MAX: u64 = 1 << 20;
/// What may follow the end of the archive: zeros up to the end of a record, which tar fills.
const PADDING_MAX: u64 = 16 << 20;

/// A member, before its content.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) path: Vec<u8>,
    pub(super) kind: MemberKind,
    pub(super) size: u64,
}

/// Reads an archive's members.
pub(super) struct Members<'a> {
    source: Unpacked<'a>,
    /// Bytes of the present member that have not been read.
    left: u64,
    /// Zeros that follow them.
    padding: u64,
    /// Headers that may still come.
    headers_left: usize,
    /// Why the source can be read no further.
    failed: Option<UnpackError>,
}

/// What extension headers say of the member that follows them.
#[derive(Debug, Default)]
struct Extension {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    gnu: bool,
    pax: bool,
}

fn damaged(problem: impl Into<String>) -> UnpackError {
    Fault::Damaged(problem.into()).of_archive().into()
}

fn truncated() -> UnpackError {
    Fault::Truncated.of_archive().into()
}

impl<'a> Members<'a> {
    pub(super) fn of(source: Unpacked<'a>, members_max: usize) -> Self {
        Self {
            source,
            left: 0,
            padding: 0,
            // Each may have extensions before it, and the layout counts the members themselves.
            headers_left: members_max.saturating_mul(4).saturating_add(4),
            failed: None,
        }
    }

    /// The next member, with whatever was left of the one before it skipped. None at the end of the archive, after which
    /// nothing but zeros came.
    pub(super) fn next(&mut self) -> Result<Option<Member>, UnpackError> {
        let mut extension = Extension::default();
        loop {
            self.skip()?;
            let mut block = [0; BLOCK];
            self.fill(&mut block)?;
            if block.iter().all(|byte| *byte == 0) {
                if extension.gnu || extension.pax {
                    return Err(damaged("it ends after the header of a member that does not come"));
                }
                self.end()?;
                return Ok(None);
            }
            self.headers_left = self
                .headers_left
                .checked_sub(1)
                .ok_or_else(|| damaged("it has too many headers"))?;
            let header = Header(&block);
            header.check()?;
            self.begin(header.size()?);
            match header.flag() {
                b'L' | b'K' | b'x' | b'g' => self.extend(&header, &mut extension)?,
                _ => return self.member(&header, extension).map(Some),
            }
        }
    }

    fn member(&mut self, header: &Header<'_>, extension: Extension) -> Result<Member, UnpackError> {
        let path = extension.path.unwrap_or_else(|| header.path());
        if let Some(size) = extension.size {
            // Readers do not agree on which of two sizes holds: what one takes for content is a member to another.
            if self.left != 0 && self.left != size {
                return Err(damaged(
                    "the size of a member stands twice in it, and differs; pack it with another program",
                ));
            }
            self.begin(size);
        }
        let kind = match header.flag() {
            _ if extension.sparse => MemberKind::Sparse,
            // Before POSIX a folder was a file whose name ends so.
            b'\0' if path.ends_with(b"/") => MemberKind::Folder,
            b'0' | b'\0' => MemberKind::File,
            b'5' => MemberKind::Folder,
            b'1' | b'2' => MemberKind::Link,
            b'3' | b'4' | b'6' => MemberKind::Device,
            b'S' => MemberKind::Sparse,
            other => MemberKind::Other(other),
        };
        if kind == MemberKind::Folder && self.left > 0 {
            return Err(damaged("a folder in it has content"));
        }
        Ok(Member {
            path,
            kind,
            size: self.left,
        })
    }

    /// Reads an extension header's content.
    fn extend(&mut self, header: &Header<'_>, extension: &mut Extension) -> Result<(), UnpackError> {
        if self.left > EXTENSION_MAX {
            return Err(damaged("the notes on a member are too long"));
        }
        let mut content = Vec::new();
        let read = self.content().read_to_end(&mut content);
        self.told(read)?;
        match header.flag() {
            b'g' => pax(&content, |key, _| match key {
                b"path" | b"linkpath" | b"size" => Err(damaged("it names all of its members alike")),
                key if key.starts_with(b"GNU.sparse") => Err(damaged("it holds files with holes")),
                _ => Ok(()),
            }),
            b'x' => {
                if extension.pax || extension.gnu {
                    return Err(damaged("a member in it has several extension headers"));
                }
                extension.pax = true;
                extension.note(&content)
            }
            flag => {
                if extension.pax || (flag == b'L' && extension.path.is_some()) {
                    return Err(damaged("a member in it has several extension headers"));
                }
                extension.gnu = true;
                if flag == b'L' {
                    let end = content
                        .iter()
                        .position(|byte| *byte == 0)
                        .unwrap_or(content.len());
                    if content[end..].iter().any(|byte| *byte != 0) {
                        return Err(damaged("a long name in it goes on after its end"));
                    }
                    content.truncate(end);
                    extension.path = Some(content);
                }
                // The target of a link: the link itself is refused when it comes.
                Ok(())
            }
        }
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        let over = size % BLOCK as u64;
        self.padding = if over == 0 { 0 } else { BLOCK as u64 - over };
    }

    /// The content of the present member.
    pub(super) fn content(&mut self) -> Content<'_, 'a> {
        Content(self)
    }

    /// Why reading a member's content has failed, if it has.
    pub(super) fn sound(&mut self) -> Result<(), UnpackError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// As [`Self::sound`], after something was read.
    pub(super) fn told<T>(&mut self, read: io::Result<T>) -> Result<T, UnpackError> {
        self.sound()?;
        read.map_err(UnpackError::Source)
    }

    /// Goes on to the next header.
    fn skip(&mut self) -> Result<(), UnpackError> {
        let mut buffer = [0; 4096];
        while self.left > 0 {
            let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
            match self.source.read(&mut buffer[..most])? {
                0 => return Err(truncated()),
                count => self.left -= count as u64,
            }
        }
        let padding = usize::try_from(self.padding).unwrap_or(0);
        self.padding = 0;
        self.fill(&mut buffer[..padding])
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), UnpackError> {
        while !buffer.is_empty() {
            match self.source.read(buffer)? {
                0 => return Err(truncated()),
                count => buffer = &mut buffer[count..],
            }
        }
        Ok(())
    }

    /// The second block of zeros, and the padding after it.
    fn end(&mut self) -> Result<(), UnpackError> {
        let mut buffer = [0; BLOCK];
        self.fill(&mut buffer)?;
        let mut followed = 0_u64;
        let mut count = BLOCK;
        loop {
            if buffer[..count].iter().any(|byte| *byte != 0) || followed > PADDING_MAX {
                return Err(Fault::Trailing.of_archive().into());
            }
            count = self.source.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            followed += count as u64;
        }
    }
}

/// A member's content as a reader. What goes wrong with the archive is kept in it, and told in general terms only.
pub(super) struct Content<'m, 'a>(&'m mut Members<'a>);

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let members = &mut *self.0;
        if members.failed.is_some() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let most = usize::try_from(members.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let failure = match members.source.read(&mut buffer[..most]) {
            Ok(0) => truncated(),
            Ok(count) => {
                members.left -= count as u64;
                return Ok(count);
            }
            Err(error) => error,
        };
        members.failed = Some(failure);
        Err(io::ErrorKind::InvalidData.into())
    }
}

impl Extension {
    /// Takes note of what a pax header says; most of it does not matter here.
    fn note(&mut self, content: &[u8]) -> Result<(), UnpackError> {
        pax(content, |key, value| {
            let twice = match key {
                b"path" => self.path.replace(value.to_vec()).is_some(),
                b"size" => {
                    let size = std::str::from_utf8(value)
                        .ok()
                        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                        .and_then(|text| text.parse().ok())
                        .ok_or_else(|| damaged("the size of a member in it is no number"))?;
                    self.size.replace(size).is_some()
                }
                key => {
                    self.sparse |= key.starts_with(b"GNU.sparse");
                    false
                }
            };
            if twice {
                return Err(damaged("the notes on a member say something twice"));
            }
            Ok(())
        })
    }
}

/// Goes through the records of a pax header: `LENGTH KEY=VALUE\n`, where the length is of the whole record.
fn pax(
    mut content: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), UnpackError>,
) -> Result<(), UnpackError> {
    let malformed = || damaged("the notes on a member are malformed");
    while !content.is_empty() {
        let space = content
            .iter()
            .take(20)
            .position(|byte| *byte == b' ')
            .ok_or_else(malformed)?;
        let length: usize = std::str::from_utf8(&content[..space])
            .ok()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(malformed)?;
        if length <= space + 1 || length > content.len() {
            return Err(malformed());
        }
        let (record, rest) = content.split_at(length);
        let pair = record[space + 1..].strip_suffix(b"\n").ok_or_else(malformed)?;
        let equals = pair.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
        each(&pair[..equals], &pair[equals + 1..])?;
        content = rest;
    }
    Ok(())
}

/// A header block: POSIX.1-2001, `ustar` interchange format.
struct Header<'a>(&'a [u8; BLOCK]);

impl Header<'_> {
    /// Whether the block is a header at all: its checksum is the sum of its bytes, with spaces in the place of itself.
    fn check(&self) -> Result<(), UnpackError> {
        let sum: u64 = self
            .0
            .iter()
            .enumerate()
            .map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte }))
            .sum();
        if octal(&self.0[148..156]) == Some(sum) {
            return Ok(());
        }
        Err(damaged("it holds what is no header of a member"))
    }

    fn flag(&self) -> u8 {
        self.0[156]
    }

    /// Bytes of content. Octal digits, or with the first bit set GNU tar's big-endian number.
    fn size(&self) -> Result<u64, UnpackError> {
        let field = &self.0[124..136];
        let size = match field[0] {
            0x80 => field[1..].iter().try_fold(0_u64, |size, byte| {
                size.checked_mul(256).map(|size| size | u64::from(*byte))
            }),
            _ => octal(field),
        };
        size.ok_or_else(|| damaged("the size of a member in it is no number"))
    }

    /// The path, of the field for its end and, in POSIX archives, of the field for its beginning.
    fn path(&self) -> Vec<u8> {
        let text =
            |field: &[u8]| -> Vec<u8> { field.iter().copied().take_while(|byte| *byte != 0).collect() };
        let (name, prefix) = (text(&self.0[..100]), text(&self.0[345..500]));
        // GNU tar's own format has other things in the place of the prefix.
        if &self.0[257..263] == b"ustar\0" && !prefix.is_empty() {
            return [prefix.as_slice(), b"/", name.as_slice()].concat();
        }
        name
    }
}

/// Octal digits, with spaces before them and a space or a zero byte after them.
fn octal(field: &[u8]) -> Option<u64> {
    let mut digits = field.iter().copied().skip_while(|byte| *byte == b' ').peekable();
    digits.peek()?;
    let mut value = 0_u64;
    let mut any = false;
    while let Some(digit) = digits.next_if(|byte| (b'0'..=b'7').contains(byte)) {
        value = value.checked_mul(8)?.checked_add(u64::from(digit - b'0'))?;
        any = true;
    }
    let ended = digits.all(|byte| byte == b' ' || byte == 0);
    // An empty field is zero: archives for folders have such sizes.
    (ended && (any || field.iter().all(|byte| *byte == 0 || *byte == b' '))).then_some(value)
}
