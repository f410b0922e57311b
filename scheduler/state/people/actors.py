"""Who acts, from where, and what a scope allows. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a person may do; each scope may do what those before it may."""

    READ = "read"  # look at everything
    SUBMIT = "submit"  # submit sweeps, and change one's own
    ADMIN = "admin"  # change everything

    def allows(self, needed: "Scope") -> bool:
        """Does this scope include what `needed` may do?"""
        order = [*Scope]
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Actor:
    """Who acts. Whoever can write to Redis from a command line may do everything."""

    user: str
    origin: str  # where the call came from: `cli@HOST`, or an address and the name of the token
    scope: Scope = Scope.ADMIN

    def may_change(self, owner: str) -> bool:
        """May this person change a sweep of this owner? Only admins change the sweeps of others."""
        return self.scope.allows(Scope.ADMIN) or (self.scope.allows(Scope.SUBMIT) and self.user == owner)
