//! What a table or a tensor looks like from outside, and whether a mock stands for the private data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of a column's values. Missing values are allowed in every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// `true` and `false`.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Numbers of IEEE 754; also a CSV column without any value, as pandas reads it.
    Float,
    /// Fixed-point numbers.
    Decimal,
    /// Text.
    Text,
    /// Days of a calendar.
    Date,
    /// Times of a day.
    Time,
    /// Points in time.
    Timestamp,
    /// Spans of time.
    Duration,
    /// Bytes.
    Binary,
    /// Lists, structures and maps.
    Nested,
}

impl fmt::Display for ColumnType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Binary => "binary",
            Self::Nested => "nested",
        })
    }
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name, as the header has it.
    pub name: String,
    /// The type of its values.
    pub dtype: ColumnType,
}

/// The shape of an asset's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schema {
    /// Named columns of equal length.
    Table {
        /// The columns, in order.
        columns: Vec<Column>,
        /// The number of rows, without the header.
        rows: u64,
    },
    /// An array of one element type.
    Tensor {
        /// NumPy's name of the element type, e.g. `float64`; `str` and `bytes` without their length.
        dtype: String,
        /// The length of each dimension.
        shape: Vec<u64>,
    },
}

impl Schema {
    /// The most bytes of [`Self::described_bytes`]: a body or a record that holds the schema must fit into the store.
    pub const DESCRIBED_MAX: usize = 60 * 1024;

    /// How many rows there are; of a tensor, slices along its first dimension.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Table { rows, .. } => *rows,
            Self::Tensor { shape, .. } => shape.first().copied().unwrap_or(1),
        }
    }

    /// How many bytes it takes at most to store the description.
    pub fn described_bytes(&self) -> usize {
        match self {
            // The names and lengths of the fields, and of the longest type.
            Self::Table { columns, .. } => columns.iter().map(|column| column.name.len() + 32).sum(),
            Self::Tensor { dtype, shape } => dtype.len() + shape.len() * 9,
        }
    }
}

/// One way in which a mock does not stand for the private data.
///
/// Names and types of columns are shown, and nothing of the values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// One is a table and the other a tensor.
    Kind {
        /// Whether the private data is the table.
        private_is_table: bool,
    },
    /// The mock lacks a column.
    Missing {
        /// The column.
        column: String,
    },
    /// The mock has a column too many.
    Extra {
        /// The column.
        column: String,
    },
    /// A column stands elsewhere.
    Order {
        /// The column.
        column: String,
        /// Its place in the private data, from 1.
        private: usize,
        /// Its place in the mock, from 1.
        mock: usize,
    },
    /// A column's type differs.
    Type {
        /// The column.
        column: String,
        /// Its type in the private data.
        private: ColumnType,
        /// Its type in the mock.
        mock: ColumnType,
    },
    /// The element types differ.
    Dtype {
        /// The private data's.
        private: String,
        /// The mock's.
        mock: String,
    },
    /// The numbers of dimensions differ.
    Dimensions {
        /// The private data's.
        private: usize,
        /// The mock's.
        mock: usize,
    },
    /// A dimension after the first differs.
    Length {
        /// Which dimension, from 1.
        dimension: usize,
        /// The private data's length.
        private: u64,
        /// The mock's length.
        mock: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind {
                private_is_table: true,
            } => out.write_str("the private data is a table, the mock is a tensor"),
            Self::Kind {
                private_is_table: false,
            } => out.write_str("the private data is a tensor, the mock is a table"),
            Self::Missing { column } => write!(out, "the mock lacks the column {column:?}"),
            Self::Extra { column } => write!(
                out,
                "the mock has a column {column:?} that the private data lacks"
            ),
            Self::Order {
                column,
                private,
                mock,
            } => {
                write!(
                    out,
                    "the column {column:?} is number {private} in the private data and number {mock} in the mock"
                )
            }
            Self::Type {
                column,
                private,
                mock,
            } => {
                write!(
                    out,
                    "the column {column:?} is {private} in the private data and {mock} in the mock"
                )
            }
            Self::Dtype { private, mock } => {
                write!(
                    out,
                    "the elements are {private} in the private data and {mock} in the mock"
                )
            }
            Self::Dimensions { private, mock } => {
                write!(
                    out,
                    "the private data has {private} dimensions, the mock has {mock}"
                )
            }
            Self::Length {
                dimension,
                private,
                mock,
            } => {
                write!(
                    out,
                    "dimension {dimension} has length {private} in the private data and {mock} in the mock"
                )
            }
        }
    }
}

/// How a mock differs from the private data that it stands for; empty when it may stand for it.
///
/// The rule:
/// - two tables agree when they have the same column names in the same order, each with the same type. Types are equal
///   or different, none widens to another: an integer mock column for a float private column is a difference, since
///   code that was tried on the mock would meet another type. The number of rows is free;
/// - two tensors agree when element type and number of dimensions are equal, and every dimension after the first has
///   the same length. The first, by custom the number of samples, is free;
/// - a table and a tensor never agree.
pub fn difference(private: &Schema, mock: &Schema) -> Vec<Difference> {
    match (private, mock) {
        (Schema::Table { columns: private, .. }, Schema::Table { columns: mock, .. }) => {
            tables(private, mock)
        }
        (
            Schema::Tensor {
                dtype: private,
                shape: private_shape,
            },
            Schema::Tensor {
                dtype: mock,
                shape: mock_shape,
            },
        ) => {
            let mut found = Vec::new();
            if private != mock {
                found.push(Difference::Dtype {
                    private: private.clone(),
                    mock: mock.clone(),
                });
            }
            found.extend(shapes(private_shape, mock_shape));
            found
        }
        (private, _) => vec![Difference::Kind {
            private_is_table: matches!(private, Schema::Table { .. }),
        }],
    }
}

