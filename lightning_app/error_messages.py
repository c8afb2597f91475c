"""Errors as one line."""

from __future__ import annotations

import re

# What jsonargparse says around the cause: the types that were tried, and the value, which can be a page long.
_AROUND = (
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


_EXPECTED = re.compile(r"Expected a <class '(tuple|list|int|float|bool)'>\. Got value: ")
_CHOICE = re.compile(r"Expected a typing\.Literal\[(.*?)\]\. Got value: ")
_KINDS = {
    "tuple": "a list in brackets",
    "list": "a list in brackets",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}


def one_line(error: Exception) -> str:
    """The message of an error in one line: its last line where a loading process passed it on, without what
    jsonargparse says around the cause where it comes from a configuration, and without the number of the system's.
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
        if line and not line.startswith(_AROUND) and line not in causes:
            causes.append(line)
    message = _EXPECTED.sub(lambda match: f"expected {_KINDS[match[1]]}, got ", " ".join(causes))
    message = _CHOICE.sub(lambda match: f"expected one of {match[1]}, got ", message)
    if "is not accepted" in message:
        message += "; --print_config shows every key"
    return f"{'.'.join(keys)}: {message}" if keys else message
