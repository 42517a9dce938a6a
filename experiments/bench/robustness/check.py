"""The outcome of one check of the trial."""

import dataclasses


@dataclasses.dataclass
class Check:
    """What was tried, how often, and every way in which it went wrong.

    Attributes:
        part: "actions", "kills", "places" or "code".
        name: What was tried.
        count: How often.
        counts: Further counts by name, for the file of results.
        problems: What went wrong; nothing if all went as guaranteed.
        left_out: Why it was not tried; "" if it was.
    """

    part: str
    name: str
    count: int = 0
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)
    left_out: str = ""

    def expect(self, holds: bool, problem: str) -> None:
        """Note a problem unless something holds."""
        if not holds:
            self.problems.append(problem)

    @property
    def outcome(self) -> str:
        """The outcome in a few words."""
        if self.left_out:
            return f"left out: {self.left_out}"
        if self.problems:
            return f"{len(self.problems)} problems, the first: {self.problems[0]}"
        return "as guaranteed"
