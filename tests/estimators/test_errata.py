"""Where the papers are wrong, garbled or silent: every such place, and the test that shows it.

What is proven with the function it concerns stands there; `PROVEN` says where. The rest is here.
"""

import ast
import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import infotheo as it

TESTS = Path(__file__).parent.parent

PROVEN = {
    "paper 1 table 1: bars of absolute values lost": [
        ("estimators/test_errata.py", "test_without_bars_opposite_signs_cancel"),
        ("representation/test_characteristics.py", "test_agrees_with_loops_over_pairs"),
    ],
    "paper 1 section 2: positive activations of a pair": [
        ("representation/test_characteristics.py", "test_pairs_use_their_common_samples_only"),
        (
            "representation/test_characteristics.py",
            "test_positive_only_matters_and_leaves_pairs_out",
        ),
    ],
    "paper 1 table 1 and section 4.2: two stable ranks": [
        ("estimators/test_errata.py", "test_two_stable_ranks_are_two_quantities"),
    ],
    "paper 1 section 4.1: P_d <= P_s and M P_d <= M - rank(C)": [
        ("estimators/test_errata.py", "test_dead_units_leave_the_rank"),
        ("representation/test_characteristics.py", "test_dead_units_sparsity_and_rank"),
    ],
    "paper 1 appendix A: a = a+ - a-": [
        ("estimators/test_errata.py", "test_a_number_is_its_positive_less_its_negative_part"),
    ],
    "paper 1 eq. 10: gradient of the rank surrogate": [
        ("penalties/test_penalties.py", "test_printed_gradient_of_the_rank_surrogate"),
        ("estimators/test_errata.py", "test_at_a_tie_the_rank_surrogate_has_a_subgradient"),
    ],
    "papers 1 and 2: normalised penalties": [
        ("penalties/test_penalties.py", "test_equals_the_naive_sum"),
        ("penalties/test_penalties.py", "test_printed_gradient_of_covariance_and_variance"),
        ("penalties/test_penalties.py", "test_sums_without_normalisation"),
        ("estimators/test_errata.py", "test_one_loss_weight_means_the_same_at_any_width"),
    ],
    "papers 1 and 2: noise variance not stated": [
        ("estimators/test_errata.py", "test_the_noise_variance_decides_which_layer_knows_more"),
    ],
    "papers 1 and 2: generalization error": [
        ("estimators/test_errata.py", "test_correlations_are_with_the_error_and_with_the_gap"),
    ],
    "paper 3 prop. 7: sign, monotony and the 2": [
        (
            "weights/test_dual_information.py",
            "test_printed_function_of_proposition_7_is_negative_and_alpha_lacks_a_2",
        ),
    ],
    "paper 3 prop. 5, first display": [
        (
            "weights/test_weight_information.py",
            "test_the_first_display_of_proposition_5_is_no_bound",
        ),
    ],
    "paper 5 appendix A, eq. 33": [
        ("estimators/test_variance_diagnostic.py", "test_equation_33_is_no_bound"),
        ("estimators/test_prediction.py", "test_the_printed_variance_bound_is_false"),
    ],
    "paper 5 appendix C: precise as the mesh shrinks": [
        ("estimators/test_errata.py", "test_binned_entropy_is_precise_for_small_bins"),
    ],
    "paper 4 eq. 7: absolute weights every 30 steps": [
        (
            "penalties/test_penalties.py",
            "test_the_information_objective_adds_absolute_weights_every_thirty_steps",
        ),
        ("estimators/test_errata.py", "test_thirty_steps_are_a_setting"),
    ],
    "paper 3 section 6.2: the logit's sign follows which class is joint": [
        ("estimators/critics/test_estimates.py", "test_the_logit_has_the_sign_of_the_information"),
        (
            "estimators/critics/test_objectives.py",
            "test_the_discriminator_likes_the_log_ratio_best_and_with_this_sign",
        ),
    ],
    "paper 5 section 3.3, paper 4 appendix D: a ratio of norms is no operator norm": [
        (
            "invertibility/test_lipschitz.py",
            "test_errata_ratio_below_one_does_not_bound_the_operator_norm",
        ),
        (
            "invertibility/test_lipschitz.py",
            "test_errata_bounds_of_a_residual_branch_bracket_each_other",
        ),
        ("invertibility/test_inversion.py", "test_errata_ratio_below_one_and_yet_not_injective"),
        (
            "invertibility/test_inversion.py",
            "test_errata_lipschitz_constant_above_one_and_yet_invertible",
        ),
        ("study/measures/test_residual_blocks.py", "test_verdicts_where_the_answer_is_known"),
    ],
    # found while building, beyond the printed list
    "paper 3 prop. 5: Taylor's half": [
        ("weights/test_weight_information.py", "test_taylors_half_doubles_the_noise"),
    ],
    "paper 3 prop. 7: conditions of both ends": [
        (
            "weights/test_dual_information.py",
            "test_the_lower_end_of_proposition_7_needs_inputs_of_mean_zero",
        ),
        (
            "weights/test_dual_information.py",
            "test_the_upper_end_of_proposition_7_needs_more_than_a_bounded_kurtosis",
        ),
    ],
    "paper 3 corollary 5.1: dim z_k counts outputs": [
        ("weights/test_dual_information.py", "test_corollary_5_1_counts_outputs"),
    ],
}


