"""Seeded draws follow what the samples are."""

from __future__ import annotations

import hashlib

import numpy as np

from frostline.stages.datasets.sampling import content_hash_order, hold_out, shots, train_size
from frostline.stages.targets.base import held_of


def contents(n, start=0):
    return np.frombuffer(b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(start, start + n)), np.uint8)


def classes_of(n):
    return np.arange(n) % 3


DIGESTS = contents(300).reshape(-1, 32)
LABELS = classes_of(300)


def test_a_lot_is_the_hash_of_seed_and_content():
    assert content_hash_order(DIGESTS, 7)[5] == hashlib.sha256(b"7|" + DIGESTS[5].tobytes()).digest()


def test_no_sample_draws_no_lot():
    assert content_hash_order(DIGESTS[:0], 0).shape == (0,)


def test_each_class_gives_its_share():
    held = hold_out(LABELS, DIGESTS, 3, 0.2, 0)
    assert np.bincount(LABELS[held]).tolist() == [20, 20, 20] == [held_of(100, 0.2)] * 3


def test_nothing_is_held_out_of_a_class_too_small_for_the_fraction():
    assert not hold_out(LABELS[:6], DIGESTS[:6], 3, 0.2, 0).any()


def test_the_draw_follows_content_and_not_order():
    order = np.random.default_rng(0).permutation(300)
    assert np.array_equal(
        hold_out(LABELS[order], DIGESTS[order], 3, 0.2, 0), hold_out(LABELS, DIGESTS, 3, 0.2, 0)[order]
    )


def test_the_same_seed_draws_the_same_and_another_seed_others():
    first, again, other = (hold_out(LABELS, DIGESTS, 3, 0.2, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert (first & other).sum() < first.sum() / 2


def test_a_sample_added_moves_at_most_one_of_its_class():
    before = hold_out(LABELS, DIGESTS, 3, 0.2, 0)
    for extra in range(300, 330):
        digests = np.concatenate([DIGESTS, contents(1, extra).reshape(1, 32)])
        after = hold_out(np.append(LABELS, 0), digests, 3, 0.2, 0)[:300]
        assert np.array_equal(after[LABELS != 0], before[LABELS != 0])
        assert (after != before).sum() <= 1


def test_doubling_the_samples_leaves_most_where_they_were():
    more = contents(600).reshape(-1, 32)
    before, after = hold_out(LABELS, DIGESTS, 3, 0.2, 0), hold_out(classes_of(600), more, 3, 0.2, 0)[:300]
    assert (before & after).sum() > 0.7 * before.sum()


def test_equal_content_is_on_one_side_of_its_class():
    twice, labels = np.concatenate([DIGESTS, DIGESTS]), np.concatenate([LABELS, LABELS])
    for fraction in (0.05, 0.11, 0.25):
        held = hold_out(labels, twice, 3, fraction, 0)
        assert held.any() and np.array_equal(held[:300], held[300:])


def test_fewer_shots_lie_within_more_and_every_class_gives_its_own():
    few, more = (shots(LABELS, DIGESTS, 3, count, 5) for count in (2, 7))
    assert np.bincount(LABELS[few]).tolist() == [2, 2, 2] and np.bincount(LABELS[more]).tolist() == [7, 7, 7]
    assert (more | ~few).all()
    assert not np.array_equal(shots(LABELS, DIGESTS, 3, 2, 6), few)


def test_smaller_training_sets_lie_within_larger_ones_and_are_stratified():
    unequal = np.repeat([0, 1, 2], [30, 90, 180])
    few, more = (train_size(unequal, DIGESTS, 3, count, 5) for count in (30, 100))
    assert few.sum() == 30 and more.sum() == 100 and (more | ~few).all()
    assert np.bincount(unequal[few]).tolist() == [3, 9, 18]
    assert train_size(unequal, DIGESTS, 3, 300, 5).all()


def test_draws_follow_the_content_and_take_its_copies_along():
    order = np.random.default_rng(0).permutation(300)
    for draw in (shots, train_size):
        drawn = draw(LABELS, DIGESTS, 3, 9, 5)
        assert np.array_equal(draw(LABELS[order], DIGESTS[order], 3, 9, 5), drawn[order])
        twice = draw(np.tile(LABELS, 2), np.tile(DIGESTS, (2, 1)), 3, 9, 5)
        assert np.array_equal(twice, np.tile(drawn, 2))


def test_fewer_shots_drawn_among_the_rows_of_more_are_those_drawn_among_all():
    rng = np.random.default_rng(3)
    labels, digests = rng.integers(0, 3, 300), rng.integers(0, 256, (300, 32), np.uint8)
    digests[250:] = digests[:50]  # copies, some of them in another class
    more = np.flatnonzero(shots(labels, digests, 3, 16, 5))
    for count in (1, 4, 16):
        among = more[shots(labels[more], digests[more], 3, count, 5)]
        assert among.tolist() == np.flatnonzero(shots(labels, digests, 3, count, 5)).tolist()
