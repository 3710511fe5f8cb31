# The last of five is not answered.

# %% solution="Transformer"
class Transformer(nn.Module):
    def __init__(self, *args, **named):
        super().__init__()
        raise NotImplementedError
