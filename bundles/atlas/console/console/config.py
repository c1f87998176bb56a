"""Configuration: from the environment, secrets from files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How console listens and where its database is."""

    address: str
    port: int
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    password_file: Path
    grace_s: float

    def password(self) -> str:
        """Read the password; at each connection, as it may be changed."""
        return self.password_file.read_text().strip()


def read_config(environment: Mapping[str, str]) -> Config:
    """Read the environment; what is not there has the value that fits a container."""
    return Config(
        address=environment.get("LISTEN_ADDRESS", "0.0.0.0"),
        port=int(environment.get("LISTEN_PORT", "8080")),
        database_host=environment.get("DATABASE_HOST", "postgres"),
        database_port=int(environment.get("DATABASE_PORT", "5432")),
        database_name=environment.get("DATABASE_NAME", "console"),
        database_user=environment.get("DATABASE_USER", "console"),
        password_file=Path(
            environment.get("DATABASE_PASSWORD_FILE", "/run/secrets/console_db_password")
        ),
        grace_s=float(environment.get("GRACE_S", "15")),
    )
