"""Label and field selectors of list, watch and deletecollection (API concepts, "Labels and Selectors")."""

from weft.apiserver.selectors.fields import FieldSelector
from weft.apiserver.selectors.fields import parse as parse_fields
from weft.apiserver.selectors.labels import LabelSelector
from weft.apiserver.selectors.labels import parse as parse_labels

__all__ = ["FieldSelector", "LabelSelector", "parse_fields", "parse_labels"]
