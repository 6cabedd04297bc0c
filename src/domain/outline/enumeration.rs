//! Enumerations: Python makes their members, and so calls what they define, while it builds the class.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Names;
use super::problem::{CodeProblem, problem};
use super::{Form, Place, Statement, StatementKind};

/// The special methods that nothing calls before the code itself does.
const METHODS: [&str; 6] = ["__format__", "__ge__", "__gt__", "__le__", "__lt__", "__str__"];
/// What Python before 3.11 reads of the members as it joins flags, `Bits.A | Bits.B`.
const READ: [&str; 2] = ["name", "value"];
/// What an enumeration may derive from, beside classes of Python's module for them and such of the source. A class that is none may not,
/// for it would be what the members' values are of, and those are compared.
const BASES: [&str; 6] = [
    "builtins.bytes",
    "builtins.float",
    "builtins.int",
    "builtins.object",
    "builtins.str",
    "builtins.tuple",
];
/// What a subscript makes no other class of: a class that derives from one of these, subscripted, derives from nothing that stands
/// between the brackets.
const GENERIC: [&str; 7] = [
    "builtins.dict",
    "builtins.frozenset",
    "builtins.list",
    "builtins.set",
    "builtins.tuple",
    "typing.Generic",
    "typing.Protocol",
];
/// What may decorate one.
const DECORATORS: [&str; 2] = ["functools.total_ordering", "typing.final"];

/// The names of the classes that may be enumerations, or that one may derive from. It goes by plain names: where two
/// classes share one, both count; and of a name with dots each part counts, for a decorated class is an attribute of what it became.
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
        for base in bases_of(class, names) {
            if is_of_python(base, names) {
                pending.push(name);
            }
            for part in base.split('.') {
                derived.entry(part).or_default().push(name);
                bases.entry(name).or_default().push(part);
            }
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
    let is_enumeration = bases_of(class, names).any(|base| is_of_python(base, names));
    for evaluated in &class.evaluated {
        let known = evaluated.name.as_deref().filter(|_| evaluated.form == Form::Name);
        let library = known.and_then(|name| names.library(name)).unwrap_or_default();
        let (fits, what, mend) = match evaluated.place {
            Place::Base => (
                known.is_some_and(|name| is_of_python(name, names) || is_class_of_the_source(name, names))
                    || library == "builtins.object"
                    || is_enumeration && BASES.contains(&library.as_str()),
                "an enumeration derives from a class that may compute while its members are made",
                "derive it from Enum and the like, with them from str, int, float, bytes or tuple, and from classes of this source",
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
        let computes = |name: &&String| {
            let name = name.as_str();
            READ.contains(&name) || is_special(name) && !METHODS.contains(&name)
        };
        if inner.kind != StatementKind::Assignment
            && let Some(name) = inner.binds.iter().find(computes)
        {
            let what =
                format!("{name} may run while the members of an enumeration are made, or as it is read");
            let mend = "an enumeration and its bases may have no name or value of their own making, and of special methods __str__, \
                        __format__ and those for an order";
            problems.push(problem(inner.line, what, mend));
        }
    }
    problems
}

fn is_special(name: &str) -> bool {
    name.starts_with('_') && name.ends_with('_')
}

/// The names of whatever a class may derive from. A subscript may stand for what is between its brackets: `Annotated[Enum, 1]` is
/// `Enum`, and so are `Union[Enum]` and `Enum | Enum`.
fn bases_of<'a>(class: &'a Statement, names: Names<'a>) -> impl Iterator<Item = &'a str> {
    let bases = class
        .evaluated
        .iter()
        .filter(|evaluated| evaluated.place == Place::Base);
    bases.flat_map(move |base| {
        let generic = |name: &String| {
            names
                .library(name)
                .is_some_and(|known| GENERIC.contains(&known.as_str()))
        };
        let inside = match base.names.first() {
            Some(first) if generic(first) => 1,
            _ => base.names.len(),
        };
        base.name.iter().chain(&base.names[..inside]).map(String::as_str)
    })
}

/// Whether a base can be nothing but a class of the source, which is of the family then.
fn is_class_of_the_source(base: &str, names: Names<'_>) -> bool {
    !base.contains('.') && names.may_be_own(base) && names.may_be(base).next().is_none()
}

/// Whether a base may be one of Python's classes of enumerations. Modules hand them on under names much like theirs.
fn is_of_python(name: &str, names: Names<'_>) -> bool {
    names.may_be(name).any(|origin| {
        let last = origin.rsplit('.').next().unwrap_or_default().to_lowercase();
        last.contains("enum") || last.contains("flag") || origin.split('.').any(|part| part == "enum")
    })
}
