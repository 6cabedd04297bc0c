//! The rule for source that may be submitted.

use std::collections::BTreeSet;

use super::enumeration;
use super::names::{Names, bindings, is_mangled, is_of_itself, is_reserved};
use super::problem::{CodeProblem, problem};
use super::{Evaluated, Form, Function, Outline, ParameterKind, Place, Statement, StatementKind};
use crate::domain::code::Code;

/// Decorators that may stand on a definition, by where they come from. They are Python's own, and known to do nothing but wrap.
const DECORATORS: [&str; 13] = [
    "abc.abstractmethod",
    "builtins.classmethod",
    "builtins.property",
    "builtins.staticmethod",
    "contextlib.contextmanager",
    "dataclasses.dataclass",
    "functools.cache",
    "functools.cached_property",
    "functools.lru_cache",
    "functools.total_ordering",
    "typing.final",
    "typing.overload",
    "typing.override",
];

/// Those of them that may be called where they stand, with literals: they call nothing that they are given.
const CALLED: [&str; 2] = ["dataclasses.dataclass", "functools.lru_cache"];

/// What Python calls while it builds, subscripts or describes a class: with them, a definition would run code at import. `@dataclass` calls
/// methods of what it takes for fields and annotations, writes source of their names, and looks up what a docstring says of a signature.
const HOOKS: [&str; 11] = [
    "__annotate__",
    "__annotate_func__",
    "__annotations__",
    "__class_getitem__",
    "__dataclass_fields__",
    "__doc__",
    "__init_subclass__",
    "__mro_entries__",
    "__prepare__",
    "__set_name__",
    "__signature__",
];

/// What a module may say of itself in Python's own manner. Every other name of that kind tells Python, or a library, what the module is.
const SAID: [&str; 9] = [
    "__all__",
    "__author__",
    "__copyright__",
    "__credits__",
    "__date__",
    "__doc__",
    "__email__",
    "__license__",
    "__version__",
];

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
///   …), or the `.setter`, `.getter` or `.deleter` of a property that stands before it in the class. `@dataclass` and `@lru_cache`
///   may be called, with literals. A name counts as that of the library only where every import that binds it takes it from
///   there, and as Python's own where nothing of the source binds it;
/// - nothing imports the source itself, by its name or as what stands beside it, by which any name could stand for anything that it
///   defines; and it tells Python nothing of what it is, such as the package that it belongs to;
/// - no class defines what Python calls while it builds one. While it builds an enumeration it makes the members, too: an
///   enumeration, and what it derives from, has no special methods but those that nothing calls then;
/// - no name leads through two dots into what the source defines: through a member, that can be a property's getter. None leads to a
///   base through an attribute that Python keeps for itself, and none in the body of a class is private to the class, which Python
///   reads as another name.
///
/// # Errors
/// Every problem found, by line.
pub fn check_code(outline: &Outline, entry_point: &str, parameters: &[&str]) -> Result<(), Vec<CodeProblem>> {
    let mut problems = Vec::new();
    let names = Names {
        module: &outline.statements,
        class: None,
    };
    check_body(
        &outline.statements,
        names,
        &enumeration::family(&outline.statements),
        &mut problems,
    );
    check_entry_point(outline, entry_point, parameters, &mut problems);
    problems.sort_by_key(|problem| problem.line);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
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

/// Judges code by the outline of its source.
///
/// # Errors
/// As [`check_code`].
pub fn judge(code: &Code, outline: &Outline) -> Result<(), Vec<CodeProblem>> {
    let parameters: Vec<&str> = code.input_policy.parameters.keys().map(String::as_str).collect();
    check_code(outline, &code.entry_point, &parameters)
}

/// Judges the statements of a module, or of the body of a class. `family` has the names of the enumerations.
fn check_body(
    statements: &[Statement],
    names: Names<'_>,
    family: &BTreeSet<&str>,
    problems: &mut Vec<CodeProblem>,
) {
    for (place, statement) in statements.iter().enumerate() {
        problems.extend(check_statement(statement, names.class.is_some()));
        for evaluated in &statement.evaluated {
            let before = names.class.map(|_| &statements[..place]);
            problems.extend(check_evaluated(evaluated, names, before.unwrap_or_default()));
        }
        problems.extend(check_decorators(statement, names));
        if statement.kind != StatementKind::Class {
            continue;
        }
        if statement.binds.iter().any(|name| family.contains(name.as_str())) {
            problems.extend(enumeration::check(statement, names));
        }
        check_body(&statement.body, names.within(statement), family, problems);
    }
}

fn check_statement(statement: &Statement, in_class: bool) -> Option<CodeProblem> {
    let line = statement.line;
    let binds = |name: &str| statement.binds.iter().any(|bound| bound == name);
    match &statement.kind {
        StatementKind::Import if in_class => Some(problem(
            line,
            "an import in the body of a class",
            "import at module level",
        )),
        StatementKind::Import if binds("*") => {
            let what = "an import of everything that a module has, which can give any name another meaning";
            Some(problem(line, what, "import the names that you use"))
        }
        StatementKind::Import if is_of_itself(statement) => {
            let what = "an import of the source itself, which gives what it defines other names";
            Some(problem(line, what, "use the names that it defines"))
        }
        StatementKind::Other(node) => {
            let what = format!("a statement that runs at import ({node})");
            let mend = "move it into a function: only imports, definitions and constants may stand here";
            Some(problem(line, what, mend))
        }
        _ if in_class => {
            let hook = HOOKS.iter().find(|hook| binds(hook))?;
            let what = format!("{hook} runs while a class is built, or looked at");
            Some(problem(line, what, "do without it"))
        }
        _ => {
            let tells = |name: &&String| is_reserved(name) && !SAID.contains(&name.as_str());
            let name = statement.binds.iter().find(tells)?;
            let what = format!("a second meaning of {name}, by which Python finds names or modules");
            Some(problem(line, what, "do without it"))
        }
    }
}

/// What stands before in the body of the same class, where it is one, tells which names are properties.
fn check_evaluated(evaluated: &Evaluated, names: Names<'_>, before: &[Statement]) -> Option<CodeProblem> {
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
            evaluated.form == Form::Name && names.library(name).as_deref() == Some("abc.ABCMeta"),
            "a keyword argument of a class runs code at import",
            "only metaclass=ABCMeta may stand here, imported from abc",
        ),
        Place::Decorator => (
            is_known_decorator(evaluated, names, before),
            "a decorator that is not known to be harmless runs at import",
            "use one of Python's own that is imported from its module, such as @dataclass or @lru_cache (only these two may be \
             called, with literals), or call the function where it is needed",
        ),
    };
    if !fits {
        return Some(problem(evaluated.line, what, mend));
    }
    check_names(evaluated, names)
}

