//! Mocks made of what an owner declares: column names, types, ranges and choices. Never of values: nothing here can see
//! any.
//!
//! The same declaration and the same seed give the same bytes, on every machine and in every version: random numbers are
//! the output stream of BLAKE3, keyed by the seed.

mod column;
mod declared;
mod tensor;

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time, date};
use jiff::{SignedDuration, Span};
use serde::{Deserialize, Serialize};

pub use column::WrongColumn;
pub use declared::{NoPlan, Plan, Ranges, WrongRange, plan};
pub use tensor::{Element, TensorPlan};

use super::schema::ColumnType;
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
    /// Numbers with two decimals; from 0 to 100 unless said otherwise.
    Decimal,
    /// Days from 2000 to 2029.
    Date,
    /// Times of a day.
    Time,
    /// Points in time, from 2000 to 2029.
    Timestamp,
}

impl MockType {
    /// The type that stands for a column's, where there is one.
    pub fn of(column: ColumnType) -> Option<Self> {
        match column {
            ColumnType::Boolean => Some(Self::Bool),
            ColumnType::Integer => Some(Self::Int),
            ColumnType::Float => Some(Self::Float),
            ColumnType::Decimal => Some(Self::Decimal),
            ColumnType::Text => Some(Self::String),
            ColumnType::Date => Some(Self::Date),
            ColumnType::Time => Some(Self::Time),
            ColumnType::Timestamp => Some(Self::Timestamp),
            ColumnType::Duration | ColumnType::Binary | ColumnType::Nested => None,
        }
    }

    /// The column's type that it stands for.
    pub fn column(self) -> ColumnType {
        match self {
            Self::Bool => ColumnType::Boolean,
            Self::Int => ColumnType::Integer,
            Self::Float => ColumnType::Float,
            Self::Decimal => ColumnType::Decimal,
            Self::String => ColumnType::Text,
            Self::Date => ColumnType::Date,
            Self::Time => ColumnType::Time,
            Self::Timestamp => ColumnType::Timestamp,
        }
    }
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
    columns: Vec<Planned>,
    rows: u64,
}

#[derive(Clone, Debug)]
struct Planned {
    name: String,
    dtype: MockType,
    values: Values,
    missing: f64,
}

#[derive(Clone, Debug)]
enum Values {
    Integers { min: i64, span: u64 },
    Floats { min: f64, max: f64 },
    Booleans,
    Words,
    Hundredths { min: i64, span: u64 },
    Days,
    Times,
    Moments,
    Choices(Vec<String>),
}

