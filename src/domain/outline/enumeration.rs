//! Enumerations: Python makes their members, and so calls what they define, while it builds the class.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Names;
use super::problem::{CodeProblem, problem};
use super::{Evaluated, Form, Place, Statement, StatementKind};

/// The special methods that nothing calls before the code itself does.
const METHODS: [&str; 6] = ["__format__", "__ge__", "__gt__", "__le__", "__lt__", "__str__"];
/// What an enumeration may derive from, beside classes of Python's module for them and such of the source.
const BASES: [&str; 6] = [
    "builtins.bytes",
    "builtins.float",
    "builtins.int",
    "builtins.object",
    "builtins.str",
    "builtins.tuple",
];
/// What may decorate one.
const DECORATORS: [&str; 2] = ["functools.total_ordering", "typing.final"];

/// The names of the classes that may be enumerations, or that one may derive from. It goes by plain names: where two
/// classes share one, both count.
pub(super) fn family(module: &[Statement]) -> BTreeSet<&str> {
    let mut classes = Vec::new();
    let names = Names { module, class: None };
    gather(module, names, &mut classes);
    let (mut derived, mut bases) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    let (mut pending, mut family) = (Vec::new(), BTreeSet::new());
    for (class, names) in classes {
        let Some(name) = class.binds.first().map(String::as_str) else {
            continue;
        };
        for base in bases_of(class) {
            if is_of_python(base, names) {
                pending.push(name);
            }
            let base = last(base);
            derived.entry(base).or_default().push(name);
            bases.entry(name).or_default().push(base);
        }
    }
    // First whatever derives from an enumeration, then whatever those derive from.
    for edges in [derived, bases] {
        while let Some(name) = pending.pop() {
            if family.insert(name) {
                pending.extend(edges.get(name).into_iter().flatten());
            }
        }
        pending.extend(std::mem::take(&mut family));
    }
    pending.into_iter().collect()
}

fn gather<'a>(statements: &'a [Statement], names: Names<'a>, classes: &mut Vec<(&'a Statement, Names<'a>)>) {
    for class in statements
        .iter()
        .filter(|statement| statement.kind == StatementKind::Class)
    {
        classes.push((class, names));
        gather(&class.body, names.within(class), classes);
    }
}

/// Judges a class of the family.
pub(super) fn check(class: &Statement, names: Names<'_>) -> Vec<CodeProblem> {
    let mut problems = Vec::new();
    for evaluated in &class.evaluated {
        let known = evaluated.name.as_deref().filter(|_| evaluated.form == Form::Name);
        let library = known.and_then(|name| names.library(name)).unwrap_or_default();
        let (fits, what, mend) = match evaluated.place {
            Place::Base => (
                is_of_python(evaluated, names)
                    || BASES.contains(&library.as_str())
                    || known.is_some_and(|name| is_class_of_the_source(name, names)),
                "an enumeration derives from a class that may compute while its members are made",
                "derive it from Enum and the like, str, int, float, bytes or tuple, and classes of this source",
            ),
            Place::Decorator => (
                DECORATORS.contains(&library.as_str()),
                "a decorator of an enumeration, which may compute while members are made",
                "do without it",
            ),
            _ => continue,
        };
        if !fits {
            problems.push(problem(evaluated.line, what, mend));
        }
    }
    for inner in &class.body {
        let computes = |name: &&String| is_special(name) && !METHODS.contains(&name.as_str());
        if inner.kind != StatementKind::Assignment
            && let Some(name) = inner.binds.iter().find(computes)
        {
            let what =
                format!("{name} may run while the members of an enumeration are made, or as it is read");
            let mend = "of special methods, an enumeration and its bases may have __str__, __format__ and those for an order";
            problems.push(problem(inner.line, what, mend));
        }
    }
    problems
}

fn is_special(name: &str) -> bool {
    name.starts_with('_') && name.ends_with('_')
}

fn bases_of(class: &Statement) -> impl Iterator<Item = &Evaluated> {
    class
        .evaluated
        .iter()
        .filter(|evaluated| evaluated.place == Place::Base && evaluated.form == Form::Name)
}

/// Whether a base can be nothing but a class of the source, which is of the family then.
fn is_class_of_the_source(base: &str, names: Names<'_>) -> bool {
    !base.contains('.') && names.may_be_own(base) && names.may_be(base).next().is_none()
}

/// The last part of a base's name.
fn last(base: &Evaluated) -> &str {
    let name = base.name.as_deref().unwrap_or_default();
    name.rsplit('.').next().unwrap_or_default()
}

/// Whether a base may be one of Python's classes of enumerations. Modules hand them on under names much like theirs.
fn is_of_python(base: &Evaluated, names: Names<'_>) -> bool {
    let name = base.name.as_deref().unwrap_or_default();
    names.may_be(name).any(|origin| {
        let last = origin.rsplit('.').next().unwrap_or_default().to_lowercase();
        last.contains("enum") || last.contains("flag") || origin.split('.').any(|part| part == "enum")
    })
}
