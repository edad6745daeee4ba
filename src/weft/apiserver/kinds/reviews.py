"""Questions that the server answers and never stores: create is their only verb."""

from weft.apiserver.kinds.verbs import CREATE_ONLY
from weft.apiserver.registry.kind import Kind
from weft.cluster.objects.resource import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS, Resource

_AUTHENTICATION = "authentication.k8s.io"
_AUTHORIZATION = "authorization.k8s.io"

REVIEWS = (
    Kind(TOKEN_REVIEWS, "tokenreview", verbs=CREATE_ONLY),
    Kind(
        Resource(_AUTHENTICATION, "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False),
        "selfsubjectreview",
        verbs=CREATE_ONLY,
    ),
    Kind(SUBJECT_ACCESS_REVIEWS, "subjectaccessreview", verbs=CREATE_ONLY),
    Kind(
        Resource(_AUTHORIZATION, "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview"),
        "localsubjectaccessreview",
        verbs=CREATE_ONLY,
    ),
    Kind(
        Resource(_AUTHORIZATION, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False),
        "selfsubjectaccessreview",
        verbs=CREATE_ONLY,
    ),
    Kind(
        Resource(_AUTHORIZATION, "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False),
        "selfsubjectrulesreview",
        verbs=CREATE_ONLY,
    ),
    Kind(Resource("", "v1", "bindings", "Binding"), "binding", verbs=CREATE_ONLY),
)
