"""A residual network: an ordinary torch module with a ``forward`` of its own."""

from collections.abc import Sequence

from torch import Tensor, nn


class ResidualNetwork(nn.Module):
    """Two hidden layers, the second added to the first.

    Parameters
    ----------
    input_shape, classes
        Shape of one sample and number of logits, filled in from the data set.
    width
        A setting: what stands under ``network`` in the configuration comes in here.
    """

    def __init__(self, input_shape: Sequence[int], classes: int, *, width: int = 32):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU())
        self.branch = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.second = nn.Identity()  # what the branch adds up to has a name to be recorded by
        self.output = nn.Linear(width, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits (sample, class) of inputs (sample, unit)."""
        first = self.first(inputs)
        return self.output(self.second(first + self.branch(first)))
