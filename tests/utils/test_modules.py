"""Modules are asked through data alone: weights by recipe, outputs, gradients, dtypes, devices, dropout."""

import numpy as np
import pytest

from utils import probe
from utils.values import Tensor, plain

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from utils import modules  # noqa: E402


class Right(nn.Module):
    def __init__(self, d_model, dropout=0.0):
        super().__init__()
        self.linear = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("places", torch.arange(10.0))

    def forward(self, x, mask=None):
        x = self.dropout(self.linear(x)) + self.places[: x.shape[-1]]
        return x if mask is None else x.masked_fill(~mask, 0.0)


class WithoutABuffer(Right):
    def __init__(self, d_model):
        super().__init__(d_model)
        del self.places
        self.places = torch.arange(10.0)


class MadeOnTheWay(Right):
    def forward(self, x, mask=None):
        return self.linear(x) + torch.arange(10.0)[: x.shape[-1]]


class FromNumpyOnTheWay(Right):
    def forward(self, x, mask=None):
        return self.linear(x) + torch.from_numpy(np.arange(3.0)).to(x.dtype)


class MadeThere(Right):
    def forward(self, x, mask=None):
        return self.linear(x) + torch.arange(10.0, device=x.device)[: x.shape[-1]] + torch.zeros(3).to(x)


class ANumberAndAnIndex(Right):
    def forward(self, x, mask=None):
        return torch.where(x > 0, super().forward(x), torch.tensor(0.0))[torch.arange(len(x))]


class PlacesOnTheCpu(Right):
    def forward(self, x, mask=None):
        y = super().forward(x)
        y[torch.arange(len(x)), ..., 0] += 1.0
        y[torch.tensor([0])] = y[torch.arange(1)]
        y[:, :1] = torch.zeros(3)
        return y


class AValueFromTheCpu(Right):
    def forward(self, x, mask=None):
        y = super().forward(x)
        y[torch.arange(len(x))] = torch.zeros(3)
        return y


class LooksIntoTheCpu(Right):
    def forward(self, x, mask=None):
        return self.linear(x) + torch.arange(10.0)[x.new_zeros(3).long()]


def asked(kind, ask, *inputs, parameters={"linear.weight": "(3, 3)", "linear.bias": "(3,)"}, **more):
    kwargs = {
        "ask": ask, "build": [3], "options": {}, "parameters": parameters, "seed": 5, "training": False,
        "inputs": list(inputs), "named": {},
    } | more  # fmt: skip
    return probe.run({"m": kind}, {"name": "m", "probe": "module", "args": [], "kwargs": plain(kwargs)})


X = torch.arange(12, dtype=torch.float32).reshape(2, 2, 3) / 7


def test_the_output_is_that_of_the_recipe_and_calls_leave_the_generator_alone():
    before = torch.get_rng_state()
    outcome = asked(Right, "output", X)
    weight = modules.numbers("linear.weight", (3, 3), 5)
    wanted = X.double() @ weight.T + modules.numbers("linear.bias", (3,), 5) + torch.arange(3)
    np.testing.assert_allclose(outcome["value"].array, wanted, rtol=1e-5)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_are_autograds():
    outcome = asked(Right, "gradients", X)
    weights = modules.numbers("output", (2, 2, 3), 0)
    summed = weights.sum(axis=(0, 1)) @ modules.numbers("gradient of linear.bias", (3,), 0)
    np.testing.assert_allclose(outcome["value"]["gradient of linear.bias"], summed, rtol=1e-5, atol=1e-6)
    wanted = weights @ modules.numbers("linear.weight", (3, 3), 5)
    np.testing.assert_allclose(outcome["value"]["gradient of input 1"].array, wanted, rtol=1e-5, atol=1e-6)
    assert not outcome["changed"]


def test_a_gradient_that_is_cut_is_zero():
    class Cut(Right):
        def forward(self, x, mask=None):
            return x * self.linear(x).detach()

    outcome = asked(Cut, "gradients", X)
    assert outcome["value"]["gradient of linear.weight"] == 0


def test_named_inputs_reach_forward():
    mask = torch.tensor([True, False, True])
    assert not asked(Right, "output", X, named={"mask": mask})["value"].array[..., 1].any()


def test_parameters_are_told_by_name():
    assert asked(Right, "parameters")["value"] == {"linear.weight": "(3, 3)", "linear.bias": "(3,)"}


