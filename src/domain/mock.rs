//! Mocks made of what an owner declares: column names, types, ranges and choices. Never of values: nothing here can see
//! any.
//!
//! The same declaration and the same seed give the same bytes, on every machine and in every version: random numbers are
//! the output stream of BLAKE3, keyed by the seed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::text::{self, Invalid};

/// The most columns of a generated mock.
pub const COLUMNS_MAX: usize = 1_000;
/// The most rows.
pub const ROWS_MAX: u64 = 10_000_000;
/// The most choices of a column.
pub const CHOICES_MAX: usize = 1_000;

/// The type of a declared column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MockType {
    /// Whole numbers; from 0 to 100 unless said otherwise.
    Int,
    /// Numbers; from 0 to 1 unless said otherwise.
    Float,
    /// `True` and `False`.
    Bool,
    /// Text; eight random letters unless there are choices.
    String,
}

/// One column, as its owner declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct MockColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: MockType,
    /// The least number.
    pub min: Option<f64>,
    /// The greatest number.
    pub max: Option<f64>,
    /// The values to choose from, in place of a range; as they shall stand in the file.
    pub choices: Vec<String>,
    /// Which part of the values is missing, from 0 to 1.
    pub missing: f64,
}

/// A checked declaration.
#[derive(Clone, Debug)]
pub struct MockPlan {
    columns: Vec<(String, Values, f64)>,
    rows: u64,
}

#[derive(Clone, Debug)]
enum Values {
    Integers { min: i64, span: u64 },
    Floats { min: f64, max: f64 },
    Booleans,
    Words,
    Choices(Vec<String>),
}

/// The largest whole number up to which every whole number is an `f64`: 2⁵³.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl MockPlan {
    /// Checks a declaration.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(columns: &[MockColumn], rows: u64) -> Result<Self, Invalid> {
        if columns.is_empty() || columns.len() > COLUMNS_MAX {
            return Err(Invalid::new(
                "columns",
                format!("must be from 1 to {COLUMNS_MAX} columns"),
            ));
        }
        if !(1..=ROWS_MAX).contains(&rows) {
            return Err(Invalid::new("rows", format!("must be from 1 to {ROWS_MAX}")));
        }
        let mut names = BTreeSet::new();
        let mut checked = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let field = |part: &str| format!("columns[{at}].{part}");
            let name = text::name(&field("name"), &column.name)?;
            if !names.insert(name.clone()) {
                return Err(Invalid::new(
                    field("name"),
                    "stands twice; each column has a name of its own",
                ));
            }
            if !(0.0..=1.0).contains(&column.missing) {
                return Err(Invalid::new(field("missing"), "must be from 0 to 1"));
            }
            checked.push((name, values(column, field)?, column.missing));
        }
        Ok(Self {
            columns: checked,
            rows,
        })
    }

    /// The mock as CSV, a piece at a time.
    pub fn csv(&self, seed: u64) -> impl Iterator<Item = String> + '_ {
        let header = self
            .columns
            .iter()
            .map(|(name, ..)| quoted(name))
            .collect::<Vec<_>>()
            .join(",");
        let mut random = Random::new(seed);
        let rows = (0..self.rows).map(move |_| {
            let cells: Vec<_> = self
                .columns
                .iter()
                .map(|(_, values, missing)| {
                    // Drawn in any case, so that a column's values do not depend on how much of it is missing.
                    let (shown, value) = (random.unit() >= *missing, values.draw(&mut random));
                    if shown { value } else { String::new() }
                })
                .collect();
            // A line of one empty cell would be no record.
            if let [only] = cells.as_slice()
                && only.is_empty()
            {
                return "\"\"\n".to_owned();
            }
            format!("{}\n", cells.join(","))
        });
        std::iter::once(format!("{header}\n")).chain(rows)
    }
}

