"""The map as a client holds it: tiles of cells, changed by `map` messages in the order of their versions. Pure."""

from typing import Any

Message = dict[str, Any]


class Tiles:
    """What `viewport` and `map` have said. A tile that missed a version waits for its next whole one."""

    def __init__(self) -> None:
        self.resolution: int | None = None
        self._versions: dict[str, int | None] = {}
        self._cells: dict[str, dict[str, int]] = {}

    def show(self, resolution: int, tiles: list[str]) -> None:
        """The answer to a viewport: these tiles and no others."""
        if resolution != self.resolution:
            self._versions, self._cells = {}, {}
        self.resolution = resolution
        self._versions = {tile: self._versions.get(tile) for tile in tiles}
        self._cells = {tile: self._cells.get(tile, {}) for tile in tiles}

    def receive(self, message: Message) -> bool:
        """Takes a `map`; whether anything that is shown may have changed."""
        tile, version = message["tile"], message["version"]
        if tile not in self._versions or message["resolution"] != self.resolution:
            return False
        last = self._versions[tile]
        if message["whole"]:
            self._cells[tile] = {}
        elif last is None or version <= last:
            return False
        elif version != last + 1:
            self._versions[tile] = None  # a change is missing: what is shown stays until the next whole one
            return False
        self._versions[tile] = version
        self._cells[tile].update(message["cells"])
        self._cells[tile] = {cell: people for cell, people in self._cells[tile].items() if people}
        return True

    def cells(self) -> dict[str, int]:
        """All cells in view with somebody in them."""
        return {cell: people for tile in self._cells.values() for cell, people in tile.items()}