def test_start_values_are_those_from_before_the_recipe():
    class Ones(Right):
        def __init__(self, d_model):
            super().__init__(d_model)
            nn.init.ones_(self.linear.weight), nn.init.zeros_(self.linear.bias)

    found = asked(Ones, "start_values")["value"]
    assert found["linear.weight"].array.all() and not found["linear.bias"].array.any()


def test_a_part_is_called_by_itself():
    outcome = asked(Right, "part", X, named={"part": "linear"})
    np.testing.assert_allclose(
        outcome["value"].array + np.arange(3), asked(Right, "output", X)["value"].array, rtol=1e-5
    )
    assert not outcome["changed"]


def test_a_part_that_is_a_number_is_told_as_it_is():
    assert asked(Right, "part", named={"part": "linear.in_features"})["value"] == 3


def test_chance_hangs_on_the_seed_not_on_what_was_built():
    class BuildsMore(Right):
        def __init__(self, *sizes, **options):
            super().__init__(*sizes, **options)
            torch.randn(7)

    one, other = (asked(kind, "output", X, options={"dropout": 0.5}, training=True) for kind in (Right, BuildsMore))
    np.testing.assert_array_equal(one["value"].array, other["value"].array)


def test_both_dtypes_are_tried():
    assert asked(Right, "dtypes", X)["value"] == {"torch.float32": ["torch.float32"], "torch.float64": ["torch.float64"]}


@pytest.mark.parametrize("kind", [Right, MadeThere, ANumberAndAnIndex, PlacesOnTheCpu])
def test_what_moves_along_is_fine_elsewhere(kind):
    assert asked(kind, "elsewhere", X)["status"] == "value"


@pytest.mark.parametrize(
    "kind", [WithoutABuffer, MadeOnTheWay, FromNumpyOnTheWay, AValueFromTheCpu, LooksIntoTheCpu]
)
def test_what_stays_behind_is_not(kind):
    outcome = asked(kind, "elsewhere", X)
    assert outcome["status"] == "error" and "register it as a buffer" in outcome["message"]
    assert torch.from_numpy.__name__ == "from_numpy"


def test_training_mode_is_set():
    assert not (asked(Right, "output", X, options={"dropout": 1.0}, training=True)["value"].array - np.arange(3)).any()
    assert asked(Right, "output", X, options={"dropout": 1.0})["value"].array[0, 0, 0]


@pytest.mark.parametrize(
    "parameters, told",
    [
        ({"linear.weight": "(3, 3)"}, "a parameter `linear.bias` that this module should not have"),
        ({"w.weight": "(3, 3)"}, "no parameter `w.weight`; it has `linear.bias`, `linear.weight` instead"),
        (
            {"linear.weight": "(3, 3)", "linear.bias": "(3,)", "gain": "(3,)"},
            "no parameter `gain`; it has nothing instead",
        ),
        ({"linear.weight": "(3, 4)", "linear.bias": "(3,)"}, "`linear.weight` to have shape (3, 4), got (3, 3)"),
    ],
)
def test_unfit_parameters_are_told(parameters, told):
    outcome = asked(Right, "output", X, parameters=parameters)
    assert outcome["status"] == "unfit" and told in outcome["message"]


def test_tied_layers_are_told():
    class Tied(nn.Module):
        def __init__(self, d_model):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(d_model, d_model, bias=False)] * 2)

    outcome = asked(Tied, "output", X, parameters={"layers.0.weight": "(3, 3)", "layers.1.weight": "(3, 3)"})
    assert outcome["status"] == "unfit" and "`layers.1.weight` is the very same" in outcome["message"]


def test_what_is_no_module_is_told():
    outcome = asked(lambda d_model: 3, "output", X)
    assert outcome["status"] == "unfit" and "must be an nn.Module" in outcome["message"]


def test_a_result_kept_between_calls_shows():
    class Keeping(Right):
        def forward(self, x, mask=None):
            self.kept = x.clone() if getattr(self, "kept", None) is None else self.kept.copy_(x)
            return self.kept

    flipped = asked(Keeping, "again", X)["value"].array
    np.testing.assert_array_equal(flipped, X.numpy()[::-1])


def test_gradients_of_a_function():
    request = {"name": "f", "probe": "gradients", "args": [Tensor(np.ones((2, 2)))], "kwargs": {}}
    outcome = probe.run({"f": lambda x: (3 * x, None)}, request)
    wanted = 3 * modules.numbers("output", (2, 2), 0)
    np.testing.assert_allclose(outcome["value"]["gradient of input 1"].array, wanted)
