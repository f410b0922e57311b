"""Secrets that a fleet of tests is given, so that a test can look for them everywhere."""

from scheduler.processes.free_ports import find_free_port

KEY = "tml-planted-Kx7Rw2Tq9Zb4"
HOOK = "T0KEN-planted-Hm3Vc8Ys5Jd1"
SCRAPE = "planted-scrape-Pn6Lf4Gw7Qe2"


def make_environment() -> dict[str, str]:
    """The settings of a fleet with all of these. Nobody answers at the addresses."""
    return {
        "TINKER_API_KEY": KEY,
        "TINKER_BASE_URL": "http://127.0.0.1:9",
        "HOOK": f"http://127.0.0.1:9/services/{HOOK}?key={HOOK}",
        "SWEEP_METRICS": str(find_free_port()),
        "SWEEP_METRICS_TOKEN": SCRAPE,
    }
