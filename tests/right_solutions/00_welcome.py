"""Right solutions written in different ways: none may lose a point or be accused of a mistake."""

import numpy as np


def embed__indexing(token_ids, table):
    return table[token_ids]


def embed__take(token_ids, table):
    return np.take(table, token_ids, axis=0)


def embed__loops(token_ids, table):
    rows = [table[int(token)] for token in token_ids.flatten()]
    return np.array(rows).reshape(*token_ids.shape, table.shape[1])


def embed__one_hot(token_ids, table):
    return np.eye(len(table))[token_ids] @ table
