# Ends the interpreter in each of its cells.
# earns 0; told: a cell ended the interpreter
# %% solution="softmax"
import os
os._exit(1)
# %% solution="project_qkv"
import os
os._exit(2)
# %% solution="attend_one_word"
import os
os._exit(3)
# %% solution="scaled_dot_product_attention"
import os
os._exit(4)
# %% solution="self_attention"
import os
os._exit(5)
