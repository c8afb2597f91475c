"""One-line error messages."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from typing import Any

from lightning_app.experiments import is_user_file

# Lines of jsonargparse messages that do not contain the cause: types that were tried, and the value.
_NOT_THE_CAUSE = (
    "Does not validate against any",
    "Subtypes:",
    "Errors:",
    "Expected a <class 'NoneType'>",
    "Expected a path but",
    "Given value",
    "Not a valid subclass",
    "Subclass types expect",
    "a class path (str)",
    "a dict ",
    "Problem with given class_path",
)


_EXPECTED = re.compile(r"Expected a <class '([\w.]+)'>(\. Got value: )?")
_CHOICE = re.compile(r"Expected a typing\.Literal\[(.*?)\]\. Got value: ")
_KINDS = {
    "tuple": "a list in brackets",
    "list": "a list in brackets",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "str": "text",
    "collections.abc.Sequence": "a list in brackets",
}


def one_line(error: Exception) -> str:
    """Format the message of an error as one line.

    OSError: file and reason, without the error number. Error of a data loading process: the last line of its
    traceback. Error of jsonargparse: the key and the cause.
    """
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror[0].lower()}{error.strerror[1:]}"
    text = str(error).strip() or type(error).__name__
    lines = [line.strip().removeprefix("- ") for line in text.splitlines()]
    if "Original Traceback" in text:
        return re.sub(r"^[\w.]+: ", "", lines[-1])
    keys, causes = [], []
    for line in lines:
        key, _, cause = line.partition('Parser key "')[2].partition('":')
        if key:
            keys.append(key)
            line = cause.strip()
        if line and not line.startswith(_NOT_THE_CAUSE) and line not in causes:
            causes.append(line)
    message = _EXPECTED.sub(_expected, " ".join(causes))
    message = _CHOICE.sub(lambda match: f"expected one of {match[1]}, got ", message)
    if "is not accepted" in message:
        message += "; --print_config shows every key"
    if keys and re.search(r"No module named '\w+'$", message):
        message += ": not installed, and no such file next to the YAMLs or in the working folder"
    return f"{'.'.join(keys)}: {message}" if keys else message


def _expected(match: re.Match[str]) -> str:
    kind = _KINDS.get(match[1], match[1])
    return f"expected {kind}, got " if match[2] else f"expected {kind}"


def user_error(error: BaseException) -> str | None:
    """``FILE:LINE: TYPE: MESSAGE`` of an error raised in a user's own Python file; None for any other error."""
    found: str | None = None
    current: BaseException | None = error
    while current is not None:  # from the last error to its first cause
        message, places = f"{type(current).__name__}: {current}", []
        if isinstance(current, SyntaxError):  # the file has no traceback entry, as it was not run
            message, places = f"{type(current).__name__}: {current.msg}", [(current.filename or "", current.lineno)]
        elif "Original Traceback" in message:  # traceback of a data loading process, as text
            places = re.findall(r'File "(.+)", line (\d+)', message)
            message = message.strip().splitlines()[-1]
        else:
            places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(current.__traceback__)]
        own = [f"{file}:{line}" for file, line in places if is_user_file(file)]
        own = own or _wrong_signature(current)
        found = f"{own[-1]}: {' '.join(message.split())}" if own else found
        current = current.__cause__ or current.__context__
    return found


def _wrong_signature(error: BaseException) -> list[str]:
    """``FILE:LINE`` of a user's function or class whose signature does not fit its caller, where the traceback ends."""
    called = re.match(r"(?:Can't instantiate abstract class )?([A-Za-z_][\w.]*)(?:\(\))? ", str(error))
    if called is None or type(error) is not TypeError:
        return []
    for module in list(sys.modules.values()):
        if not is_user_file(getattr(module, "__file__", None) or ""):
            continue
        found: Any = module
        for name in called[1].split("."):
            found = vars(found).get(name) if hasattr(found, "__dict__") else None
        file = inspect.getsourcefile(found) if inspect.isclass(found) or inspect.isfunction(found) else None
        if file is not None and is_user_file(file):  # not one that the user's file imports
            return [f"{file}:{inspect.getsourcelines(found)[1]}"]
    return []
