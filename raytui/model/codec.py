"""JSON for the model: Resources as a plain object of amounts, everything else as msgspec has it."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from raytui.model.resources import Resources


def enc_hook(value: Any) -> Any:
    """Teach msgspec to write Resources."""
    if isinstance(value, Resources):
        return value.amounts()
    raise NotImplementedError(f"cannot encode {type(value).__name__}")


def dec_hook(kind: type, value: Any) -> Any:
    """Teach msgspec to read Resources."""
    if kind is Resources:
        return Resources.of(value)
    raise NotImplementedError(f"cannot decode {kind.__name__}")


T = TypeVar("T")
_ENCODER = msgspec.json.Encoder(enc_hook=enc_hook)


def encode(value: Any) -> bytes:
    """Any word of the model as JSON, on one line."""
    return _ENCODER.encode(value)


def decode(data: bytes | str, kind: type[T]) -> T:
    """Read JSON written by `encode`; raises msgspec.DecodeError or ValidationError on bad input."""
    return msgspec.json.decode(data, type=kind, dec_hook=dec_hook)
