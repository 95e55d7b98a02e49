import subprocess
import sys

COUNT = """
import sys
from pathlib import Path
from tieout.core.metrics_folder import share_metrics
share_metrics(Path(sys.argv[1]))
from tieout.core import metrics
metrics.JOBS_REFUSED.labels("q").inc()
print(metrics.render().decode(), flush=True)
print("counted", flush=True)
sys.stdin.read()
"""


def start(folder):
    command = [sys.executable, "-c", COUNT, str(folder)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env={"PYTHONPATH": "src"}, stdin=pipe, stdout=pipe, text=True)
    told = []
    for line in process.stdout:
        if line == "counted\n":
            break
        told.append(line)
    return process, "".join(told)


def end(process):
    process.communicate("")
    assert process.returncode == 0


def test_living_processes_add_up_and_what_the_dead_left_is_cleared(tmp_path):
    first, told = start(tmp_path / "metrics")
    assert 'jobs_refused_total{queue="q"} 1.0' in told
    second, told = start(tmp_path / "metrics")
    assert 'jobs_refused_total{queue="q"} 2.0' in told
    end(first)
    third, told = start(tmp_path / "metrics")
    assert 'jobs_refused_total{queue="q"} 3.0' in told
    end(second)
    end(third)
    fourth, told = start(tmp_path / "metrics")
    assert 'jobs_refused_total{queue="q"} 1.0' in told
    end(fourth)


def test_what_is_counted_has_its_room_on_the_disk(tmp_path):
    """A process that counts into a file without room is killed when the disk is full."""
    process, _ = start(tmp_path / "metrics")
    files = list((tmp_path / "metrics").glob("*.db"))
    assert len(files) >= 3
    assert [one.name for one in files if one.stat().st_blocks * 512 < one.stat().st_size] == []
    end(process)


def test_the_folder_is_named_before_anything_counts():
    code = "from tieout.core import metrics\nfrom pathlib import Path\n"
    code += "from tieout.core.metrics_folder import share_metrics\nshare_metrics(Path('x'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False
    )
    assert "RuntimeError" in done.stderr


COMMAND = """
import sys
from pathlib import Path
from tieout.core import metrics, metrics_folder
from tieout.core.metrics_folder import hand_over
folder = Path(sys.argv[1])
metrics.JOBS_REFUSED.labels("q").inc(2)
metrics.JOB_DURATION.labels("q", "k").observe(0.2)
metrics.JOB_DURATION.labels("q", "k").observe(7)
metrics.JOB_DURATION.labels("r", "k").observe(7)
metrics.DB_CONNECTIONS_ACTIVE.labels("t").inc()
level = metrics._gauge("level", "How something is.", "scope", mode=metrics.MOST_RECENT)
level.labels("pilot").set(float(sys.argv[2]))
hand_over(folder)
metrics.JOBS_REFUSED.labels("q").inc()
hand_over(folder)
hand_over(folder)
metrics.JOBS_REFUSED.labels("q").inc(100)
metrics_folder.leave_out()
hand_over(folder)
"""


def run_command(folder, level):
    command = [sys.executable, "-c", COMMAND, str(folder), str(level)]
    subprocess.run(command, env={"PYTHONPATH": "src"}, check=True)


def test_what_commands_counted_is_shown_by_the_servers_in_whose_time_they_ran(tmp_path):
    folder = tmp_path / "metrics"
    run_command(folder, 90)
    assert not folder.exists()
    server, _ = start(folder)
    run_command(folder, 91)
    run_command(folder, 89)
    other, told = start(folder)
    assert 'jobs_refused_total{queue="q"} 8.0' in told  # twice 3, and 1 of each server
    assert 'job_duration_seconds_bucket{kind="k",le="0.1",queue="q"} 0.0' in told
    assert 'job_duration_seconds_bucket{kind="k",le="0.25",queue="q"} 2.0' in told
    assert 'job_duration_seconds_bucket{kind="k",le="10.0",queue="q"} 4.0' in told
    assert 'job_duration_seconds_bucket{kind="k",le="10.0",queue="r"} 2.0' in told
    assert 'job_duration_seconds_count{kind="k",queue="q"} 4.0' in told
    assert 'job_duration_seconds_sum{kind="k",queue="q"} 14.4' in told
    assert 'level{scope="pilot"} 89.0' in told
    assert "db_connections_active" not in told
    assert len(list(folder.glob("*commands*"))) == 4  # counters, histograms, gauges, and a lock
    end(server)
    end(other)


def test_a_folder_that_cannot_be_written_is_no_fault_of_a_command(tmp_path):
    (tmp_path / "counter_commands.db").mkdir()
    run_command(tmp_path, 90)
