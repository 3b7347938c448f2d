"""AWS's error codes as typed errors."""

from __future__ import annotations

import pytest

from raytui.backends.aws.errors import answered, kind_of
from raytui.backends.base import (
    AuthError,
    CapacityError,
    ConfigError,
    ProviderError,
    QuotaError,
    ThrottledError,
    TransientError,
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InsufficientInstanceCapacity", CapacityError),
        ("InsufficientFreeAddressesInSubnet", CapacityError),
        ("SpotMaxPriceTooLow", CapacityError),
        ("Unsupported", CapacityError),
        ("InstanceLimitExceeded", QuotaError),
        ("VcpuLimitExceeded", QuotaError),
        ("MaxSpotInstanceCountExceeded", QuotaError),
        ("UnauthorizedOperation", AuthError),
        ("AuthFailure", AuthError),
        ("InvalidClientTokenId", AuthError),
        ("ExpiredToken", AuthError),
        ("InvalidParameterValue", ConfigError),
        ("InvalidAMIID.NotFound", ConfigError),
        ("InvalidSubnetID.NotFound", ConfigError),
        ("MissingParameter", ConfigError),
        ("OperationNotPermitted", ConfigError),
        ("RequestLimitExceeded", ThrottledError),
        ("Throttling", ThrottledError),
        ("InternalError", TransientError),
        ("ServiceUnavailable", TransientError),
        ("SomethingThatNobodyHasSeen", TransientError),
    ],
)
def test_each_code_has_its_kind(code: str, kind: type[ProviderError]) -> None:
    assert kind_of(code) is kind


def test_a_profile_that_ec2_has_not_heard_of_yet_may_come() -> None:
    words = "Value (x) for parameter iamInstanceProfile.name is invalid."
    assert kind_of("InvalidParameterValue", words) is TransientError


def test_the_message_is_amazons_with_its_code() -> None:
    error = answered({"Error": {"Code": "VcpuLimitExceeded", "Message": "You asked for 64 vCPUs."}})
    assert str(error) == "VcpuLimitExceeded: You asked for 64 vCPUs."


def test_an_encoded_message_is_told_apart_from_what_people_can_read() -> None:
    message = "You are not authorized. Encoded authorization failure message: aBc-123"
    error = answered({"Error": {"Code": "UnauthorizedOperation", "Message": message}})
    assert str(error) == "UnauthorizedOperation: You are not authorized."
    assert error.detail == "for `aws sts decode-authorization-message`: aBc-123"
