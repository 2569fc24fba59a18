"""A browser as far as a login needs one: follows the page of an OpenID provider's login to the client's address."""

import html
import http.client
import re
import urllib.parse

STEPS_MAX = 12


def follow(url, user):
    """Logs `user` in and consents; the address that the provider then sends the browser to, beyond the provider."""
    start = urllib.parse.urlsplit(url)
    cookies = {}

    def ask(method, target, form=None):
        connection = http.client.HTTPConnection(start.hostname, start.port, timeout=30)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        body = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(form)
        parts = urllib.parse.urlsplit(target)
        connection.request(method, urllib.parse.urlunsplit(("", "", parts.path, parts.query, "")), body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, kept = value.split(";")[0].split("=", 1)
                cookies[key] = kept
        location = response.getheader("location")
        return urllib.parse.urljoin(target, location) if location else None, text

    at, text = ask("GET", url)
    for _ in range(STEPS_MAX):
        if at is None:
            # A form: the login, or the question whether the client may.
            action = re.search(r'action="([^"]+)"', text)
            if action is None:
                raise RuntimeError(f"no way on from {text[:500]}")
            fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', text))
            if 'name="login"' in text:
                fields.update(login=user, password="any")
            at, text = ask("POST", urllib.parse.urljoin(url, html.unescape(action[1])), fields)
        elif urllib.parse.urlsplit(at).netloc != start.netloc:
            return at
        else:
            at, text = ask("GET", at)
    raise RuntimeError("the login goes on without end")
