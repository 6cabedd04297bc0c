//! Mocks of tensors: of the element type and the lengths that an owner lets others see, never of values.

use super::{EXACT_MAX, Random};

/// The most bytes of a generated tensor. Fewer rows are generated where as many as wanted would take more.
const BYTES_MAX: u64 = 64 << 20;

/// A value of a generated tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// Of `bool`.
    Boolean(bool),
    /// Of the integers.
    Integer(i64),
    /// Of the floats, and half of a complex number.
    Float(f64),
    /// Of `str` and `bytes`: [`TensorPlan::LETTERS`] small letters.
    Letters(String),
}

/// A tensor to generate.
#[derive(Clone, Debug)]
pub struct TensorPlan {
    dtype: String,
    shape: Vec<u64>,
    count: u64,
    values: Values,
}

#[derive(Clone, Copy, Debug)]
enum Values {
    Booleans,
    Integers { min: i64, span: u64 },
    Floats { min: f64, max: f64 },
    Letters,
}

/// What is to be known of an element type.
struct ElementType {
    /// Bytes of one element.
    bytes: u64,
    /// Scalars in it.
    scalars: u64,
    /// The least and the greatest whole number, where it holds whole numbers.
    whole: Option<(f64, f64)>,
}

impl ElementType {
    fn named(dtype: &str) -> Option<Self> {
        let of = |bytes, scalars, whole| {
            Some(Self {
                bytes,
                scalars,
                whole,
            })
        };
        match dtype {
            "bool" => of(1, 1, None),
            "int8" => of(1, 1, Some((-128.0, 127.0))),
            "int16" => of(2, 1, Some((-32_768.0, 32_767.0))),
            "int32" => of(4, 1, Some((-2_147_483_648.0, 2_147_483_647.0))),
            "int64" => of(8, 1, Some((-EXACT_MAX, EXACT_MAX))),
            "uint8" => of(1, 1, Some((0.0, 255.0))),
            "uint16" => of(2, 1, Some((0.0, 65_535.0))),
            "uint32" => of(4, 1, Some((0.0, 4_294_967_295.0))),
            "uint64" => of(8, 1, Some((0.0, EXACT_MAX))),
            "float16" => of(2, 1, None),
            "float32" => of(4, 1, None),
            "float64" => of(8, 1, None),
            "complex64" => of(8, 2, None),
            "complex128" => of(16, 2, None),
            "str" => of(TensorPlan::LETTERS * 4, 1, None),
            "bytes" => of(TensorPlan::LETTERS, 1, None),
            _ => None,
        }
    }
}

/// The largest number of each float that a range may reach.
fn float_max(dtype: &str) -> f64 {
    match dtype {
        "float16" => 65_504.0,
        "float32" | "complex64" => f64::from(f32::MAX),
        _ => f64::MAX,
    }
}

impl TensorPlan {
    /// How long generated strings are.
    pub const LETTERS: u64 = 8;

    /// Plans a tensor of an element type and of a shape whose first length, the number of rows, is not looked at: `rows`
    /// stands in its place.
    ///
    /// # Errors
    /// Says why there can be none: the range does not fit the type, or one row is too long already.
    pub fn new(
        dtype: &str,
        shape: &[u64],
        (min, max): (Option<f64>, Option<f64>),
        rows: u64,
    ) -> Result<Self, String> {
        let ElementType {
            bytes,
            scalars,
            whole,
        } = ElementType::named(dtype).ok_or_else(|| format!("elements of type {dtype} are not generated"))?;
        let mut shape = shape.to_vec();
        let row = shape
            .iter()
            .skip(1)
            .try_fold(bytes, |product, length| product.checked_mul(*length))
            .filter(|row| *row <= BYTES_MAX)
            .ok_or_else(|| format!("a single row of it has more than {BYTES_MAX} bytes"))?;
        if let Some(first) = shape.first_mut() {
            *first = rows.min(BYTES_MAX / row.max(1)).max(1);
        }
        let count = shape.iter().product::<u64>() * scalars;
        let values = match (dtype, whole) {
            ("bool", _) => no_range(min, max, Values::Booleans)?,
            ("str" | "bytes", _) => no_range(min, max, Values::Letters)?,
            (_, Some((least, greatest))) => integers(min, max, least, greatest)?,
            (_, None) => floats(min, max, float_max(dtype))?,
        };
        Ok(Self {
            dtype: dtype.to_owned(),
            shape,
            count,
            values,
        })
    }

    /// NumPy's name of the element type.
    pub fn dtype(&self) -> &str {
        &self.dtype
    }

