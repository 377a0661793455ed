"""What every encoder does to texts and vectors, and what it says when packages are missing."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from router.embed.extras import needs
from router.embed.unit import as_unit, clean
from router.errors import EncoderError


def test_clean_replaces_lone_surrogates() -> None:
    """Half a character becomes a question mark; everything else stays."""
    assert clean("half \ud83d, whole 😀 天气") == "half ?, whole 😀 天气"


def test_as_unit_gives_length_one() -> None:
    """Rows keep their direction."""
    assert np.allclose(as_unit([[3, 4], [0, 2]], 2), [[0.6, 0.8], [0.0, 1.0]])


def test_as_unit_cuts_before_it_normalises() -> None:
    """A shortened vector has length one again."""
    assert np.allclose(as_unit([[3, 4, 12]], 2), [[0.6, 0.8]])


def test_as_unit_of_nothing_has_the_right_shape() -> None:
    """No rows stay no rows, as wide as others."""
    assert as_unit([], 3).shape == (0, 3)


@pytest.mark.parametrize("row", [[0.0, 0.0], [1.0, np.nan], [np.inf, 1.0]])
def test_as_unit_refuses_what_has_no_direction(row: list[float]) -> None:
    """Zeros and what is not finite never leave an encoder."""
    with pytest.raises(EncoderError, match="zero or not finite"):
        as_unit([[1.0, 1.0], row], 2)


def test_as_unit_refuses_rows_that_are_too_short() -> None:
    """A vector cannot be cut to more than it has."""
    with pytest.raises(EncoderError, match="2 dimensions where 3"):
        as_unit([[1, 1]], 3)


def test_needs_says_what_to_install() -> None:
    """A missing package is an error of the encoder that names the extra."""
    with pytest.raises(EncoderError, match=r"pip install 'toolfunnel\[onnx\]'"), needs("onnx"):
        importlib.import_module("a_package_that_nobody_has")
