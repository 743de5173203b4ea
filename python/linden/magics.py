"""IPython's %px, %%px, %autopx, %pxresult and %pxconfig: cells that run on engines.

Each active view has a set of them, told apart by a suffix.  All that they do is `DirectView.execute`, a look at the output
meanwhile (live_output.py), and `AsyncResult.display_outputs`.
"""

from __future__ import annotations

import signal
import warnings
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython
from IPython.core.magic import Magics, magics_class, no_var_expand
from IPython.core.magic_arguments import magic_arguments, parse_argstring

from . import magic_options
from .autopx import AutoPx
from .error import AlreadyDisplayedError, CompositeError, KernelError
from .interrupt import Interruption
from .live_output import LiveOutput
from .magic_completion import matcher_for
from .magic_options import CELL, EXECUTION, OUTPUT, arguments
from .progress import is_unattended

if TYPE_CHECKING:
    from .async_result import AsyncResult
    from .client import Client
    from .direct_view import DirectView

# How long %load_ext's magics wait for a running cluster.
_CONNECT_S = 3.0


@magics_class
class ParallelMagics(Magics):
    """The magics of one view.

    Args: shell: IPython's. view: None: one of all engines of the running cluster, made when first used. suffix: ends the
        name of each magic.
    """

    def __init__(self, shell: Any, view: DirectView | None, suffix: str = "") -> None:
        super().__init__(shell)
        self._ipython = shell
        is_quiet = is_unattended()
        self.active_view = view
        self.suffix = suffix
        self.stream = not is_quiet
        self.verbose = False
        self.progress_after = -1.0 if is_quiet else 2.0
        self.signal: signal.Signals | None = signal.SIGINT
        self.last_result: AsyncResult | None = None
        self._autopx = AutoPx(shell, suffix)
        self._matcher: Any = None
        line = {"px": self.px, "pxresult": self.pxresult, "pxconfig": self.pxconfig, "autopx": self.autopx}
        if not suffix:
            line["result"] = self.pxresult
        self.magics = {
            "line": {name + suffix: magic for name, magic in line.items()},
            "cell": {f"px{suffix}": self.cell_px},
        }

    @property
    def view(self) -> DirectView:
        """The view whose engines run what is said."""
        if self.active_view is None:
            from .client import Client

            view = Client(timeout=_CONNECT_S).direct_view("all")
            view.block = True
            self.active_view = view
        return self.active_view

    # ---- the magics

    @no_var_expand
    def px(self, line: str) -> Any:
        """Run a line of Python on the engines of the active view; %%px runs a cell, and takes options (``%%px?``).

        ::

            In [1]: %px import os; os.getpid()
            Out[0:1]: 4711
            Out[1:1]: 4712
        """
        if not line.strip():
            raise UsageError(f"%px{self.suffix} needs something to run")
        return self._run(line, Namespace(**dict.fromkeys(_OPTION_NAMES)))

    @magic_arguments("%%px")
    @arguments(EXECUTION, OUTPUT, CELL)
    @no_var_expand
    def cell_px(self, line: str, cell: str) -> Any:
        """Run a cell on the engines of the active view.

        Output is shown while it comes, with ``[stdout:3]`` before what engine 3 prints.  Ctrl-C interrupts the engines.
        ::

            In [2]: %%px --targets ::2
               ...: import os
               ...: print(os.getpid())
            [stdout:0] 4711
            [stdout:2] 4713
        """
        return self._run(cell, parse_argstring(self.cell_px, line))

    @magic_arguments("%pxresult")
    @arguments(OUTPUT)
    @no_var_expand
    def pxresult(self, line: str) -> None:
        """Wait for the last %px, and show its output and values."""
        options = parse_argstring(self.pxresult, line)
        if self.last_result is None:
            raise UsageError(f"%px{self.suffix} has not run anything yet")
        self._keep(self.last_result, options)
        self.last_result.display_outputs(options.groupby or "type")
        self.last_result.get()

    @magic_arguments("%pxconfig")
    @arguments(EXECUTION)
    @no_var_expand
    def pxconfig(self, line: str) -> None:
        """Set what %px does if it is not told; without options, show it."""
        options = parse_argstring(self.pxconfig, line)
        if not line.strip():
            self._show_config()
            return
        if options.signal is not None:
            self.signal = magic_options.parse_signal(options.signal)
        if options.targets is not None:
            self.view.targets = self._targets(options)
        if options.block is not None:
            self.view.block = options.block
        for name in ("stream", "verbose", "progress_after"):
            if getattr(options, name) is not None:
                setattr(self, name, getattr(options, name))

    @no_var_expand
    def autopx(self, line: str) -> None:
        """Switch to a mode in which every cell runs on the engines, and back."""
        if line.strip():
            raise UsageError(f"%autopx{self.suffix} takes no arguments")
        is_on = self._autopx.toggle()
        print(f"%autopx{self.suffix} {'enabled' if is_on else 'disabled'}")

    def _show_config(self) -> None:
        name = "0" if self.signal is None else self.signal.name
        print(
            f"targets={self.view.targets} block={self.view.block} stream={self.stream} verbose={self.verbose} "
            f"progress-after={self.progress_after:g} signal-on-interrupt={name}"
        )

    @property
    def autopx_is_on(self) -> bool:
        """Whether every cell goes to the engines."""
        return self._autopx.is_on

    def begin(self) -> None:
        """These magics are registered: complete what is typed for them, too."""
        if self._ipython.Completer is not None:
            self._matcher = matcher_for(self)
            self._ipython.Completer.custom_matchers.append(self._matcher)

    def retire(self) -> None:
        """Other magics take the place of these."""
        self._autopx.disable()
        if self._matcher is not None:
            self._ipython.Completer.custom_matchers.remove(self._matcher)
            self._matcher = None

    # ---- running

    def _run(self, code: str, options: Namespace) -> AsyncResult | None:
        """Run `code` on the engines; an AsyncResult if nobody is to wait for it."""
        if options.signal is not None:
            options.signal = magic_options.parse_signal(options.signal)
        else:
            options.signal = self.signal
        if options.out is not None:
            magic_options.parse_name(options.out)
        targets = self.view.targets if options.targets is None else self._targets(options)
        block = self.view.block if options.block is None else options.block
        if self.verbose if options.verbose is None else options.verbose:
            print(f"{'Parallel' if block else 'Async parallel'} execution on engine(s): {targets}", flush=True)
        result = self.last_result = self._submit(code, targets, options.signal)
        self._keep(result, options)
        if block:
            self._finish(result, code, options)
            return None
        if options.local:
            self._run_here(code)
        return result

    def _submit(self, code: str, targets: Any, to_engines: signal.Signals | None) -> AsyncResult:
        first = self.view.client.submitter.next_number
        try:
            result: AsyncResult = self.view.execute(code, silent=False, targets=targets, block=False)
        except KeyboardInterrupt:  # engines may have the cell already, and nobody will wait for it
            numbers = [number for some in self.view._own[-1:] for number in some if number >= first]
            Interruption(self.view.client, numbers, to_engines).send()
            raise
        return result

    def _targets(self, options: Namespace) -> Any:
        return magic_options.parse_targets(options.targets, self.view.client, self._ipython.user_ns)

    def _keep(self, result: AsyncResult, options: Namespace) -> None:
        if options.out is not None:
            self._ipython.user_ns[magic_options.parse_name(options.out)] = result

    def _run_here(self, code: str) -> None:
        with self._autopx.paused():
            self._ipython.run_cell(code, store_history=False)

    def _finish(self, result: AsyncResult, code: str, options: Namespace) -> None:
        """Show output, values and errors until all engines are done."""
        stream = self.stream if options.stream is None else options.stream
        if magic_options.shows_at_the_end(options):
            stream = False
        after = self.progress_after if options.progress_after is None else options.progress_after
        live = LiveOutput(result, output=stream, progress_after=None if after < 0 else after)
        interruption = Interruption(self.view.client, result._numbers(), options.signal)
        try:
            with live:
                if options.local:
                    self._run_here(code)
                interruption.wait(result)
        except KeyboardInterrupt:
            # It came while the block was being entered or left, or it is not the first.
            if not interruption.send():
                raise
            with live:
                result.wait()
        result.display_outputs(options.groupby or "type", result_only=stream)
        try:
            result.get()
        except KernelError as error:
            if live.errors_shown >= _count(error):
                raise AlreadyDisplayedError(error) from None
            raise


