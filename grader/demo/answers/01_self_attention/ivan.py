# A cell that does not parse.

# %% solution="softmax"
def softmax(x, axis=-1):
    exp = np.exp(x - x.max(axis, keepdims=True)
    return exp / exp.sum(axis, keepdims=True)
