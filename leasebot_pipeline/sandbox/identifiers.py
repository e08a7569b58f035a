"""How each platform numbers leads, threads and messages. The same counter always gives the same id."""

from __future__ import annotations

from uuid import UUID, uuid5

from leasebot_pipeline.domain.platforms import Platform

_NAMESPACE = UUID("5b7b4a3e-6d0f-4f8a-9d52-7d9f3a1c2e40")


def lead_number(lead: int) -> str:
    """A lead's public user number."""
    return str(20_410_000 + lead)


def thread_id(platform: Platform, lead: int, advert_id: str | None) -> str:
    """A thread's id. SpareRoom joins lead and advert, Furnished Finder uses 24 hex digits."""
    match platform:
        case Platform.SPAREROOM:
            return f"{lead_number(lead)}_{advert_id}"
        case Platform.ROOMIES:
            return str(7_100_000 + lead)
        case Platform.LEASEBREAK:
            return str(45_000 + lead)
        case Platform.RENTHOP:
            return f"rh{880_000 + lead}"
        case Platform.FURNISHEDFINDER:
            return uuid5(_NAMESPACE, f"thread:{lead}").hex[:24]


def message_id(platform: Platform, number: int) -> str:
    """A message's id as the platform's markup carries it (Furnished Finder's markup carries none)."""
    match platform:
        case Platform.SPAREROOM:
            return str(88_010_000 + number)
        case Platform.ROOMIES:
            return str(5_400_000 + number)
        case Platform.LEASEBREAK:
            return str(310_000 + number)
        case Platform.RENTHOP:
            return f"m{660_000 + number}"
        case Platform.FURNISHEDFINDER:
            return f"ff{number}"


def message_uuid(number: int) -> str:
    """Roomies' second, global id of a message."""
    return str(uuid5(_NAMESPACE, f"message:{number}"))
