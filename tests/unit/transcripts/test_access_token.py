"""Who has a token that the customer's issuer signed for ASAPP is let in, and nobody else."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.http import NoAnswer, Response
from shared.runtime import Deadline
from shared.tokens.access_token import AccessTokens, Demands
from shared.tokens.signatures import EcKey, RsaKey
from shared.tokens.signing_keys import NoKeys, SigningKeys, keys_of
from tests.unit.held_clock import FrozenClock, HeldClock

ISSUER = "https://login.example.com/oauth2/default"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Claims = dict[str, Any]


def base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def rsa_entry(key: rsa.RSAPrivateKey, key_id: str, **changes: Any) -> dict[str, Any]:
    public = key.public_key().public_numbers()
    entry = {"kty": "RSA", "kid": key_id, "use": "sig", "n": number(public.n), "e": "AQAB"}
    return entry | changes


def ec_entry(key: ec.EllipticCurvePrivateKey, key_id: str, **changes: Any) -> dict[str, Any]:
    public = key.public_key().public_numbers()
    x, y = (base64url(value.to_bytes(32, "big")) for value in (public.x, public.y))
    return {"kty": "EC", "crv": "P-256", "kid": key_id, "x": x, "y": y} | changes


def signed_with_rsa(message: bytes, key: rsa.RSAPrivateKey = RSA) -> bytes:
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def signed_with_ec(message: bytes, key: ec.EllipticCurvePrivateKey = EC) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def token(claims: Claims, header: Claims, sign: Callable[[bytes], bytes] = signed_with_rsa) -> str:
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{base64url(sign(signed.encode()))}"


class Issuer:
    """Answers with a key set, or not at all."""

    def __init__(self, *entries: dict[str, Any]) -> None:
        self.body = json.dumps({"keys": entries}).encode()
        self.status = 200
        self.is_down = False
        self.fetches = 0

    def fetch(self, deadline: Deadline) -> Response:
        self.fetches += 1
        if self.is_down:
            raise NoAnswer("timeout", was_sent=True)
        return Response(self.status, {}, self.body)


CLOCK = HeldClock()
NOW = CLOCK.now_ms() // 1000
RS, ES = {"alg": "RS256", "kid": "rsa"}, {"alg": "ES256", "kid": "ec"}
GOOD: Claims = {"iss": ISSUER, "exp": NOW + 3600, "aud": "webhook", "scope": "transcripts.write"}
DEMANDS = Demands(ISSUER, audience="webhook", scope="transcripts.write")


def admits(given: str, demands: Demands = DEMANDS) -> bool:
    keys = SigningKeys(Issuer(rsa_entry(RSA, "rsa"), ec_entry(EC, "ec")).fetch)
    return AccessTokens(keys, demands).admits(given, Deadline(5, CLOCK))


def test_a_good_token_is_let_in_whatever_signs_it_and_with_or_without_bearer() -> None:
    with_rsa, with_ec = token(GOOD, RS), token(GOOD, ES, signed_with_ec)
    assert admits(with_rsa)
    assert admits(with_ec)
    assert admits(f"Bearer {with_rsa}")
    assert admits(f"bearer {with_ec}")


def forged_with_the_public_key(hidden: str) -> str:
    """HS256, whose secret is the issuer's public key in one of its spellings."""
    public = RSA.public_key()
    secrets = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "modulus": number(public.public_numbers().n).encode(),
    }
    header = {"alg": "HS256", "kid": "rsa"}
    return token(GOOD, header, lambda data: hmac.digest(secrets[hidden], data, "sha256"))


def padded_short(data: bytes) -> bytes:
    """What Bleichenbacher forged: the hash right after the padding, the rest is his to choose."""
    real = signed_with_rsa(data)
    numbers = RSA.private_numbers()
    size = len(real)
    opened = pow(int.from_bytes(real, "big"), 65537, numbers.public_numbers.n)
    whole = opened.to_bytes(size, "big")
    hashed = whole[whole.index(b"\x00", 1) :]
    short = b"\x00\x01" + b"\xff" * 8 + hashed
    forged = int.from_bytes(short + b"\x00" * (size - len(short)), "big")
    return pow(forged, numbers.d, numbers.public_numbers.n).to_bytes(size, "big")


