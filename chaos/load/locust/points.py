"""Loaded beside a user's Locust file: writes one line a request, as the embedded driver does, after a mark."""
import sys

from locust import events

MAX_ROUTES = 200
routes = set()


def route_of(name):
    word = "".join("_" if c in ",\r\n" else c for c in str(name))[:200]
    if word in routes or len(routes) < MAX_ROUTES:
        routes.add(word)
        return word
    return "(others)"


@events.request.add_listener
def on_request(name, response_time, exception, start_time, response=None, **_):
    status = int(getattr(response, "status_code", 0) or 0)
    failure = ""
    if exception is not None:
        word = type(exception).__name__.lower()
        if status == 0:
            failure = "timeout" if "timeout" in word else "no-answer"
        else:
            failure = "body" if status < 400 else "status"
    at = int(start_time * 1000)
    ms = float(response_time or 0)
    sys.stdout.write(f"firedrill,{route_of(name)},{at},{ms:.2f},{status},{failure}\n")
