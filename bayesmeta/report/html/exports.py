"""Tables as Markdown and LaTeX."""

import re

from bayesmeta.report.html.table import Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#])")


def as_markdown(table: Table) -> str:
    """Write a table in the manner of GitHub, with its caption above and its notes below.

    Examples
    --------
    >>> table = Table(name="t", caption="Pooled", columns=("method", "OR"),
    ...               rows=(("DL", "0.474"),))
    >>> print(as_markdown(table))
    **Pooled**
    <BLANKLINE>
    | method | OR |
    |:--|--:|
    | DL | 0.474 |
    <BLANKLINE>
    """
    lines = [_line(table.columns), f"|{'|'.join(_sides(table, ':--', '--:'))}|"]
    for heading, row in table.grouped:
        if heading:
            lines.append(_line((heading, *[""] * (len(table.columns) - 1))))
        lines.append(_line(row))
    notes = [f"- {_escape_markdown(note)}" for note in table.notes]
    parts = [f"**{_escape_markdown(table.caption)}**", "\n".join(lines), "\n".join(notes)]
    return "\n\n".join(filter(None, parts)) + "\n"


def as_latex(table: Table) -> str:
    r"""Write a table for LaTeX with the package booktabs.

    Examples
    --------
    >>> table = Table(name="t", caption="A & B", columns=("method", "OR"),
    ...               rows=(("DL", "0.474"),))
    >>> print(as_latex(table).splitlines()[1])
    \caption{A \& B}
    """
    lines = [
        r"\begin{table}",
        f"\\caption{{{_escape_latex(table.caption)}}}",
        f"\\begin{{tabular}}{{{''.join(_sides(table, 'l', 'r'))}}}",
        r"\toprule",
        _row(table.columns),
        r"\midrule",
    ]
    for heading, row in table.grouped:
        if heading:
            text = f"\\textbf{{{_escape_latex(heading)}}}"
            lines.append(f"\\multicolumn{{{len(table.columns)}}}{{l}}{{{text}}} \\\\")
        lines.append(_row(row))
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [f"\\par\\small {_escape_latex(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _sides(table: Table, left: str, right: str) -> list[str]:
    words = (0, *table.text_columns)
    return [left if i in words else right for i in range(len(table.columns))]


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_escape_markdown, cells))} |"


def _escape_markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _row(cells: tuple[str, ...]) -> str:
    return f"{' & '.join(map(_escape_latex, cells))} \\\\"


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))
