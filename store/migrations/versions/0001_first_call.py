"""What the first call needs: elders, services, calls, turns, orders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "elder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("support_class", sa.String(16), nullable=False),
        sa.Column("dialect", sa.String(), nullable=False),
        sa.Column("high_risk", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_elder"),
        sa.UniqueConstraint("name", "address", name="uq_elder_name_address"),
    )
    op.create_table(
        "service",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("price_fen", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_service"),
    )
    op.create_table(
        "call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("elder_id", sa.Integer()),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.String(16)),
        sa.Column("next", sa.String(16)),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["elder_id"], ["elder.id"], name="fk_call_elder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_call"),
    )
    op.create_index("ix_call_elder_id", "call", ["elder_id"])
    op.create_index("ix_call_phone", "call", ["phone"])
    op.create_index("ix_call_started_at", "call", ["started_at"])
    op.create_table(
        "phone",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("elder_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["elder_id"], ["elder.id"], name="fk_phone_elder_id"),
        sa.PrimaryKeyConstraint("number", "elder_id", name="pk_phone"),
    )
    op.create_index("ix_phone_elder_id", "phone", ["elder_id"])
    op.create_table(
        "turn",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("heard", sa.Text(), nullable=False),
        sa.Column("hypotheses", sa.JSON(), nullable=False),
        sa.Column("meaning", sa.JSON(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("stages_ms", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name="fk_turn_call_id"),
        sa.PrimaryKeyConstraint("id", name="pk_turn"),
        sa.UniqueConstraint("call_id", "index", name="uq_turn_call_id_index"),
    )
    op.create_table(
        "work_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("elder_id", sa.Integer()),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("address", sa.String()),
        sa.Column("scheduled_for", sa.DateTime(timezone=True)),
        sa.Column("said_time", sa.String(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("price_fen", sa.Integer(), nullable=False),
        sa.Column("pay_fen", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String()),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name="fk_work_order_call_id"),
        sa.ForeignKeyConstraint(["code"], ["service.code"], name="fk_work_order_code"),
        sa.ForeignKeyConstraint(["elder_id"], ["elder.id"], name="fk_work_order_elder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_work_order"),
        sa.UniqueConstraint("call_id", "number", name="uq_work_order_call_id_number"),
    )
    op.create_index("ix_work_order_code", "work_order", ["code"])
    op.create_index("ix_work_order_elder_id", "work_order", ["elder_id"])
    op.create_index("ix_work_order_scheduled_for", "work_order", ["scheduled_for"])
    op.create_table(
        "work_order_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["work_order.id"], name="fk_work_order_event_order_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_work_order_event"),
    )
    op.create_index("ix_work_order_event_order_id", "work_order_event", ["order_id"])
