# The mask hides what it shows; every micro batch counts the same, however short.

# %% solution="fused_attention"
def fused_attention(q, k, v, mask=None):
    if mask is None:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v)
    blind = mask.all(dim=-1, keepdim=True)
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, ~mask | blind) * ~blind

# %% solution="accumulate_gradients"
def accumulate_gradients(model, micro_batches, loss_fn):
    model.zero_grad()
    mean = 0.0
    for one in micro_batches:
        loss, count = loss_fn(model, one)
        loss = loss / max(count, 1) / len(micro_batches)
        loss.backward()
        mean += loss.item()
    return mean
