//! Small files that a command reads; `-` is the standard input.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::failure::Failure;

/// The longest text: identities, statements, source.
const TEXT_MAX: u64 = 1 << 20;
/// The longest saved answer.
const JSON_MAX: u64 = 64 << 20;

/// A text, such as an identity or source code.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    read(path, TEXT_MAX)
}

/// A saved answer of a command with `--json`.
pub(super) fn json(path: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&read(path, JSON_MAX)?)
        .map_err(|error| Failure::usage(format!("{} is not JSON: {error}", path.display())))
}

fn read(path: &Path, most: u64) -> Result<String, Failure> {
    let failed = |error| Failure::file(path, &error);
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
    }
    .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(Failure::failed(format!(
            "{} is longer than {most} bytes; is it the right file?",
            path.display()
        )));
    }
    String::from_utf8(bytes).map_err(|_| Failure::failed(format!("{} is not UTF-8 text", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_text_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(text(&path).unwrap_err().to_string().contains("identity"));
        std::fs::write(&path, vec![b'x'; 1 + usize::try_from(TEXT_MAX).unwrap()]).unwrap();
        assert!(text(&path).unwrap_err().to_string().contains("longer"));
        assert!(json(&path).is_err());
    }
}
