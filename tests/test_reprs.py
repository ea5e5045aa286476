"""What a notebook shows of the objects of the library says what they are."""

import pytest

import sslzoo
from sslzoo.training.experiment import divide
from sslzoo.training.plan import Plan


def objects():
    settings = dict(method="simclr", data="digits", encoder="mlp", units=8, hidden_dim=8)
    plan = Plan(*divide(settings))
    yield "simclr_digits", plan
    yield "SimCLR", plan.build()
    yield "digits: 1437 images", plan.train_set
    yield "Views: 2", plan.augment
    yield "View(", plan.chain[0]
    yield "LARS(learning_rate=0.1", sslzoo.optimizers.LARS(0.1)
    yield "method='simclr'", sslzoo.Recipe(**settings)
    yield "batch_size=256", plan.experiment
    yield "runs='runs'", plan.run


def test_the_repr_of_an_object_names_it_and_no_address():
    for said, thing in objects():
        assert said in repr(thing) and " at 0x" not in repr(thing), type(thing)


@pytest.mark.parametrize("name", dir(sslzoo))
def test_every_public_name_is_reachable_and_documented(name):
    assert getattr(sslzoo, name).__doc__
