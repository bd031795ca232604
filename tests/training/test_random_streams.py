"""Random streams: each of its own seed, purpose and epoch, and of nothing else."""

import numpy as np
import torch

from infotheo.training.random_streams import Masks, generator, orders

CPU = torch.device("cpu")


def test_order_is_a_permutation_of_each_seed_and_epoch():
    first = orders([3, 5, 3], 0, 50)
    assert first.shape == (3, 50)
    assert first.dtype == torch.int64
    for order in first:
        assert sorted(order.tolist()) == list(range(50))
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0], first[1])
    assert torch.equal(orders([5], 0, 50)[0], first[1])
    assert not torch.equal(orders([5], 1, 50)[0], first[1])


def test_mask_keeps_the_mean():
    for rate in (0.2, 0.5):
        mask = Masks([0, 1], 0, CPU).draw((200, 50), rate)
        assert mask.shape == (2, 200, 50)
        assert set(mask.unique().tolist()) == {0.0, float(np.float32(1) / np.float32(1 - rate))}
        # 10,000 draws a replica: the standard error of the dropped share is 0.005 at most
        dropped = (mask == 0).double().mean((1, 2))
        assert (dropped - rate).abs().max() < 0.025
    assert Masks([0], 0, CPU).draw((5, 5), 0.0).eq(1).all()
    assert Masks([0], 0, CPU).draw((5, 5), 1.0).eq(0).all()


def test_masks_go_on_from_step_to_step_and_come_from_their_seed():
    masks, others = Masks([7, 8], 2, CPU), Masks([8], 2, CPU)
    first, second = masks.draw((9, 9), 0.5), masks.draw((9, 9), 0.5)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(others.draw((9, 9), 0.5)[0], first[1])
    assert torch.equal(others.draw((9, 9), 0.5)[0], second[1])
    assert not torch.equal(Masks([8], 3, CPU).draw((9, 9), 0.5)[0], first[1])


def test_purposes_never_share_a_stream():
    seeds = {
        generator(seed, purpose, epoch).initial_seed()
        for seed in range(30)
        for purpose in ("initialization", "order", "masks", "augmentation")
        for epoch in range(30)
    }
    assert len(seeds) == 30 * 4 * 30
    # what torch's generator on the CPU uses of a seed
    assert len({seed % 2**32 for seed in seeds}) == len(seeds)
