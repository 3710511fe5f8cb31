# Perfect: one-hot rows times the table.

# %% solution="embed"
def embed(token_ids, table):
    one_hot = np.equal.outer(token_ids, np.arange(len(table)))
    return np.einsum("...v,vd->...d", one_hot.astype(float), table)