def changed(given: str, part: int, change: Callable[[bytes], bytes]) -> str:
    parts = given.split(".")
    raw = urlsafe_b64decode(parts[part] + "=" * (-len(parts[part]) % 4))
    parts[part] = base64url(change(raw))
    return ".".join(parts)


FORGED = {
    "no signature": token(GOOD, RS, lambda _: b""),
    "alg none": token(GOOD, {"alg": "none", "kid": "rsa"}, lambda _: b""),
    "alg None": token(GOOD, {"alg": "None", "kid": "rsa"}),
    "no alg": token(GOOD, {"kid": "rsa"}),
    "no key id": token(GOOD, {"alg": "RS256"}),
    "a list as key id": token(GOOD, {"alg": "RS256", "kid": ["rsa"]}),
    "HS256 with the public key": forged_with_the_public_key("pem"),
    "HS256 with the modulus": forged_with_the_public_key("modulus"),
    "RS256 with the other key's id": token(GOOD, RS | {"kid": "ec"}),
    "ES256 with the other key's id": token(GOOD, ES | {"kid": "rsa"}, signed_with_ec),
    "ES256 said, RS256 signed": token(GOOD, RS | {"alg": "ES256"}),
    "RS512 said": token(GOOD, RS | {"alg": "RS512"}),
    "another issuer's key": token(GOOD, RS, lambda data: signed_with_rsa(data, OTHER_RSA)),
    "its own key in the header": token(
        GOOD,
        RS | {"jwk": rsa_entry(OTHER_RSA, "rsa"), "jku": "https://evil.example.com/keys"},
        lambda data: signed_with_rsa(data, OTHER_RSA),
    ),
    "short padding": token(GOOD, RS, padded_short),
    "ECDSA of zeros": token(GOOD, ES, lambda _: bytes(64)),
    "ECDSA with r and s the order": token(GOOD, ES, lambda _: ORDER.to_bytes(32, "big") * 2),
    "ECDSA as DER": token(GOOD, ES, lambda data: EC.sign(data, ec.ECDSA(hashes.SHA256()))),
    "ECDSA with a byte more": token(GOOD, ES, lambda data: signed_with_ec(data) + b"\0"),
    "a critical extension": token(GOOD, RS | {"crit": ["exp"]}),
    "other claims": changed(token(GOOD, RS), 1, lambda raw: raw.replace(b"3600", b"3601") + b" "),
    "claims that are a list": token([GOOD], RS),  # type: ignore[arg-type]
    "two parts": token(GOOD, RS).rpartition(".")[0],
    "four parts": token(GOOD, RS) + ".",
    "padding characters": token(GOOD, RS) + "=",
    "a character that base64 skips": token(GOOD, RS) + "\n",
    "another spelling of the last bits": token(GOOD, RS)[:-1] + "_",
    "a twin by plus and slash": token(GOOD, RS).replace("-", "+").replace("_", "/") + "+",
    "nothing": "",
    "a scheme alone": "Bearer ",
    "another scheme": f"Basic {token(GOOD, RS)}",
    "deep json": f"{base64url(b'[' * 9000)}.{base64url(b'{}')}.AAAA",
    "not ascii": "é.é.é",
    "a lone surrogate": "\ud800.\ud800.\ud800",
    "too long": "A" * 20_000 + "." + token(GOOD, RS),
}


