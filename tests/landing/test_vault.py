"""Keys and identities: private, and never made anew over people who are known already."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from uptake.errors import ConfigError
from uptake.landing.vault import IDENTITIES, PSEUDONYM_KEY, SEAL_KEY, Keyring, Vault


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "vault" / "lakeside"
    Keyring.open(folder)
    with Vault(folder) as vault:
        vault.add_identities([("email", "p", "kid@x.example")])
        vault.flush()
        assert _mode(folder) == 0o700
        files = (PSEUDONYM_KEY, SEAL_KEY, IDENTITIES, f"{IDENTITIES}-wal", f"{IDENTITIES}-shm")
        assert {path.name: _mode(path) for path in folder.iterdir()} == dict.fromkeys(files, 0o600)


def test_a_folder_that_others_could_enter_is_tightened(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Keyring.open(tmp_path)
    assert _mode(tmp_path) == 0o700


def test_keys_are_made_once(tmp_path: Path) -> None:
    first, second = Keyring.open(tmp_path), Keyring.open(tmp_path)
    assert first.pseudonym == second.pseudonym
    assert second.seal.decrypt(first.seal.encrypt(b"row")) == b"row"


def test_two_first_uses_at_once_agree_on_one_key(tmp_path: Path) -> None:
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(Keyring.open(tmp_path).pseudonym)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8 and len(set(made)) == 1


@pytest.mark.parametrize("key", [PSEUDONYM_KEY, SEAL_KEY])
def test_a_lost_key_is_not_replaced_while_identities_are_held(tmp_path: Path, key: str) -> None:
    Keyring.open(tmp_path)
    with Vault(tmp_path):
        pass
    (tmp_path / key).unlink()
    with pytest.raises(ConfigError, match="backup"):
        Keyring.open(tmp_path)
    assert not (tmp_path / key).exists()


@pytest.mark.parametrize("key", [PSEUDONYM_KEY, SEAL_KEY])
def test_a_damaged_key_is_refused(tmp_path: Path, key: str) -> None:
    Keyring.open(tmp_path)
    (tmp_path / key).write_bytes(b"short")
    with pytest.raises(ConfigError, match="backup"):
        Keyring.open(tmp_path)


def test_a_key_does_not_show_in_a_repr(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path)
    assert repr(keyring.pseudonym) not in repr(keyring)


def test_two_pulls_may_write_at_once(tmp_path: Path) -> None:
    Keyring.open(tmp_path)

    def writes(name: str) -> None:
        with Vault(tmp_path) as vault:
            for portion in range(20):
                vault.add_identities([("email", f"{name}-{portion}-{row}", "x") for row in range(50)])
                vault.add_identities([("email", f"both-{portion}-{row}", "x") for row in range(50)])
                vault.flush()

    threads = [threading.Thread(target=writes, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Vault(tmp_path) as vault:
        for name in ("one", "two", "both"):
            assert vault.identifier("email", f"{name}-19-49") == "x"


def test_the_key_of_events_comes_from_the_districts_key(tmp_path: Path) -> None:
    one, again, other = (Keyring.open(tmp_path / name) for name in ("one", "one", "other"))
    assert one.event_key == again.event_key and len(one.event_key) == 32
    assert one.event_key not in (other.event_key, one.pseudonym)
