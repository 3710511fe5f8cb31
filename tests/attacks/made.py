"""Attacks on what is around the cells: the notebook's own data, its file, the files beside it."""

from tests.attacks.harness import Attack

ATTACKS: list[Attack] = []
