"""A process that delivers until it is killed: python -m tests.work.outbox.deliver_process STATE."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime

from tests.work.outbox.builders import a_courier
from tieout.store.state import open_state
from tieout.work.outbox.delivery import run_delivery

if __name__ == "__main__":
    courier = a_courier(open_state(sys.argv[1]), lambda: datetime.now(UTC))
    run_delivery(courier, threading.Event(), poll_s=0.05)
