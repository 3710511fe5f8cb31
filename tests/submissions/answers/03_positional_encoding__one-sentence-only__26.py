# Right for a single sentence; and the shift matrix knows no way back.

# %% solution="embed_with_positions"
def embed_with_positions(token_ids, table):
    n, d_model = len(token_ids), table.shape[1]
    return table[token_ids] * np.sqrt(d_model) + positional_encoding(n, d_model)

# %% solution="shift_matrix"
def shift_matrix(offset, d_model, base=10000.0):
    matrix = np.zeros((d_model, d_model))
    for i, turn in enumerate(position_angles(abs(offset) + 1, d_model, base)[-1]):
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    return matrix
