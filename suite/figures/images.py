"""The declaration of a figure that shows pictures; ``suite.drawing.images`` draws it."""

from dataclasses import dataclass

from suite.figures.parts import Figure, Number, require


@dataclass(frozen=True, kw_only=True)
class Images(Figure):
    """Pictures in grey, of one seed: a strip per row, one block of rows per arm (and per free condition).

    metric   a nested metric [row][picture][pixel], pixels row by row, square pictures unless ``width`` says how wide
    rows     the names of the rows, such as generations
    low, high  the values drawn white and black
    seed     the number of the seed whose pictures are shown
    most     the largest number of pictures in a row
    """

    metric: str
    rows: tuple[str | Number, ...]
    arms: tuple[str, ...] = ()
    low: Number = 0
    high: Number = 1
    seed: int = 0
    width: int = 0
    most: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.low < self.high, f"{self.title!r}: low lies below high, got {self.low} and {self.high}")
        require(self.rows, f"{self.title!r}: rows= names the strips")