@pytest.mark.parametrize("given_token", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(given_token: str) -> None:
    assert not admits(given_token)


OTHER_CLAIMS = {
    "another issuer": {"iss": ISSUER + "/"},
    "no issuer": {"iss": None},
    "expired": {"exp": NOW - 61},
    "no expiry": {"exp": None},
    "expiry in words": {"exp": str(NOW + 3600)},
    "expiry true": {"exp": True},
    "expiry infinite": {"exp": float("inf")},
    "not yet": {"nbf": NOW + 61},
    "not before in words": {"nbf": "0"},
    "another audience": {"aud": "another"},
    "part of the audience": {"aud": "webhook another"},
    "no audience": {"aud": None},
    "another scope": {"scope": "transcripts.read"},
    "part of the scope": {"scope": "transcripts.write.all"},
    "no scope": {"scope": None},
}


@pytest.mark.parametrize("claims", OTHER_CLAIMS.values(), ids=OTHER_CLAIMS)
def test_a_token_for_somebody_else_or_of_another_time_is_refused(claims: Claims) -> None:
    assert not admits(token(GOOD | claims, RS))


OTHERS_THAT_ARE_GOOD = {
    "expired a moment ago": {"exp": NOW - 59},
    "with a fraction": {"exp": NOW + 0.5},
    "good in a moment": {"nbf": NOW + 59},
    "one audience of two": {"aud": ["another", "webhook"]},
    "one scope of two": {"scope": "openid transcripts.write"},
    "scp": {"scope": None, "scp": ["transcripts.write"]},
    "roles": {"scope": None, "roles": ["transcripts.write"]},
}


@pytest.mark.parametrize("claims", OTHERS_THAT_ARE_GOOD.values(), ids=OTHERS_THAT_ARE_GOOD)
def test_clocks_may_differ_by_a_minute_and_claims_may_be_lists(claims: Claims) -> None:
    assert admits(token(GOOD | claims, RS))


@pytest.mark.parametrize("claim", ["client_id", "azp", "appid", "cid"])
def test_the_client_counts_by_whatever_name_the_issuer_has_for_it(claim: str) -> None:
    demands = Demands(ISSUER, client_id="asapp")
    assert admits(token(GOOD | {claim: "asapp"}, RS), demands)
    assert not admits(token(GOOD | {claim: "another asapp"}, RS), demands)
    assert not admits(token(GOOD, RS), demands)


@settings(max_examples=60, deadline=None)
@given(message=st.binary(max_size=200), bit=st.integers(0, 511), data=st.data())
def test_our_verification_agrees_with_cryptographys(
    message: bytes, bit: int, data: st.DataObject
) -> None:
    """On signatures that are right, and on those with any one bit changed."""
    public = EC.public_key().public_numbers()
    rsa_public = RSA.public_key().public_numbers()
    for key, sign in (
        (EcKey(public.x, public.y), signed_with_ec),
        (RsaKey(rsa_public.n, rsa_public.e), signed_with_rsa),
    ):
        signature = sign(message)
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert key.verifies(signature, message)
        assert not key.verifies(bytes(flipped), message)
        assert not key.verifies(signature, message + b"x")
        assert not key.verifies(data.draw(st.binary(max_size=300)), message)


@settings(max_examples=20, deadline=None)
@given(secret=st.integers(1, ORDER - 1))
def test_any_key_of_the_curve_verifies_what_it_signed(secret: int) -> None:
    """Also the least and the greatest, where additions meet the neutral point."""
    for value in (secret, 1, 2, ORDER - 1):
        key = ec.derive_private_key(value, ec.SECP256R1())
        public = key.public_key().public_numbers()
        assert EcKey(public.x, public.y).verifies(signed_with_ec(b"words", key), b"words")


SKIPPED = {
    "for encryption": rsa_entry(RSA, "k", use="enc"),
    "for another algorithm": rsa_entry(RSA, "k", alg="PS256"),
    "too short": rsa_entry(RSA, "k", n=number(1 << 1023 | 1)),
    "far too long": rsa_entry(RSA, "k", n=number(1 << 20_000 | 1)),
    "even": rsa_entry(RSA, "k", n=number(1 << 2047)),
    "exponent one": rsa_entry(RSA, "k", e=number(1)),
    "huge exponent": rsa_entry(RSA, "k", e=number(2**64 + 1)),
    "not base64url": rsa_entry(RSA, "k", n="++//"),
    "not a text": rsa_entry(RSA, "k", n=5),
    "another curve": ec_entry(EC, "k", crv="P-384"),
    "off the curve": ec_entry(EC, "k", y=number(5)),
    "secret of both": {"kty": "oct", "kid": "k", "k": "c2VjcmV0"},
    "without an id": {name: v for name, v in rsa_entry(RSA, "k").items() if name != "kid"},
}


@pytest.mark.parametrize("entry", SKIPPED.values(), ids=SKIPPED)
def test_a_key_that_cannot_be_used_is_skipped_and_the_others_are_good(
    entry: dict[str, Any],
) -> None:
    assert set(keys_of({"keys": [entry, "no key", ec_entry(EC, "ec")]})) == {"ec"}
    with pytest.raises(ValueError, match=r"no key for RS256 or ES256"):
        keys_of({"keys": [entry]})


def test_the_keys_are_kept_and_read_again_for_an_unknown_one_at_most_every_five_seconds() -> None:
    clock, issuer = HeldClock(), Issuer(rsa_entry(RSA, "first"))
    keys = SigningKeys(issuer.fetch)
    assert keys.get("first", Deadline(5, clock))
    for _ in range(100):
        assert keys.get("unknown", Deadline(5, clock)) is None
        assert keys.get("first", Deadline(5, clock))
    assert issuer.fetches == 1
    issuer.body = Issuer(rsa_entry(RSA, "first"), ec_entry(EC, "second")).body
    clock.advance(5)
    assert keys.get("second", Deadline(5, clock))
    assert issuer.fetches == 2


def test_a_key_that_the_issuer_took_back_is_refused_after_ten_minutes() -> None:
    clock, issuer = HeldClock(), Issuer(rsa_entry(RSA, "leaked"), ec_entry(EC, "ec"))
    keys = SigningKeys(issuer.fetch)
    assert keys.get("leaked", Deadline(5, clock))
    issuer.body = Issuer(ec_entry(EC, "ec")).body
    clock.advance(601)
    assert keys.get("leaked", Deadline(5, clock)) is None


def test_a_process_that_was_frozen_meanwhile_reads_the_keys_again() -> None:
    clock, issuer = FrozenClock(), Issuer(rsa_entry(RSA, "leaked"))
    keys = SigningKeys(issuer.fetch)
    assert keys.get("leaked", Deadline(5, clock))
    assert keys.get("new", Deadline(5, clock)) is None
    issuer.body = Issuer(ec_entry(EC, "new")).body
    clock.frozen_ms += 5_000
    assert keys.get("new", Deadline(5, clock))
    issuer.body = Issuer(ec_entry(EC, "newest")).body
    clock.frozen_ms += 601_000
    assert keys.get("new", Deadline(5, clock)) is None


@pytest.mark.parametrize("failure", ["down", "500", "no json", "a list", "no keys", "deep"])
def test_while_the_issuer_is_down_its_last_keys_are_good_and_others_are_no_refusal(
    failure: str,
) -> None:
    """API Gateway keeps a refusal for minutes, but no error."""
    clock, issuer = HeldClock(), Issuer(rsa_entry(RSA, "known"))
    keys = SigningKeys(issuer.fetch)
    assert keys.get("known", Deadline(5, clock))
    good = issuer.body
    issuer.is_down = failure == "down"
    issuer.status = 500 if failure == "500" else 200
    wrong = {"no json": b"<html>", "a list": b"[]", "no keys": b'{"keys": []}', "deep": b"[" * 9999}
    issuer.body = wrong.get(failure, issuer.body)
    clock.advance(3600)
    assert keys.get("known", Deadline(5, clock))
    for _ in range(2):
        with pytest.raises(NoKeys):
            keys.get("unknown", Deadline(5, clock))
    assert issuer.fetches == 2
    issuer.is_down, issuer.status, issuer.body = False, 200, good
    clock.advance(5)
    assert keys.get("unknown", Deadline(5, clock)) is None


def test_a_known_key_waits_one_second_for_an_issuer_that_hangs() -> None:
    clock, given = HeldClock(), []

    def fetch(deadline: Deadline) -> Response:
        given.append(deadline.remaining())
        return Response(200, {}, Issuer(rsa_entry(RSA, "known")).body)

    keys = SigningKeys(fetch)
    assert keys.get("known", Deadline(8, clock))
    clock.advance(601)
    assert keys.get("known", Deadline(8, clock))
    assert given == [8, 1]
