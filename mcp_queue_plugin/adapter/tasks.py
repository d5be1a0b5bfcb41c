"""``@task``: a plain function as a job.

@task(queue="llm", max_retries=3)
async def summarize(text: str, words: int = 100) -> str: ...

job = await summarize.enqueue(text, words=50)   # in the server
summary = await summarize(text, words=50)       # the function itself, anywhere
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.option_values import NAME_MAX_LENGTH
from mcp_queue_plugin.model.options import QueueOptions
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.words import shown

if TYPE_CHECKING:
    from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobResult

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned", covariant=True)

NO_OPTIONS = QueueOptions()


class Task(Generic[Parameters, Returned]):
    """A function that can be called as before, and enqueued: a worker then calls it, and what it returns is the result.

    Arguments and result are JSON. Made by ``@task``.
    """

    __name__: str
    __qualname__: str

    def __init__(
        self, function: Callable[Parameters, Returned], *, name: str | None = None, options: QueueOptions = NO_OPTIONS
    ) -> None:
        """Make ``function`` a task called ``name``, by default ``module.qualname``.

        Raises:
            InvalidParameters: the name is not usable, or a parameter of the function cannot be given by name.

        """
        functools.update_wrapper(self, function)
        self._function = function
        self._signature = inspect.signature(function)
        self.name = f"{self.__module__}.{self.__qualname__}" if name is None else _checked_name(name)
        self.queue_options = options
        for parameter in self._signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                raise InvalidParameters(
                    f"the arguments of a task travel by name, which {parameter} of {self.name} does not allow",
                    field=parameter.name,
                )

    def __repr__(self) -> str:
        """Say which task it is."""
        return f"<task {self.name}>"

    def __call__(self, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        """Call the function here and now."""
        return self._function(*args, **kwargs)

    async def enqueue(self, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> QueueJobResult:
        """Store and queue a job that calls the function with these arguments; answers its record, ``job_id`` included.

        Raises:
            InvalidParameters: an argument does not fit the function or is not JSON, or no worker can find the function;
                nothing was stored.
            QueueError: the queue cannot take the job; nothing was stored.

        """
        return await TaskCall(self, NO_OPTIONS, None).enqueue(*args, **kwargs)

    def with_options(self, options: QueueOptions = NO_OPTIONS, *, job_id: str | None = None) -> TaskCall[Parameters]:
        """The task with ``options`` for one call, which go before its own, and with an id of the caller's choosing."""
        return TaskCall(self, options, job_id)

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, as a job keeps them.

        Raises:
            InvalidParameters: they do not fit the function; ``data["field"]`` names the argument.

        """
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            named = re.search(r"'(\w+)'", str(error))
            raise InvalidParameters(
                f"the task {self.name}: {error}", field=named[1] if named else "arguments", violation="value"
            ) from error
        by_name: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            is_rest = self._signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
            by_name.update(value if is_rest else {name: value})
        return by_name

    def check_target(self) -> None:
        """Make sure that workers can find the function.

        Raises:
            InvalidParameters: it is defined in ``__main__`` or inside a function, or its name means something else.

        """
        if self.__module__ == "__main__":
            advice = "it is defined in __main__: move it to a module that the server and its workers import"
        elif "<locals>" in self.__qualname__:
            advice = "it is defined inside a function: move it to the top of its module"
        elif not self._is_found():
            advice = f"{self.__module__}.{self.__qualname__} is something else: let @task be the outermost decorator"
        else:
            return
        raise InvalidParameters(f"no worker can find the task {self.name}; {advice}", field="task", got=self.name)

    def _is_found(self) -> bool:
        try:
            return attrgetter(self.__qualname__)(sys.modules[self.__module__]) is self
        except (KeyError, AttributeError):
            return False


class TaskCall(Generic[Parameters]):
    """A task with the options and the id of one call."""

    def __init__(self, task: Task[Parameters, Any], options: QueueOptions, job_id: str | None) -> None:
        """Use ``Task.with_options``."""
        self._task = task
        self._options = options
        self._job_id = job_id

    async def enqueue(self, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> QueueJobResult:
        """Store and queue the job; see ``Task.enqueue``."""
        # Only here: modules with tasks are imported by workers too, which need nothing of a server.
        from mcp_queue_plugin.adapter.enqueue import enqueue_task

        self._task.check_target()
        return await enqueue_task(self._task, self._task.arguments(args, kwargs), self._options, self._job_id)


@overload
def task(function: Callable[Parameters, Returned], /) -> Task[Parameters, Returned]: ...


@overload
def task(
    *, name: str | None = None, **options: Any
) -> Callable[[Callable[Parameters, Returned]], Task[Parameters, Returned]]: ...


def task(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any
) -> Task[..., Any] | Callable[[Callable[..., Any]], Task[..., Any]]:
    """Make a sync or async function enqueueable: ``@task``, or ``@task(name=…, queue=…, max_retries=…)``.

    ``options`` are the fields of ``QueueOptions``. In a worker a sync function runs in the main thread, an async one on
    the event loop; ``current_job()`` works in both.

    Raises:
        InvalidParameters: the name is not usable, or a parameter of the function cannot be given by name.
        TypeError: an option is none of ``QueueOptions``.

    """
    declared = QueueOptions(**options)
    if function is not None:
        return Task(function, name=name, options=declared)
    return lambda decorated: Task(decorated, name=name, options=declared)


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= NAME_MAX_LENGTH or storable(name) != name or "\0" in name:
        allowed = f"a Unicode text of 1 to {NAME_MAX_LENGTH} characters"
        raise InvalidParameters(f"the name of a task must be {allowed}, not {shown(name)}", field="name")
    return name
