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
