"""Lesson 00: how the course works."""

import numpy as np

from grader.spec import NUMPY_ONLY, Case, Lesson

LESSON = Lesson("00_welcome", refuse=NUMPY_ONLY)


@LESSON.exercise(aspects={"values": 3, "batch axes": 2})
def embed(rng):
    table = rng.normal(size=(9, 4))
    yield Case("values", "one sentence of five words", rng.permutation(9)[:5], table)
    yield Case("values", "a word that comes twice", np.array([3, 7, 3, 0]), table)
    yield Case("values", "the same call twice, with another table between", np.array([1, 2]), table, probe="call_again")
    yield Case("batch axes", "two sentences at once", rng.integers(9, size=(2, 5)), table)
    yield Case("batch axes", "three batch axes", rng.integers(6, size=(2, 1, 3, 4)), rng.normal(size=(6, 5)), hidden=True)


@embed.mistake(
    "You take columns of the table. Each word has one row: look at which axis of `table` is as long as the vocabulary."
)
def columns_instead_of_rows(token_ids, table):
    return table[:, token_ids]


@embed.mistake("The first row of the table belongs to id 0, so no id needs to be shifted by one.")
def ids_counted_from_one(token_ids, table):
    return table[token_ids - 1]


@embed.mistake("Id 0 belongs to the first row of the table, so no id needs to be shifted, neither down nor up.")
def ids_shifted_up_by_one(token_ids, table):
    return table[token_ids + 1]


@embed.mistake(
    "You take the first rows of the table in order, whatever the words are. Let the ids say which rows to take."
)
def rows_in_order(token_ids, table):
    return table[: len(token_ids)]


@embed.mistake(
    "Each word is looked up once and in sorted order. A sentence keeps its own order and its repetitions."
)
def every_word_once(token_ids, table):
    return table[np.unique(token_ids)]


@embed.mistake(
    "The batch axes are gone: all sentences stand in one long row. The result has the shape of `token_ids`, "
    "with one axis more at the end."
)
def sentences_run_together(token_ids, table):
    return table[token_ids.ravel()]


@embed.mistake(
    "You return a Python list. The lessons work with NumPy arrays: let one indexing step, or np.array, make one."
)
def list_instead_of_array(token_ids, table):
    return [table[token] for token in token_ids]


@embed.mistake("You give back the sum over the words. Every word keeps a vector of its own.")
def words_added_up(token_ids, table):
    return table[token_ids].sum(axis=-2)
