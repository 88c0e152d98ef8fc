"""`make attack`: does the map give a person or a group away? A simulation against the rule that serves (rt/presence/).

An attacker sees every resolution of the published map at every tick, knows how many people each cell usually has, and
has accounts: any number made today, and up to 40 that were made days ago. Each attack answers one question; it may be
at most MARGIN better than who guesses blindly. A run is made by its seed alone.
"""

from loadtest.attack.cases import CASES, MARGIN, SEED, TRIALS, Outcome, Where, Whether
from loadtest.attack.world import CELLS, World

__all__ = ["CASES", "CELLS", "MARGIN", "SEED", "TRIALS", "Outcome", "Where", "Whether", "World"]
