"""Which sum gives log L_i for which pair (mu, tau) and study: one that is exact there."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from bayesmeta.inference.bound_sums import find_cut, sum_cut
from bayesmeta.inference.far_peaks import find_far, sum_far
from bayesmeta.inference.graded_nodes import sum_graded
from bayesmeta.inference.peaks import RESOLVED, find_coarseness
from bayesmeta.inference.shared_nodes import share_nodes, sum_shared
from bayesmeta.inference.sums import (
    FINE_RULE,
    FINEST_RULE,
    RULE,
    SMALL_RULE,
    TINY,
    Logs,
    sum_about_mu,
    sum_about_peak,
    sum_all_nodes,
    sum_nodes,
    sum_quadratic,
)
from bayesmeta.inference.tables import BoolArray, IndexArray, Tables
from bayesmeta.scales import FloatArray

_COUNTED, _MOST_LEAK = 1e-18, 1e3  # leaks worth a closer look; and where all lies beyond


@dataclass(slots=True, kw_only=True, eq=False)
class Filling:
    """Sums that are being filled in, those that fewer pairs and studies may take first.

    Attributes
    ----------
    tables : Tables
    mu, tau : (pair,)
    check : bool
        Whether finer rules are taken throughout.
    log_l : (pair, study)
    leak : (pair, study, 2)
        Share of the integrand at, or beyond, either end of the table.
    done : (pair, study)
    whole : two arrays (index,)
        Pairs and studies whose sums go on beyond the ends, so that nothing is left out there.
    """

    tables: Tables
    mu: FloatArray
    tau: FloatArray
    check: bool
    log_l: FloatArray
    leak: FloatArray
    done: BoolArray
    whole: tuple[IndexArray, ...]

    @classmethod
    def of(cls, tables: Tables, mu: FloatArray, tau: FloatArray, *, check: bool) -> "Filling":
        """Nothing is filled in yet."""
        shape, none = (len(mu), len(tables.center)), np.zeros(0, dtype=np.intp)
        return cls(
            tables=tables, mu=mu, tau=tau, check=check, log_l=np.full(shape, np.nan),
            leak=np.zeros((*shape, 2)), done=np.zeros(shape, dtype=bool), whole=(none, none),
        )  # fmt: skip

    def _put(self, pair: IndexArray, study: IndexArray, logs: Logs) -> None:
        self.log_l[pair, study], self.leak[pair, study] = logs
        self.done[pair, study] = True

    def share(self, *, lopsided: IndexArray, counts: bool) -> None:
        """Take even nodes that studies share, where many pairs have one tau."""
        nodes = share_nodes(
            self.tables, self.mu, self.tau, lopsided=lopsided, counts=counts, check=self.check
        )
        self.done |= sum_shared(self.tables, self.mu, nodes, self.log_l, self.leak)

    def take_parabolas(self) -> None:
        """Take the closed form where log g is a parabola within tau."""
        if not (self.check or self.tables.halved):
            sum_quadratic(self.tables, self.mu, self.tau, self.log_l, self.leak, self.done)

    def take_graded(self) -> None:
        """Take nodes that crowd at a point where likelihoods may bend sharply."""
        self.done |= sum_graded(
            self.tables, self.mu, self.tau, self.log_l, self.leak,
            halved=self.tables.halved, check=self.check,
        )  # fmt: skip

    def take_far(self) -> None:
        """Take two peaks, where g falls as a power and mu is far from the study."""
        far = find_far(self.tables, self.mu, self.tau)
        pair, study = _find(far)
        if len(pair):
            rule, stride = (FINE_RULE, 1) if self.check else (RULE, 2)
            mu, tau = self.mu[pair], self.tau[pair]
            self._put(pair, study, sum_far(self.tables, mu, tau, study, rule=rule, stride=stride))

    def take_the_rest(self, *, bounded: bool) -> None:
        """Take the study's own nodes, or Gauss-Hermite nodes where these do not resolve the peak.

        With `bounded`, tables reach the bounds of the measure, which may cut an integrand.
        """
        left = np.flatnonzero(~self.done.all(axis=1))
        narrow, finer = np.zeros((2, *self.done.shape), dtype=bool)
        if len(left):
            coarseness = find_coarseness(self.tables, self.mu[left], self.tau[left])
            narrow[left] = (2 * coarseness > RESOLVED) & ~self.done[left]
            finer[left] = narrow[left] & (coarseness <= RESOLVED)
        if bounded:
            self._take_cut(narrow)
            narrow, finer = narrow & ~self.done, finer & ~self.done
        self._take_own_nodes(left[~(narrow | self.done)[left].all(axis=1)])
        lost = ~narrow & ~np.isfinite(self.log_l)  # underflow: far from everything
        self._take_one_by_one(finer | lost, narrow & ~finer)

    def _take_cut(self, narrow: BoolArray) -> None:
        pair, study = find_cut(self.tables, self.mu, self.tau, narrow, self.done)
        if len(pair):
            fine = self.check + self.tables.halved
            self._put(
                pair, study, sum_cut(self.tables, self.mu[pair], self.tau[pair], study, fine=fine)
            )
            self.whole = pair, study

    def _take_own_nodes(self, wide: IndexArray) -> None:
        """Sum over every second node, all studies of the pairs `wide` (index,) at once."""
        if len(wide):
            stride = 1 if self.check else 2
            log_l, leak = sum_nodes(self.tables, self.mu[wide], self.tau[wide], stride=stride)
            pair, study = _find(~self.done[wide])
            self._put(wide[pair], study, (log_l[pair, study], leak[pair, study]))

    def _take_one_by_one(self, by_all_nodes: BoolArray, about: BoolArray) -> None:
        """Sum over every node, or `about` the peak or mu; both (pair, study)."""
        tiny, halved = self.tau[:, None] < TINY * self.tables.scale, self.tables.halved > 0
        fine = self.check or halved
        by_rule = sum_about_peak if fine else sum_about_mu
        few, many = (FINE_RULE, FINE_RULE) if fine else (SMALL_RULE, RULE)
        if self.check and halved:
            few, many = FINEST_RULE, FINEST_RULE
        for where, summed in (
            (by_all_nodes, sum_all_nodes),
            (about & ~tiny, partial(sum_about_peak, rule=many)),
            (about & tiny, partial(by_rule, rule=few)),
        ):
            pair, study = _find(where)
            if len(pair):
                self._put(pair, study, summed(self.tables, self.mu[pair], self.tau[pair], study))

    def count_beyond_ends(self) -> None:
        """Multiply the leaks, each an end's term, by how many terms lie beyond that end."""
        ends = (self.leak > _COUNTED) & (self.tau[:, None, None] > 0)
        ends[self.whole] = False
        pair, study, side = _find(ends)
        many = self.tables.beyond(self.mu[pair], self.tau[pair], study, side)
        self.leak[pair, study, side] = np.minimum(self.leak[pair, study, side] * many, _MOST_LEAK)


def _find(where: BoolArray) -> tuple[IndexArray, ...]:
    """Give indices as `np.nonzero` does, which takes ten times as long where little is true."""
    return np.unravel_index(np.flatnonzero(where), where.shape)
