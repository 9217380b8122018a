"""The lineage picture: boxes in columns by layer and the lines between them, laid out from the steps alone.

A layered drawing in the manner of Sugiyama: columns from what reads what, an order in each column that crosses few
lines, then heights that keep lines straight. A line that passes a column is given a lane of its own there, shared by
all lines of one table, so that no line runs behind a box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lakehouse.declare.table import Step

LAYERS = ("bronze", "silver", "ops", "gold")
SWEEPS = 24
BOX_HEIGHT, LANE_HEIGHT, GAP = 40.0, 6.0, 12.0
COLUMN_GAP, MARGIN, HEADER = 64.0, 8.0, 34.0
CHARACTER_WIDTH, PADDING = 7.3, 20.0


@dataclass(frozen=True)
class Box:
    """A table or a feed of files; `name` is the table's name, or the feed's for files. (x, y) is its top left."""

    name: str
    label: str
    is_files: bool
    x: float
    y: float
    width: float
    height: float = BOX_HEIGHT


@dataclass(frozen=True)
class Line:
    """A line from a box to a box that is made from it; `path` is for SVG."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Header:
    """The title above the columns of a layer."""

    title: str
    x: float
    width: float


@dataclass(frozen=True)
class Picture:
    """Everything that is drawn, in pixels."""

    width: float
    height: float
    headers: tuple[Header, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


# A node is a box (its name alone) or the lane of a table's lines in a column that they pass (name, column).
Node = tuple[str, int]


@dataclass
class _Graph:
    """Boxes and lanes by column, in order from top to bottom, and the pieces of lines between neighbouring columns."""

    labels: dict[str, str]
    layers: list[str]
    columns: list[list[Node]]
    home: dict[str, int]
    feeds: set[str]
    pieces: set[tuple[Node, Node]] = field(default_factory=set)
    left: dict[Node, list[Node]] = field(default_factory=dict)
    right: dict[Node, list[Node]] = field(default_factory=dict)

    def is_lane(self, node: Node) -> bool:
        return self.home[node[0]] != node[1]

    def height(self, node: Node) -> float:
        return LANE_HEIGHT if self.is_lane(node) else BOX_HEIGHT


def draw(steps: Sequence[Step]) -> Picture:
    """Lay out the lineage of the steps, from delivered files on the left to gold on the right."""
    edges = edges_of(steps)
    graph = _graph(steps, edges)
    _order(graph)
    tops = _heights(graph)
    lefts, widths = _across(graph)
    boxes = tuple(
        Box(name, graph.labels[name], name in graph.feeds, lefts[column], tops[(name, column)], widths[column])
        for name, column in graph.home.items()
    )
    lines = tuple(Line(s, t, _path(graph, s, t, tops, lefts, widths)) for s, t in edges)
    bottom = max((box.y + box.height for box in boxes), default=HEADER)
    right = lefts[-1] + widths[-1] if lefts else 0.0
    return Picture(round(right + MARGIN, 1), round(bottom + MARGIN, 1), _headers(graph, lefts, widths), boxes, lines)


def edges_of(steps: Sequence[Step]) -> list[tuple[str, str]]:
    """What is made from what, each pair once: (feed or table read, table written), of tables that a step writes."""
    written, pairs = {step.table.name for step in steps}, []
    for step in steps:
        if step.feed:
            pairs.append((feed_name(step), step.table.name))
        pairs += [(read.table.name, step.table.name) for read in step.reads if read.table.name in written]
    return list(dict.fromkeys(pairs))


def feed_name(step: Step) -> str:
    """Name of the box of a step's files."""
    return f"files of {step.feed.source}.{step.feed.name}"


# --- columns ----------------------------------------------------------------------------------------------------------


def _graph(steps: Sequence[Step], edges: Sequence[tuple[str, str]]) -> _Graph:
    tables = {step.table.name: step.table for step in steps}
    feeds = {feed_name(step): f"{step.feed.source} {step.feed.name}" for step in steps if step.feed}
    layer_of = dict.fromkeys(feeds, "files") | {name: table.layer for name, table in tables.items()}
    rank = _ranks(layer_of, edges)
    places = sorted({(_layer_order(layer_of[name]), rank[name], layer_of[name]) for name in layer_of})
    column_of = {(layer, depth): index for index, (_, depth, layer) in enumerate(places)}
    home = {name: column_of[(layer, rank[name])] for name, layer in layer_of.items()}
    labels = feeds | {name: table.short_name for name, table in tables.items()}
    columns: list[list[Node]] = [[] for _ in places]
    for name, column in home.items():
        columns[column].append((name, column))
    graph = _Graph(labels, [layer for _, _, layer in places], columns, home, set(feeds))
    for source, target in edges:
        _connect(graph, source, target)
    return graph


def _layer_order(layer: str) -> int:
    return LAYERS.index(layer) + 1 if layer in LAYERS else 0


def _ranks(layer_of: Mapping[str, str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How many tables of the same layer a table is made from, one after the other."""
    within = [(s, t) for s, t in edges if layer_of[s] == layer_of[t] and s != t]
    rank = dict.fromkeys(layer_of, 0)
    for _ in layer_of:  # a chain is no longer than the number of tables
        deeper = {t: rank[s] + 1 for s, t in within if rank[t] <= rank[s]}
        if not deeper:
            break
        rank |= deeper
    return rank


def _connect(graph: _Graph, source: str, target: str) -> None:
    """Cut a line into pieces from column to column, with a lane in each that it passes."""
    steps = [(source, column) for column in range(graph.home[source], graph.home[target])]
    for node in steps[1:]:
        if node not in graph.columns[node[1]]:
            graph.columns[node[1]].append(node)
    for piece in zip(steps, [*steps[1:], (target, graph.home[target])], strict=True):
        if piece not in graph.pieces:
            graph.pieces.add(piece)
            graph.right.setdefault(piece[0], []).append(piece[1])
            graph.left.setdefault(piece[1], []).append(piece[0])


# --- order within columns ---------------------------------------------------------------------------------------------


def _order(graph: _Graph) -> None:
    """Sort each column by where its neighbours are, to and fro, and keep the order with the fewest crossings."""
    best, fewest = [list(column) for column in graph.columns], crossings(graph)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        columns = graph.columns[1:] if forth else graph.columns[-2::-1]
        for column in columns:
            place = {node: index / max(1, len(c) - 1) for c in graph.columns for index, node in enumerate(c)}
            sides = [graph.left] if forth else [graph.right]
            if sweep >= SWEEPS // 2:
                sides = [graph.left, graph.right]
            centre = {node: _barycentre(node, place, sides) for node in column}
            column.sort(key=centre.__getitem__)
        if (now := crossings(graph)) < fewest:
            best, fewest = [list(column) for column in graph.columns], now
    graph.columns = best


def _barycentre(node: Node, place: Mapping[Node, float], sides: Sequence[Mapping[Node, list[Node]]]) -> float:
    near = [place[other] for side in sides for other in side.get(node, [])]
    return sum(near) / len(near) if near else place[node]


def crossings(graph: _Graph) -> int:
    """How often lines cross between neighbouring columns."""
    place = {node: index for column in graph.columns for index, node in enumerate(column)}
    count = 0
    for column in range(len(graph.columns) - 1):
        ends = sorted((place[a], place[b]) for a, b in graph.pieces if a[1] == column)
        count += sum(a < c and b > d for i, (a, b) in enumerate(ends) for c, d in ends[i + 1 :])
    return count


# --- heights and widths -----------------------------------------------------------------------------------------------


def _heights(graph: _Graph) -> dict[Node, float]:
    """Top of each node: near the middle of its neighbours, as far as the order and the gaps allow."""
    middle: dict[Node, float] = {}
    for column in graph.columns:
        y = 0.0
        for node in column:
            middle[node] = y + graph.height(node) / 2
            y += graph.height(node) + GAP
    for sweep in range(SWEEPS):
        for column in graph.columns if sweep % 2 else graph.columns[::-1]:
            wanted = [_wanted(graph, node, middle) for node in column]
            middle |= dict(zip(column, _apart(wanted, [graph.height(node) for node in column]), strict=True))
    top = min((middle[node] - graph.height(node) / 2 for node in middle), default=0.0)
    return {node: round(middle[node] - graph.height(node) / 2 - top + HEADER, 1) for node in middle}


def _wanted(graph: _Graph, node: Node, middle: Mapping[Node, float]) -> float:
    near = [middle[other] for side in (graph.left, graph.right) for other in side.get(node, [])]
    return sum(near) / len(near) if near else middle[node]


def _apart(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones, by least squares, that keep order and gaps (isotonic regression)."""
    offsets, y = [], 0.0
    for index, height in enumerate(heights):
        y += height / 2 + (GAP + heights[index - 1] / 2 if index else 0.0)
        offsets.append(y)
    pools: list[tuple[float, int]] = []  # mean and size of runs that must move together
    for want, offset in zip(wanted, offsets, strict=True):
        mean, size = want - offset, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        pools.append((mean, size))
    shifts = [mean for mean, size in pools for _ in range(size)]
    return [offset + shift for offset, shift in zip(offsets, shifts, strict=True)]


def _across(graph: _Graph) -> tuple[list[float], list[float]]:
    """Left edge and width of each column; a column is as wide as its longest name."""
    lefts, widths, x = [], [], MARGIN
    for column in graph.columns:
        longest = max((len(graph.labels[node[0]]) for node in column if not graph.is_lane(node)), default=0)
        lefts.append(x)
        widths.append(round(longest * CHARACTER_WIDTH + PADDING, 1))
        x = round(x + widths[-1] + COLUMN_GAP, 1)
    return lefts, widths


def _path(
    graph: _Graph, source: str, target: str, tops: Mapping[Node, float], lefts: list[float], widths: list[float]
) -> str:
    def middle(node: Node) -> float:
        return tops[node] + graph.height(node) / 2

    start, end = graph.home[source], graph.home[target]
    nodes = [(source, column) for column in range(start, end)] + [(target, end)]
    x, y = lefts[start] + widths[start], middle(nodes[0])
    path = [f"M{x:.1f} {y:.1f}"]
    for node in nodes[1:]:
        to_x, to_y = lefts[node[1]], middle(node)
        bend = (to_x - x) / 2
        path.append(f"C{x + bend:.1f} {y:.1f} {to_x - bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
        if graph.is_lane(node):
            x = lefts[node[1]] + widths[node[1]]
            path.append(f"H{x:.1f}")
    return "".join(path)


def _headers(graph: _Graph, lefts: Sequence[float], widths: Sequence[float]) -> tuple[Header, ...]:
    headers = []
    for layer in dict.fromkeys(graph.layers):
        own = [index for index, each in enumerate(graph.layers) if each == layer]
        right = lefts[own[-1]] + widths[own[-1]]
        headers.append(Header(layer, lefts[own[0]], round(right - lefts[own[0]], 1)))
    return tuple(headers)
