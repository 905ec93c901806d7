"""Every fault by its name: one file each beside this one, and one line there that enters it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TypeVar

import iolab.harness.faults as package
from iolab.harness.lab.fault import Fault

F = TypeVar("F", bound=Fault)

FAULTS: dict[str, type[Fault]] = {}


def register(fault: type[F]) -> type[F]:
    """Enter a fault into the registry, under its name."""
    FAULTS[fault.name] = fault
    return fault


def load_faults() -> Mapping[str, type[Fault]]:
    """Import every file of this folder; the faults by name."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return FAULTS
