"""A leasing team's day as rows: what the console's screens are looked at with."""

from __future__ import annotations

from sqlalchemy import text

from tests.api.house import House
from tests.console.day_admin import bring_to_today, fill_admin
from tests.console.day_inbox import fill_inbox, open_calendars
from tests.console.day_showings import fill_calendar_day


def fill_day(house: House) -> None:
    """Everything the screens show at least once. Each part stands beside the screens it is for."""
    fill_admin(house)
    fill_inbox(house)
    open_calendars(house)
    fill_calendar_day(house)
    name_the_rest(house)
    bring_to_today(house)


def name_the_rest(house: House) -> None:
    """Rows made for figures alone have names and places too."""
    people = ("Priya Nair", "Tom Becker", "Lena Fuchs", "Omar Haddad", "Sofia Lund", "Ian Walsh")
    with house.rows() as conn:
        conn.execute(
            text("""UPDATE "Agents" a SET full_name = (CAST(:people AS text[]))[1 + (r.n - 1) % 6]
                      FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM "Agents" WHERE full_name = 'Ann') r
                     WHERE a.id = r.id"""),
            {"people": list(people)},
        )
        conn.execute(
            text("""UPDATE "Units" SET property_name = 'Birch Court' WHERE property_name = 'House'""")
        )
        conn.execute(
            text("""UPDATE "ShowingAppointments" SET timezone = 'America/New_York' WHERE timezone = 'UTC'""")
        )
        conn.execute(
            text(
                """UPDATE "user" SET name = (CAST(:names AS jsonb)) ->> name WHERE CAST(:names AS jsonb) ? name"""
            ),
            {"names": '{"agent": "Dana Reyes", "admin": "Robin Hale", "unlinked": "Kai Moreno"}'},
        )
