"""The Corefile: text → tokens → server blocks with directives. Pure; files and environment are arguments."""

from weft.dns.corefile.directive import CorefileError, Directive, ServerBlock
from weft.dns.corefile.parse import parse

__all__ = ["CorefileError", "Directive", "ServerBlock", "parse"]
