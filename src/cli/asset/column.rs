//! A column of a mock to generate, as it is declared on the command line.

use serde_json::{Map, Value};

/// `NAME:TYPE[,min=…][,max=…][,choices=A|B][,missing=SHARE]`. The name ends at the last colon before the first comma.
pub(super) fn column(text: &str) -> Result<Value, String> {
    let mut parts = text.split(',');
    let head = parts.next().unwrap_or_default();
    let shape = "write it as NAME:TYPE, such as age:int,min=0,max=120";
    let (name, kind) = head.rsplit_once(':').ok_or(shape)?;
    if name.is_empty() || !["int", "float", "bool", "string"].contains(&kind) {
        return Err(format!(
            "{head:?}: TYPE is one of int, float, bool, string; {shape}"
        ));
    }
    let mut column = Map::new();
    column.insert("name".to_owned(), name.into());
    column.insert("type".to_owned(), kind.into());
    for option in parts {
        let (key, value) = option
            .split_once('=')
            .ok_or_else(|| format!("{option:?} is none of min=, max=, choices=, missing="))?;
        let told = match key {
            "min" | "max" | "missing" => number(key, value)?,
            "choices" => value.split('|').map(Value::from).collect(),
            _ => return Err(format!("{key:?} is none of min, max, choices, missing")),
        };
        if column.insert(key.to_owned(), told).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    Ok(Value::Object(column))
}

fn number(key: &str, text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(Value::Number(number)) => Ok(Value::Number(number)),
        _ => Err(format!("{key}={text} is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_column_is_declared_in_one_word() {
        assert_eq!(column("age:int").unwrap(), json!({"name": "age", "type": "int"}));
        assert_eq!(
            column("BMI:now:float,min=-1.5,max=60,missing=0.1").unwrap(),
            json!({"name": "BMI:now", "type": "float", "min": -1.5, "max": 60, "missing": 0.1})
        );
        assert_eq!(
            column("sex:string,choices=f|m").unwrap(),
            json!({"name": "sex", "type": "string", "choices": ["f", "m"]})
        );
        for wrong in [
            "age",
            ":int",
            "age:number",
            "age:int,min",
            "age:int,min=x",
            "age:int,least=1",
            "age:int,min=1,min=2",
        ] {
            assert!(column(wrong).is_err(), "{wrong}");
        }
    }
}
