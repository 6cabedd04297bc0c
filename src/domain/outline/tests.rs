use super::*;

fn function(name: &str, parameters: &[&str]) -> Function {
    let parameter = |name: &&str| Parameter {
        name: (*name).to_owned(),
        kind: ParameterKind::PositionalOrKeyword,
        has_default: false,
    };
    Function {
        name: name.to_owned(),
        line: 3,
        is_async: false,
        is_generator: false,
        parameters: parameters.iter().map(parameter).collect(),
        varargs: None,
        kwargs: None,
    }
}

fn statement(line: u32, kind: StatementKind, binds: &[&str]) -> Statement {
    let binds = binds.iter().map(|name| (*name).to_owned()).collect();
    Statement {
        line,
        kind,
        binds,
        origins: Vec::new(),
        evaluated: Vec::new(),
        body: Vec::new(),
    }
}

fn import(line: u32, name: &str, origin: &str) -> Statement {
    Statement {
        origins: vec![origin.to_owned()],
        ..statement(line, StatementKind::Import, &[name])
    }
}

/// `import os`, and `def run(x, y)`.
fn outline() -> Outline {
    Outline {
        functions: vec![function("run", &["x", "y"])],
        statements: vec![
            statement(1, StatementKind::Import, &["os"]),
            statement(3, StatementKind::Function, &["run"]),
        ],
        imports: vec![Import {
            module: "os".to_owned(),
            line: 1,
        }],
        ..Outline::default()
    }
}

#[test]
fn bound_names_may_stand_in_any_order() {
    assert_eq!(check_code(&outline(), "run", &["y", "x"]), Ok(()));
}

#[test]
fn problems_come_by_line_and_name_the_mend() {
    let mut outline = outline();
    outline
        .statements
        .push(statement(9, StatementKind::Other("While".to_owned()), &[]));
    let problems = check_code(&outline, "run", &["x", "z"]).unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 3: the parameter y is not bound by the input policy; bind it to an asset or a constant, or remove it",
            "line 3: the input policy binds z, which is not a parameter of run; add the parameter, or do not bind it",
            "line 9: a statement that runs at import (While); move it into a function: only imports, definitions and \
             constants may stand here",
        ]
    );
}

#[test]
fn a_decorator_counts_by_where_every_import_of_its_name_takes_it_from() {
    let problems = |name: &str, others: &[Statement]| {
        let mut outline = outline();
        outline.statements[1].evaluated.push(Evaluated {
            line: 2,
            place: Place::Decorator,
            form: Form::Name,
            name: Some(name.to_owned()),
            names: Vec::new(),
        });
        outline.statements.extend(others.iter().cloned());
        check_code(&outline, "run", &["x", "y"])
            .err()
            .map_or(0, |problems| problems.len())
    };
    let library = import(1, "cached", "functools.lru_cache");
    assert_eq!(problems("cached", std::slice::from_ref(&library)), 0);
    assert_eq!(problems("f.lru_cache", &[import(1, "f", "functools")]), 0);
    assert_eq!(problems("staticmethod", &[]), 0);
    assert_eq!(problems("os.system", &[]), 1);
    assert_eq!(
        problems("lru_cache", &[]),
        1,
        "it is none of the names that Python has by itself"
    );
    assert_eq!(
        problems("cached", &[library.clone(), import(4, "cached", "os.system")]),
        1
    );
    let own = statement(5, StatementKind::Assignment, &["cached", "staticmethod"]);
    assert_eq!(problems("cached", &[library, own.clone()]), 1);
    assert_eq!(problems("staticmethod", &[own]), 1);
}

#[test]
fn no_name_gets_a_meaning_that_the_source_does_not_show() {
    let mut outline = outline();
    outline
        .statements
        .push(statement(9, StatementKind::Import, &["*"]));
    let problems = check_code(&outline, "run", &["x", "y"]).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 9: an import of everything that a module has, which can give any name another meaning; import the names \
         that you use"
    );
}

#[test]
fn an_outline_survives_json() {
    let text = serde_json::to_string(&outline()).unwrap();
    assert_eq!(serde_json::from_str::<Outline>(&text).unwrap(), outline());
}
