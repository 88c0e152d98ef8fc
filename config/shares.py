"""How much of something bounded each address holds, so that no address takes it from the others. Pure."""


class Shares:
    """Counts by holder (`config.addresses.address_group`), of which each may have `at_most` at once.

    It remembers only who holds something: its size is bounded by what is held.
    """

    __slots__ = ("_held", "at_most")

    def __init__(self, at_most: int) -> None:
        self.at_most = at_most
        self._held: dict[str, int] = {}

    def take(self, holder: str, amount: int = 1) -> bool:
        """Takes `amount` more, or nothing where that is more than one may have."""
        held = self._held.get(holder, 0) + amount
        if held > self.at_most:
            return False
        self._held[holder] = held
        return True

    def give_back(self, holder: str, amount: int = 1) -> None:
        """Gives back what was taken; more than that is a mistake of the caller (ValueError)."""
        held = self._held.get(holder, 0) - amount
        if held < 0:
            raise ValueError(f"{amount} given back, {held + amount} held")
        if held:
            self._held[holder] = held
        else:
            self._held.pop(holder, None)

    def held(self, holder: str) -> int:
        """How much the holder has now."""
        return self._held.get(holder, 0)
