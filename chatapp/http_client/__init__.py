"""HTTP requests to URLs that users entered, protected against server-side request forgery (SSRF).

No library does this well. The host name is resolved once, all of its addresses are checked, and the connection goes to
an address that was checked: a later, different DNS response has no effect. Redirects are not followed.

Worker processes use it too, so it imports little.
"""

from chatapp.http_client.addresses import canonicalize_url, is_http_url, is_own_host, is_public
from chatapp.http_client.exchange import MAX_INFORMATIONAL_RESPONSES, Exchange
from chatapp.http_client.target import PrivateNetwork, RequestFailed, Target, request_errors

__all__ = [
    "MAX_INFORMATIONAL_RESPONSES",
    "Exchange",
    "PrivateNetwork",
    "RequestFailed",
    "Target",
    "canonicalize_url",
    "is_http_url",
    "is_own_host",
    "is_public",
    "request_errors",
]