_OPTION_NAMES = ("block", "stream", "targets", "verbose", "progress_after", "signal", "groupby", "out", "local")


def _count(error: KernelError) -> int:
    return len(error.errors) if isinstance(error, CompositeError) else 1


# ---- which view is active ---------------------------------------------------------------------------------------------


def activate(view: DirectView, suffix: str = "") -> None:
    """Make `view` the one of the magics with that suffix.  Outside IPython there is nothing to activate: a warning."""
    shell = get_ipython()
    if shell is None:
        warnings.warn("%px and its like are there in IPython only; nothing was activated", stacklevel=3)
        return
    if suffix and not f"px{suffix}".isidentifier():
        raise ValueError(f"suffix must be something that may end a name, such as _even, not {suffix!r}")
    _register(shell, ParallelMagics(shell, view, suffix))


def activate_first(client: Client) -> None:
    """For a new client: make all its engines the active view if there is none, or only that of a client that is closed."""
    shell = get_ipython()
    if shell is None:
        return
    magics = _active(shell, "")
    if magics is None and "px" in shell.magics_manager.magics["line"]:
        return  # another package's
    if magics is not None and magics.active_view is not None and not magics.active_view.client.closed:
        return
    from .direct_view import DirectView

    view = DirectView(client, "all")
    view.block = True
    if magics is not None and magics.active_view is None:
        magics.active_view = view  # with the settings made since %load_ext
    else:
        _register(shell, ParallelMagics(shell, view))


def _active(shell: Any, suffix: str) -> ParallelMagics | None:
    magic = shell.magics_manager.magics["line"].get(f"px{suffix}")
    owner = getattr(magic, "__self__", None)
    return owner if isinstance(owner, ParallelMagics) else None


def _register(shell: Any, magics: ParallelMagics) -> None:
    before = _active(shell, magics.suffix)
    if before is not None:
        before.retire()
    shell.register_magics(magics)
    magics.begin()


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext linden``: %px runs on all engines of the running cluster, which is joined when first needed."""
    if _active(shell, "") is None:
        _register(shell, ParallelMagics(shell, None))


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext linden``: no magics of ours are left."""
    registered = shell.magics_manager.magics
    for kind in ("line", "cell"):
        for name, magic in list(registered[kind].items()):
            owner = getattr(magic, "__self__", None)
            if isinstance(owner, ParallelMagics):
                owner.retire()
                del registered[kind][name]
