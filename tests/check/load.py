# SPDX-License-Identifier: GPL-2.0
"""Imports scripts/check, whose name has no suffix, as a module."""
import importlib.machinery
import importlib.util
import pathlib
import sys
import types

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent.parent / 'scripts'
sys.path.insert(0, str(SCRIPTS))


def runner() -> types.ModuleType:
    loader = importlib.machinery.SourceFileLoader('check', str(SCRIPTS / 'check'))
    spec = importlib.util.spec_from_loader('check', loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up.
    sys.modules['check'] = module
    loader.exec_module(module)
    return module
