# Takes nearly as long as is allowed, in each call of each answer: the submission has a limit of its own.
# earns 0; told: submission
# %%
import time

def slow(*args, **kwargs):
    time.sleep(1.3)
    return 0
# %% solution="softmax"
softmax = slow
# %% solution="project_qkv"
project_qkv = slow
# %% solution="attend_one_word"
attend_one_word = slow
# %% solution="scaled_dot_product_attention"
scaled_dot_product_attention = slow
# %% solution="self_attention"
self_attention = slow
