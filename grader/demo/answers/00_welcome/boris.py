# Perfect: with loops.

# %% solution="embed"
def embed(token_ids, table):
    rows = [table[int(token)] for token in token_ids.ravel()]
    return np.array(rows).reshape(token_ids.shape + (table.shape[1],))
