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


def test_the_folder_is_named_before_anything_counts():
    code = "from tieout.core import metrics\nfrom pathlib import Path\n"
    code += "from tieout.core.metrics_folder import share_metrics\nshare_metrics(Path('x'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False
    )
    assert "RuntimeError" in done.stderr
