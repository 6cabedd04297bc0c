//! Outlining submitted source, and the rule on real outlines.

use poundlock::domain::outline::{Outline, ParameterKind, check_code};

use crate::workshop::Workshop;

fn outline(source: &str) -> Outline {
    let outlines = Workshop::bare().runtime.outline(&[source.to_owned()]).unwrap();
    outlines.into_iter().next().unwrap().unwrap()
}

/// The problems found with `source`, whose function `run` is to receive `x`.
fn problems(source: &str) -> Vec<String> {
    match check_code(&outline(source), "run", &["x"]) {
        Ok(()) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn functions_are_told_with_their_parameters() {
    let outline = outline(
        "import os.path\n\n@a.b\nasync def f(p, /, x, y=1, *rest, k, d=2, **more):\n    import json\n",
    );
    let function = &outline.functions[0];
    assert_eq!(
        (function.name.as_str(), function.line, function.is_async),
        ("f", 4, true)
    );
    let parameters: Vec<_> = function
        .parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.kind, parameter.has_default))
        .collect();
    assert_eq!(
        parameters,
        [
            ("p", ParameterKind::PositionalOnly, false),
            ("x", ParameterKind::PositionalOrKeyword, false),
            ("y", ParameterKind::PositionalOrKeyword, true),
            ("k", ParameterKind::KeywordOnly, false),
            ("d", ParameterKind::KeywordOnly, true),
        ]
    );
    assert_eq!(
        (function.varargs.as_deref(), function.kwargs.as_deref()),
        (Some("rest"), Some("more"))
    );
    let imports: Vec<_> = outline
        .imports
        .iter()
        .map(|import| (import.module.as_str(), import.line))
        .collect();
    assert_eq!(imports, [("os.path", 1), ("json", 5)]);
}

#[test]
fn reviewers_are_told_what_names_are_read_and_what_is_handed_back() {
    let told = outline(
        "import numpy as np\nfrom os import system as s\n\ndef run(x, y):\n    s('ls')\n    kept = x.copy()\n    \
         np.save('f', y)\n    y.mean().to_csv('g').b\n    if y:\n        return {'all': kept}\n    return x.mean(), \
         len(y)\n",
    );
    let uses: Vec<_> = told
        .uses
        .iter()
        .map(|used| (used.line, used.name.as_str()))
        .collect();
    for expected in [
        (5, "os.system"),
        (6, "x.copy"),
        (7, "numpy.save"),
        (8, "y.mean"),
        (8, ".to_csv"),
        (8, ".b"),
    ] {
        assert!(uses.contains(&expected), "{expected:?} in {uses:?}");
    }
    let returned: Vec<_> = told
        .returned
        .iter()
        .map(|one| (one.line, one.parameter.as_str()))
        .collect();
    assert_eq!(returned, [(10, "x")], "a mean is no copy");
    let large = outline(&format!(
        "def run(x):\n    return '{}', {:?}\n",
        "a".repeat(501),
        (0..101).collect::<Vec<_>>()
    ));
    let large: Vec<_> = large
        .literals
        .iter()
        .map(|one| (one.what.as_str(), one.size))
        .collect();
    assert_eq!(large, [("str", 501), ("list", 101)]);
}

#[test]
fn no_name_hides_behind_many_others() {
    let many = "    getattr(x, 'y')\n".repeat(2_500);
    let told = outline(&format!("def run(x):\n{many}    eval('x')\n"));
    assert!(told.more);
    assert!(
        told.uses
            .iter()
            .any(|used| used.name == "eval" && used.line == 2_502)
    );
    assert!(told.uses.is_sorted_by_key(|used| used.line));
    let names: String = (0..2_500).map(|number| format!("    a{number}\n")).collect();
    let told = outline(&format!("def run(x):\n{names}    eval('x')\n"));
    assert!(told.more, "too many to tell, and it says so");
    assert!(!outline("def run(x): return len(x)\n").more);
}

#[test]
fn a_batch_is_answered_one_by_one() {
    let workshop = Workshop::bare();
    let deep = format!("x = {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let sources = [
        "x = 1".to_owned(),
        "def f(:\n  pass".to_owned(),
        deep,
        "return 1".to_owned(),
        "y\0".to_owned(),
    ];
    let answers = workshop.runtime.outline(&sources).unwrap();
    assert_eq!(answers.len(), 5);
    assert!(answers[0].is_ok());
    let problem = answers[1].as_ref().unwrap_err();
    assert_eq!(
        (problem.line, problem.column, problem.message.as_str()),
        (1, 7, "invalid syntax")
    );
    assert!(answers[2..].iter().all(Result::is_err));
    assert!(
        answers[3]
            .as_ref()
            .unwrap_err()
            .message
            .contains("outside function")
    );
    assert_eq!(workshop.runtime.outline(&[]).unwrap().len(), 0);
}

#[test]
fn outlining_runs_nothing_of_the_source() {
    let answers = Workshop::bare()
        .runtime
        .outline(&["import os\nos._exit(3)\n".to_owned()])
        .unwrap();
    assert!(answers[0].is_ok());
}

