"""Names beside points, where there is room."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.plots.style import INK, SIZE
from bayesmeta.plots.texts import font_families, text_width
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = 8  # at most


def label_points(
    ax: "Axes",
    x: FloatArray,
    y: FloatArray,
    labels: Sequence[str],
    order: Sequence[int],
    *,
    radius: FloatArray | float = 2.0,
) -> None:
    """Write labels beside points where there is room: those in `order` come first.

    At most eight are written; none lies on another, on a point, or outside the axes, whose limits
    must be set before. A figure's layout may still move: sizes are those before it does.

    Parameters
    ----------
    ax : Axes
    x, y : (point,)
        Data coordinates.
    labels : sequence of str
    order : sequence of int
        Points to label, the most important first.
    radius : (point,) or float
        Of the points, in points.
    """
    from matplotlib.patheffects import withStroke

    halo = withStroke(linewidth=2, foreground="white")
    to_points = 72 / ax.figure.dpi
    at = ax.transData.transform(np.column_stack([x, y])) * to_points
    frame = np.array(ax.bbox.extents) * to_points
    r = np.broadcast_to(radius, len(labels))
    taken = list(np.column_stack([at[:, 0] - r, at[:, 1] - r, at[:, 0] + r, at[:, 1] + r]))
    size, written = SIZE - 1.5, 0
    for i in order:
        width, height = text_width([labels[i]], size), 1.2 * size
        for side, up in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            left = at[i, 0] + (_beside(side, width, float(r[i]) + 2))
            low = at[i, 1] - height / 2 + up * (0.5 * height + (0.7 if side else 1) * r[i] + 1)
            box = np.array([left, low, left + width, low + height])
            inside = (box[:2] >= frame[:2]).all() and (box[2:] <= frame[2:]).all()
            others = [other for j, other in enumerate(taken) if j != i]
            if inside and not any(_overlap(box, other) for other in others):
                ax.annotate(
                    labels[i], (float(x[i]), float(y[i])),
                    (left - at[i, 0], low + height / 2 - at[i, 1]), textcoords="offset points",
                    va="center", size=size, color=INK, annotation_clip=False, path_effects=[halo],
                    parse_math=False, family=font_families(),
                )  # fmt: skip
                taken.append(box)
                written += 1
                break
        if written == _LABELS:
            return


def _beside(side: int, width: float, gap: float) -> float:
    """Give the left end of a text right of (1), left of (-1) or centred on (0) a point at 0."""
    return gap if side > 0 else -width - gap if side else -width / 2


def _overlap(one: FloatArray, other: FloatArray) -> bool:
    return bool((one[:2] < other[2:]).all() and (other[:2] < one[2:]).all())