fn values(column: &MockColumn, field: impl Fn(&str) -> String) -> Result<Values, Invalid> {
    if !column.choices.is_empty() {
        return choices(column, &field);
    }
    let (least, greatest) = match column.dtype {
        MockType::Int => (column.min.unwrap_or(0.0), column.max.unwrap_or(100.0)),
        MockType::Float => (column.min.unwrap_or(0.0), column.max.unwrap_or(1.0)),
        MockType::Bool => return no_range(column, &field, Values::Booleans),
        MockType::String => return no_range(column, &field, Values::Words),
    };
    if !(least.is_finite() && greatest.is_finite() && least <= greatest) {
        return Err(Invalid::new(
            field("min"),
            "must be a number that is not above max",
        ));
    }
    if column.dtype == MockType::Float {
        return Ok(Values::Floats {
            min: least,
            max: greatest,
        });
    }
    let whole = |part: &str, number: f64| {
        if number.fract() == 0.0 && number.abs() <= EXACT_MAX {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
            Ok(number as i64)
        } else {
            Err(Invalid::new(field(part), "must be a whole number below 2^53"))
        }
    };
    let (min, max) = (whole("min", least)?, whole("max", greatest)?);
    Ok(Values::Integers {
        min,
        span: max.abs_diff(min) + 1,
    })
}

fn no_range(column: &MockColumn, field: impl Fn(&str) -> String, values: Values) -> Result<Values, Invalid> {
    match (column.min, column.max) {
        (None, None) => Ok(values),
        (Some(_), _) => Err(Invalid::new(field("min"), "is for numbers")),
        (None, Some(_)) => Err(Invalid::new(field("max"), "is for numbers")),
    }
}

fn choices(column: &MockColumn, field: impl Fn(&str) -> String) -> Result<Values, Invalid> {
    if column.choices.len() > CHOICES_MAX {
        return Err(Invalid::new(
            field("choices"),
            format!("there are at most {CHOICES_MAX}"),
        ));
    }
    if column.min.is_some() || column.max.is_some() {
        return Err(Invalid::new(
            field("choices"),
            "stand in place of min and max; give one or the other",
        ));
    }
    for (at, choice) in column.choices.iter().enumerate() {
        let fits = match column.dtype {
            MockType::Int => choice.parse::<i64>().is_ok(),
            MockType::Float => choice.parse::<f64>().is_ok(),
            MockType::Bool => matches!(choice.as_str(), "True" | "False"),
            MockType::String => !choice.is_empty(),
        };
        if !fits {
            return Err(Invalid::new(
                field(&format!("choices[{at}]")),
                "is not of the column's type",
            ));
        }
        text::prose(&field(&format!("choices[{at}]")), choice)?;
    }
    Ok(Values::Choices(
        column.choices.iter().map(|choice| quoted(choice)).collect(),
    ))
}

/// A cell, in quotes where RFC 4180 wants them.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

impl Values {
    fn draw(&self, random: &mut Random) -> String {
        match self {
            Self::Integers { min, span } => min.wrapping_add_unsigned(random.below(*span)).to_string(),
            // Debug keeps the point of a whole number, so that the column stays one of floats.
            Self::Floats { min, max } => {
                let unit = random.unit();
                format!("{:?}", (min * (1.0 - unit) + max * unit).clamp(*min, *max))
            }
            Self::Booleans => if random.below(2) == 0 { "False" } else { "True" }.to_owned(),
            Self::Words => {
                let letter =
                    |random: &mut Random| char::from(b"abcdefghijklmnopqrstuvwxyz"[random.index(26)]);
                (0..8).map(|_| letter(random)).collect()
            }
            Self::Choices(choices) => choices[random.index(choices.len())].clone(),
        }
    }
}

/// Random numbers of a seed.
struct Random(blake3::OutputReader);

