# Answers the first exercise only.

# %% solution="project_qkv"
def project_qkv(x, w_q, w_k, w_v):
    # YOUR CODE HERE
    raise NotImplementedError


# %% solution="attend_one_word"
def attend_one_word(query, keys, values):
    # YOUR CODE HERE
    raise NotImplementedError


# %% solution="scaled_dot_product_attention"
def scaled_dot_product_attention(q, k, v):
    # YOUR CODE HERE
    raise NotImplementedError


# %% solution="self_attention"
def self_attention(x, w_q, w_k, w_v):
    # YOUR CODE HERE
    raise NotImplementedError
