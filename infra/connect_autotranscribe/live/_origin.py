"""The origin of an address, which a browser compares."""


def origin_of(url: str) -> str:
    """Scheme, host and port. The host may be a token."""
    return "/".join(url.split("/", 3)[:3])
