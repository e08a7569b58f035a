"""A default port moves out of the way of others; a configured one does not."""

from __future__ import annotations

import socket

import pytest

from leasebot_pipeline.processes.ports import PortChoice, PortTaken, choose_port, is_free


def _free_except(*taken: int):
    return lambda _host, port: port not in taken


def test_a_free_port_is_taken_as_wanted() -> None:
    choice = choose_port("127.0.0.1", 3000, variable="X", explicit=False, free=_free_except())
    assert choice == PortChoice(3000)


def test_a_default_that_is_taken_moves_to_the_next_free_one_and_says_so() -> None:
    choice = choose_port("127.0.0.1", 3000, variable="X", explicit=False, free=_free_except(3000, 3001))
    assert choice == PortChoice(3002, moved_from=3000)


def test_a_configured_port_that_is_taken_is_an_error_naming_the_variable() -> None:
    with pytest.raises(PortTaken, match=r"API_PORT=3001: port 3001 on 127\.0\.0\.1"):
        choose_port("127.0.0.1", 3001, variable="API_PORT", explicit=True, free=_free_except(3001))


def test_a_row_of_ports_is_free_as_a_whole_and_avoids_ports_given_to_others() -> None:
    choice = choose_port(
        "127.0.0.1",
        4100,
        variable="X",
        explicit=False,
        size=6,
        reserved=frozenset({4106}),
        free=_free_except(4103),
    )
    assert choice == PortChoice(4112, moved_from=4100)


def test_a_listening_socket_makes_a_port_taken() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not is_free("127.0.0.1", server.getsockname()[1])