impl Random {
    fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("poundlock mock generation 1");
        hasher.update(&seed.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    fn next(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Below `bound`, by the high half of a product (Lemire 2019); the bias is below 2⁻¹¹ for any bound here.
    fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(u64::try_from(bound).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// From 0 to 1, without 1: 53 random bits.
    fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let bits = (self.next() >> 11) as f64;
        bits / EXACT_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(name: &str, dtype: MockType) -> MockColumn {
        MockColumn {
            name: name.into(),
            dtype,
            min: None,
            max: None,
            choices: Vec::new(),
            missing: 0.0,
        }
    }

    fn cells(columns: &[MockColumn], rows: u64, seed: u64) -> Vec<Vec<String>> {
        let text: String = MockPlan::new(columns, rows).unwrap().csv(seed).collect();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn a_seed_gives_the_same_bytes_for_ever() {
        let columns = [
            column("age", MockType::Int),
            column("bmi", MockType::Float),
            column("sex", MockType::String),
        ];
        let text: String = MockPlan::new(&columns, 2).unwrap().csv(7).collect();
        let again: String = MockPlan::new(&columns, 2).unwrap().csv(7).collect();
        assert_eq!(text, again);
        assert_ne!(
            text,
            MockPlan::new(&columns, 2).unwrap().csv(8).collect::<String>()
        );
        assert_eq!(blake3::hash(text.as_bytes()).to_hex().as_str(), GOLDEN, "{text}");
    }

    const GOLDEN: &str = "833e2b2b2202349f1cf207090851cc68b6bf6e2379fc167cf4d2e1a6fd6cf9cd";

    #[test]
    fn what_is_declared_is_checked() {
        let wrong = |column: MockColumn| MockPlan::new(&[column], 1).unwrap_err().field;
        assert_eq!(wrong(column("", MockType::Int)), "columns[0].name");
        assert_eq!(
            wrong(MockColumn {
                missing: 1.5,
                ..column("a", MockType::Int)
            }),
            "columns[0].missing"
        );
        assert_eq!(
            wrong(MockColumn {
                min: Some(200.0),
                ..column("a", MockType::Int)
            }),
            "columns[0].min"
        );
        assert_eq!(
            wrong(MockColumn {
                max: Some(0.5),
                ..column("a", MockType::Int)
            }),
            "columns[0].max"
        );
        assert_eq!(
            wrong(MockColumn {
                max: Some(1.0),
                ..column("a", MockType::Bool)
            }),
            "columns[0].max"
        );
        let choices = vec!["1".to_owned(), "x".to_owned()];
        assert_eq!(
            wrong(MockColumn {
                choices,
                ..column("a", MockType::Int)
            }),
            "columns[0].choices[1]"
        );
        let twice = [column("a", MockType::Int), column("a", MockType::Int)];
        assert_eq!(MockPlan::new(&twice, 1).unwrap_err().field, "columns[1].name");
        assert_eq!(MockPlan::new(&twice[..1], 0).unwrap_err().field, "rows");
    }

    #[test]
    fn choices_and_missing_values_come_out_as_csv() {
        let choices = vec!["a,b".to_owned(), "say \"c\"".to_owned()];
        let columns = [MockColumn {
            choices: choices.clone(),
            missing: 0.5,
            ..column("x, y", MockType::String)
        }];
        let found: BTreeSet<_> = cells(&columns, 100, 1)
            .into_iter()
            .map(|row| row[0].clone())
            .collect();
        assert_eq!(found, choices.into_iter().chain([String::new()]).collect());
    }

    proptest! {
        #[test]
        fn numbers_keep_to_their_range(min in -1e6..1e6f64, span in 0.0..1e6f64, seed: u64) {
            let (least, greatest) = (min.floor(), (min + span).ceil());
            let integers = MockColumn { min: Some(least), max: Some(greatest), ..column("i", MockType::Int) };
            let floats = MockColumn { min: Some(min), max: Some(min + span), ..column("f", MockType::Float) };
            for row in cells(&[integers, floats], 20, seed) {
                let integer: i64 = row[0].parse().unwrap();
                prop_assert!((least..=greatest).contains(&(integer as f64)));
                let float: f64 = row[1].parse().unwrap();
                prop_assert!((min..=min + span).contains(&float));
                prop_assert!(row[1].parse::<i64>().is_err(), "a float must not look like an integer");
            }
        }
    }
}
