"""Passwords, tokens and keys are hidden in everything that leaves the process for the store."""

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import quote

HIDDEN = "***"
SHORTEST_SECRET = 6  # a shorter value of the environment would blank out innocent text

# Words that make a name secret wherever they stand, and pairs of words that do.
_ANYWHERE = {"password", "passwd", "passphrase", "secret", "secrets", "credential", "credentials", "apikey"}
_PAIRS = {(first, "key") for first in ("api", "access", "private", "secret", "account")}
_PAIRS |= {(first, "token") for first in ("api", "access", "auth", "bearer", "refresh")}
# Names of secrets and of ordinary things of machine learning: here the value decides.
_AMBIGUOUS = "token"
SHORTEST_OPAQUE = 8
LONGEST_TOKEN = 500
SHORT = 200  # texts up to this length are remembered as they were masked

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Names are bounded and taken whole, so that a long word without a separator costs no more than its length.
_USERINFO = re.compile(r"(?<!\w)([A-Za-z][\w+.\-]{0,30}+://)[^\s/\"'?#]*@")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+(?![a-z]+\b(?![.~+/=\-]))[\w.~+/=\-]{8,}")
_KEY = re.compile(r"""(?<!\w)([A-Za-z_][\w.\-]{0,120}+)["']?[ \t]*[:=][ \t]*""")
_VALUE = re.compile(
    r""""(?:\\.|[^"\\\n])+"|'(?:\\.|[^'\\\n])+'"""
    r"""|(?:[^\s,;&"'()\[\]{}<>]|,(?=[^\s,])(?![^\s,]*[=:]))+(?P<code>[(\[])?"""
)
_IDENTIFIER = re.compile(r"_*[A-Za-z]+\d{0,2}(?:[_.]+(?:[A-Za-z]+\d{0,2}|\d{1,3}))*")
_PLACEHOLDER = re.compile(r"[<\[{(].*[>\])}]|\$\{.*")
_PATCH = (".patch", ".diff")
# Right-hand sides that say where a secret comes from, or its type, and not what it is.
_HARMLESS = re.compile(r"None|null|~|true|false|True|False|str|bytes|int|os\.\w+|self\.\w+|\$.*|\*+|\|.*|=.*")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a key's name says that its value may be secret: `DB_PASSWORD` and `apiKey` do, `max_tokens` does not."""
    return _is_clearly_secret(name) or _words(name)[-1:] == [_AMBIGUOUS]


@lru_cache(maxsize=4096)
def _is_clearly_secret(name: str) -> bool:
    """No value of such a key is shown; `eos_token` is not one of them, `access_token` is."""
    words = _words(name)
    at_the_end = words[-1:] == ["authorization"] or (words[-1:] == ["pwd"] and len(words) > 1)  # PWD is a folder
    return at_the_end or bool(_ANYWHERE.intersection(words) or _PAIRS.intersection(pairwise(words)))


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _is_opaque(value: str) -> bool:
    """Whether it looks like a key of some service: letters and digits, and neither a number, a name nor `<eos_1>`."""
    if len(value) < SHORTEST_OPAQUE or not (re.search(r"[A-Za-z]", value) and re.search(r"\d", value)):
        return False
    return not (_IDENTIFIER.fullmatch(value) or _PLACEHOLDER.fullmatch(value) or is_number(value))


def is_number(text: str) -> bool:
    """Whether Python would read it as one, `1e-3`, `inf` and `1_000` too."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def mask(text: str) -> str:
    """The text without URL credentials, values of secret keys, and values of secret environment variables."""
    return _mask_pairs(_mask_anywhere(text))


def mask_file(text: str, name: str) -> str:
    """A file's text, masked. In a patch the code counts: only literals and opaque values go, header lines stay.

    A line is masked alike wherever it stands, but where one is masked its patch no longer applies there.
    """
    if not name.endswith(_PATCH):
        return mask(text)
    lines = _mask_anywhere(text).split("\n")
    return "\n".join(_mask_pairs(line, code=True) if line[:1] in "+- @" else line for line in lines)


def _mask_anywhere(text: str, secrets: Sequence[str] | None = None) -> str:
    for value in _environment_secrets() if secrets is None else secrets:
        text = text.replace(value, HIDDEN)
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    return _BEARER.sub(rf"\1 {HIDDEN}", text)


def mask_values(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with its values masked, nested ones too; what is not text and has no secret key stays as it is."""
    return _masked(mapping, _environment_secrets())


