//! From a schema that an owner lets others see, and the ranges that they declare for it, to a mock.

use std::collections::BTreeMap;

use super::{MockColumn, MockPlan, MockType, TensorPlan};
use crate::domain::cell;
use crate::domain::schema::Schema;

/// The most lines of a declaration.
const LINES_MAX: usize = 10_000;

/// What an owner declares for one column, or for one tensor.
#[derive(Clone, Debug, Default, PartialEq)]
struct Declared {
    line: u64,
    min: Option<f64>,
    max: Option<f64>,
    choices: Vec<String>,
    missing: f64,
}

/// The ranges that mocks of an archive keep to: a CSV table with a line for each column that has one.
///
/// Its own columns are `column`, `min`, `max`, `choices` (separated by `|`), `missing` (the share of missing values, from 0
/// to 1) and `file`, in any order; those that nobody needs may be left out. A line without a file holds for every file that
/// has the column, one with a file before it for that file alone; one with a file and no column holds for a tensor.
#[derive(Clone, Debug, Default)]
pub struct Ranges(BTreeMap<(String, String), Declared>);

/// A line of a declaration is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct WrongRange {
    /// Which line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: String,
}

fn wrong(line: u64, problem: impl Into<String>) -> WrongRange {
    WrongRange {
        line,
        problem: problem.into(),
    }
}

impl Ranges {
    /// Reads a declaration.
    ///
    /// # Errors
    /// Names the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, WrongRange> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let line_of = |position: Option<&csv::Position>| {
            let (line, byte) = position.map_or((1, 0), |position| (position.line(), position.byte()));
            let rest = text.as_bytes().iter().copied();
            line + cell::line_ends(rest.skip(usize::try_from(byte).unwrap_or(usize::MAX)))
        };
        let malformed = |error: csv::Error| {
            let problem = "this line has not as many fields as the first, or is no CSV";
            wrong(line_of(error.position()), problem)
        };
        let names = reader.headers().map_err(malformed)?.clone();
        if let Some(unknown) = names.iter().find(|name| !KNOWN.contains(name)) {
            let problem = format!("{unknown:?} is none of {}", KNOWN.join(", "));
            return Err(wrong(1, problem));
        }
        let mut declared = BTreeMap::new();
        for record in reader.records() {
            let record = record.map_err(malformed)?;
            let line = line_of(record.position());
            let cell = |name: &str| {
                let place = names.iter().position(|known| known == name);
                place.and_then(|place| record.get(place)).unwrap_or_default()
            };
            let key = (cell("file").to_owned(), cell("column").to_owned());
            if key.0.is_empty() && key.1.is_empty() {
                return Err(wrong(line, "it names neither a column nor a file"));
            }
            let number = |name: &str| match cell(name) {
                "" => Ok(None),
                text => text
                    .parse()
                    .map(Some)
                    .map_err(|_| wrong(line, format!("{name} is no number"))),
            };
            let choices = cell("choices").split('|').filter(|choice| !choice.is_empty());
            let one = Declared {
                line,
                min: number("min")?,
                max: number("max")?,
                choices: choices.map(str::to_owned).collect(),
                missing: number("missing")?.unwrap_or_default(),
            };
            if declared.insert(key, one).is_some() {
                return Err(wrong(line, "a line before it is for the same column"));
            }
            if declared.len() > LINES_MAX {
                return Err(wrong(line, format!("there are more than {LINES_MAX} lines")));
            }
        }
        Ok(Self(declared))
    }

    fn of(&self, file: &str, column: &str) -> Declared {
        let key = |file: &str| (file.to_owned(), column.to_owned());
        let found = self.0.get(&key(file)).or_else(|| self.0.get(&key("")));
        found.cloned().unwrap_or_default()
    }

    /// That every line is for a column or a tensor that is there: a mistyped name must not leave a column without its range.
    ///
    /// # Errors
    /// Names the first line that is for nothing.
    pub fn check_names<'a>(
        &self,
        files: impl Iterator<Item = (&'a str, &'a Schema)> + Clone,
    ) -> Result<(), WrongRange> {
        let mut lines: Vec<_> = self.0.iter().collect();
        lines.sort_by_key(|(_, declared)| declared.line);
        for ((file, column), declared) in lines {
            let is_there = files.clone().any(|(name, schema)| {
                (file.is_empty() || file == name)
                    && match schema {
                        Schema::Table { columns, .. } => columns.iter().any(|known| known.name == *column),
                        Schema::Tensor { .. } => column.is_empty(),
                    }
            });
            if !is_there {
                let problem = match (file.as_str(), column.as_str()) {
                    ("", column) => format!("no table has a column {column:?}"),
                    (file, "") => format!("there is no tensor {file:?}"),
                    (file, column) => format!("there is no table {file:?} with a column {column:?}"),
                };
                return Err(wrong(declared.line, problem));
            }
        }
        Ok(())
    }
}

