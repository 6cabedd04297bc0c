//! The rule for source that may be submitted.

use std::fmt;

use super::{Evaluated, Form, Function, Outline, ParameterKind, Place, Statement, StatementKind};

/// Decorators that may stand on a definition. They come from Python itself and are known to do nothing but wrap.
const DECORATORS: [&str; 23] = [
    "abc.abstractmethod",
    "abstractmethod",
    "cache",
    "cached_property",
    "classmethod",
    "contextlib.contextmanager",
    "contextmanager",
    "dataclass",
    "dataclasses.dataclass",
    "final",
    "functools.cache",
    "functools.cached_property",
    "functools.lru_cache",
    "functools.total_ordering",
    "lru_cache",
    "overload",
    "override",
    "property",
    "staticmethod",
    "total_ordering",
    "typing.final",
    "typing.overload",
    "typing.override",
];

/// Methods that Python calls while it builds or subscripts a class: with them, a definition would run code at import.
const HOOKS: [&str; 5] = [
    "__class_getitem__",
    "__init_subclass__",
    "__mro_entries__",
    "__prepare__",
    "__set_name__",
];

/// One reason why code cannot be submitted, with the mend.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CodeProblem {
    /// The line, from 1; 1 where the problem has no line of its own.
    pub line: u32,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub mend: String,
}

impl fmt::Display for CodeProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}; {}", self.line, self.problem, self.mend)
    }
}

impl std::error::Error for CodeProblem {}

fn problem(line: u32, problem: impl Into<String>, mend: impl Into<String>) -> CodeProblem {
    CodeProblem {
        line,
        problem: problem.into(),
        mend: mend.into(),
    }
}

