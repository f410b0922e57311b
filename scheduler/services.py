"""Which service a model is on: its name says it, and nothing falls back to anything.

What is found out about a service (its limits, whether it is down, what it has cost today) is kept under its name: one
fleet has one account at each.
"""

OFFLINE_KEY = "tml-offline"  # tinker_offline takes any; the SDK wants this form
OFFLINE = "offline/"  # before the names of the models that tinker_offline serves
SERVICES = ("offline", "tinker")


def service_of(model: str) -> str:
    """`offline` or `tinker`."""
    return "offline" if model.startswith(OFFLINE) else "tinker"
