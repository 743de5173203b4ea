"""Exceptions of tasks arrive as RemoteError and as what they were."""

import pickle
from typing import Any

import pytest
from linden.error import CompositeError, KernelError, RemoteError, collect_exceptions, make_remote_error, raise_errors

INFO = {"engine_id": 3, "engine_uuid": "e" * 32, "method": "f"}


class Custom(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a}+{b}")
        self.a = a
        self.b = b

    def __reduce__(self) -> Any:
        return Custom, (self.a, self.b)


def remote(error: BaseException, pickled: bool = True) -> RemoteError:
    return make_remote_error(
        type(error).__name__, str(error), "Traceback: there", INFO, pickle.dumps(error) if pickled else None
    )


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("k"), ZeroDivisionError("z"), FileNotFoundError(2, "missing", "name")]
)
def test_builtin_errors_keep_their_type(error: Exception) -> None:
    result = remote(error)
    assert isinstance(result, RemoteError)
    assert isinstance(result, type(error))
    assert result.args == error.args
    assert str(result) == f"[3:f] {type(error).__name__}: {error}"


def test_fields_of_an_os_error_survive() -> None:
    error: Any = remote(FileNotFoundError(2, "missing", "name"))
    assert error.errno == 2
    assert error.filename == "name"


def test_a_custom_error_keeps_type_and_fields() -> None:
    error: Any = remote(Custom(1, 2))
    assert isinstance(error, Custom)
    assert (error.a, error.b) == (1, 2)
    assert isinstance(error.original, Custom)


def test_a_builtin_type_is_known_by_its_name_alone() -> None:
    assert isinstance(remote(ValueError("no"), pickled=False), ValueError)


def test_an_error_of_unknown_type_is_a_remote_error() -> None:
    error = make_remote_error("Strange", "text", "tb", INFO, b"not a pickle")
    assert type(error).__mro__[1] is RemoteError or type(error) is RemoteError
    assert str(error) == "[3:f] Strange: text"


@pytest.mark.parametrize("error", [SystemExit(3), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), StopIteration(5)])
def test_awkward_types_do_no_harm(error: BaseException) -> None:
    result = remote(error)
    assert isinstance(result, RemoteError)
    assert result.ename == type(error).__name__


def test_the_remote_traceback_is_shown() -> None:
    error = remote(ValueError("no"))
    assert error.render_traceback() == ["Traceback: there"]
    assert "Traceback: there" in "".join(error.__notes__)


def test_a_remote_error_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(remote(Custom(1, 2))))
    assert isinstance(error, Custom)
    assert isinstance(error, RemoteError)
    assert error.engine_info == INFO


def test_one_error_is_raised_as_it_is_and_several_as_one() -> None:
    first, second = remote(ValueError("1")), remote(KeyError("2"))
    with pytest.raises(ValueError):
        raise_errors([first], "f")
    with pytest.raises(CompositeError) as caught:
        raise_errors([first, second], "f")
    assert caught.value.errors == [first, second]
    assert [row[0] for row in caught.value.elist] == ["ValueError", "KeyError"]
    with pytest.raises(KeyError):
        caught.value.raise_exception(1)


def test_a_composite_error_shows_the_first_four() -> None:
    error = CompositeError("5 errors", [remote(ValueError(str(number))) for number in range(6)])
    assert "[3:f] ValueError: 3" in str(error)
    assert "ValueError: 4" not in str(error)
    assert "2 more" in str(error)


def test_collect_exceptions() -> None:
    assert collect_exceptions([1, 2]) == [1, 2]
    with pytest.raises(KernelError):
        collect_exceptions([1, remote(ValueError("no"))])