#[test]
fn honest_code_passes() {
    let source = "
'''What it does.'''
from __future__ import annotations
import dataclasses
from functools import lru_cache
import numpy as np

LIMIT = -3
NAMES: tuple[str, ...] = ('a', 'b')
TABLE = {'k': [1, 2.5, None], b'x': {True}}

@dataclasses.dataclass(frozen=True)
class Pair(dict):
    '''Two.'''
    left: int = 0
    right: list[int] | None = None

    @property
    def both(self): return self.left

    @both.setter
    def both(self, value): pass

@lru_cache(maxsize=None)
def helper(n: int = 3, kind=np.float64) -> np.ndarray:
    return np.zeros(n)

def run(x):
    for i in range(3):
        print(i)
    return helper().sum()
";
    assert_eq!(problems(source), Vec::<String>::new());
}

#[test]
fn whatever_runs_at_import_is_named_with_its_line() {
    let run = "def run(x): return x\n";
    for (bad, said) in [
        ("print(1)\n", "line 1: a statement that runs at import (Expr)"),
        ("for i in []: pass\n", "(For)"),
        ("if True: pass\n", "(If)"),
        ("try: pass\nexcept: pass\n", "(Try)"),
        ("with a: pass\n", "(With)"),
        ("X = open('f')\n", "the value of a constant is computed"),
        ("X = [i for i in ()]\n", "the value of a constant is computed"),
        ("X = f'{1}'\n", "the value of a constant is computed"),
        ("X = 2 ** 99\n", "the value of a constant is computed"),
        ("X = -'a'\n", "the value of a constant is computed"),
        ("X = {**{}}\n", "the value of a constant is computed"),
        (
            "import os\nos.environ = 1\n",
            "line 2: a statement that runs at import (Assign)",
        ),
        ("X: int = int('1')\n", "the value of a constant is computed"),
        ("X: print(1) = 1\n", "an annotation is computed"),
        ("X = 1\nX += 1\n", "(AugAssign)"),
        ("del print\n", "(Delete)"),
        ("def f(a=print(1)): pass\n", "line 1: a default value is computed"),
        ("def f(*, a=[print]): pass\n", "a default value is computed"),
        ("def f(a: print(1)): pass\n", "an annotation is computed"),
        ("def f() -> print(1): pass\n", "an annotation is computed"),
        ("@print\ndef f(): pass\n", "a decorator that is not known"),
        (
            "def dataclass(c): pass\n@dataclass\nclass C: pass\n",
            "a decorator that is not known",
        ),
        (
            "from functools import lru_cache\n@lru_cache(print(1))\ndef f(): pass\n",
            "a decorator that is not known",
        ),
        ("class C(print(1)): pass\n", "a base of a class is computed"),
        ("class C(metaclass=M): pass\n", "a keyword argument of a class"),
        (
            "class C:\n    print(1)\n",
            "line 2: a statement that runs at import (Expr)",
        ),
        ("class C:\n    import os\n", "an import in the body of a class"),
        (
            "class C:\n    def __init_subclass__(cls): pass\n",
            "runs while a class is built",
        ),
        (
            "class C:\n    class D:\n        X = open('f')\n",
            "line 3: the value of a constant",
        ),
        ("lambda: 1\n", "(Expr)"),
        ("1 + 1\n", "(Expr)"),
    ] {
        let found = problems(&format!("{bad}{run}"));
        assert!(
            found.iter().any(|problem| problem.contains(said)),
            "{bad:?}: {found:?}"
        );
    }
}

/// The same cases hold the check of the notebooks' package against this rule.
#[test]
fn what_gives_the_entry_point_another_meaning_at_import_is_refused() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../fixtures/rule/cases.json")).unwrap();
    let cases = cases.as_array().unwrap();
    let sources: Vec<_> = cases
        .iter()
        .map(|case| case["source"].as_str().unwrap().to_owned())
        .collect();
    let outlines = Workshop::bare().runtime.outline(&sources).unwrap();
    assert_eq!(outlines.len(), cases.len());
    for (case, outline) in cases.iter().zip(outlines) {
        let outline = outline.unwrap_or_else(|problem| panic!("{}: {problem}", case["what"]));
        let judged = check_code(&outline, "run", &["x"]);
        assert_eq!(
            judged.is_err(),
            case["refused"].as_bool().unwrap(),
            "{}: {judged:?}",
            case["what"]
        );
    }
}

#[test]
fn the_entry_point_and_its_parameters_must_fit() {
    for (source, said) in [
        ("def other(x): pass", "the entry point run is not a function"),
        ("run = 1", "line 1: the entry point run is not a function"),
        (
            "def run(x): pass\ndef run(x): pass",
            "line 2: the name of the entry point run is given a second meaning",
        ),
        (
            "def run(x): pass\nfrom os import path as run",
            "line 2: the name of the entry point",
        ),
        (
            "def run(x): pass\nfrom os.path import *",
            "line 2: an import of everything that a module has",
        ),
        ("async def run(x): pass", "is async"),
        ("def run(x): yield 1", "is a generator"),
        ("def run(): pass", "the input policy binds x"),
        ("def run(x, y): pass", "the parameter y is not bound"),
        ("def run(x, y=1): pass", "the parameter y is not bound"),
        ("def run(x, /): pass", "by position only"),
        ("def run(x, *rest): pass", "the entry point takes *rest"),
        ("def run(x, **rest): pass", "the entry point takes **rest"),
    ] {
        let found = problems(source);
        assert!(
            found.iter().any(|problem| problem.contains(said)),
            "{source:?}: {found:?}"
        );
    }
    assert_eq!(
        problems("def run(*, x): return [y for y in x]"),
        Vec::<String>::new()
    );
}
