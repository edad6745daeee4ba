"""What the server serves, as clients ask for it: pure documents made from the kinds.

Send them with bare media types: a `charset` parameter breaks clients.
"""

from weft.apiserver.discovery.aggregated import accepted_version, api_group_discovery_list, content_type
from weft.apiserver.discovery.legacy import api_group, api_group_list, api_resource_list, api_versions

__all__ = [
    "accepted_version",
    "api_group",
    "api_group_discovery_list",
    "api_group_list",
    "api_resource_list",
    "api_versions",
    "content_type",
]
