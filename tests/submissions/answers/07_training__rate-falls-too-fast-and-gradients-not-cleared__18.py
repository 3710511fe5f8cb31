# The rate falls with the step, not with its root; gradients add up from step to step.

# %% solution="label_smoothed_loss"
def label_smoothed_loss(logits, labels, pad_id, smoothing=0.1):
    vocab = logits.size(-1)
    scores, wanted = logits.reshape(-1, vocab), labels.reshape(-1)
    is_word = wanted.ne(pad_id)
    scores, wanted = scores[is_word], wanted[is_word]
    shares = torch.full_like(scores, smoothing / vocab)
    shares[torch.arange(len(wanted)), wanted] += 1 - smoothing
    return -(shares * scores.log_softmax(-1)).sum(1).mean()

# %% solution="warmup_learning_rate"
def warmup_learning_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-0.5 * min(step**-1, step * warmup_steps**-1.5)

# %% solution="token_budget_batches"
def token_budget_batches(lengths, max_tokens):
    batches = []
    for place in np.argsort(lengths, kind="stable").tolist():
        if lengths[place] > max_tokens:
            raise ValueError(f"sentence {place} has {lengths[place]} tokens, more than {max_tokens}")
        if batches and (len(batches[-1]) + 1) * lengths[place] <= max_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches

# %% solution="train_step"
def train_step(model, batch, optimizer, max_grad_norm, amp=False):
    device = model.generator.weight.device
    src, tgt = (ids.to(device) for ids in (batch.src, batch.tgt))
    model.train()
    with torch.autocast(device_type=device.type, dtype=torch.bfloat16, enabled=amp):
        logits = model(src, tgt[:, :-1])
    loss = label_smoothed_loss(logits.float() if amp else logits, tgt[:, 1:], model.pad_id)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_grad_norm)
    optimizer.step()
    return float(loss)
