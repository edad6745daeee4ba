"""The types of the API: do objects fit them, in which form are they stored, how do they merge."""

from weft.apiserver.schema.check import SchemaReport, check
from weft.apiserver.schema.duplicates import duplicates
from weft.apiserver.schema.merge import MergeInfo, merge_info

__all__ = ["MergeInfo", "SchemaReport", "check", "duplicates", "merge_info"]
