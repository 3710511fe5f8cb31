# Stops after embed_with_positions.

# %% solution="shift_matrix"
def shift_matrix(offset, d_model, base=10000.0):
    # YOUR CODE HERE
    raise NotImplementedError

# %% solution="rotate_by_position"
def rotate_by_position(x, positions, base=10000.0):
    # YOUR CODE HERE
    raise NotImplementedError
