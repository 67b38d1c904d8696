"""Ray Train: lost processes are replaced, and the model is that of a fit in one process."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import latente as lt

pytest.importorskip("ray")
from latente.integrations import ray as on_ray

KILLS = int(os.environ.get("LATENTE_KILLS", "3"))

TRAINED = """
    import json, os, random, signal, sys, threading, time
    from pathlib import Path
    import ray
    import latente as lt
    from latente.integrations import ray as on_ray

    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    killed, done = [], threading.Event()

    def workers():
        "Process numbers of Ray's training workers below this process."
        parents, found = {}, []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                pid, parent = int(path.name), int((path / "stat").read_text().rpartition(")")[2].split()[1])
                parents[pid] = parent
                if b"ray::" in (path / "cmdline").read_bytes() and b"Train" in (path / "cmdline").read_bytes():
                    found.append(pid)
            except (OSError, ValueError):
                continue
        def own(pid):
            return pid == os.getpid() or (pid in parents and own(parents[pid]))
        return [pid for pid in found if own(pid) and b"RayTrainWorker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def kill():
        chosen, last = random.Random(0), 0
        while len(killed) < kills and not done.wait(chosen.uniform(0.3, 1.5)):
            files = list((folder / "run" / "checkpoint").glob("*.safetensors"))
            now = max((path.stat().st_mtime_ns for path in files), default=0)
            found = workers()
            if now > last and found:  # the fit has come further since the last time
                os.kill(chosen.choice(found), signal.SIGKILL)
                killed.append(now)
                last = time.time_ns()

    threading.Thread(target=kill, daemon=True).start()
    vae = lt.VAE("vae", latent_dim=2, hidden=(16,), batch_size=8, max_epochs=int(sys.argv[3]), effort="quick", random_state=0)
    on_ray.fit(vae, str(folder / "rows.parquet"), folder / "run", workers=2, processes=(1, 2), checkpoint_every=0.1)
    done.set()
    print(json.dumps({"kills": len(killed), "left": sorted(path.name for path in (folder / "run").iterdir())}), flush=True)
"""


def write_rows(folder, n):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    values = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(n, 5))
    pq.write_table(pa.table({f"x{i}": values[:, i] for i in range(5)}), folder / "rows.parquet")
    return folder / "rows.parquet"


@pytest.mark.slow
def test_killed_workers_are_replaced_and_the_result_is_the_same(tmp_path):
    epochs = 6 + 4 * KILLS
    data, script = write_rows(tmp_path, 6000), tmp_path / "run.py"
    script.write_text(textwrap.dedent(TRAINED))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    words = [sys.executable, str(script), str(tmp_path), str(KILLS), str(epochs)]
    told = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=environment, timeout=120 + 40 * KILLS)
    assert json.loads(told.stdout.splitlines()[-1]) == {"kills": KILLS, "left": ["model.safetensors"]}
    found = lt.load(tmp_path / "run" / "model.safetensors")
    how = {"latent_dim": 2, "hidden": (16,), "batch_size": 8, "max_epochs": epochs, "effort": "quick", "random_state": 0}
    wanted = lt.VAE("vae", **how).fit(str(data), workers=2)
    assert found.figures_["epochs"] == wanted.figures_["epochs"]
    assert found.figures_["loss"] == pytest.approx(wanted.figures_["loss"], abs=1e-3)
    np.testing.assert_allclose(found.transform(str(data)), wanted.transform(str(data)), atol=1e-2)


@pytest.mark.parametrize(("workers", "processes"), [(2, 3), (2, (0, 2)), (2, (2, 1)), (0, None)])
def test_impossible_processes(workers, processes, tmp_path):
    with pytest.raises(lt.LatenteError, match="processes"):
        on_ray.fit(lt.VAE(), "rows.parquet", tmp_path, workers=workers, processes=processes)
