"""A function of a notebook, made into code that stands on its own.

A node runs source, not objects. What a function uses of its surroundings is therefore taken along as source: modules that it
names, other functions and classes of the notebook, and constants that can be written down. Anything else, above all a
table, is refused here, with its name, and has to be an input. `gathering.py` collects, `definition.py` reads what is written,
`rule.py` refuses what a node would, and `unchanged.py` makes sure that it is what the scientist has tried.
"""

import inspect
import json
import sys
import types

from . import returned
from .catalogue import Asset
from .gathering import Gathering
from .rule import NotSelfContained


def function(**inputs):
    """Binds each parameter of a function: to an `Asset`, or to a constant that JSON can hold. The function stays callable.

        @poundlock.function(women=women, digits=2)
        def mean_glucose(women, digits):
            ...

    On a node each parameter receives what is bound here and nothing else.
    """

    def bind(plain):
        return Function(plain, inputs)

    return bind


class Function:
    """A function with its inputs, ready to be submitted. Calling it calls the plain function, here."""

    def __init__(self, plain, inputs):
        if not isinstance(inspect.unwrap(plain), types.FunctionType) or plain.__name__ == "<lambda>":
            raise NotSelfContained("only a function that is defined with def can be submitted")
        self.plain = plain
        self.inputs = dict(inputs)
        self.name = plain.__name__
        self.__doc__ = plain.__doc__
        _check(self)

    def __call__(self, *arguments, **named):
        return self.plain(*arguments, **named)

    def __repr__(self):
        return f"Function({self.name}, inputs={self.inputs!r})"

    @property
    def source(self):
        """What is submitted: the function, with what it needs of its surroundings."""
        return Gathering(self.plain, function, Function).source()

    @property
    def input_policy(self):
        """The inputs as a node takes them."""
        bound = self.inputs.items()
        return {
            name: {"asset": value.id} if isinstance(value, Asset) else {"constant": value} for name, value in bound
        }

    def try_on_mocks(self):
        """Runs the source, as it would be submitted, on the mocks of its inputs, here and not in a sandbox.

        Gives what `result()` would give of that run: what was returned, written as a node writes it and read again. So tuples are
        lists, keys of dicts are texts, and a Series is a DataFrame; call the function itself for what it returns as such. What a
        node would refuse as a result is refused.
        """
        compiled = compile(self.source, f"<{self.name}>", "exec", dont_inherit=True)
        arguments = {name: v.mock() if isinstance(v, Asset) else _copied(v) for name, v in self.inputs.items()}
        module, before = types.ModuleType("submission"), sys.modules.get("submission")
        # As on a node: dataclasses look their module up by its name.
        sys.modules["submission"] = module
        try:
            exec(compiled, module.__dict__)
            return returned.as_it_arrives(module.__dict__[self.name](**arguments))
        finally:
            if before is None:
                sys.modules.pop("submission", None)
            else:
                sys.modules["submission"] = before


def _copied(constant):
    return json.loads(json.dumps(constant))


def _check(bound):
    parameters = inspect.signature(bound.plain).parameters.values()
    if any(parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in parameters):
        raise TypeError(f"{bound.name} takes * or **: name each parameter")
    wanted, given = {parameter.name for parameter in parameters}, set(bound.inputs)
    for name in sorted(wanted - given):
        raise TypeError(f"nothing is bound to the parameter {name} of {bound.name}")
    for name in sorted(given - wanted):
        raise TypeError(f"{bound.name} has no parameter {name}")
    for name, value in bound.inputs.items():
        if isinstance(value, int) and not _is_json(value):
            raise TypeError(f"{name} has more than 64 bits, and a node would round it: pass it as text")
        if not isinstance(value, Asset) and not _is_json(value):
            kind = type(value).__name__
            raise TypeError(f"{name} is a {kind}: bind an asset, or a constant that JSON can hold, its integers in 64 bits")


def _is_json(value):
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, dict) and all(isinstance(key, str) and _is_json(item) for key, item in value.items())
