"""Addresses as people see them who need not know them."""


def masked(address: str) -> str:
    """The address as people see it who need not know it: enough to recognise it and to see a wrong domain."""
    name, at, domain = address.rpartition("@")
    if not at:
        return "•••" if address else ""
    return f"{name[0]}•••{name[-1]}@{domain}" if len(name) > 3 else f"•••@{domain}"
