"""The reference's integrals over mu for a value of tau: plain loops, compiled.

Panels about the peak and about the estimates, halved until the Legendre coefficients of the density
have fallen, and more of them outwards until it has vanished.
"""

import math

import numpy as np
from numba import njit

from benchmarks.study_sums import log_likelihood

MOST_PANELS = 400  # for one value of tau
_DROP = 35.0  # log units below the peak at which panels end


@njit
def log_density(mu, tau, p):
    """Log p(mu) plus the log likelihood of all studies, less the tables' tops."""
    if not p.domain[0] < mu < p.domain[1]:
        return -np.inf
    total = p.prior[2] - 0.5 * p.prior[1] * (mu - p.prior[0]) ** 2
    for i in range(len(p.center)):
        total += log_likelihood(i, mu, tau, p)
    if math.isfinite(p.domain[0]) and tau > 0:
        root = math.sqrt(2.0) * tau
        inside = math.erf((p.domain[1] - mu) / root) + math.erf((mu - p.domain[0]) / root)
        total -= len(p.center) * math.log(0.5 * inside)
    return total


@njit
def peak_of_mu(tau, p):
    """Peak of the density of mu given tau, about; its width and height: Newton steps."""
    precision, weighted = p.prior[1], p.prior[1] * p.prior[0]
    for i in range(len(p.center)):
        weight = 1 / (p.scale[i] ** 2 + tau**2)
        precision += weight
        weighted += weight * p.center[i]
    at, width = weighted / precision, 1 / math.sqrt(precision)
    if math.isfinite(p.domain[0]):
        at = min(max(at, p.domain[0] + 1e-3), p.domain[1] - 1e-3)
    best, height = at, log_density(at, tau, p)
    for j in p.candidates:
        value = log_density(p.center[j], tau, p)
        if value > height:
            best, height = p.center[j], value
            width = min(width, math.hypot(p.scale[j], tau))
    at = best
    for _ in range(30):
        step = 0.1 * width
        left, right = log_density(at - step, tau, p), log_density(at + step, tau, p)
        bend = (2 * height - left - right) / (step * step)
        slope = (right - left) / (2 * step)
        if not (math.isfinite(bend) and math.isfinite(slope)):
            break
        if bend > 0:
            width = min(max(1 / math.sqrt(bend), width / 4), width * 4)
        else:
            width *= 2
        move = min(max(slope * width * width, -8 * width), 8 * width)
        to = log_density(at + move, tau, p)
        while not to >= height - 1 and abs(move) > 0.01 * width:
            move /= 2
            to = log_density(at + move, tau, p)
        at, height = at + move, to
        if abs(move) < 0.3 * width:
            break
    return at, width, height


@njit
def integrate_mu(tau, p, x, legendre, reach, allowed, begins, ends, logs):
    """Panels of mu for one tau into begins, ends (panel,), logs (panel, node); their number.

    `legendre` (degree, node) takes values at the nodes x to coefficients; `reach` is the length of
    the first panels, `allowed` the last coefficients' accepted share of the total.
    """
    at, width, top = peak_of_mu(tau, p)
    marks = np.empty(8 + 3 * len(p.candidates))
    n = 0
    for j in range(-2, 3):
        marks[n] = at + j * reach * width
        n += 1
    for i in p.candidates:
        spread = math.hypot(p.scale[i], tau)
        if (
            abs(p.center[i] - at) > 2 * reach * width
            and log_density(p.center[i], tau, p) > top - _DROP
        ):
            for j in range(-1, 2):
                marks[n] = p.center[i] + 8 * j * spread
                n += 1
    edges = np.sort(marks[:n])
    edges = edges[(edges > p.domain[0]) & (edges < p.domain[1])]
    if math.isfinite(p.domain[0]):
        edges = np.concatenate((np.array([p.domain[0]]), edges, np.array([p.domain[1]])))
    count = 0
    for j in range(len(edges) - 1):
        if edges[j + 1] > edges[j]:
            begins[count], ends[count] = edges[j], edges[j + 1]
            count += 1
    nodes = len(x)
    done = 0
    peaks = np.full(len(begins), -np.inf)
    for _ in range(80):
        for j in range(done, count):
            for k in range(nodes):
                mu = 0.5 * (begins[j] + ends[j]) + 0.5 * (ends[j] - begins[j]) * x[k]
                logs[j, k] = log_density(mu, tau, p)
            peaks[j] = logs[j].max()
            top = max(top, peaks[j])
        done = count
        if not math.isfinite(p.domain[0]):
            for side in (-1, 1):
                j = begins[:count].argmin() if side < 0 else ends[:count].argmax()
                edge = begins[j] if side < 0 else ends[j]
                if log_density(edge, tau, p) > top - _DROP and count < len(begins):
                    length = 2 * (ends[j] - begins[j])
                    begins[count] = edge - length if side < 0 else edge
                    ends[count] = edge if side < 0 else edge + length
                    count += 1
        total = 0.0
        unresolved = np.zeros(done)
        for j in range(done):
            half = 0.5 * (ends[j] - begins[j])
            tail, mass = 0.0, 0.0
            for d in (0, len(legendre) - 2, len(legendre) - 1):
                c = 0.0
                for k in range(nodes):
                    c += legendre[d, k] * math.exp(logs[j, k] - top)
                if d == 0:
                    mass = 2 * half * c
                else:
                    tail = max(tail, abs(c))
            total += mass
            unresolved[j] = half * tail - p.noise * mass
        for j in range(done):
            wide = ends[j] - begins[j] > 1e-14 * (abs(ends[j]) + abs(begins[j]))
            if unresolved[j] > allowed * total and count < len(begins) and wide:
                middle = 0.5 * (begins[j] + ends[j])
                begins[count], ends[count] = middle, ends[j]
                ends[j] = middle
                count += 1
                for k in range(nodes):
                    mu = 0.5 * (begins[j] + ends[j]) + 0.5 * (ends[j] - begins[j]) * x[k]
                    logs[j, k] = log_density(mu, tau, p)
                peaks[j] = logs[j].max()
                top = max(top, peaks[j])
        if count == done:
            break
    return count
