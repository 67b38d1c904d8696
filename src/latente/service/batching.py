"""One thread that computes, and a queue with a limit before it. Requests that wait together are computed together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from latente.errors import LatenteError

MAX_ROWS = 8192  # of requests that are computed together


class Busy(LatenteError):
    """The queue is full."""


@dataclass(eq=False)
class Job:
    """Rows that wait for an answer.

    Attributes:
        key: jobs with the same key may be computed together; None for one that is computed alone.
        rows: what is computed, of a type that ``join`` takes.
        size: number of rows.
        compute: the function of rows, which may be those of several jobs, and of how many each job has; an answer for each.
        answer: the result, or the error.
    """

    key: Hashable | None
    rows: Any
    size: int
    compute: Callable[[Any, Sequence[int]], Sequence[Any]]
    answer: Future[Any] = field(default_factory=Future)


class Batches:
    """Computes jobs in one thread, in the order in which they come.

    A job that comes while another is computed waits, and is then computed with all that wait under its key. If the rows of
    several jobs fail together, each job is computed alone, so that a bad row spoils its own request only.

    Args:
        join: rows of several jobs as one.
        max_jobs, max_rows: limits of what waits.
    """

    def __init__(
        self,
        join: Callable[[Sequence[Any]], Any],
        max_jobs: int,
        max_rows: int,
    ) -> None:
        self._join = join
        self._max_jobs, self._max_rows = max_jobs, max_rows
        self._waiting: deque[Job] = deque()
        self._rows = 0
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._work, name="latente-service", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that wait now."""
        return len(self._waiting)

    def put(self, job: Job) -> Future[Any]:
        """Add a job.

        Raises:
            Busy: too much waits, or the service is being stopped.
        """
        with self._changed:
            full = len(self._waiting) >= self._max_jobs or (self._waiting and self._rows + job.size > self._max_rows)
            if full or not self._open:
                raise Busy("too many requests wait; try again later" if full else "the service is being stopped")
            self._waiting.append(job)
            self._rows += job.size
            self._changed.notify()
        return job.answer

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._next():
            running = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            if running:
                self._answer(running)

    def _next(self) -> list[Job]:
        """The first job with those that can be computed with it; empty when the service is closed and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            if not self._waiting:
                return []
            jobs = [self._waiting.popleft()]
            size = jobs[0].size
            for job in list(self._waiting) if jobs[0].key is not None else ():
                if job.key == jobs[0].key and size + job.size <= MAX_ROWS:
                    self._waiting.remove(job)
                    jobs.append(job)
                    size += job.size
            self._rows -= size
            return jobs

    def _answer(self, jobs: list[Job]) -> None:
        try:
            found = self._together(jobs)
        except BaseException as error:
            if len(jobs) == 1:
                jobs[0].answer.set_exception(error)
                return
            for job in jobs:
                self._answer([job])
            return
        for job, answer in zip(jobs, found, strict=True):
            job.answer.set_result(answer)

    def _together(self, jobs: list[Job]) -> Sequence[Any]:
        rows = jobs[0].rows if len(jobs) == 1 else self._join([job.rows for job in jobs])
        return jobs[0].compute(rows, [job.size for job in jobs])
