"""What one connection has to do later, by name. Pure: the clock is its caller's."""

from collections.abc import Callable


class Timers:
    """Named actions with the time when each is due; a second one of a name replaces the first."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[float, Callable[[], None]]] = {}

    def set(self, name: str, at: float, action: Callable[[], None]) -> None:
        """Does `action` at that time."""
        self._due[name] = (at, action)

    def clear(self, name: str) -> None:
        """Not any more."""
        self._due.pop(name, None)

    def wait_s(self, now: float, most: float) -> float:
        """Seconds until the next is due, at most so many."""
        return max(0.0, min([most, *(at - now for at, _ in list(self._due.values()))]))

    def run(self, now: float) -> None:
        """Does what is due."""
        for name, (at, action) in list(self._due.items()):
            if at <= now and self._due.get(name) == (at, action):
                del self._due[name]
                action()
