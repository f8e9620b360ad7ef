"""What the packages promise by name: documented, complete, and the same on both runtimes."""

from __future__ import annotations

import importlib.resources
import inspect
from types import ModuleType

import pytest

import improto
import improto_asyncio
import improto_trio

PACKAGES = [improto, improto_asyncio, improto_trio]
# Of the methods that the language calls, those that a program uses through `async with` and
# `async for`.
PROTOCOL_METHODS = ("__aenter__", "__aexit__", "__aiter__", "__anext__")


def public_names(namespace: object) -> set[str]:
    """The names that do not begin with an underscore and are no submodules."""
    return {
        name
        for name, value in vars(namespace).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }


def shape(value: object) -> object:
    """What a caller sees of a public object: its kind, its signature, its public members."""
    if isinstance(value, property):
        return ("property", shape(value.fget))
    if isinstance(value, classmethod | staticmethod):
        return (type(value).__name__, shape(value.__func__))
    if inspect.isfunction(value):
        kind = "async" if inspect.iscoroutinefunction(value) else "function"
        return (kind, str(inspect.signature(value)))
    if inspect.isclass(value):
        return {
            name: shape(member)
            for name, member in sorted(vars(value).items())
            if not name.startswith("_") or name in PROTOCOL_METHODS
        }
    return type(value).__name__


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_names_what_is_public(package: ModuleType) -> None:
    """``annotations`` is the one name that a ``__future__`` import leaves behind."""
    assert package.__all__
    assert public_names(package) - {"annotations"} == set(package.__all__) - {"__version__"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_names_nothing_twice(package: ModuleType) -> None:
    assert len(package.__all__) == len(set(package.__all__))


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in PACKAGES for name in package.__all__],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_public_classes_and_functions_are_documented(package: ModuleType, name: str) -> None:
    """A dataclass without a docstring gets its signature as one; that explains nothing."""
    value = getattr(package, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        text = value.__doc__ or ""
        assert text.strip(), f"{package.__name__}.{name} has no docstring"
        assert not text.startswith(f"{name}("), f"{package.__name__}.{name} has no docstring"


@pytest.mark.parametrize("name", ["improto", "improto_asyncio", "improto_trio", "improto_server"])
def test_package_is_typed(name: str) -> None:
    """``py.typed`` is what makes a type checker believe our annotations."""
    assert importlib.resources.files(name).joinpath("py.typed").is_file()


def test_both_runtimes_offer_the_same_names() -> None:
    assert set(improto_asyncio.__all__) == set(improto_trio.__all__)


@pytest.mark.parametrize("name", sorted({*improto_asyncio.__all__} & {*improto_trio.__all__}))
def test_both_runtimes_offer_the_same_signatures(name: str) -> None:
    assert shape(getattr(improto_asyncio, name)) == shape(getattr(improto_trio, name))
