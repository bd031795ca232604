"""The fused kernels: interpreted on the host, compiled for an accelerator, run where one is."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import infotheo
from infotheo import pairwise_information
from infotheo.estimators import pair_sums
from infotheo.estimators.pair_sums.factors import Factors
from infotheo.estimators.pair_sums.fused import tiling
from infotheo.estimators.pair_sums.fused.row_sums import fused_row_sums
from infotheo.estimators.pair_sums.problem import PairProblem
from infotheo.estimators.pair_sums.row_sums import choose_backend

HERE = Path(__file__).parent

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)
needs_accelerator = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch finds no CUDA device"
)


@needs_triton
def test_kernels_in_the_interpreter():
    """A process of its own: Triton reads TRITON_INTERPRET once, when it is imported."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "fused_in_interpreter.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=HERE,
        env={**outside, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert " passed" in run.stdout


def test_nothing_but_the_chooser_knows_the_kernel():
    """And it only where points lie on an accelerator: elsewhere the package is not imported."""
    package = Path(pair_sums.__file__).parent / "fused"
    importers = [
        path.name
        for path in Path(infotheo.__file__).parent.rglob("*.py")
        if package not in path.parents and "pair_sums.fused" in path.read_text()
    ]
    assert importers == ["row_sums.py"]
    program = (
        "import sys, torch, infotheo\n"
        "z = torch.eye(100, requires_grad=True)\n"
        "infotheo.pairwise_information(z, noise_variance=1.0).kl.backward()\n"
        "assert not [name for name in sys.modules if 'fused' in name and 'infotheo' in name]"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


@pytest.mark.parametrize("namespace", [np, torch])
def test_points_on_the_host_are_not_taken(namespace):
    factors = Factors(-namespace.ones((1, 1)), 0.25)
    problem = PairProblem(namespace.zeros((1, 2, 3)), factors, precision="float32")
    assert choose_backend(problem).name != "fused"


# How the work is cut


@pytest.mark.parametrize("tiles", [1, 7, 469])
@pytest.mark.parametrize("planes", [2, 32, 4000])
def test_bands_cover_the_triangle_once_within_the_budget(tiles, planes):
    reached = 0
    for first, height in tiling.bands(tiles, 128, planes):
        assert first == reached
        assert height >= 1
        reached += height
        slots = 2 * planes * height * (tiles - first) * 128
        assert height == 1 or 4 * slots <= tiling.SLOT_BYTES
    assert reached == tiles


def test_sixty_thousand_samples_fit_the_budget():
    """Eight variances: a hundredth of what a matrix of the pairs would take, for each launch."""
    tiles = tiling.tile_count(60_000, 128)
    parts = list(tiling.bands(tiles, 128, 2 * 8))
    most = max(2 * 16 * height * (tiles - first) * 128 * 4 for first, height in parts)
    assert most <= tiling.SLOT_BYTES
    assert tiling.SLOT_BYTES * 50 < 60_000**2 * 4
    assert len(parts) < 40


@pytest.mark.parametrize(("batch", "size"), [(1, 60_000), (500, 900), (7, 20)])
def test_gradient_bands_cover_every_row_once_within_the_budget(batch, size):
    tiles = tiling.tile_count(size, 64)
    visits = np.zeros((batch, tiles), dtype=int)
    for part, first, height in tiling.gradient_bands(batch, size, 64):
        visits[part, first : first + height] += 1
        members = len(range(batch)[part])
        assert members * height * tiles * 64**2 * 12 <= tiling.SLOT_BYTES
    assert (visits == 1).all()


# What the compiler makes of the kernels, without a device

SUMS = dict.fromkeys(("x", "norms", "coefficients", "weights", "across", "down"), "*fp32")
SLOPES = dict.fromkeys(("x", "norms", "coefficients", "weights", "incoming"), "*fp32")
SLOPES |= dict.fromkeys(("slopes", "turns"), "*fp32")
NUMBERS = ("size", "units", "sweep", "coefficient_step", "first", "height")


@needs_triton
@pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") == "1", reason="Triton interprets in this process"
)
@pytest.mark.parametrize(
    ("kernel", "name", "instruction", "never"),
    [
        ("pair_sums", "ieee", "fma.rn.f32", "tf32"),  # no bit of float32 is dropped
        ("pair_sums", "tf32x3", "tf32", "f64"),
        ("pair_sums", "float64", "mma.sync.aligned.m16n8k16.row.col.f64", "tf32"),
        ("pair_slopes", "ieee", "fma.rn.f32", "tf32"),
    ],
)
def test_kernels_compile_for_an_accelerator(
    monkeypatch, tmp_path, kernel, name, instruction, never
):
    """To machine code of capability 9.0: the interpreter takes what the compiler would not."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from infotheo.estimators.pair_sums.fused import kernels

    sums = kernel == "pair_sums"
    cut = (tiling.TILINGS if sums else tiling.GRADIENT_TILINGS)[name]
    signature = (SUMS if sums else SLOPES) | dict.fromkeys(NUMBERS, "i32")
    signature |= {"classes": "*i32", "width" if sums else "tiles": "i32"}
    if name == "float64":
        signature |= {"x": "*fp64", "norms": "*fp64"}
    constants = {
        "TILE": cut.tile,
        "DEPTH": cut.depth,
        "PRECISION": "tf32x3" if name == "tf32x3" else "ieee",
        "HALF": True,
        "WEIGHTED": True,
        "WITHIN": True,
    }
    constants |= {} if sums else {"TURNS": True}
    signature |= dict.fromkeys(constants, "constexpr")
    function = getattr(kernels, kernel)
    order = function.arg_names
    compiled = triton.compile(
        ASTSource(
            fn=function,
            signature={argument: signature[argument] for argument in order},
            constexprs=constants,
            attrs={
                (i,): [["tt.divisibility", 16]]
                for i, argument in enumerate(order)
                if signature[argument].startswith("*") or argument == "units"
            },
        ),
        target=GPUTarget("cuda", 90, 32),
        options={"num_warps": cut.warps, "num_stages": cut.stages},
    )
    assert instruction in compiled.asm["ptx"]
    assert never not in compiled.asm["ptx"]
    assert "atom." not in compiled.asm["ptx"]  # additions in a fixed order
    assert len(compiled.asm["cubin"]) > 0
    assert compiled.metadata.shared <= 99 * 1024  # of the smaller cards since 2020


# On an accelerator


def exact_sums(x, factors):
    """Sums in float64 from exact differences, a block of rows at a time, on the host."""
    x = x.double()
    blocks = []
    for rows in x.split(200):
        divergences = factors.kl[0, :, None, None] * torch.cdist(rows, x, p=2, compute_mode=(
            "donot_use_mm_for_euclid_dist"
        )).square()  # fmt: skip
        ratios = (factors.chernoff_ratio, 1.0)
        blocks.append(torch.stack([torch.exp(q * divergences).sum(-1) for q in ratios]))
    return torch.cat(blocks, dim=-1)  # (2, sweep, sample)


@needs_triton
@needs_accelerator
@pytest.mark.parametrize(
    ("kind", "variances"),  # at which the docstring's bound of the distances is below 1e-4 nats
    [("ieee", [100, 300, 3000]), ("tf32x3", [600, 3000]), ("float64", [3, 30, 300])],
)
def test_an_accelerator_agrees_with_the_host(kind, variances):
    generator = np.random.default_rng(0)
    z = np.maximum(generator.normal(size=(5000, 512)), 0)
    x = torch.tensor(z - z.mean(axis=0), dtype=torch.float32)
    factors = Factors.from_noise_variance(torch.tensor([variances], dtype=torch.float64), 0.5)
    expected = exact_sums(x, factors)
    points = x.to("cuda", torch.float64 if kind == "float64" else torch.float32)[None]
    on_device = Factors(factors.kl.cuda(), factors.chernoff_ratio)
    problem = PairProblem(points, on_device, precision="float32")
    assert choose_backend(problem).name == "fused"
    product = "tf32x3" if kind == "tf32x3" else "ieee"
    first, again = (
        fused_row_sums(problem, float32_product=product)[0][:, 0].cpu() for _ in range(2)
    )
    assert torch.equal(first, again)  # bytes
    informations = [-(sums / 5000).log().mean(-1) for sums in (first, expected)]
    np.testing.assert_allclose(*informations, rtol=0, atol=1e-4)  # nats, as promised
    if kind == "float64":  # exponentials, not distances: the docstring's bound for ln 5000 < 9
        np.testing.assert_allclose(first, expected, rtol=2.0**-24 * (100 + 3 * 9))


@needs_triton
@needs_accelerator
@pytest.mark.filterwarnings("ignore::infotheo.SaturationWarning")
def test_bounds_and_gradients_on_an_accelerator():
    generator = np.random.default_rng(1)
    z = np.maximum(generator.normal(size=(5000, 512)), 0).astype(np.float32)
    y = generator.integers(10, size=5000)
    options = {"noise_variance": [0.1, 10.0, 100.0], "weights": generator.random(5000)}
    expected = pairwise_information(z, y, **options)
    leaf = torch.tensor(z, device="cuda", requires_grad=True)
    information = pairwise_information(leaf, y, **options)
    for name in ("lower", "upper", "kl", "chernoff"):
        assert getattr(information, name).is_cuda
        values = getattr(information, name).detach().cpu()
        np.testing.assert_allclose(values, getattr(expected, name), rtol=0, atol=2e-4)  # 1e-4 each
    (on_device,) = torch.autograd.grad(information.kl.sum(), leaf)
    host = torch.tensor(z, requires_grad=True)
    (on_host,) = torch.autograd.grad(pairwise_information(host, y, **options).kl.sum(), host)
    np.testing.assert_allclose(
        on_device.cpu(), on_host, rtol=0, atol=1e-3 * float(on_host.abs().max())
    )
