from weft.cluster.fake.cluster import FakeCluster

__all__ = ["FakeCluster"]
