# The exponent lacks its 2, which costs once; and the rotation pairs two halves.

# %% solution="position_angles"
def position_angles(n_positions, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError("d_model must be even")
    return np.arange(n_positions)[:, None] / base ** (np.arange(d_model // 2) / d_model)

# %% solution="rotate_by_position"
def rotate_by_position(x, positions, base=10000.0):
    angles = positions[:, None] * position_angles(2, x.shape[-1], base)[1]
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles)], axis=-1)
