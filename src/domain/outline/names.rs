//! What names mean where source is imported.

use super::{Statement, StatementKind};

/// The module that a run makes of the source.
const OWN_MODULE: &str = "submission";

/// The names at one place of a source. Python looks for a name in the body of the class that stands there, then in the module, then
/// among its own.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// Every statement of the module.
    pub(super) module: &'a [Statement],
    /// Every statement of the class in whose body the place is.
    pub(super) class: Option<&'a [Statement]>,
}

impl<'a> Names<'a> {
    /// The names in the body of a class.
    pub(super) fn within(self, class: &'a Statement) -> Self {
        let class = Some(class.body.as_slice());
        Self { class, ..self }
    }

    /// The name in a library, or among Python's own, that a dotted name means, if it can mean no other.
    pub(super) fn library(self, dotted: &str) -> Option<String> {
        let (root, rest) = split(dotted);
        if self
            .class
            .is_some_and(|body| bindings(body, root).next().is_some())
        {
            return None;
        }
        let mut found = bindings(self.module, root).flat_map(|statement| origins(statement, root));
        let Some(first) = found.next() else {
            return Some(format!("builtins.{dotted}"));
        };
        let first = first?;
        found
            .all(|other| other == Some(first))
            .then(|| format!("{first}{rest}"))
    }

    /// Every name in a library that a dotted name may mean.
    pub(super) fn may_be(self, dotted: &str) -> impl Iterator<Item = String> {
        let (root, rest) = split(dotted);
        let found = bindings(self.module, root).flat_map(move |statement| origins(statement, root));
        found.flatten().map(move |origin| format!("{origin}{rest}"))
    }

    /// Whether a dotted name may mean something that the source defines.
    pub(super) fn may_be_own(self, dotted: &str) -> bool {
        let (root, _) = split(dotted);
        let own = |statement: &Statement| statement.kind != StatementKind::Import;
        self.class.is_some_and(|body| bindings(body, root).any(own)) || bindings(self.module, root).any(own)
    }
}

/// Whether an import takes what it binds from the source itself. Source is one file: what stands beside it can be nothing else.
pub(super) fn is_of_itself(import: &Statement) -> bool {
    let is_own = |origin: &String| origin.starts_with('.') || split(origin).0 == OWN_MODULE;
    import.origins.iter().any(is_own)
}

/// Whether a dotted name has a part that Python reads as another one in the body of a class: `__x` in the class `A` is `_A__x`.
pub(super) fn is_mangled(dotted: &str) -> bool {
    let is_mangled = |part: &str| part.starts_with('_') && part.contains("__") && !part.ends_with("__");
    dotted.split('.').any(is_mangled)
}

/// Whether a name is one of those that Python itself gives a meaning to.
pub(super) fn is_reserved(name: &str) -> bool {
    name.starts_with("__") && name.ends_with("__")
}

/// The statements that bind a name.
pub(super) fn bindings<'a>(body: &'a [Statement], name: &str) -> impl Iterator<Item = &'a Statement> {
    body.iter()
        .filter(move |statement| statement.binds.iter().any(|bound| bound == name))
}

/// What a statement that binds a name gives it to mean: a name in a library where it imports it, else none.
fn origins<'a>(statement: &'a Statement, name: &str) -> impl Iterator<Item = Option<&'a str>> {
    let places = statement.binds.iter().enumerate();
    let bound = places.filter(move |(_, bound)| *bound == name);
    bound.map(|(place, _)| match statement.kind {
        StatementKind::Import => statement.origins.get(place).map(String::as_str),
        _ => None,
    })
}

/// The first part of a dotted name, and the rest with its dot.
fn split(dotted: &str) -> (&str, &str) {
    dotted.split_at(dotted.find('.').unwrap_or(dotted.len()))
}
