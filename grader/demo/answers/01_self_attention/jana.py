# An endless loop.

# %% solution="attend_one_word"
def attend_one_word(query, keys, values):
    position = 0
    while position < len(keys):
        score = keys[position] @ query
    return score, position