def _masked(mapping: Mapping[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    return {key: _mask_value(key, value, secrets) for key, value in mapping.items()}


def _mask_value(key: str, value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return _masked(value, secrets)
    if _is_clearly_secret(str(key)) and value not in (None, "", True, False):
        return HIDDEN
    if is_secret(str(key)) and isinstance(value, str) and _is_opaque(value):
        return HIDDEN
    if isinstance(value, (list, tuple)):
        return type(value)([_mask_value("", item, secrets) for item in value])
    if not isinstance(value, str):
        return value
    return (_mask_short if len(value) <= SHORT else _mask_text)(value, secrets)


def _mask_text(text: str, secrets: Sequence[str]) -> str:
    return _mask_pairs(_mask_anywhere(text, secrets))


# A run's settings are masked several times, and nearly all of the next run's are the same.
_mask_short = lru_cache(maxsize=4096)(_mask_text)


def _mask_pairs(text: str, *, code: bool = False) -> str:
    parts, done = [], 0
    for key in _KEY.finditer(text):
        value = _value_after(text, key) if key.start() >= done and is_secret(key[1]) else None
        if value is None or value["code"] or value[0] == key[1] or not _is_hidden(text, key, value[0], code):
            continue
        mark = value[0][0] if value[0][0] in "\"'" else ""
        parts += [text[done : value.start()], mark, HIDDEN, mark]
        done = value.end()
    return "".join([*parts, text[done:]])


def _value_after(text: str, key: re.Match[str]) -> re.Match[str] | None:
    # One that turns out to be innocent is read again for the keys within it, so only so much of it is read.
    is_long = text[key.end() : key.end() + 1] in ('"', "'") or _is_clearly_secret(key[1])
    return _VALUE.match(text, key.end(), len(text) if is_long else key.end() + LONGEST_TOKEN)


def _is_hidden(text: str, key: re.Match[str], value: str, code: bool) -> bool:
    """Whether a value goes: every one of a clearly secret key or a URL's query, else what looks like a secret.

    In code an unquoted value is an expression: it goes only where it looks like a secret.
    """
    is_quoted = value[0] in "\"'"
    bare = value[1:-1] if is_quoted else value
    if _PLACEHOLDER.fullmatch(bare) or bare in (HIDDEN, key[1]) or (not is_quoted and _HARMLESS.fullmatch(value)):
        return False
    in_query = text[key.start() - 1 : key.start()] in ("?", "&")
    is_clear = _is_clearly_secret(key[1]) or in_query
    return _is_opaque(bare) or (is_clear and (is_quoted or not code))


def _environment_secrets() -> tuple[str, ...]:
    # Compared as Python keeps it where it lets us: to decode it costs more than all that is done with it here.
    return _secrets_of(frozenset(getattr(os.environ, "_data", os.environ).items()))


@lru_cache(maxsize=8)  # it hardly ever changes, and is asked for dozens of times a run
def _secrets_of(environment: frozenset[tuple[Any, Any]]) -> tuple[str, ...]:
    texts = [(os.fsdecode(name), os.fsdecode(value)) for name, value in environment]
    values = {value for name, value in texts if _is_environment_secret(name, value)}
    return tuple(sorted(values | {quote(value, safe="") for value in values}, key=len, reverse=True))


def _is_environment_secret(name: str, value: str) -> bool:
    if len(value) < SHORTEST_SECRET or not is_secret(name):
        return False
    return _is_clearly_secret(name) or not (is_number(value) or _PLACEHOLDER.fullmatch(value))
