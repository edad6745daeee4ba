from tests.spaces import make_space

__all__ = ["make_space"]
