"""Which keys there are: those of this version, and those it does not serve yet."""

import difflib
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one kind of mapping.

    Attributes:
        known: keys that have an effect here.
        later: keys of the file format that this version ignores with a warning.
        inert: keys that old files have and that never have an effect.
    """

    known: frozenset[str]
    later: frozenset[str] = frozenset()
    inert: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        """Return every key of the format."""
        return self.known | self.later | self.inert

    def closest(self, key: str) -> str:
        """Return the key that *key* was probably meant to be; "" if none."""
        if len(key) > _LONGEST_MISSPELT:
            return ""
        spellings = {name.lower(): name for name in self.all}
        found = difflib.get_close_matches(key.lower(), sorted(spellings), n=1)
        return spellings[found[0]] if found else ""


_LONGEST_MISSPELT: Final = 40


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOP_LEVEL: Final = KeySet(
    known=_keys("""
        globalTTL groups healthCheckTimeout hooks includeAliasesInList logLevel
        logToStdout macros models routing startPort unloadTimeout apiKeys matrix
    """),
    later=_keys("""
        captureBuffer logTimeFormat metricsMaxInMemory peers performance profiles
        selectors sendLoadingState store ui upstream
    """),
    inert=_keys("logRequests"),
)

MODEL: Final = KeySet(
    known=_keys("""
        aliases checkEndpoint cmd cmdStop concurrencyLimit description env macros
        metadata name proxy ttl unlisted unloadTimeout useModelName
    """),
    later=_keys("capabilities compat filters sendLoadingState timeouts"),
    # Accepted by the format, but always overwritten; models.py warns about it.
    inert=_keys("healthCheckTimeout"),
)

GROUP: Final = KeySet(known=_keys("swap exclusive persistent members"))
HOOKS: Final = KeySet(known=_keys("on_startup"))
ON_STARTUP: Final = KeySet(known=_keys("preload"))
ROUTING: Final = KeySet(known=_keys("router scheduler"))
ROUTER: Final = KeySet(known=_keys("use settings"))
ROUTER_SETTINGS: Final = KeySet(known=_keys("groups matrix"))
SCHEDULER: Final = KeySet(known=_keys("use"), later=_keys("settings"))
