# %% solution="attention_cost"
def attention_cost(n, d_model, n_heads, bytes_per_number):
    ### BEGIN SOLUTION
    projections = 4 * (2 * n * d_model * d_model)
    products = 2 * (2 * n * n * d_model)
    return projections + products, n_heads * n * n * bytes_per_number
    ### END SOLUTION


# %% solution="training_flops"
def training_flops(n_parameters, n_tokens):
    ### BEGIN SOLUTION
    return 6 * n_parameters * n_tokens
    ### END SOLUTION


# %%
import torch
import torch.nn.functional as F

# %% solution="accumulate_gradients"
def accumulate_gradients(model, micro_batches, loss_fn):
    ### BEGIN SOLUTION
    model.zero_grad()
    loss_of_all, n_tokens = 0.0, 0
    for micro_batch in micro_batches:
        loss, tokens = loss_fn(model, micro_batch)
        loss.backward()  # adds to the gradients, and lets go of the graph
        loss_of_all, n_tokens = loss_of_all + loss.item(), n_tokens + tokens
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad /= n_tokens
    return loss_of_all / n_tokens
    ### END SOLUTION


# %% solution="fused_attention"
def fused_attention(q, k, v, mask=None):
    ### BEGIN SOLUTION
    if mask is None:
        return F.scaled_dot_product_attention(q, k, v)
    is_seeing = mask.any(dim=-1, keepdim=True)  # (..., n_q, 1)
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=mask | ~is_seeing)
    return output.masked_fill(~is_seeing, 0.0)
    ### END SOLUTION