/// Where generated days begin, and how many there are: 30 years.
const FIRST_DAY: Date = date(2000, 1, 1);
const DAYS: u64 = 10_958;
const DAY_SECONDS: u64 = 86_400;

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
            // Space around a name is part of it: a file that has it must be met by a mock that has it.
            text::name(&field("name"), &column.name)?;
            if !names.insert(column.name.clone()) {
                return Err(Invalid::new(
                    field("name"),
                    "stands twice; each column has a name of its own",
                ));
            }
            if !(0.0..=1.0).contains(&column.missing) {
                return Err(Invalid::new(field("missing"), "must be from 0 to 1"));
            }
            checked.push(Planned {
                name: column.name.clone(),
                dtype: column.dtype,
                values: values(column, field)?,
                missing: column.missing,
            });
        }
        Ok(Self {
            columns: checked,
            rows,
        })
    }

    /// Names and types of the columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, MockType)> {
        self.columns
            .iter()
            .map(|column| (column.name.as_str(), column.dtype))
    }

    /// The rows: of each cell what it says, or nothing where its value is missing.
    pub fn rows(&self, seed: u64) -> impl Iterator<Item = Vec<Option<String>>> + '_ {
        let mut random = Random::new(seed);
        (0..self.rows).map(move |_| {
            let cells = self.columns.iter().map(|column| {
                // Drawn in any case, so that a column's values do not depend on how much of it is missing.
                let (shown, value) = (random.unit() >= column.missing, column.values.draw(&mut random));
                shown.then_some(value)
            });
            cells.collect()
        })
    }

    /// The mock as CSV, a piece at a time.
    pub fn csv(&self, seed: u64) -> impl Iterator<Item = String> + '_ {
        let header = self
            .columns
            .iter()
            .map(|column| quoted(&column.name))
            .collect::<Vec<_>>()
            .join(",");
        let rows = self.rows(seed).map(|row| {
            // A line of one empty cell would be no record.
            if let [None] = row.as_slice() {
                return "\"\"\n".to_owned();
            }
            let cells: Vec<_> = row
                .into_iter()
                .map(|cell| cell.map(|text| quoted(&text)).unwrap_or_default())
                .collect();
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
        MockType::Int | MockType::Decimal => (column.min.unwrap_or(0.0), column.max.unwrap_or(100.0)),
        MockType::Float => (column.min.unwrap_or(0.0), column.max.unwrap_or(1.0)),
        MockType::Bool => return no_range(column, &field, Values::Booleans),
        MockType::String => return no_range(column, &field, Values::Words),
        MockType::Date => return no_range(column, &field, Values::Days),
        MockType::Time => return no_range(column, &field, Values::Times),
        MockType::Timestamp => return no_range(column, &field, Values::Moments),
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
    if column.dtype == MockType::Decimal {
        let (min, max) = (
            whole(field("min"), (least * 100.0).ceil())?,
            whole(field("max"), (greatest * 100.0).floor())?,
        );
        let span = u64::try_from(i128::from(max) - i128::from(min) + 1)
            .ok()
            .filter(|span| *span > 0);
        let span =
            span.ok_or_else(|| Invalid::new(field("min"), "leaves no number of two decimals up to max"))?;
        return Ok(Values::Hundredths { min, span });
    }
    let (min, max) = (whole(field("min"), least)?, whole(field("max"), greatest)?);
    Ok(Values::Integers {
        min,
        span: max.abs_diff(min) + 1,
    })
}

fn whole(field: String, number: f64) -> Result<i64, Invalid> {
    if number.fract() == 0.0 && number.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
        Ok(number as i64)
    } else {
        Err(Invalid::new(field, "must be a whole number below 2^53"))
    }
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
            MockType::Decimal => is_decimal(choice),
            MockType::Date => choice.parse::<Date>().is_ok(),
            MockType::Time => choice.parse::<Time>().is_ok(),
            MockType::Timestamp => choice.parse::<DateTime>().is_ok(),
        };
        if !fits {
            return Err(Invalid::new(
                field(&format!("choices[{at}]")),
                "is not of the column's type",
            ));
        }
        text::prose(&field(&format!("choices[{at}]")), choice)?;
    }
    Ok(Values::Choices(column.choices.clone()))
}

/// Digits with at most two decimals.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(whole, 15) && digits(decimals, 2)
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
            Self::Words => random.letters(),
            Self::Hundredths { min, span } => {
                let hundredths = min.wrapping_add_unsigned(random.below(*span));
                let (sign, size) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
                format!("{sign}{}.{:02}", size / 100, size % 100)
            }
            Self::Days => random.day().to_string(),
            Self::Times => random.time().to_string(),
            Self::Moments => random.day().to_datetime(random.time()).to_string(),
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

    /// Eight small letters.
    fn letters(&mut self) -> String {
        (0..8)
            .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz"[self.index(26)]))
            .collect()
    }

    fn day(&mut self) -> Date {
        let days = i64::try_from(self.below(DAYS)).unwrap_or(0);
        FIRST_DAY.saturating_add(Span::new().days(days))
    }

    fn time(&mut self) -> Time {
        let seconds = i64::try_from(self.below(DAY_SECONDS)).unwrap_or(0);
        Time::midnight().saturating_add(SignedDuration::from_secs(seconds))
    }

    /// From 0 to 1, without 1: 53 random bits.
    fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let bits = (self.next() >> 11) as f64;
        bits / EXACT_MAX
    }
}

#[cfg(test)]
mod tests;
