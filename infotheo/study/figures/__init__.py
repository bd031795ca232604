"""Figures and animations of a study: functions of its data that return one.

Positional parameters name the data (``runs``, ``correlations``, ``histories``, ``activations``,
``reference``: a folder of published numbers, ``trajectories``: measures over training),
keyword-only ones are settings. Adding one is one function and one line.
"""

from collections.abc import Callable

from matplotlib.figure import Figure

from infotheo.registry import Registry
from infotheo.study import STUDY_DATA
from infotheo.study.figures.activation_histograms import activation_histograms
from infotheo.study.figures.activation_scatter import activation_scatter
from infotheo.study.figures.animation import Animation
from infotheo.study.figures.bounds_and_error import bounds_and_error
from infotheo.study.figures.component_accuracies import component_accuracies
from infotheo.study.figures.correlation_by_noise import correlation_by_noise
from infotheo.study.figures.error_and_gap import error_and_gap
from infotheo.study.figures.information_over_training import information_over_training
from infotheo.study.figures.information_plane import information_plane
from infotheo.study.figures.information_plane_animation import information_plane_animation
from infotheo.study.figures.learning_curves import learning_curves
from infotheo.study.figures.margin_distribution import margin_distribution
from infotheo.study.figures.margins_over_training import margins_over_training
from infotheo.study.figures.principal_components import principal_components
from infotheo.study.figures.residual_blocks import residual_norms_over_training
from infotheo.study.figures.saturation import saturation

figures: Registry[Callable[..., Figure]] = Registry(
    {
        "error_and_gap": error_and_gap,
        "bounds_and_error": bounds_and_error,
        "correlation_by_noise": correlation_by_noise,
        "saturation": saturation,
        "activation_histograms": activation_histograms,
        "activation_scatter": activation_scatter,
        "principal_components": principal_components,
        "learning_curves": learning_curves,
        "component_accuracies": component_accuracies,
        "information_plane": information_plane,
        "information_over_training": information_over_training,
        "margins_over_training": margins_over_training,
        "margin_distribution": margin_distribution,
        "residual_norms_over_training": residual_norms_over_training,
    },
    kind="figure",
    context=STUDY_DATA,
)

animations: Registry[Callable[..., Animation]] = Registry(
    {"information_plane": information_plane_animation},
    kind="animation",
    context=STUDY_DATA,
)
