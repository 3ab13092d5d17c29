"""Passwords, tokens and keys are hidden in everything that leaves the process for the store."""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import quote

HIDDEN = "***"
SHORTEST_SECRET = 6  # a shorter value of the environment would blank out innocent text

# A word that makes a name secret wherever it stands, and those that do only at its end: `token_dim` is no secret.
_ANYWHERE = {"password", "passwd", "passphrase", "secret", "secrets", "credential", "credentials", "apikey"}
_AT_THE_END = {"token", "pwd", "authorization"}
_PAIRS = {("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("account", "key")}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Names are bounded and taken whole, so that a long word without a separator costs no more than its length.
_USERINFO = re.compile(r"(?<!\w)([A-Za-z][\w+.\-]{0,30}+://)[^\s/\"'?#]*@")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=\-]{8,}")
_KEY = re.compile(r"""(?<!\w)([A-Za-z_][\w.\-]{0,120}+)["']?[ \t]*[:=][ \t]*""")
_VALUE = re.compile(
    r""""(?:\\.|[^"\\\n])+"|'(?:\\.|[^'\\\n])+'"""
    r"""|(?:[^\s,;&"'()\[\]{}<>]|,(?=[^\s,])(?![^\s,]*[=:]))+(?P<code>[(\[])?"""
)
# Right-hand sides that say where a secret comes from, or its type, and not what it is.
_HARMLESS = re.compile(r"None|null|~|true|false|True|False|str|bytes|int|os\.\w+|self\.\w+|\$.*|\*+|\|.*|=.*")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a key's name says that its value is a secret: `DB_PASSWORD` and `apiKey` do, `max_tokens` does not."""
    words = [word.lower() for word in _WORD.findall(name)]
    pairs = set(pairwise(words))
    return bool(_ANYWHERE.intersection(words) or _AT_THE_END.intersection(words[-1:]) or _PAIRS & pairs)


def mask(text: str) -> str:
    """The text without URL credentials, values of secret keys, and values of secret environment variables."""
    for value in _environment_secrets():
        text = text.replace(value, HIDDEN)
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    return _mask_pairs(text)


def mask_values(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with its values masked, nested ones too; what is not text and has no secret key stays as it is."""
    return {key: _mask_value(key, value) for key, value in mapping.items()}


def _mask_value(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return mask_values(value)
    if is_secret(str(key)) and value not in (None, "", True, False):
        return HIDDEN
    if isinstance(value, (list, tuple)):
        return type(value)([_mask_value("", item) for item in value])
    return mask(value) if isinstance(value, str) else value


def _mask_pairs(text: str) -> str:
    parts, done = [], 0
    for key in _KEY.finditer(text):
        value = _VALUE.match(text, key.end()) if key.start() >= done and is_secret(key[1]) else None
        if value is None or value["code"] or value[0] == key[1] or _HARMLESS.fullmatch(value[0]):
            continue
        mark = value[0][0] if value[0][0] in "\"'" else ""
        parts += [text[done : value.start()], mark, HIDDEN, mark]
        done = value.end()
    return "".join([*parts, text[done:]])


def _environment_secrets() -> list[str]:
    values = {value for name, value in os.environ.items() if len(value) >= SHORTEST_SECRET and is_secret(name)}
    return sorted(values | {quote(value, safe="") for value in values}, key=len, reverse=True)
