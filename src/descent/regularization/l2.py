"""L2: strength * w added to the gradient."""

from descent.regularization.elastic_net import ElasticNet


class L2(ElasticNet):
    """The gradient of strength/2 * |w|^2, added before the optimizer sees it: adaptive optimizers rescale it."""

    def __init__(self, strength: float) -> None:
        super().__init__(strength, l1_ratio=0.0)
