#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The service against its own description: requests made up from it, right ones and wrong ones, answered as it says."""
import os
import random
import subprocess
import sys

from service import *

PROGRAM = os.path.join(ROOT, ".cache", "interop", "schemathesis", "bin", "schemathesis")
SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))


def need_schemathesis():
    got = subprocess.run([os.path.join(ROOT, "tests/interop/install"), "schemathesis"], capture_output=True, text=True)
    assert got.returncode == 0, got.stderr


def test_answers_are_as_described(folder):
    """No request makes it fail; what is answered has the status, type and shape described; what violates the description is refused, and what holds to it is
    not, but for payloads: what they must hold is more than a schema says."""
    need_schemathesis()
    print(f"  SEED={SEED}")
    with Service(os.path.join(folder, "home"), "--no-monitoring") as s:
        said = subprocess.run([PROGRAM, "run", s.url + "/openapi.json", "--max-examples", "15", "--seed", str(SEED), "--no-color", "--phases", "examples,coverage,fuzzing",
                               "--exclude-checks", "positive_data_acceptance"], capture_output=True, text=True, cwd=folder, timeout=300)
        assert said.returncode == 0, said.stdout[-6000:] + said.stderr[-2000:]
        assert s.process.poll() is None, s.output()


if __name__ == "__main__":
    sys.exit(main(globals()))
