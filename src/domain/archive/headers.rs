//! Whether the CSV files of an archive have headers: as their uploader says, or else as their first lines tell.

use std::collections::BTreeMap;

use super::Fault;
use crate::domain::cell::{self, Header};
use crate::domain::text;

/// What an uploader says of a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderChoice {
    /// Nothing: the first line tells.
    #[default]
    Auto,
    /// There is one: the file is a table.
    Present,
    /// There is none: the file is a tensor.
    Absent,
}

/// What an uploader says of the headers of an archive's CSV files.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    all: HeaderChoice,
    single: BTreeMap<String, HeaderChoice>,
}

impl Headers {
    /// The same for all files.
    pub fn new(all: HeaderChoice) -> Self {
        Self {
            all,
            single: BTreeMap::new(),
        }
    }

    /// Something else for one file.
    pub fn set(&mut self, file: &str, choice: HeaderChoice) {
        self.single.insert(text::folded(file), choice);
    }

    /// What is said of a file.
    pub fn of(&self, file: &str) -> HeaderChoice {
        self.single.get(&text::folded(file)).copied().unwrap_or(self.all)
    }

    /// The first file that something is said of and that is not among those there are: its name is mistyped.
    pub fn unknown<'a>(&self, files: impl Iterator<Item = &'a str>) -> Option<&str> {
        let there: Vec<_> = files.map(text::folded).collect();
        self.single
            .keys()
            .find(|file| !there.contains(file))
            .map(String::as_str)
    }
}

impl HeaderChoice {
    /// Whether a file with this first line has a header.
    ///
    /// # Errors
    /// Nothing was said, and the line does not tell.
    pub fn decide(self, first_line: &[String]) -> Result<bool, Fault> {
        match self {
            Self::Present => Ok(true),
            Self::Absent => Ok(false),
            Self::Auto => match cell::header(first_line.iter().map(String::as_str)) {
                Header::Present => Ok(true),
                Header::Absent => Ok(false),
                Header::Unclear => Err(Fault::Header),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_said_outweighs_what_the_first_line_tells() {
        assert_eq!(HeaderChoice::Auto.decide(&line("age,bmi")), Ok(true));
        assert_eq!(HeaderChoice::Auto.decide(&line("36,21.5")), Ok(false));
        assert_eq!(
            HeaderChoice::Auto.decide(&line("country,2020")),
            Err(Fault::Header)
        );
        assert_eq!(HeaderChoice::Present.decide(&line("2019,2020")), Ok(true));
        assert_eq!(HeaderChoice::Absent.decide(&line("age,bmi")), Ok(false));
    }

    #[test]
    fn one_file_may_be_unlike_the_others() {
        let mut headers = Headers::new(HeaderChoice::Absent);
        headers.set("Years.csv", HeaderChoice::Present);
        assert_eq!(headers.of("years.CSV"), HeaderChoice::Present);
        assert_eq!(headers.of("a.csv"), HeaderChoice::Absent);
        assert_eq!(headers.unknown(["a.csv"].into_iter()), Some("years.csv"));
        assert_eq!(headers.unknown(["a.csv", "YEARS.csv"].into_iter()), None);
    }
}