    /// The length of each dimension.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The values, in C order; of complex numbers the real part first.
    pub fn elements(&self, seed: u64) -> impl Iterator<Item = Element> + '_ {
        let mut random = Random::new(seed);
        (0..self.count).map(move |_| self.values.draw(&mut random))
    }
}

fn no_range(min: Option<f64>, max: Option<f64>, values: Values) -> Result<Values, String> {
    match (min, max) {
        (None, None) => Ok(values),
        _ => Err("min and max are for numbers".to_owned()),
    }
}

fn integers(min: Option<f64>, max: Option<f64>, least: f64, greatest: f64) -> Result<Values, String> {
    let (min, max) = (min.unwrap_or(0.0), max.unwrap_or(100.0));
    let fits = |number: f64| number.fract() == 0.0 && (least..=greatest).contains(&number);
    if !(fits(min) && fits(max) && min <= max) {
        return Err(format!(
            "min and max must be whole numbers from {least} to {greatest}, min not above max"
        ));
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole, and at most 2^53")]
    let (min, max) = (min as i64, max as i64);
    Ok(Values::Integers {
        min,
        span: max.abs_diff(min) + 1,
    })
}

fn floats(min: Option<f64>, max: Option<f64>, greatest: f64) -> Result<Values, String> {
    let (min, max) = (min.unwrap_or(0.0), max.unwrap_or(1.0));
    if !(min.abs() <= greatest && max.abs() <= greatest && min <= max) {
        return Err(format!(
            "min and max must be numbers up to {greatest}, min not above max"
        ));
    }
    Ok(Values::Floats { min, max })
}

impl Values {
    fn draw(self, random: &mut Random) -> Element {
        match self {
            Self::Booleans => Element::Boolean(random.below(2) == 1),
            Self::Integers { min, span } => Element::Integer(min.wrapping_add_unsigned(random.below(span))),
            Self::Floats { min, max } => {
                let unit = random.unit();
                Element::Float((min * (1.0 - unit) + max * unit).clamp(min, max))
            }
            Self::Letters => Element::Letters(random.letters()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(dtype: &str, shape: &[u64], rows: u64) -> TensorPlan {
        TensorPlan::new(dtype, shape, (None, None), rows).unwrap()
    }

    #[test]
    fn the_number_of_private_rows_does_not_show() {
        assert_eq!(plan("float32", &[200, 7], 50).shape(), [50, 7]);
        assert_eq!(plan("float32", &[0, 7], 50).shape(), [50, 7]);
        assert_eq!(plan("float32", &[3], 50).shape(), [50]);
        assert_eq!(plan("float32", &[], 50).shape(), [0; 0]);
        let images = plan("float64", &[60_000, 1024, 1024], 50);
        assert_eq!(images.shape(), [8, 1024, 1024], "of 8 MiB each");
        assert!(TensorPlan::new("float64", &[1, 1 << 40], (None, None), 1).is_err());
        assert!(TensorPlan::new("float64", &[1, u64::MAX, 2], (None, None), 1).is_err());
        assert_eq!(plan("int8", &[9, 0], 50).elements(1).count(), 0);
    }

    #[test]
    fn values_are_of_the_type_and_keep_to_the_range() {
        let all = |dtype: &str, range| -> Vec<Element> {
            TensorPlan::new(dtype, &[1, 3], range, 40)
                .unwrap()
                .elements(7)
                .collect()
        };
        assert_eq!(all("complex64", (None, None)).len(), 240);
        for element in all("uint8", (Some(250.0), Some(255.0))) {
            assert!(matches!(element, Element::Integer(250..=255)), "{element:?}");
        }
        for element in all("float16", (Some(-2.0), None)) {
            assert!(
                matches!(element, Element::Float(value) if (-2.0..=1.0).contains(&value)),
                "{element:?}"
            );
        }
        assert!(matches!(&all("str", (None, None))[0], Element::Letters(word) if word.len() == 8));
        assert_eq!(all("bool", (None, None)), all("bool", (None, None)));
        for (dtype, min, max) in [
            ("uint8", -1.0, 5.0),
            ("int8", 0.0, 200.0),
            ("int16", 0.5, 1.0),
            ("float16", 0.0, 1e6),
            ("float64", 2.0, 1.0),
            ("float64", f64::NAN, 1.0),
            ("bool", 0.0, 1.0),
        ] {
            let refused = TensorPlan::new(dtype, &[1], (Some(min), Some(max)), 1);
            assert!(refused.is_err(), "{dtype} {min} {max}");
        }
        assert!(TensorPlan::new("object", &[1], (None, None), 1).is_err());
    }
}
