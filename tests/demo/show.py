"""What the demonstration prints: a timeline, what was expected and whether it held, and the closing table."""
import os
import shutil
import sys
import textwrap
import time

GREEN, RED, YELLOW, BOLD, FAINT = "32", "31", "33", "1", "2"
MARGIN = 11  # of a line below its time


def seconds(value):
    """A duration as people read it."""
    if value < 1:
        return f"{value * 1000:.{2 if value < 0.001 else 3}g} ms"
    return f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def size(count):
    if count >= 1_000_000:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1000:.0f} kB" if count >= 1000 else f"{count} bytes"


class Show:
    """Colour and wrapping follow the terminal; piped, the text is plain."""

    def __init__(self, out=sys.stdout):
        self.out = out
        self.coloured = out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self.width = max(72, min(120, shutil.get_terminal_size((110, 24)).columns))
        self.began = time.monotonic()
        self.failures = []
        self.held = 0
        self.rows = []
        self.notes = []

    def colour(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.coloured else text

    def line(self, text=""):
        print(text, file=self.out, flush=True)

    def elapsed(self):
        return time.monotonic() - self.began

    def restart(self):
        """The clock begins now: what came before was installing."""
        self.event("everything is at hand; the clock starts again")
        self.began = time.monotonic()

    def act(self, title):
        self.line()
        self.line(self.colour(BOLD, f"{title} ".ljust(self.width, "-")))

    def event(self, text, mark=" ", code=None, at=None):
        """`at`: when it happened, if it was not now."""
        wrapped = textwrap.wrap(text, self.width - MARGIN, break_long_words=False, break_on_hyphens=False) or [""]
        when = self.elapsed() if at is None else at - self.began
        stamp = self.colour(FAINT, f"{when:7.2f} s")
        self.line(f"{stamp} {self.colour(code, mark) if code else mark} {wrapped[0]}")
        for more in wrapped[1:]:
            self.line(f"{'':{MARGIN + 1}}{more}")

    def refusal(self, who, reason):
        """What one of our programs said when it refused."""
        self.event(f"{who}: {reason.removeprefix('assay: ')}", "|", YELLOW)

    def expect(self, holds, text, why=""):
        """One expectation: it is shown, and counted. Gives whether it held."""
        if holds:
            self.held += 1
            self.event(text, "+", GREEN)
        else:
            self.fail(f"{text}{': ' + why if why else ''}")
        return bool(holds)

    def fail(self, text):
        self.failures.append(text)
        self.event(f"DID NOT HOLD: {text}", "!", RED)

    def row(self, what, here, paper):
        self.rows.append((what, here, paper))

    def table(self):
        heads = ("what", "measured here", "in the papers")
        widths = [max(len(row[i]) for row in [heads, *self.rows]) for i in range(2)]
        last = max(20, self.width - sum(widths) - 4)
        for number, row in enumerate([heads, *self.rows]):
            cells = textwrap.wrap(row[2], last) or [""]
            text = f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {cells[0]}"
            self.line(self.colour(BOLD, text) if number == 0 else text)
            for more in cells[1:]:
                self.line(f"{'':{widths[0] + widths[1] + 4}}{more}")
        for note in self.notes:
            self.line(note)

    def verdict(self):
        """The last lines; gives the exit status."""
        self.line()
        if self.failures:
            made = self.held + len(self.failures)
            self.line(self.colour(RED, f"{len(self.failures)} of {made} expectations did not hold:"))
            for failure in self.failures:
                self.line(f"  - {failure}")
            return 1
        self.line(self.colour(GREEN, f"all {self.held} expectations held, in {self.elapsed():.0f} s"))
        return 0
