"""RS256 and ES256 signatures (RFC 7518), checked with the standard library.

Only public values take part, so nothing here needs to run in constant time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

_SHA256_IN_PKCS1 = bytes.fromhex("3031300d060960864801650304020105000420")
_RSA_BITS = range(2048, 8193)
"""NIST's least; more would only take time."""


@dataclass(frozen=True, slots=True)
class RsaKey:
    """:raises ValueError: for a key that is too short, too long, or none."""

    modulus: int
    exponent: int
    algorithm: ClassVar[str] = "RS256"

    def __post_init__(self) -> None:
        odd = self.modulus & self.exponent & 1
        if self.modulus.bit_length() not in _RSA_BITS or not odd or not 2 < self.exponent < 1 << 32:
            raise ValueError("not an RSA key of 2048 to 8192 bits")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.2).

        The padding is made and compared whole. Nothing of the signature is parsed, so there is no
        padding that a forger can fill.
        """
        size = (self.modulus.bit_length() + 7) // 8
        number = int.from_bytes(signature, "big")
        if len(signature) != size or number >= self.modulus:
            return False
        hashed = _SHA256_IN_PKCS1 + hashlib.sha256(message).digest()
        padding = b"\xff" * (size - len(hashed) - 3)
        opened = pow(number, self.exponent, self.modulus).to_bytes(size, "big")
        return opened == b"\x00\x01" + padding + b"\x00" + hashed


_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    1,
)
"""The curve P-256 of FIPS 186-5: y² = x³ - 3x + b modulo p."""
Point = tuple[int, int, int]
"""In Jacobian coordinates (x / z², y / z³), which need no division; z = 0 is the neutral point."""


@dataclass(frozen=True, slots=True)
class EcKey:
    """A point of P-256.

    :raises ValueError: for a point that is not on the curve.
    """

    x: int
    y: int
    algorithm: ClassVar[str] = "ES256"

    def __post_init__(self) -> None:
        on_curve = (self.y * self.y - self.x * (self.x * self.x - 3) - _B) % _P == 0
        if not on_curve or not (0 <= self.x < _P and 0 <= self.y < _P):
            raise ValueError("not a point of the curve P-256")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """ECDSA with SHA-256 (FIPS 186-5, 6.4.2); the signature is r and s, 32 bytes each."""
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        if len(signature) != 64 or not (0 < r < _ORDER and 0 < s < _ORDER):
            return False
        inverse = pow(s, -1, _ORDER)
        hashed = int.from_bytes(hashlib.sha256(message).digest(), "big")
        x, _, z = _sum_of_multiples(
            hashed * inverse % _ORDER, _BASE, r * inverse % _ORDER, (self.x, self.y, 1)
        )
        return z != 0 and x * pow(z, -2, _P) % _P % _ORDER == r


def _sum_of_multiples(a: int, p: Point, b: int, q: Point) -> Point:
    """a p + b q: for each bit, the sum is doubled and what the bit asks for is added."""
    both = _added(p, q)
    total: Point = (1, 1, 0)
    for bit in range(255, -1, -1):
        total = _doubled(total)
        match (a >> bit & 1, b >> bit & 1):
            case 1, 1:
                total = _added(total, both)
            case 1, 0:
                total = _added(total, p)
            case 0, 1:
                total = _added(total, q)
    return total


def _doubled(point: Point) -> Point:
    x, y, z = point
    squared, slope = y * y % _P, 3 * (x - z * z) * (x + z * z) % _P
    beside = 4 * x * squared % _P
    new_x = (slope * slope - 2 * beside) % _P
    return new_x, (slope * (beside - new_x) - 8 * squared * squared) % _P, 2 * y * z % _P


def _added(p: Point, q: Point) -> Point:
    (x1, y1, z1), (x2, y2, z2) = p, q
    if not z1 or not z2:
        return q if not z1 else p
    u1, u2 = x1 * z2 * z2 % _P, x2 * z1 * z1 % _P
    s1, s2 = y1 * z2 * z2 * z2 % _P, y2 * z1 * z1 * z1 % _P
    if u1 == u2:
        return _doubled(p) if s1 == s2 else (1, 1, 0)
    run, rise = u2 - u1, s2 - s1
    squared = run * run % _P
    cubed, beside = squared * run % _P, u1 * squared % _P
    x3 = (rise * rise - cubed - 2 * beside) % _P
    return x3, (rise * (beside - x3) - s1 * cubed) % _P, run * z1 * z2 % _P
