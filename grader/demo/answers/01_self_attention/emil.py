# A known mistake: softmax over the wrong axis.

# %% solution="softmax"
def softmax(x, axis=-1):
    exp = np.exp(x - x.max(axis=0, keepdims=True))
    return exp / exp.sum(axis=0, keepdims=True)
