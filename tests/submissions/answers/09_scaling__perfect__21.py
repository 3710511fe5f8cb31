# Other ways than the course's own.

# %% solution="attention_cost"
def attention_cost(n, d_model, n_heads, bytes_per_number):
    return 4 * n * d_model * (2 * d_model + n), n_heads * n**2 * bytes_per_number

# %% solution="training_flops"
def training_flops(n_parameters, n_tokens):
    return (2 + 4) * n_parameters * n_tokens

# %% solution="fused_attention"
def fused_attention(q, k, v, mask=None):
    attend = torch.nn.functional.scaled_dot_product_attention
    if mask is None:
        return attend(q, k, v)
    sees = mask.sum(dim=-1, keepdim=True) > 0
    return attend(q, k, v, torch.where(sees, mask, True)) * sees

# %% solution="accumulate_gradients"
def accumulate_gradients(model, micro_batches, loss_fn):
    with torch.no_grad():
        n_tokens = sum(loss_fn(model, one)[1] for one in micro_batches)
    model.zero_grad()
    mean = 0.0
    for one in micro_batches:
        loss = loss_fn(model, one)[0] / n_tokens
        loss.backward()
        mean += loss.item()
    return mean
