"""One-line error messages."""

from __future__ import annotations

import re
import traceback

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
    message = _EXPECTED.sub(lambda match: f"expected {_KINDS[match[1]]}, got ", " ".join(causes))
    message = _CHOICE.sub(lambda match: f"expected one of {match[1]}, got ", message)
    if "is not accepted" in message:
        message += "; --print_config shows every key"
    if keys and re.search(r"No module named '\w+'$", message):
        message += ": not installed, and no such file next to the YAMLs or in the working folder"
    return f"{'.'.join(keys)}: {message}" if keys else message


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
        found = f"{own[-1]}: {' '.join(message.split())}" if own else found
        current = current.__cause__ or current.__context__
    return found
