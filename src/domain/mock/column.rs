//! A column as it is declared in one line, on the command line and on pages.

use std::fmt;
use std::str::FromStr;

use super::{MockColumn, MockType};

/// A declaration is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongColumn {
    /// There is no type in it.
    #[error("write it as NAME:TYPE, such as age:int,min=0,max=120")]
    NoType,
    /// There is no such type.
    #[error(
        "{0:?} is none of the types int, float, bool, string, decimal, date, time, timestamp; write it as NAME:TYPE"
    )]
    Type(String),
    /// What follows the type is nothing known.
    #[error("{0:?} is none of min=, max=, choices=, missing=")]
    Option(String),
    /// A number is none.
    #[error("{0} is not a number")]
    Number(String),
    /// Something is said twice.
    #[error("{0} is given twice")]
    Twice(String),
}

const TYPES: [(MockType, &str); 8] = [
    (MockType::Int, "int"),
    (MockType::Float, "float"),
    (MockType::Bool, "bool"),
    (MockType::String, "string"),
    (MockType::Decimal, "decimal"),
    (MockType::Date, "date"),
    (MockType::Time, "time"),
    (MockType::Timestamp, "timestamp"),
];

impl MockType {
    /// Its word, in declarations and for programs.
    pub fn word(self) -> &'static str {
        let found = TYPES.iter().find(|(known, _)| *known == self);
        found.map_or("string", |(_, word)| word)
    }
}

/// `NAME:TYPE[,min=…][,max=…][,choices=A|B][,missing=SHARE]`. The name ends at the last colon before the first comma.
impl FromStr for MockColumn {
    type Err = WrongColumn;

    fn from_str(text: &str) -> Result<Self, WrongColumn> {
        let mut parts = text.split(',');
        let head = parts.next().unwrap_or_default();
        let (name, word) = head.rsplit_once(':').ok_or(WrongColumn::NoType)?;
        let (name, word) = (name.trim(), word.trim());
        if name.is_empty() {
            return Err(WrongColumn::NoType);
        }
        let known = TYPES.iter().find(|(_, known)| *known == word);
        let (dtype, _) = known.ok_or_else(|| WrongColumn::Type(word.to_owned()))?;
        let mut column = Self {
            name: name.to_owned(),
            dtype: *dtype,
            min: None,
            max: None,
            choices: Vec::new(),
            missing: 0.0,
        };
        let mut said = Vec::new();
        for option in parts {
            let unknown = || WrongColumn::Option(option.to_owned());
            let (key, value) = option.split_once('=').ok_or_else(unknown)?;
            let key = key.trim();
            if said.contains(&key) {
                return Err(WrongColumn::Twice(key.to_owned()));
            }
            said.push(key);
            match key {
                "min" => column.min = Some(number(option, value)?),
                "max" => column.max = Some(number(option, value)?),
                "missing" => column.missing = number(option, value)?,
                "choices" => column.choices = value.split('|').map(str::to_owned).collect(),
                _ => return Err(unknown()),
            }
        }
        Ok(column)
    }
}

fn number(option: &str, value: &str) -> Result<f64, WrongColumn> {
    let number = value
        .trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| WrongColumn::Number(option.to_owned()))
}

impl fmt::Display for MockColumn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.name, self.dtype.word())?;
        if let Some(min) = self.min {
            write!(out, ",min={min}")?;
        }
        if let Some(max) = self.max {
            write!(out, ",max={max}")?;
        }
        if !self.choices.is_empty() {
            write!(out, ",choices={}", self.choices.join("|"))?;
        }
        if self.missing > 0.0 {
            write!(out, ",missing={}", self.missing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_declared_in_one_line() {
        for line in [
            "age:int",
            "BMI:now:float,min=-1.5,max=60,missing=0.1",
            "sex:string,choices=f|m",
            "born:date",
        ] {
            assert_eq!(line.parse::<MockColumn>().unwrap().to_string(), line);
        }
        let spaced: MockColumn = "age : int, min=0, max= 120".parse().unwrap();
        assert_eq!((spaced.name.as_str(), spaced.max), ("age", Some(120.0)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, wrong) in [
            ("age", WrongColumn::NoType),
            (":int", WrongColumn::NoType),
            ("age:number", WrongColumn::Type("number".into())),
            ("age:int,min", WrongColumn::Option("min".into())),
            ("age:int,min=x", WrongColumn::Number("min=x".into())),
            ("age:int,min=inf", WrongColumn::Number("min=inf".into())),
            ("age:int,least=1", WrongColumn::Option("least=1".into())),
            ("age:int,min=1,min=2", WrongColumn::Twice("min".into())),
        ] {
            assert_eq!(line.parse::<MockColumn>(), Err(wrong), "{line}");
        }
    }
}
