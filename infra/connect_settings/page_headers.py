"""The headers with which the live page is served, wherever it is."""


def security_headers(connects_to: str, framed_by: str) -> dict[str, str]:
    """No ``X-Frame-Options`` is among them, which would forbid the tab of the workspace. Nor is
    ``Cross-Origin-Opener-Policy``: any value but the default cuts the window in which an agent
    signs in off from the tab that has opened it.

    :param connects_to: The sources to which the page's script may connect, beside its own.
    :param framed_by: The origin that may frame the page.
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": f"'self' {connects_to}",
        "frame-ancestors": framed_by,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        # A browser heeds it only if it came by TLS.
        "Strict-Transport-Security": "max-age=31536000",
    }
