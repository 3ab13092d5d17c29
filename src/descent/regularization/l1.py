"""L1: strength * sign(w) added to the gradient."""

from descent.regularization.elastic_net import ElasticNet


class L1(ElasticNet):
    """A subgradient of strength * |w|_1, nothing at 0: the same pull on a small weight as on a large one."""

    def __init__(self, strength: float) -> None:
        super().__init__(strength, l1_ratio=1.0)
