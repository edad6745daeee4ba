"""The patch types of the API: from an object and a patch to the next object. Pure; inputs are never changed."""

from weft.apiserver.patch.json_patch import JsonPatchError
from weft.apiserver.patch.json_patch import apply as apply_json
from weft.apiserver.patch.merge_patch import apply as apply_merge
from weft.apiserver.patch.strategic import StrategicError
from weft.apiserver.patch.strategic import apply as apply_strategic

__all__ = ["JsonPatchError", "StrategicError", "apply_json", "apply_merge", "apply_strategic"]
