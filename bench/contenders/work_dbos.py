"""Do as many workflows of DBOS as there are batches, each with one step; argv: state URL, jobs, jobs in a batch."""

import sys
import tempfile
import time

from dbos import DBOS, SetWorkflowID

from bench import measure


def main(url, jobs, batch):
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR", "use_listen_notify": False})

    @DBOS.workflow()
    def one(n):
        return DBOS.run_step({"name": "do"}, lambda: n)

    DBOS.launch()
    batches = -(-jobs // batch)
    began = time.perf_counter()
    for n in range(batches):
        with SetWorkflowID(str(n)):
            DBOS.start_workflow(one, n).get_result()
    seconds = time.perf_counter() - began
    DBOS.destroy()
    measure.report(seconds, done=jobs, accept_us=0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory():
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
