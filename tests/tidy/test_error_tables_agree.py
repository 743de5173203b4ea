"""The codes of api/include/linden/error.h, of the wire and the exceptions of linden.errors are the same table."""

import re
from pathlib import Path

from linden import errors

ROOT = Path(__file__).resolve().parents[2]
# Where Python's word differs from the code's.
RENAMED = {"Internal": "InternalError"}


def codes_of_the_header() -> dict[int, str]:
    text = (ROOT / "api/include/linden/error.h").read_text()
    return {
        int(number): name for name, number in re.findall(r"^\s*k(\w+) = (\d+),", text, re.MULTILINE) if name != "Ok"
    }


def test_every_code_has_its_class() -> None:
    wanted = {number: RENAMED.get(name, name) for number, name in codes_of_the_header().items()}
    found = {number: cls.__name__ for number, cls in errors.CLASS_OF_CODE.items()}
    assert found == wanted
    assert all(errors.CLASS_OF_CODE[number].code == number for number in found)


def test_every_class_is_public() -> None:
    assert {cls.__name__ for cls in errors.CLASS_OF_CODE.values()} <= set(errors.__all__)


def test_the_wire_says_the_same() -> None:
    proto = (ROOT / "api/wire/proto/linden/wire/v1/error.proto").read_text()
    wire = {int(number): name for name, number in re.findall(r"^\s*([A-Z_]+) = (\d+);", proto, re.MULTILINE)}
    names = {number: re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper() for number, name in codes_of_the_header().items()}
    assert wire == names | {0: "OK"}
    texts = (ROOT / "api/model/error.cpp").read_text()
    assert re.findall(r'return "([A-Z_]+)";', texts) == [*dict(sorted(wire.items())).values(), "UNKNOWN"]
