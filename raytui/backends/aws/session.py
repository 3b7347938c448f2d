"""The one door to AWS: calls with typed errors and bounded time, each of them counted."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from raytui.backends.aws.errors import answered, unanswered
from raytui.backends.base import ConfigError, ThrottledError, TransientError
from raytui.model.spec import Market

_ATTEMPTS = 6
_CONNECT_S = 5
_READ_S = 30

_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0

_LACK_IS_500 = frozenset({"run_instances", "start_instances"})
"""EC2 says with status 500 that it lacks capacity, and botocore would ask again for a minute. These
are repeated here, by what an answer means."""

_PATIENCE_WITH_PROFILE = {"metadata_service_timeout": 2, "metadata_service_num_attempts": 3}
"""Seconds and tries for the instance metadata service, from which a head has its credentials."""

_NOT_INSTALLED = "AWS needs boto3: install raytui with `pip install 'raytui[aws]'`"


class AwsSession:
    """One account in one region. Thread-safe; nothing is loaded or asked before the first call.

    Credentials are those that every AWS tool finds: environment, profile, SSO, instance profile;
    `provider.aws_credentials` of the cluster file, as Ray has it, goes before them. The endpoint
    may be another one, by `AWS_ENDPOINT_URL`.
    """

    def __init__(self, options: Mapping[str, Any], *, attempts: int = _ATTEMPTS) -> None:
        """`options` is the `provider` section; `attempts` counts the first one."""
        self._region = str(options.get("region") or "")
        self._keys: dict[str, str] = dict(options.get("aws_credentials") or {})
        self._attempts = attempts
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, bool], Any] = {}
        self._calls: Counter[str] = Counter()

    @property
    def region(self) -> str:
        """The cluster file's region, or the environment's; raises ConfigError without any."""
        found = self._region or str(self._opened().region_name or "")
        if not found:
            raise ConfigError("no AWS region: set provider.region in the cluster file")
        return found

    @property
    def tried(self) -> str:
        """Whose credentials are used and where, for messages."""
        if named := self._keys.get("profile_name"):
            return f"profile {named} in {self._region or 'the default region'}"
        if self._keys:
            return f"provider.aws_credentials in {self._region or 'no region'}"
        profile = self._session.profile_name if self._session is not None else "default"
        return f"profile {profile} in {self._region or 'the default region'}"

    def in_region(self, region: str) -> AwsSession:
        """The same account, by the same credentials, in another region."""
        options = {"region": region, "aws_credentials": self._keys}
        there = AwsSession(options, attempts=self._attempts)
        # Opening botocore takes it half a second, and its clients are to be made one by one.
        there._session, there._lock = self._opened(), self._lock
        return there

    def call(
        self,
        service: str,
        operation: str,
        *,
        zone: str = "",
        market: Market = Market.ON_DEMAND,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Call an operation, named as in boto3, and return its answer.

        Throttling and failures of the network and of AWS are tried again within the call, so one
        call ends within about four minutes. Raises a typed ProviderError with zone and market.
        """
        once = operation in _LACK_IS_500
        for attempt in range(1, self._attempts + 1):
            try:
                with self._typed(zone, market):
                    client = self._client(service, once=once)
                    answer: dict[str, Any] = getattr(client, operation)(**arguments)
                    return answer
            except (ThrottledError, TransientError):
                if not once or attempt == self._attempts:
                    raise
                longest = min(_LONGEST_PAUSE_S, _PAUSE_S * 2**attempt)
                time.sleep(random.uniform(0, longest))  # noqa: S311 (spreads calls, no secret)
        raise AssertionError("there is at least one attempt")

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        """The items under `key` of all pages of an answer; raises as `call` does."""
        with self._typed():
            for page in self._client(service).get_paginator(operation).paginate(**arguments):
                yield from page.get(key, ())

    def calls(self) -> dict[str, int]:
        """How many requests were sent so far, repeated ones too, by `ec2.DescribeInstances`."""
        with self._lock:
            return dict(self._calls)

    @contextmanager
    def _typed(self, zone: str = "", market: Market = Market.ON_DEMAND) -> Iterator[None]:
        """Turn what botocore raises within into a ProviderError."""
        self._opened()  # says what to do when there is no botocore
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            yield
        except ClientError as error:
            raise answered(dict(error.response), zone=zone, market=market) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise unanswered(error, self.tried, zone=zone, market=market) from error

    def _client(self, service: str, *, once: bool = False) -> Any:
        session, region = self._opened(), self.region
        with self._lock:
            if (service, once) not in self._clients:
                from botocore.config import Config

                attempts = 1 if once else self._attempts
                settings = Config(
                    connect_timeout=_CONNECT_S,
                    read_timeout=_READ_S,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    max_pool_connections=24,  # as many threads as the loop has for calls
                )
                client = session.client(service, region_name=region, config=settings)
                client.meta.events.register(f"before-send.{service}", self._count)
                self._clients[service, once] = client
            return self._clients[service, once]

    def _opened(self) -> Any:
        with self._lock:
            if self._session is None:
                try:
                    import boto3
                except ModuleNotFoundError as error:
                    raise ConfigError(_NOT_INSTALLED) from error
                from botocore.exceptions import BotoCoreError
                from botocore.session import get_session

                core = get_session()
                parsers = core.get_component("response_parser_factory")
                parsers.set_parser_defaults(timestamp_parser=_moment)
                try:
                    for name, least in _PATIENCE_WITH_PROFILE.items():
                        # botocore's own is one second, once: too little for a busy head.
                        core.set_config_variable(name, max(least, core.get_config_variable(name)))
                    self._session = boto3.session.Session(botocore_session=core, **self._keys)
                except BotoCoreError as error:
                    raise unanswered(error, self.tried) from error
                except TypeError as error:
                    raise ConfigError(f"provider.aws_credentials: {error}") from error
            return self._session

    def _count(self, event_name: str, **_: Any) -> None:
        with self._lock:
            self._calls[event_name.removeprefix("before-send.")] += 1


def _moment(value: Any) -> datetime:
    """A moment in an answer; botocore's own reading takes half of what a long listing does."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        from botocore.utils import parse_timestamp

        moment: datetime = parse_timestamp(value)
        return moment
