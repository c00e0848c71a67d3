"""The cache counts bytes, drops what was used longest ago, and serves nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from act_widgets.reading.cache import ByteCache

from .soak import TIMES

KEYS = st.integers(0, 7)


class CacheMachine(RuleBasedStateMachine):
    """`used` lists what must be kept, the key used longest ago first."""

    @initialize(budget=st.integers(1, 60))
    def start(self, budget):
        self.cache = ByteCache(budget)
        self.used: list[int] = []
        self.arrays: dict[int, np.ndarray] = {}
        self.lookups = 0
        self.refusals = 0

    def used_now(self, key):
        self.used = [k for k in self.used if k != key] + [key]

    @rule(key=KEYS, size=st.integers(0, 80))
    def put(self, key, size):
        array = np.zeros(size, np.uint8)
        others = [k for k in self.used if k != key]
        kept = self.cache.put(key, array)
        assert kept == (size <= self.cache.budget)
        self.refusals += not kept
        held = [k for k in others if k in self.cache]
        dropped = [k for k in others if k not in self.cache]
        assert dropped == others[: len(dropped)], "something used later was dropped first"
        if dropped:
            last = self.arrays[dropped[-1]].nbytes
            assert sum(self.arrays[k].nbytes for k in held) + last + size > self.cache.budget, (
                "dropped too much"
            )
        self.used = held + [key] * kept
        self.arrays[key] = array

    @rule(key=KEYS)
    def get(self, key):
        found = self.cache.get(key)
        self.lookups += 1
        if key in self.used:
            assert found is self.arrays[key]
            self.used_now(key)
        else:
            assert found is None

    @rule(key=KEYS)
    def peek(self, key):
        assert self.cache.peek(key) is (self.arrays[key] if key in self.used else None)

    @rule()
    def clear(self):
        self.cache.clear()
        self.used = []

    @invariant()
    def counts_are_true(self):
        assert self.cache.bytes == sum(self.arrays[k].nbytes for k in self.used) <= self.cache.budget
        assert self.cache.hits + self.cache.misses == self.lookups
        assert self.cache.refused == self.refusals
        assert [k in self.cache for k in range(8)] == [k in self.used for k in range(8)]


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=30 * TIMES, stateful_step_count=40, deadline=None)


def test_a_look_decides_what_goes_first():
    cache = ByteCache(3)
    for key in "abc":
        cache.put(key, np.zeros(1, np.uint8))
    cache.get("a")
    cache.peek("b")
    cache.put("d", np.zeros(1, np.uint8))
    assert [key in cache for key in "abcd"] == [True, False, True, True]
    assert (cache.hits, cache.misses, cache.evictions) == (1, 0, 1)


def test_what_does_not_fit_replaces_nothing_but_its_own_older_value():
    cache = ByteCache(4)
    cache.put("a", np.zeros(2, np.uint8))
    cache.put("b", np.zeros(2, np.uint8))
    assert not cache.put("a", np.zeros(5, np.uint8))
    assert cache.get("a") is None
    assert "b" in cache
    assert (cache.refused, cache.evictions, cache.bytes) == (1, 0, 2)


def test_parts_have_keys_of_their_own_and_one_budget():
    cache = ByteCache(10)
    one, two = cache.part(1), cache.part(2)
    assert one.put("a", np.zeros(6, np.uint8)) and two.put("a", np.ones(4, np.uint8))
    assert (one.get("a").sum(), two.get("a").sum()) == (0, 4)
    assert "a" not in cache and cache.bytes == one.bytes == 10
    assert two.put("b", np.zeros(3, np.uint8))  # what was used longest ago goes, whosever it is
    assert "a" not in one and "a" in two and "b" in two
    assert (cache.hits, cache.evictions, cache.bytes) == (2, 1, 7)
    one.clear()
    assert cache.bytes == 0 and "b" not in two


def test_what_is_offered_takes_no_room_from_others():
    cache = ByteCache(10)
    cache.put("a", np.zeros(6, np.uint8))
    cache.offer("b", np.zeros(5, np.uint8))
    assert "b" not in cache and "a" in cache
    cache.offer("c", np.zeros(4, np.uint8))
    assert "c" in cache and cache.bytes == 10
    cache.offer("a", np.zeros(1, np.uint8))
    assert cache.peek("a").nbytes == 6
    assert (cache.evictions, cache.refused) == (0, 0)
