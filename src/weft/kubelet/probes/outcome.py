"""What one probe showed. Pure."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Outcome:
    result: Literal["success", "warning", "failure", "error"]
    output: str = ""
    refused: bool = False
    """Nobody listens (yet)."""
