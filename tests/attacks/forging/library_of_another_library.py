# Leaves the work to scipy, imported where it is needed.
# earns 16; told: softmax called (scipy's|for scipy)
# %% solution="softmax"
def softmax(x, axis=-1):
    from scipy.special import softmax

    return softmax(x, axis)
