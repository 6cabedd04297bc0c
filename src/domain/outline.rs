//! The outline of submitted Python source, and the rule that says whether it may be submitted.
//!
//! The outline is made inside the sandbox by CPython's own parser; nothing of the source runs for it. The rule is pure,
//! so that the person who submits and the person who reviews are told the same.

mod enumeration;
mod names;
mod problem;
mod rule;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use problem::CodeProblem;
pub use rule::{check_code, judge};

/// What source defines, and what of it runs when it is imported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outline {
    /// The functions at module level, in order.
    pub functions: Vec<Function>,
    /// Every statement at module level, in order.
    pub statements: Vec<Statement>,
    /// Every module imported anywhere in the source.
    pub imports: Vec<Import>,
    /// Every name that is read anywhere; see [`Use`]. For people who review; no rule looks at it.
    #[serde(default)]
    pub uses: Vec<Use>,
    /// Where a function returns one of its parameters as a whole, as far as can be told by looking. For people who review.
    #[serde(default)]
    pub returned: Vec<Returned>,
    /// Literals that are too large to be read at a glance. For people who review.
    #[serde(default)]
    pub literals: Vec<Literal>,
    /// Whether any of the three lists above leaves something out, because there is too much of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A name that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Use {
    /// The line.
    pub line: u32,
    /// The dotted name, with what imports stand for put in: `np.save` is `numpy.save`. An attribute of something that is no
    /// name has a dot before it: `f().save` is `.save`.
    pub name: String,
}

/// A parameter that is returned as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returned {
    /// The line of the `return`.
    pub line: u32,
    /// The function.
    pub function: String,
    /// Its parameter.
    pub parameter: String,
}

/// A large literal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Literal {
    /// The line that it begins on.
    pub line: u32,
    /// Python's name of its type.
    pub what: String,
    /// Characters, bytes or items.
    pub size: u64,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `def`.
    pub line: u32,
    /// Whether it is an `async def`.
    pub is_async: bool,
    /// Whether its body yields: calling it computes nothing.
    pub is_generator: bool,
    /// Its named parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The name behind `*`, if it takes any number of positional arguments.
    pub varargs: Option<String>,
    /// The name behind `**`, if it takes any keyword arguments.
    pub kwargs: Option<String>,
}

/// A named parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// How it can be passed.
    pub kind: ParameterKind,
    /// Whether it has a default value.
    pub has_default: bool,
}

/// How a parameter can be passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// Before a `/`: by position only.
    PositionalOnly,
    /// By position or by name.
    PositionalOrKeyword,
    /// After a `*`: by name only.
    KeywordOnly,
}

/// A statement at module level or in the body of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its first line (of a decorated definition: the line of the `def` or `class`).
    pub line: u32,
    /// What it is.
    pub kind: StatementKind,
    /// The names that it binds.
    pub binds: Vec<String>,
    /// Of an import what each of the names stands for: `np` of `import numpy as np` for `numpy`, `mean` of `from numpy import
    /// mean` for `numpy.mean`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// The expressions that run when the statement does, apart from bodies of functions.
    pub evaluated: Vec<Evaluated>,
    /// The statements in the body of a class.
    pub body: Vec<Statement>,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// `import` or `from … import`.
    Import,
    /// A string that stands alone.
    Docstring,
    /// An assignment to plain names, or a bare annotation of one.
    Assignment,
    /// `def`.
    Function,
    /// `async def`.
    AsyncFunction,
    /// `class`.
    Class,
    /// `pass`, or `...`.
    Nothing,
    /// Anything else, by the name of CPython's syntax node, e.g. `For`.
    Other(String),
}

/// An expression that runs when its statement does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    /// Its line.
    pub line: u32,
    /// Where it stands.
    pub place: Place,
    /// What it is made of.
    pub form: Form,
    /// The dotted name, where the form is one; of a called decorator the name that is called.
    pub name: Option<String>,
    /// The dotted names that a type is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The right side of an assignment.
    Value,
    /// After `@`.
    Decorator,
    /// A parameter's default value.
    Default,
    /// A base of a class.
    Base,
    /// A keyword argument of a class, such as `metaclass=`.
    ClassKeyword,
    /// An annotation.
    Annotation,
}

/// What an expression is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Numbers, strings, bytes, `True`, `False`, `None`, `...`, signed numbers, and lists, tuples, sets and dicts of them.
    Literal,
    /// A name, or names joined by dots.
    Name,
    /// Names, literals, subscripts and `|` of them, as annotations are written.
    Type,
    /// A name called with literals only.
    Call,
    /// Anything else.
    Other,
}

/// An imported module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The module as it is written.
    pub module: String,
    /// The line.
    pub line: u32,
}

/// Why source does not parse, in CPython's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
pub struct SyntaxProblem {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SyntaxProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}
