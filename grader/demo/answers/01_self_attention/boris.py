# Perfect: with loops.

# %% solution="softmax"
def softmax(x, axis=-1):
    moved = np.moveaxis(np.array(x, dtype=float), axis, -1)
    for index in np.ndindex(moved.shape[:-1]):
        row = moved[index]
        shares = [float(np.exp(number - max(row))) for number in row]
        moved[index] = [share / sum(shares) for share in shares]
    return np.moveaxis(moved, -1, axis)


# %% solution="project_qkv"
def project_qkv(x, w_q, w_k, w_v):
    results = []
    for w in (w_q, w_k, w_v):
        projected = np.zeros(x.shape[:-1] + (w.shape[1],))
        for index in np.ndindex(x.shape[:-1]):
            for feature in range(w.shape[0]):
                projected[index] += x[index][feature] * w[feature]
        results.append(projected)
    return results


# %% solution="attend_one_word"
def attend_one_word(query, keys, values):
    scores = []
    for key in keys:
        score = 0.0
        for a, b in zip(query, key):
            score += a * b
        scores.append(score / len(query) ** 0.5)
    weights = softmax(np.array(scores))
    output = np.zeros(values.shape[1])
    for weight, value in zip(weights, values):
        output = output + weight * value
    return output, weights


# %% solution="scaled_dot_product_attention"
def scaled_dot_product_attention(q, k, v):
    output = np.zeros(q.shape[:-1] + v.shape[-1:])
    weights = np.zeros(q.shape[:-1] + k.shape[-2:-1])
    for index in np.ndindex(q.shape[:-1]):
        batch = index[:-1]
        output[index], weights[index] = attend_one_word(q[index], k[batch], v[batch])
    return output, weights


# %% solution="self_attention"
def self_attention(x, w_q, w_k, w_v):
    q, k, v = project_qkv(x, w_q, w_k, w_v)
    return scaled_dot_product_attention(q, k, v)
