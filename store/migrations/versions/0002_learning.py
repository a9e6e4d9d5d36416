"""Learning: what was misheard and what it meant, and the dialect heard in a call."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("call", sa.Column("dialect", sa.String(), nullable=False, server_default=""))
    for name in ("engine", "engine_version"):
        op.add_column("turn", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("heard", sa.Text(), nullable=False),
        sa.Column("hypotheses", sa.JSON(), nullable=False),
        sa.Column("taken_for", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("known", sa.String(16), nullable=False),
        sa.Column("dialect", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("engine_version", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("review", sa.String(16), nullable=False),
        sa.Column("reviewed_by", sa.String(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["call_id"], ["call.id"], name="fk_correction_call_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["code"], ["service.code"], name="fk_correction_code"),
        sa.PrimaryKeyConstraint("id", name="pk_correction"),
        sa.UniqueConstraint("call_id", "turn", "code", name="uq_correction_call_id_turn_code"),
    )
    op.create_index("ix_correction_review", "correction", ["review"])