fn check_names(evaluated: &Evaluated, names: Names<'_>) -> Option<CodeProblem> {
    for name in evaluated.name.iter().chain(&evaluated.names) {
        let (what, mend) = if name.matches('.').count() > 1 && names.may_be_own(name) {
            let what = "looks into what this source defines, which can run it at import";
            (what, "look it up inside a function")
        } else if evaluated.place == Place::Base && looks_inside(name, names) {
            let what = "does not show which class it is";
            (what, "name the base as it is called where it is defined")
        } else if names.class.is_some() && is_mangled(name) {
            let what = "is another name in the body of a class";
            (what, "name it without two underscores")
        } else {
            continue;
        };
        return Some(problem(evaluated.line, format!("{name} {what}"), mend));
    }
    None
}

/// Whether a name leads to a class through what Python keeps inside of something: `C.__base__` is another class than `C`.
fn looks_inside(name: &str, names: Names<'_>) -> bool {
    name.split('.').skip(1).any(|part| part.starts_with('_'))
        || names
            .may_be(name)
            .any(|origin| origin.split('.').any(is_reserved))
}

fn is_known_decorator(evaluated: &Evaluated, names: Names<'_>, before: &[Statement]) -> bool {
    let name = evaluated.name.as_deref().unwrap_or_default();
    let is_of = |list: &[&str]| {
        names
            .library(name)
            .is_some_and(|known| list.contains(&known.as_str()))
    };
    match evaluated.form {
        Form::Name => is_accessor(name, names, before) || is_of(&DECORATORS),
        Form::Call => is_of(&CALLED),
        _ => false,
    }
}

/// Whether this is an accessor of a property: of a name that stands before it in the same class, and for nothing but a property.
fn is_accessor(name: &str, names: Names<'_>, before: &[Statement]) -> bool {
    let Some((property, "setter" | "getter" | "deleter")) = name.split_once('.') else {
        return false;
    };
    let is_property = |decorator: &str| names.library(decorator).as_deref() == Some("builtins.property");
    let mut bound = bindings(before, property).map(|statement| decorators(statement).collect::<Vec<_>>());
    let accessor = |decorator: &&str| {
        let own = decorator.strip_prefix(property);
        matches!(own, Some(".setter" | ".getter" | ".deleter"))
    };
    bound
        .next()
        .is_some_and(|first| first.iter().any(|name| is_property(name)))
        && bound.all(|later| later.iter().any(|name| is_property(name) || accessor(name)))
}

/// The names of what decorates a definition.
fn decorators(statement: &Statement) -> impl Iterator<Item = &str> {
    let decorators = statement
        .evaluated
        .iter()
        .filter(|evaluated| evaluated.place == Place::Decorator);
    decorators.filter_map(|decorator| decorator.name.as_deref())
}

/// Judges decorators that are harmless one by one and not together.
fn check_decorators(statement: &Statement, names: Names<'_>) -> Option<CodeProblem> {
    let of: Vec<_> = decorators(statement)
        .filter_map(|name| names.library(name))
        .collect();
    let has = |name: &str| of.iter().any(|decorator| decorator == name);
    let is_class_property =
        has("builtins.classmethod") && (has("builtins.property") || has("functools.cached_property"));
    is_class_property.then(|| {
        let what = "a property of a class runs when anything looks at the class";
        problem(statement.line, what, "make it a method of the class")
    })
}
