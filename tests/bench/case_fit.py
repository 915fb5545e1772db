"""What a night of forecasts costs: each series with a year of hours."""

import datetime
import math
import random

import case_scale
from support.service import Service, wait_for

SERIES = 16
DAYS = 371  # as many as are looked at
WANTED = 10000
UTC = datetime.timezone.utc


def year():
    end = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for node in range(SERIES):
        noise = random.Random(node)
        for i in range(DAYS * 24):
            t = end - datetime.timedelta(hours=DAYS * 24 - i)
            value = (60 - 25 * math.cos(2 * math.pi * t.hour / 24)
                     + (12 if t.weekday() > 4 else 0)
                     + 10 * math.cos(2 * math.pi * i / 8766)
                     + noise.gauss(0, 3))
            yield (f"FIT-{node}", "flow", case_scale.stamp(t),
                   f"{value:.2f}", "m3/h")


def resident(service):
    """The most that a worker ever had in memory, in MiB."""
    return max(int(line.split()[1]) for pid in service.workers()
               for line in open(f"/proc/{pid}/status", encoding="ascii")
               if line.startswith("VmHWM")) / 1024


def night(service):
    """Seconds of forecasting and of learning, of all series."""
    for change in ("fit_runs SET night = night - interval '1 day'",
                   "forecast_states SET tried_at = tried_at - interval '1 day'"
                   ", predicted_at = predicted_at - interval '1 day'"):
        service.sql("UPDATE " + change)
    service.stop()
    at = datetime.datetime.now(UTC) - datetime.timedelta(minutes=1)
    service.env["PENSTOCK_FIT_AT"] = at.strftime("%H:%M")
    service.start()
    return wait_for("the end of the night", lambda: service.sql(
        "SELECT extract(epoch FROM f.last - r.began_at)::float8,"
        " extract(epoch FROM r.ended_at - f.last)::float8, r.predicted,"
        " r.fitted FROM fit_runs r, (SELECT max(predicted_at) AS last"
        " FROM forecast_states) f WHERE r.ended_at IS NOT NULL"
        " AND r.night > now() - interval '1 h'"), 300)[0]


def fit(bench):
    service = Service(PENSTOCK_LOG_LEVEL="warn", PENSTOCK_FIT_BUDGET=80000,
                      PENSTOCK_LOOP_PERIOD=200)
    try:
        service.start()
        count = case_scale.load(service, "fit", year())
        night(service)  # from which on there are champions
        before = resident(service)
        said, learnt, predicted, fitted = night(service)
        assert (predicted, fitted) == (SERIES, SERIES)
        memory = resident(service)
    finally:
        service.remove()
    said, learnt = (t / SERIES for t in (said, learnt))
    bench.note(f"{SERIES} series of {count // SERIES:,} hours: held against "
               f"what came and forecast in {said * 1000:,.0f} ms a series, "
               f"learnt and tried beside the champion in {learnt * 1000:,.0f} "
               f"ms; {WANTED:,} series take {WANTED * said / 60:,.0f} and "
               f"{WANTED * learnt / 60:,.0f} minutes of one core. The worker "
               f"had {memory:,.0f} MiB at most, {before:,.0f} in the night "
               "before")


CASES = {"fit": fit}
