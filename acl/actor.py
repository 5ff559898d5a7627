"""Who acts."""

from dataclasses import dataclass, replace
from datetime import datetime

from acl.registry import Account, Device, Registry

ENVIRON = "davserver.actor"
"""The WSGI environ key under which the front tells the applications who asks."""


@dataclass(frozen=True)
class Actor:
    """Who asks, from which device and address.

    `account` is None for the command line: whoever may run it owns the files and the database
    anyway, and `name` is then the system's name of that user. `device` is None for a log-in
    with the account's own password.
    """

    name: str
    account: Account | None = None
    device: Device | None = None
    address: str = ""

    @classmethod
    def of(cls, account: Account, device: Device | None = None, address: str = "") -> "Actor":
        """The actor of a request by `account`."""
        return cls(account.login, account, device, address)

    @classmethod
    def console(cls, user: str) -> "Actor":
        """The actor of a command run by the system's user `user`."""
        return cls(user, address="console")

    @property
    def device_name(self) -> str:
        """The name of the device password, or "" without one."""
        return self.device.name if self.device else ""

    def current(self, registry: Registry, now: datetime) -> "Actor | None":
        """The same actor as `registry` knows it now; None if it may no longer act."""
        if self.account is None:
            return self
        account = registry.accounts.get(self.account.id)
        device = self.device and registry.devices.get(self.device.digest)
        if account is None or not account.active(now) or bool(device) != bool(self.device):
            return None
        return replace(self, account=account, device=device)