@pytest.mark.parametrize("place", PROVEN)
def test_every_place_has_its_tests(place):
    assert PROVEN[place]
    for path, name in PROVEN[place]:
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        result = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert name in result, f"{path} has no {name}"


def test_without_bars_opposite_signs_cancel():
    """Paper 1, table 1: E[c_ij] of perfectly dependent units may be 0; E|c_ij| is not."""
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 200))
    z = np.stack([a, a, -a - 1e-9 * b, b], axis=1)
    signed = np.corrcoef(z.T, dtype=np.float64)
    off = signed[~np.eye(4, dtype=bool)].mean()
    result = it.characteristics(z, positive_only=False)
    assert result.correlation == pytest.approx(np.abs(signed[~np.eye(4, dtype=bool)]).mean())
    assert abs(off) < 0.25 < 0.5 <= result.correlation
    centred = z - z.mean()
    assert abs(centred.mean()) < 1e-12  # and E[z] says nothing about the amplitude
    amplitude = it.characteristics(centred, positive_only=False).activation_amplitude
    assert amplitude == pytest.approx(np.abs(centred).mean())


def test_two_stable_ranks_are_two_quantities():
    """Paper 1: table 1 takes the covariance's, section 4.2 the activation matrix's."""
    z = np.random.default_rng(1).normal(size=(100, 6)) + 20  # far from the origin: nearly rank 1
    covariance_rank = it.characteristics(z).stable_rank
    matrix_rank = float(it.regularizers["RR"](torch.tensor(z), exact=True))
    covariance = np.cov(z.T, bias=True)
    norms = [np.linalg.norm(part) / np.linalg.norm(part, 2) for part in (covariance, z)]
    assert covariance_rank == pytest.approx(norms[0] ** 2)
    assert matrix_rank == pytest.approx(norms[1] ** 2)
    assert covariance_rank > 3
    assert matrix_rank < 1.01


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    samples=st.integers(2, 20),
    units=st.integers(1, 10),
    dead=st.floats(0, 1),
)
def test_dead_units_leave_the_rank(seed, samples, units, dead):
    """Paper 1, eqs. 5 and 6, with equality of eq. 6 for independent live units."""
    generator = np.random.default_rng(seed)
    z = np.abs(generator.normal(size=(samples, units))) * (generator.random(units) >= dead)
    result = it.characteristics(z)
    assert result.dead_unit <= result.sparsity
    silent = round(float(units * result.dead_unit))
    assert silent == int((z == 0).all(0).sum())
    assert silent <= units - result.rank
    if samples > units:
        assert silent == units - result.rank


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_its_positive_less_its_negative_part(a):
    """Paper 1, appendix A prints a = a+ + a-, which is |a|."""
    positive, negative = max(a, 0.0), max(-a, 0.0)
    assert a == positive - negative
    assert positive + negative == abs(a)


def test_at_a_tie_the_rank_surrogate_has_a_subgradient():
    """Paper 1, eq. 10: where two columns share the largest sum, any mixture of both choices."""
    z = torch.tensor([[3.0, 1.0, 0.5], [1.0, 3.0, -0.75]], dtype=torch.float64)  # no two rows tie
    size, squares = z.abs(), z.square().sum()
    one, infinity = size.sum(0).max(), size.sum(1).max()
    assert (size.sum(0) == one).sum() == 2
    choices = []
    for column in (0, 1):
        d_one, d_infinity = torch.zeros_like(z), torch.zeros_like(z)
        d_one[:, column] = z[:, column].sign()
        d_infinity[size.sum(1).argmax()] = z[size.sum(1).argmax()].sign()
        change = d_one * infinity + one * d_infinity
        choices.append(2 * z / (one * infinity) - squares * change / (one * infinity) ** 2)
    at = z.clone().requires_grad_()
    it.regularizers["RR"](at).backward()
    share = (at.grad - choices[1]).flatten() @ (choices[0] - choices[1]).flatten()
    share = share / (choices[0] - choices[1]).square().sum()
    assert 0 <= share <= 1
    torch.testing.assert_close(at.grad, share * choices[0] + (1 - share) * choices[1])


