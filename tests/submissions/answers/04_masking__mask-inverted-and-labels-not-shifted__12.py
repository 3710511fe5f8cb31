# Hidden keys are shown and visible ones hidden; the labels are the inputs.

# %% solution="masked_attention"
def masked_attention(q, k, v, mask=None):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    weights = softmax(scores if mask is None else np.where(mask, -np.inf, scores))
    return weights @ v, weights

# %% solution="teacher_forcing"
def teacher_forcing(target_ids):
    return target_ids[:, :-1], target_ids[:, :-1]