fn tables(private: &[Column], mock: &[Column]) -> Vec<Difference> {
    let mut found = Vec::new();
    for (index, column) in private.iter().enumerate() {
        // A name that stands twice is compared place by place, so that no column escapes.
        let in_place = mock
            .get(index)
            .filter(|other| other.name == column.name)
            .map(|_| index);
        let Some(place) = in_place.or_else(|| mock.iter().position(|other| other.name == column.name)) else {
            found.push(Difference::Missing {
                column: column.name.clone(),
            });
            continue;
        };
        if place != index {
            found.push(Difference::Order {
                column: column.name.clone(),
                private: index + 1,
                mock: place + 1,
            });
        }
        if mock[place].dtype != column.dtype {
            found.push(Difference::Type {
                column: column.name.clone(),
                private: column.dtype,
                mock: mock[place].dtype,
            });
        }
    }
    for (index, column) in mock.iter().enumerate() {
        let in_place = private.get(index).is_some_and(|other| other.name == column.name);
        let elsewhere = private.iter().filter(|other| other.name == column.name).count();
        let copies = mock.iter().filter(|other| other.name == column.name).count();
        if elsewhere == 0 || (copies > elsewhere && !in_place) {
            found.push(Difference::Extra {
                column: column.name.clone(),
            });
        }
    }
    found
}

fn shapes(private: &[u64], mock: &[u64]) -> Vec<Difference> {
    if private.len() != mock.len() {
        return vec![Difference::Dimensions {
            private: private.len(),
            mock: mock.len(),
        }];
    }
    let pairs = private.iter().zip(mock).enumerate().skip(1);
    pairs
        .filter(|(_, (private, mock))| private != mock)
        .map(|(index, (private, mock))| Difference::Length {
            dimension: index + 1,
            private: *private,
            mock: *mock,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, ColumnType)], rows: u64) -> Schema {
        let columns = columns
            .iter()
            .map(|(name, dtype)| Column {
                name: (*name).to_owned(),
                dtype: *dtype,
            })
            .collect();
        Schema::Table { columns, rows }
    }

    fn tensor(dtype: &str, shape: &[u64]) -> Schema {
        Schema::Tensor {
            dtype: dtype.to_owned(),
            shape: shape.to_vec(),
        }
    }

    #[test]
    fn a_table_with_the_same_columns_and_other_rows_agrees() {
        let columns = [("age", ColumnType::Integer), ("bmi", ColumnType::Float)];
        assert_eq!(difference(&table(&columns, 200), &table(&columns, 3)), []);
    }

    #[test]
    fn an_integer_mock_does_not_stand_for_floats() {
        let found = difference(
            &table(&[("bmi", ColumnType::Float)], 1),
            &table(&[("bmi", ColumnType::Integer)], 1),
        );
        let expected = Difference::Type {
            column: "bmi".into(),
            private: ColumnType::Float,
            mock: ColumnType::Integer,
        };
        assert_eq!(found, [expected]);
        assert_eq!(
            found[0].to_string(),
            "the column \"bmi\" is float in the private data and integer in the mock"
        );
    }

    #[test]
    fn missing_extra_and_moved_columns_are_named() {
        let private = table(
            &[
                ("a", ColumnType::Text),
                ("b", ColumnType::Text),
                ("c", ColumnType::Text),
            ],
            0,
        );
        let mock = table(
            &[
                ("b", ColumnType::Text),
                ("a", ColumnType::Text),
                ("d", ColumnType::Text),
            ],
            0,
        );
        let found = difference(&private, &mock);
        assert_eq!(
            found,
            [
                Difference::Order {
                    column: "a".into(),
                    private: 1,
                    mock: 2
                },
                Difference::Order {
                    column: "b".into(),
                    private: 2,
                    mock: 1
                },
                Difference::Missing { column: "c".into() },
                Difference::Extra { column: "d".into() },
            ]
        );
    }

    #[test]
    fn a_column_that_stands_twice_in_one_of_them_is_a_difference() {
        let once = table(&[("a", ColumnType::Text)], 0);
        let twice = table(&[("a", ColumnType::Text), ("a", ColumnType::Text)], 0);
        assert_eq!(
            difference(&once, &twice),
            [Difference::Extra { column: "a".into() }]
        );
        assert!(!difference(&twice, &once).is_empty());
        assert_eq!(difference(&twice, &twice), []);
    }

    #[test]
    fn only_the_first_dimension_of_a_tensor_is_free() {
        let private = tensor("float64", &[100, 28, 28]);
        assert_eq!(difference(&private, &tensor("float64", &[2, 28, 28])), []);
        assert_eq!(
            difference(&private, &tensor("float64", &[100, 28, 27])),
            [Difference::Length {
                dimension: 3,
                private: 28,
                mock: 27
            }]
        );
        assert_eq!(
            difference(&private, &tensor("float32", &[100, 28])),
            [
                Difference::Dtype {
                    private: "float64".into(),
                    mock: "float32".into()
                },
                Difference::Dimensions { private: 3, mock: 2 },
            ]
        );
    }

    #[test]
    fn a_table_and_a_tensor_never_agree() {
        let found = difference(&table(&[], 0), &tensor("float64", &[]));
        assert_eq!(
            found,
            [Difference::Kind {
                private_is_table: true
            }]
        );
    }

    #[test]
    fn json_keeps_a_schema_whole_and_refuses_unknown_fields() {
        let schema = table(&[("age", ColumnType::Integer)], 7);
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(
            text,
            r#"{"kind":"table","columns":[{"name":"age","dtype":"integer"}],"rows":7}"#
        );
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
        assert!(serde_json::from_str::<Schema>(&text.replace("rows", "row")).is_err());
    }
}
