"""The safety core: which modules are mutated, and which tests have to notice.

Called by `hunt` and by the generator of the evidence. A module that does not exist yet is left out
and named in the results.
"""

from dataclasses import dataclass

VENUES = "src/resyncctl/adapters/venues/via_ccxt"
STORE = "src/resyncctl/adapters/store"
CORE = "src/resyncctl/core"
PROCEDURES = "src/resyncctl/procedures"


@dataclass(frozen=True, slots=True)
class Target:
    """A part of the safety core. Patterns are relative to the root of the repository."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = (
    Target(
        "outcome classifier",
        (f"{VENUES}/classify.py", f"{VENUES}/permits.py"),
        (
            "tests/adapters/venues/test_classify*.py",
            "tests/adapters/venues/test_transport.py",
            "tests/adapters/venues/test_session.py",
            "tests/adapters/venues/test_binance_*.py",
            "tests/adapters/venues/test_choke_point*.py",
            "tests/adapters/venues/test_permits*.py",
            "tests/adapters/venues/test_open_venue.py",
            "tests/adapters/venues/test_reduce_proof.py",
        ),
    ),
    Target(
        "verifier",
        (f"{CORE}/proof.py", f"{CORE}/safety*.py", f"{PROCEDURES}/prove_absence.py"),
        (
            "tests/core/test_proof*.py",
            "tests/core/test_safety*.py",
            "tests/procedures/test_cancel_all*.py",
            "tests/procedures/test_prove_absence*.py",
            "tests/procedures/test_verify*.py",
            "tests/procedures/test_gate*.py",
            "tests/procedures/test_establish*.py",
            "tests/procedures/test_resume*.py",
            "tests/procedures/test_resync*.py",
        ),
    ),
    Target(
        "gate",
        (
            f"{CORE}/gate.py",
            f"{PROCEDURES}/gate*.py",
            f"{STORE}/gate.py",
            "src/resyncctl/sdk/gate.py",
        ),
        (
            "tests/adapters/store/test_gate*.py",
            "tests/adapters/store/test_emergency.py",
            "tests/adapters/store/test_worst_moment.py",
            "tests/adapters/store/test_lease_fence.py",
            "tests/procedures/test_gate*.py",
            "tests/procedures/test_resume*.py",
            "tests/sdk/test_gate*.py",
            "tests/core/test_safety*.py",
        ),
    ),
    Target(
        "flatten sizing",
        (f"{CORE}/flatten*.py", f"{CORE}/reduction.py"),
        (
            "tests/core/test_flatten*.py",
            "tests/core/test_reduction*.py",
            "tests/procedures/test_flatten*.py",
            "tests/adapters/venues/test_reduce_proof.py",
        ),
    ),
    Target(
        "lease",
        (f"{STORE}/lease*.py", f"{STORE}/lock_files.py", f"{PROCEDURES}/held_lease.py"),
        (
            "tests/adapters/store/test_lease*.py",
            "tests/adapters/store/test_emergency.py",
            "tests/adapters/store/test_worst_moment.py",
            "tests/procedures/test_cancel_all*.py",
            "tests/procedures/test_held_lease*.py",
        ),
    ),
    Target(
        "journal",
        (f"{STORE}/journal.py", f"{STORE}/chain.py", f"{STORE}/append_file.py"),
        (
            "tests/adapters/store/test_journal*.py",
            "tests/adapters/store/test_append_file*.py",
            "tests/adapters/store/test_chain*.py",
            "tests/adapters/store/test_audit.py",
            "tests/adapters/store/test_runs.py",
            "tests/adapters/store/test_worst_moment.py",
            "tests/adapters/store/test_crashes.py",
        ),
    ),
)
