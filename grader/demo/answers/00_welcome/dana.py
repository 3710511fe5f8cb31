# Partly right: one sentence works, several run together.

# %% solution="embed"
def embed(token_ids, table):
    return table[token_ids.flatten()]
