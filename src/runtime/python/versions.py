# Tells which Python this is and which packages it has.
import importlib.metadata
import platform

_packages = {}
for _distribution in importlib.metadata.distributions():
    _name = _distribution.metadata["Name"]
    if _name:
        _packages[_name] = _distribution.version or ""

_answer({"python": platform.python_version(), "implementation": platform.python_implementation(), "packages": _packages})