/// Judges source by its outline. `parameters` are the names that the input policy binds.
///
/// The rule:
/// - the entry point is bound exactly once at module level, by a plain `def` that is no generator;
/// - its parameters are exactly the bound names, in any order, each passable by name; it has no `*args` or `**kwargs`;
/// - every name that is bound at module level can be seen there: nothing imports `*`, by which the entry point, or a
///   decorator, could get another meaning;
/// - importing the source computes nothing. At module level stand only imports, a docstring, definitions, `pass`, and
///   constants: assignments of literals to plain names. In the body of a class stand only the same without imports;
/// - what a definition evaluates at import is bounded too. A default value is a literal or a dotted name; an annotation
///   is made of names, literals, subscripts and `|`; a base is a name or a subscript of one; `metaclass=` may only be
///   `ABCMeta`; a decorator is one of a fixed list from Python's own library (`@dataclass`, `@property`, `@lru_cache`,
///   …), bare or called with literals and names, or a property's `.setter`, `.getter` or `.deleter`, and its name is not
///   one that the source itself defines; no class defines a method that Python calls while it builds one.
///
/// # Errors
/// Every problem found, by line.
pub fn check_code(outline: &Outline, entry_point: &str, parameters: &[&str]) -> Result<(), Vec<CodeProblem>> {
    let mut problems = Vec::new();
    let defined = defined_names(&outline.statements);
    for statement in &outline.statements {
        check_statement(statement, &defined, false, &mut problems);
    }
    check_entry_point(outline, entry_point, parameters, &mut problems);
    problems.sort_by_key(|problem| problem.line);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// The names that the source gives a meaning of its own, other than by importing them.
fn defined_names(statements: &[Statement]) -> Vec<&str> {
    let own = statements
        .iter()
        .filter(|statement| statement.kind != StatementKind::Import);
    own.flat_map(|statement| statement.binds.iter().map(String::as_str))
        .collect()
}

fn check_entry_point(
    outline: &Outline,
    entry_point: &str,
    parameters: &[&str],
    problems: &mut Vec<CodeProblem>,
) {
    let bindings: Vec<_> = outline
        .statements
        .iter()
        .filter(|statement| statement.binds.iter().any(|name| name == entry_point))
        .collect();
    let Some(function) = outline
        .functions
        .iter()
        .find(|function| function.name == entry_point)
    else {
        let line = bindings.first().map_or(1, |statement| statement.line);
        let mend = format!(
            "define it at module level: def {entry_point}({}):",
            parameters.join(", ")
        );
        problems.push(problem(
            line,
            format!("the entry point {entry_point} is not a function of this source"),
            mend,
        ));
        return;
    };
    if let [_, again, ..] = bindings[..] {
        let what = format!("the name of the entry point {entry_point} is given a second meaning");
        problems.push(problem(again.line, what, "define it once"));
    }
    if function.is_async || function.is_generator {
        let kind = if function.is_async { "async" } else { "a generator" };
        let what = format!("the entry point {entry_point} is {kind}");
        problems.push(problem(
            function.line,
            what,
            "make it a plain def that returns its result",
        ));
    }
    check_parameters(function, parameters, problems);
}

fn check_parameters(function: &Function, bound: &[&str], problems: &mut Vec<CodeProblem>) {
    let line = function.line;
    for (star, name) in [("*", &function.varargs), ("**", &function.kwargs)] {
        if let Some(name) = name {
            let what = format!("the entry point takes {star}{name}, which nothing can be bound to");
            problems.push(problem(line, what, "name each parameter"));
        }
    }
    for parameter in &function.parameters {
        if parameter.kind == ParameterKind::PositionalOnly {
            let what = format!("the parameter {} can be passed by position only", parameter.name);
            problems.push(problem(line, what, "remove the / from the parameters"));
        }
        if !bound.contains(&parameter.name.as_str()) {
            let what = format!(
                "the parameter {} is not bound by the input policy",
                parameter.name
            );
            problems.push(problem(
                line,
                what,
                "bind it to an asset or a constant, or remove it",
            ));
        }
    }
    for name in bound {
        if !function
            .parameters
            .iter()
            .any(|parameter| parameter.name == *name)
        {
            let what = format!(
                "the input policy binds {name}, which is not a parameter of {}",
                function.name
            );
            problems.push(problem(line, what, "add the parameter, or do not bind it"));
        }
    }
}

fn check_statement(statement: &Statement, defined: &[&str], in_class: bool, problems: &mut Vec<CodeProblem>) {
    let line = statement.line;
    match &statement.kind {
        StatementKind::Import if in_class => {
            problems.push(problem(
                line,
                "an import in the body of a class",
                "import at module level",
            ));
        }
        StatementKind::Import if statement.binds.iter().any(|name| name == "*") => {
            let what = "an import of everything that a module has, which can give any name another meaning";
            problems.push(problem(line, what, "import the names that you use"));
        }
        StatementKind::Other(node) => {
            let what = format!("a statement that runs at import ({node})");
            let mend = "move it into a function: only imports, definitions and constants may stand here";
            problems.push(problem(line, what, mend));
        }
        StatementKind::Function | StatementKind::AsyncFunction if in_class => {
            if let Some(hook) = statement.binds.iter().find(|name| HOOKS.contains(&name.as_str())) {
                let what = format!("the method {hook} runs while a class is built");
                problems.push(problem(line, what, "do without it"));
            }
        }
        _ => {}
    }
    for evaluated in &statement.evaluated {
        problems.extend(check_evaluated(evaluated, defined));
    }
    for inner in &statement.body {
        check_statement(inner, defined, true, problems);
    }
}

fn check_evaluated(evaluated: &Evaluated, defined: &[&str]) -> Option<CodeProblem> {
    let name = evaluated.name.as_deref().unwrap_or_default();
    let (fits, what, mend) = match evaluated.place {
        Place::Value => (
            evaluated.form == Form::Literal,
            "the value of a constant is computed at import",
            "write a literal, or compute it inside a function",
        ),
        Place::Default => (
            matches!(evaluated.form, Form::Literal | Form::Name),
            "a default value is computed at import",
            "use a literal or a name, or None and compute it in the body",
        ),
        Place::Annotation => (
            matches!(evaluated.form, Form::Literal | Form::Name | Form::Type),
            "an annotation is computed at import",
            "use names, subscripts and | only, or write it as a string",
        ),
        Place::Base => (
            matches!(evaluated.form, Form::Name | Form::Type),
            "a base of a class is computed at import",
            "name the base",
        ),
        Place::ClassKeyword => (
            matches!(name, "ABCMeta" | "abc.ABCMeta") && !is_defined(name, defined),
            "a keyword argument of a class runs code at import",
            "only metaclass=ABCMeta may stand here",
        ),
        Place::Decorator => (
            matches!(evaluated.form, Form::Name | Form::Call) && is_known_decorator(name, defined),
            "a decorator that is not known to be harmless runs at import",
            "use one of Python's own, such as @dataclass or @lru_cache, or call the function where it is needed",
        ),
    };
    (!fits).then(|| problem(evaluated.line, what, mend))
}

fn is_known_decorator(name: &str, defined: &[&str]) -> bool {
    let accessor = name.split_once('.').is_some_and(|(property, what)| {
        !property.is_empty() && matches!(what, "setter" | "getter" | "deleter")
    });
    // An accessor's first part is a property of the class, which module-level names do not shadow; anything that the
    // module itself defines is not a property.
    (accessor || DECORATORS.contains(&name)) && !is_defined(name, defined)
}

fn is_defined(name: &str, defined: &[&str]) -> bool {
    let root = name.split('.').next().unwrap_or_default();
    defined.contains(&root)
}
