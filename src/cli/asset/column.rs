//! A column of a mock to generate, as the API takes it.

use serde_json::{Value, json};

use crate::domain::mock::{MockColumn, WrongColumn};

/// Reads a declaration; see [`MockColumn`].
pub(super) fn column(text: &str) -> Result<Value, WrongColumn> {
    let column: MockColumn = text.parse()?;
    let mut body = json!({"name": column.name, "type": column.dtype.word()});
    for (key, number) in [("min", column.min), ("max", column.max)] {
        if let Some(number) = number {
            body[key] = number.into();
        }
    }
    if column.missing > 0.0 {
        body["missing"] = column.missing.into();
    }
    if !column.choices.is_empty() {
        body["choices"] = column.choices.into();
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_sent() {
        assert_eq!(column("age:int").unwrap(), json!({"name": "age", "type": "int"}));
        assert_eq!(
            column("BMI:float,min=-1.5,missing=0.1").unwrap(),
            json!({"name": "BMI", "type": "float", "min": -1.5, "missing": 0.1})
        );
        assert_eq!(
            column("sex:string,choices=f|m").unwrap(),
            json!({"name": "sex", "type": "string", "choices": ["f", "m"]})
        );
    }
}