def test_one_loss_weight_means_the_same_at_any_width():
    """Papers 1 and 2: of independent units, normalised penalties agree, plain sums grow."""
    generator = torch.Generator().manual_seed(0)
    samples, labels = 2000, torch.arange(2000) % 4
    narrow, wide = (
        torch.randn(samples, units, generator=generator, dtype=torch.float64) for units in (8, 64)
    )
    for name in ("VR", "cw-VR", "L1R", "CR", "cw-CR"):
        penalty = it.regularizers[name]
        ratio = penalty(wide, labels) / penalty(narrow, labels)
        # covariances squared are chi-square over 28 pairs: sqrt(2 / 28) = 0.27, 3 of them
        assert ratio == pytest.approx(1, abs=0.8 if name.endswith("CR") else 0.1)
        sums = penalty(wide, labels, normalized=False) / penalty(narrow, labels, normalized=False)
        assert sums > 7


def test_the_noise_variance_decides_which_layer_knows_more():
    """Papers 1 and 2 leave it out, but which of two layers knows more turns with it."""
    clusters = np.repeat([[-10.0], [10.0]], 50, axis=0)
    line = np.linspace(-1, 1, 100)[:, None]
    noise = [2e-4, 1.0]
    first, second = (it.pairwise_information(z, noise_variance=noise) for z in (clusters, line))
    assert second.lower[0] > first.upper[0] + 1  # little noise: the line keeps samples apart
    assert first.lower[1] > second.upper[1] + 0.3  # much: only the clusters are told apart
    parameter = inspect.signature(it.pairwise_information).parameters["noise_variance"]
    assert parameter.default is inspect.Parameter.empty


def test_correlations_are_with_the_error_and_with_the_gap():
    """Papers 1 and 2 call the test error a generalization error; both are reported."""
    import pandas as pd

    generator = np.random.default_rng(2)
    train, measure = generator.uniform(0, 0.2, 12), generator.random(12)
    test = 0.3 + 0.1 * measure
    runs = pd.DataFrame(
        {
            "study": "s",
            "condition": "c",
            "regularizer": [f"r{k}" for k in range(12)],
            "weight": 1.0,
            "seed": 0,
            "train_error": train,
            "test_error": test,
            "generalization_gap": test - train,
            "sparsity": measure,
        }
    )
    table = it.correlation_table(runs, ["sparsity"], resamples=10, permutations=9, seed=0)
    pearson = table[(table["method"] == "pearson") & (table["level"] == "runs")]
    by_target = pearson.set_index("target")["coefficient"]
    assert by_target["test_error"] == pytest.approx(1)
    expected = np.corrcoef(measure, test - train)[0, 1]
    assert by_target["generalization_gap"] == pytest.approx(expected)
    assert expected < 0.9


def test_binned_entropy_is_precise_for_small_bins():
    """Paper 5, appendix C: H(bins) + ln(width) tends to h as the width goes to 0, not infinity."""
    normal = torch.distributions.Normal(0.0, 1.0)
    truth = math.log(2 * math.pi * math.e) / 2
    errors, entropies = [], []
    widths = [16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.125]
    for width in widths:
        edges = torch.arange(-64.0, 64.0 + width, width, dtype=torch.float64)
        p = normal.cdf(edges).diff().numpy()  # exact probabilities of the cells
        keep = p > 0
        middles = (edges[:-1] + width / 2).numpy()[keep]
        result = it.binned_information(middles[:, None], bin_width=width, weights=p[keep])
        entropies.append(float(result.value))
        errors.append(abs(entropies[-1] + math.log(width) - truth))
    assert all(
        later < earlier
        for earlier, later in zip(errors, errors[1:], strict=False)
        if earlier > 1e-9
    )
    assert errors[-1] < 1e-3
    assert errors[0] > 1  # a wide mesh: what is left is ln(width), which no density has
    # and the entropy of the bins itself, eq. 42, has no limit: ln 2 more each time a bin is halved
    assert entropies[-1] - entropies[-2] == pytest.approx(math.log(2), abs=0.01)


def test_thirty_steps_are_a_setting():
    """Paper 4, eq. 7: printed without, appendix E adds it every 30 iterations."""
    from infotheo.penalties import output_objectives

    parameter = inspect.signature(output_objectives["information"]).parameters["every"]
    assert parameter.default == 30
