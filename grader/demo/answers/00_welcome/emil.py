# A known mistake: ids counted from 1.

# %% solution="embed"
def embed(token_ids, table):
    return table[token_ids - 1]
