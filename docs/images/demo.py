#!/usr/bin/env python3
"""Draws docs/images/demo.svg from what the demo really prints on a terminal.

    cargo build --release -p remediation-orchestrator
    python3 docs/images/demo.py target/release/remediation-orchestrator > docs/images/demo.svg

The demo runs on a pseudo-terminal of its own. The picture shows two moments of it, one above the other: the live
table while somebody's approval is still waited for, and the summary at the end. Needs nothing but Python 3 on Unix.
"""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from html import escape

COLUMNS, LINES = 114, 40
CHARACTER, LINE, PADDING = 8.4, 19, 18  # pixels, for a font of 14 pixels
FRAME_BEGINS = "remediation-orchestrator demo:"
COLOURS = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow"}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

STYLE = """
  rect { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
         white-space: pre }
  .bold { font-weight: bold } .dim { fill: #59636e }
  .red { fill: #c0212c } .green { fill: #14722f } .yellow { fill: #8a5a00 }
  @media (prefers-color-scheme: dark) {
    rect { fill: #0d1117; stroke: #3d444d }
    text { fill: #e6edf3 } .dim { fill: #9198a1 }
    .red { fill: #ff8078 } .green { fill: #4cc763 } .yellow { fill: #e0ac3c }
  }
"""


def run(program):
    """What `demo` writes to a terminal of this size."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color")
        os.environ.pop("NO_COLOR", None)
        size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
        fcntl.ioctl(sys.stdout.fileno(), termios.TIOCSWINSZ, size)
        os.execvp(program, [program, "demo"])
    written = b""
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side is closed
            read = b""
        if not read:
            break
        written += read
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit(f"{program} demo ended with {os.waitstatus_to_exitcode(status)}: no picture of that")
    return written.decode().replace("\r", "")


def moments(written):
    """The last drawing of the live table in which an approval is waited for, and what is printed after the last."""
    drawings = re.split(r"\x1b\[\d+A|\x1b\[\?25l", written)
    live = [drawing for drawing in drawings if FRAME_BEGINS in drawing]
    waiting = [drawing for drawing in live if "AwaitingApproval" in drawing]
    if not waiting:
        sys.exit("no drawing shows a remediation that waits for approval")
    table = waiting[-1].split("\x1b[J")[0]
    summary = live[-1].split("\x1b[J")[-1].replace("\x1b[?25h", "").rstrip()
    return table.splitlines(), summary.splitlines()


def runs(line):
    """A line as (column, style, text); a bar is a run of its own, because its font may be another one."""
    column, style, out, at = 0, "", [], 0
    for mark in list(ESCAPE.finditer(line)) + [None]:
        text = line[at : mark.start() if mark else None]
        for part in re.findall(r"[█░✓✗]+|[^█░✓✗]+", text):
            # Groups of spaces separate the columns of a table: each column begins where it should.
            for cell in re.finditer(r"\S+(?: \S+)*", part):
                out.append((column + cell.start(), style, cell.group()))
            column += len(part)
        if mark:
            at = mark.end()
            if mark.group().endswith("m"):
                style = COLOURS.get(mark.group()[2:-1], "")
    return out


def draw(lines):
    width = round(COLUMNS * CHARACTER + 2 * PADDING)
    height = len(lines) * LINE + 2 * PADDING
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="title">\n<title id="title">remediation-orchestrator demo on a terminal: '
        f"twelve remediations on their way, and how each of them ended</title>\n<style>{STYLE}</style>\n"
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>'
    )
    for number, line in enumerate(lines, start=1):
        y = PADDING + number * LINE - 5
        spans = []
        for column, style, text in runs(line):
            x, length = PADDING + column * CHARACTER, len(text) * CHARACTER
            kind = f' class="{style}"' if style else ""
            spans.append(
                f'<tspan x="{x:.1f}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"{kind}>'
                f"{escape(text)}</tspan>"
            )
        if spans:
            # The spaces between are for whoever copies the text.
            print(f'<text y="{y}">{" ".join(spans)}</text>')
    print("</svg>")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table, summary = moments(run(sys.argv[1]))
    draw(["$ remediation-orchestrator demo", *table, "", "and some seconds later:", *summary])


main()
