"""Old names of arguments work, warn the caller, and go with the version that the warning names."""

import pytest

import sslzoo
from sslzoo.utils.deprecation import renamed
from sslzoo.utils.moved import MOVED


@renamed("0.9", lr="learning_rate")
def trained(learning_rate: float = 0.1) -> float:
    return learning_rate


def test_an_old_name_of_an_argument_works_and_blames_the_caller():
    with pytest.warns(DeprecationWarning, match=r"'lr' of trained\(\) is now 'learning_rate'; .* version 0.9") as told:
        assert trained(lr=0.5) == 0.5
    assert told[0].filename == __file__


def test_the_new_name_does_not_warn(recwarn):
    assert trained(learning_rate=0.5) == trained(0.5) == 0.5
    assert not recwarn.list


def test_both_names_are_refused():
    with pytest.raises(TypeError, match="both 'learning_rate' and its old name 'lr'"):
        trained(lr=0.5, learning_rate=0.5)


def test_old_paths_are_gone_in_the_version_that_was_announced():
    major, minor = map(int, sslzoo.__version__.split(".")[:2])
    assert (major, minor) < (0, 3) or not MOVED, "remove sslzoo/utils/moved.py"
