"""The headers with which the live page is served, wherever it is."""

_DOMAIN, _OLDER_DOMAIN = ".my.connect.aws", ".awsapps.com"


def url_of_instance(alias: str) -> str:
    """The address of an Amazon Connect instance."""
    return f"https://{alias}{_DOMAIN}"


def workspace_origins(instance_url: str) -> tuple[str, ...]:
    """Where agents may have their workspace, the newer origin first. Instances from before March
    2021 are at both; which one is up to the link that somebody opens.

    Sources:
    https://docs.aws.amazon.com/agentworkspace/latest/devguide/recommendations-and-best-practices.html,
    https://docs.aws.amazon.com/connect/latest/adminguide/infrastructure-security.html
    """
    older = instance_url.replace(_DOMAIN, _OLDER_DOMAIN)
    return tuple(dict.fromkeys((instance_url, older)))


def security_headers(connects_to: str, instance_url: str) -> dict[str, str]:
    """No ``X-Frame-Options`` is among them, which would forbid the tab of the workspace. Nor is
    ``Cross-Origin-Opener-Policy``: any value but the default cuts the window in which an agent
    signs in off from the tab that has opened it.

    :param connects_to: The sources to which the page's script may connect, beside its own.
    :param instance_url: Of the instance whose workspace may frame the page.
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": f"'self' {connects_to}",
        "frame-ancestors": " ".join(workspace_origins(instance_url)),
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
