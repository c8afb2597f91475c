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


def one_line(error: Exception) -> str:
    """The message of an error in one line: its last line where a loading process passed it on, and without what
    jsonargparse says around the cause where it comes from a configuration.
    """
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
    message = " ".join(causes)
    if "is not accepted" in message:
        message += "; --print_config shows every key"
    return f"{'.'.join(keys)}: {message}" if keys else message
