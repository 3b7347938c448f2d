"""What AWS's error codes mean to us: one table, from code to typed error."""

from __future__ import annotations

import re
from typing import Any

from raytui.backends.base import (
    AuthError,
    CapacityError,
    ConfigError,
    ProviderError,
    QuotaError,
    ThrottledError,
    TransientError,
)
from raytui.model.spec import Market

_CODES: dict[type[ProviderError], tuple[str, ...]] = {
    CapacityError: (
        "InsufficientAddressCapacity",
        "InsufficientCapacity",
        "InsufficientCapacityOnHost",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientVolumeCapacity",
        "ReservationCapacityExceeded",
        "SpotMaxPriceTooLow",
        # A type that a zone does not have: other zones may.
        "Unsupported",
    ),
    QuotaError: (
        "AddressLimitExceeded",
        "EntityLimitExceeded",
        "InstanceLimitExceeded",
        "KeyPairLimitExceeded",
        "LimitExceeded",
        "MaxIOPSLimitExceeded",
        "MaxSpotFleetRequestCountExceeded",
        "MaxSpotInstanceCountExceeded",
        "NetworkInterfaceLimitExceeded",
        "PendingVerification",
        "ResourceCountLimitExceeded",
        "RulesPerSecurityGroupLimitExceeded",
        "SecurityGroupLimitExceeded",
        "VcpuLimitExceeded",
        "VolumeLimitExceeded",
    ),
    AuthError: (
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
        "Blocked",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    ),
    ThrottledError: (
        "EC2ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ),
    ConfigError: (
        "IdempotentParameterMismatch",
        "IncorrectInstanceState",
        "IncorrectState",
        "NoSuchEntity",
        # Somebody protects the instance from being stopped or terminated.
        "OperationNotPermitted",
        "ParameterNotFound",
        "UnknownParameter",
        "UnsupportedOperation",
        "ValidationError",
        "ValidationException",
        "VPCIdNotSpecified",
        "VPCResourceNotSpecified",
    ),
    TransientError: (
        "ConcurrentTagAccess",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "ServerInternal",
        "ServiceUnavailable",
        "Unavailable",
    ),
}
_KIND_OF = {code: kind for kind, codes in _CODES.items() for code in codes}
_ASKED_WRONGLY = re.compile(r"(Invalid|Missing|Malformed).*|.*\.(NotFound|Malformed)")
_NEW_PROFILE = re.compile(r"iam ?instance ?profile", re.IGNORECASE)
_SECRETIVE = re.compile(r"\s*Encoded authorization failure message: (?P<code>\S+)")


def kind_of(code: str, message: str = "") -> type[ProviderError]:
    """The type of an error by its code; what nobody knows may go away by itself."""
    if code == "InvalidParameterValue" and _NEW_PROFILE.search(message):
        # EC2 hears of a new instance profile some seconds after IAM has made it.
        return TransientError
    if code in _KIND_OF:
        return _KIND_OF[code]
    return ConfigError if _ASKED_WRONGLY.fullmatch(code) else TransientError


def code_of(error: BaseException | None) -> str:
    """AWS's code of a typed error or of botocore's own; empty when AWS did not answer."""
    for one in (error, error.__cause__ if error is not None else None):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def answered(
    response: dict[str, Any], *, zone: str = "", market: Market = Market.ON_DEMAND
) -> ProviderError:
    """The typed error of an answer that is one, in AWS's words with its code before them."""
    error = response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    encoded = _SECRETIVE.search(message)
    detail = f"for `aws sts decode-authorization-message`: {encoded['code']}" if encoded else ""
    words = _SECRETIVE.sub("", message)
    return kind_of(code, message)(
        f"{code}: {words}" if words else code,
        zone=zone,
        market=market,
        detail=detail,
    )


def unanswered(
    error: Exception, tried: str, *, zone: str = "", market: Market = Market.ON_DEMAND
) -> ProviderError:
    """The typed error of a call that botocore could not make, or that nobody answered.

    `tried` names the profile and the region.
    """
    from botocore import exceptions as b

    kind: type[ProviderError] = TransientError
    words = f"{error} ({tried})"
    if isinstance(error, (b.NoCredentialsError, b.PartialCredentialsError)):
        kind = AuthError
        words = (
            f"no AWS credentials: {tried} was tried; set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
        )
    elif isinstance(
        error,
        (
            b.CredentialRetrievalError,
            b.ProfileNotFound,
            b.ConfigNotFound,
            b.ConfigParseError,
            b.SSOError,
            b.TokenRetrievalError,
        ),
    ):
        kind = AuthError
    elif isinstance(error, (b.NoRegionError, b.ParamValidationError, b.ValidationError)):
        kind = ConfigError
    return kind(words, zone=zone, market=market)