const KNOWN: [&str; 6] = ["column", "min", "max", "choices", "missing", "file"];

/// A mock to generate.
#[derive(Clone, Debug)]
pub enum Plan {
    /// A table.
    Table(MockPlan),
    /// A tensor.
    Tensor(TensorPlan),
}

/// Why there can be no mock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// The schema is of a kind that nothing is generated for.
    #[error("{0}")]
    Schema(String),
    /// The declaration does not fit it.
    #[error(transparent)]
    Range(WrongRange),
}

/// Plans the mock of a file: of its column names and types, or its element type and all lengths but the first, and of what is
/// declared; nothing else goes into it.
///
/// # Errors
/// Nothing is generated for a schema like this, or the declaration does not fit it.
pub fn plan(file: &str, schema: &Schema, ranges: &Ranges, rows: u64) -> Result<Plan, NoPlan> {
    let columns = match schema {
        Schema::Tensor { dtype, shape } => {
            let declared = ranges.of(file, "");
            let range = (declared.min, declared.max);
            let planned = if declared.choices.is_empty() && declared.missing == 0.0 {
                TensorPlan::new(dtype, shape, range, rows)
            } else {
                Err("a tensor has min and max alone".to_owned())
            };
            return planned.map(Plan::Tensor).map_err(|problem| match declared.line {
                0 => NoPlan::Schema(problem),
                line => NoPlan::Range(wrong(line, problem)),
            });
        }
        Schema::Table { columns, .. } => columns,
    };
    let mut mocked = Vec::with_capacity(columns.len());
    for column in columns {
        let dtype = MockType::of(column.dtype).ok_or_else(|| {
            NoPlan::Schema(format!(
                "the column {:?} is of type {}, which is not generated",
                column.name, column.dtype
            ))
        })?;
        let declared = ranges.of(file, &column.name);
        let one = MockColumn {
            name: column.name.clone(),
            dtype,
            min: declared.min,
            max: declared.max,
            choices: declared.choices,
            missing: declared.missing,
        };
        // Each by itself first, so that what is wrong can be told by its line.
        MockPlan::new(std::slice::from_ref(&one), rows).map_err(|invalid| match declared.line {
            0 => NoPlan::Schema(format!("the column {:?}: {invalid}", column.name)),
            line => NoPlan::Range(wrong(line, format!("{:?}: {invalid}", column.name))),
        })?;
        mocked.push(one);
    }
    let planned = MockPlan::new(&mocked, rows).map_err(|invalid| NoPlan::Schema(invalid.to_string()))?;
    Ok(Plan::Table(planned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::schema::{Column, ColumnType};

    fn table(columns: &[(&str, ColumnType)]) -> Schema {
        let columns = columns.iter().map(|(name, dtype)| Column {
            name: (*name).to_owned(),
            dtype: *dtype,
        });
        Schema::Table {
            columns: columns.collect(),
            rows: 200,
        }
    }

    fn women() -> Schema {
        table(&[
            ("age", ColumnType::Integer),
            (" bmi", ColumnType::Float),
            ("type", ColumnType::Text),
        ])
    }

    #[test]
    fn a_table_is_mocked_by_names_types_and_declared_ranges_alone() {
        let ranges = Ranges::parse(
            "file,column,min,max,choices,missing\n,age,21,90,,\nwomen.csv,type,,,Yes|No,0.5\nother.csv,age,1,2,,\n",
        )
        .unwrap();
        let Plan::Table(plan) = plan("women.csv", &women(), &ranges, 100).unwrap() else {
            panic!("a table")
        };
        let names: Vec<_> = plan.columns().map(|(name, _)| name).collect();
        assert_eq!(names, ["age", " bmi", "type"], "space belongs to the name");
        for row in plan.rows(3) {
            let age: u32 = row[0].as_ref().unwrap().parse().unwrap();
            assert!((21..=90).contains(&age));
            assert!(row[2].as_ref().is_none_or(|it| it == "Yes" || it == "No"));
        }
        assert!(plan.rows(3).any(|row| row[2].is_none()));
        assert_eq!(plan.rows(3).count(), 100, "and not 200");
    }

    #[test]
    fn what_is_declared_wrongly_is_named_by_its_line() {
        for (text, line) in [
            ("column,least\nage,1\n", 1),
            ("column,min\nage,1\nbmi\n", 3),
            ("column,min\nage,x\n", 2),
            ("column,min\n\nage,1\nage,2\n", 4),
            ("column,min\n,1\n", 2),
        ] {
            assert_eq!(Ranges::parse(text).unwrap_err().line, line, "{text:?}");
        }
        let schema = women();
        for (text, line) in [
            ("column,min,max\nage,9,1\n", 2),
            ("column,min\n\ntype,1\n", 3),
            ("column,choices\nage,x|y\n", 2),
        ] {
            let ranges = Ranges::parse(text).unwrap();
            let Err(NoPlan::Range(wrong)) = plan("women.csv", &schema, &ranges, 1) else {
                panic!("{text:?}")
            };
            assert_eq!(wrong.line, line, "{text:?}: {wrong}");
        }
    }

    #[test]
    fn a_mistyped_name_is_not_overlooked() {
        let (women, scan) = (
            women(),
            Schema::Tensor {
                dtype: "float32".into(),
                shape: vec![4, 2],
            },
        );
        let files = [("women.csv", &women), ("scan.npy", &scan)];
        let check = |text: &str| Ranges::parse(text).unwrap().check_names(files.iter().copied());
        check("column,file,max\nage,,5\nage,women.csv,5\n,scan.npy,2\n").unwrap();
        for (text, line) in [
            ("column\nage\nagee\n", 3),
            ("column,file\nage,men.csv\n", 2),
            ("column,file\nage,scan.npy\n", 2),
            ("column,file\n,women.csv\n", 2),
        ] {
            assert_eq!(check(text).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn a_tensor_keeps_to_its_range() {
        let scan = Schema::Tensor {
            dtype: "float32".into(),
            shape: vec![4, 2],
        };
        let ranges = Ranges::parse("file,min,max\nscan.npy,5,6\n").unwrap();
        let Plan::Tensor(plan) = plan("scan.npy", &scan, &ranges, 10).unwrap() else {
            panic!("a tensor")
        };
        assert_eq!(plan.shape(), [10, 2]);
        assert!(plan.elements(1).all(
            |element| matches!(element, super::super::Element::Float(value) if (5.0..=6.0).contains(&value))
        ));
    }

    #[test]
    fn what_cannot_be_generated_is_said() {
        let nested = table(&[("visits", ColumnType::Nested)]);
        let refused = plan("a.parquet", &nested, &Ranges::default(), 1).unwrap_err();
        assert!(
            refused.to_string().contains("\"visits\" is of type nested"),
            "{refused}"
        );
        let odd = table(&[("a\u{202e}", ColumnType::Text)]);
        assert!(matches!(
            plan("a.csv", &odd, &Ranges::default(), 1),
            Err(NoPlan::Schema(_))
        ));
        assert!(plan("a.csv", &table(&[]), &Ranges::default(), 1).is_err());
    }
}
