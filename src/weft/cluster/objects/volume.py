"""Volume: where the files of a pod come from (core/v1)."""

from msgspec import field

from weft.cluster.objects.container import ObjectFieldSelector, Quantity, ResourceFieldSelector
from weft.cluster.objects.meta import Struct


class KeyToPath(Struct, frozen=True):
    key: str
    path: str
    mode: int | None = None


class EmptyDirSource(Struct, frozen=True):
    medium: str = ""
    size_limit: Quantity | None = None


class HostPathSource(Struct, frozen=True):
    path: str
    type: str | None = None


class ConfigMapSource(Struct, frozen=True):
    """Of a volume (with a default mode) and of a projection (without)."""

    name: str = ""
    items: tuple[KeyToPath, ...] | None = None
    default_mode: int | None = None
    optional: bool | None = None


class SecretSource(Struct, frozen=True):
    secret_name: str = ""
    """In a volume; a projection says `name`."""
    name: str = ""
    items: tuple[KeyToPath, ...] | None = None
    default_mode: int | None = None
    optional: bool | None = None


class DownwardAPIFile(Struct, frozen=True):
    path: str
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: int | None = None


class DownwardAPISource(Struct, frozen=True):
    items: tuple[DownwardAPIFile, ...] | None = None
    default_mode: int | None = None


class ServiceAccountTokenProjection(Struct, frozen=True):
    path: str
    audience: str = ""
    expiration_seconds: int | None = None


class VolumeProjection(Struct, frozen=True):
    config_map: ConfigMapSource | None = None
    secret: SecretSource | None = None
    downward_api: DownwardAPISource | None = field(default=None, name="downwardAPI")
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedSource(Struct, frozen=True):
    sources: tuple[VolumeProjection, ...] | None = None
    default_mode: int | None = None


class Volume(Struct, frozen=True):
    name: str
    empty_dir: EmptyDirSource | None = None
    host_path: HostPathSource | None = None
    config_map: ConfigMapSource | None = None
    secret: SecretSource | None = None
    downward_api: DownwardAPISource | None = field(default=None, name="downwardAPI")
    projected: ProjectedSource | None = None
