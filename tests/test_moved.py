"""Import paths of version 0.1 lead to where things are now, and say so."""

import subprocess
import sys
from importlib import import_module

import pytest

from sslzoo.utils.moved import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_gives_the_module_of_now_and_warns(old):
    sys.modules.pop(f"sslzoo.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"sslzoo.{old} has moved to sslzoo.{MOVED[old]};"):
        module = import_module(f"sslzoo.{old}")
    assert "has moved" in module.__doc__
    new = import_module(f"sslzoo.{MOVED[old]}")
    names = [name for name in vars(new) if not name.startswith("_")]
    assert names and all(getattr(module, name) is getattr(new, name) for name in names)


@pytest.mark.long
def test_functions_keep_working_after_an_import_of_an_old_module_of_their_name():
    code = "from sslzoo.export import load_encoder; import sslzoo, sslzoo.report\n"
    code += "assert sslzoo.load_encoder is load_encoder\n"
    code += "for call in (lambda: sslzoo.export('nowhere', ('keras',)), lambda: sslzoo.report('nowhere', 'digits')):\n"
    code += "    try: call()\n    except ValueError as error: print('nowhere' in str(error))\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\nTrue\n"
