"""What logins, groups, slugs and titles may look like, and passwords."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acl import names, passwords
from acl.errors import BadName, BadPassword, BadTitle, ReservedSlug
from acl.passwords import Passwords

GOOD = ["a", "0", "anne", "anne.durand", "a-b_c.d", "a" * 64, "2026", "agenda2", "tasks-2"]
BAD = [
    *("", "A", "Anne", "é", "a b", "a/b", "a@b", "@a", ".a", "-a", "_a", "a.", "a..b"),
    *("a" * 65, "a\n", "\u0430", "a%41", "a\x00", "~a"),
]
RESERVED = [
    *("agenda", "tasks", "contacts", "conseil-tasks", "conseil-contacts", "-tasks"[1:]),
    *("con", "nul", "aux", "prn", "com1", "lpt9", "con.archive"),
]
NOT_RESERVED = ["agendas", "tasks-conseil", "conseiltasks", "contact", "com", "com10", "console"]


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    assert names.check("login", name) == name


@pytest.mark.parametrize("name", BAD)
def test_bad_names(name: str) -> None:
    with pytest.raises(BadName) as caught:
        names.check("space", name)
    # Quoted, so that what cannot be seen can.
    assert str(caught.value).startswith(f"{name!r} cannot be a space")


@pytest.mark.parametrize("slug", RESERVED)
def test_a_space_cannot_take_the_name_of_something_else(slug: str) -> None:
    with pytest.raises(ReservedSlug):
        names.check_slug(slug)


@pytest.mark.parametrize("slug", [*GOOD, *NOT_RESERVED])
def test_good_slugs(slug: str) -> None:
    assert names.check_slug(slug) == slug


@given(st.text(alphabet=st.sampled_from("abc-_.A/ @é9"), max_size=66))
def test_a_name_stands_in_an_address_as_it_is(name: str) -> None:
    try:
        names.check("group", name)
    except BadName:
        return
    assert re.fullmatch(r"[a-z0-9._-]+", name) and name not in (".", "..")


@pytest.mark.parametrize(
    "title", ["Conseil", "Travaux\u00a0: voirie", "L’été 🎉", "x" * 200, "日本"]
)
def test_good_titles(title: str) -> None:
    assert names.check_title(title) == title


@pytest.mark.parametrize(
    "title",
    ["", " ", "\u00a0", "a\nb", "a\x00b", "a\x1bb", "x" * 201, "a\u202eb", "a\u2028b", "\ud800"],
)
def test_bad_titles(title: str) -> None:
    with pytest.raises(BadTitle):
        names.check_title(title)


@pytest.fixture(scope="module")
def hasher() -> Passwords:
    return Passwords(memory=8 * 1024, rounds=1)


@pytest.mark.parametrize("password", ["x" * 9, "", "x" * 1025, "a tab\tin it", "a nul\0 in it"])
def test_bad_passwords(hasher: Passwords, password: str) -> None:
    with pytest.raises(BadPassword):
        hasher.hash(password)


@pytest.mark.parametrize("password", ["x" * 10, "x" * 1024, "été\u00a0: une année", "🎉" * 10])
def test_good_passwords(hasher: Passwords, password: str) -> None:
    hashed = hasher.hash(password)
    assert hashed.startswith("$argon2id$") and password not in hashed
    assert hasher.verify(password, hashed)
    assert not hasher.verify(password + "x", hashed)
    assert not hasher.verify(password, None)
    assert hasher.hash(password) != hashed


def test_a_hash_of_other_costs_is_still_good(hasher: Passwords) -> None:
    dearer = Passwords(memory=64 * 1024, rounds=2)
    assert hasher.verify("une phrase longue", dearer.hash("une phrase longue"))


def test_made_up_passwords_can_be_typed_and_used(hasher: Passwords) -> None:
    made = {passwords.generate() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"([a-z2-9]{4}-){4}[a-z2-9]{4}", password) for password in made)
    assert not any(set("ilo01") & set(password) for password in made)
    hasher.hash(made.pop())
