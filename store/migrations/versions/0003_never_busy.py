"""Never busy: operators and their console, the queue, call-backs, alarms."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=True)
OPEN = sa.text("state IN ('waiting', 'dialling', 'reached', 'no_answer')")


def upgrade() -> None:
    op.create_table(
        "operator",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("extension", sa.String(), nullable=False),
        sa.Column("sip_secret", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("duty", sa.String(16), nullable=False),
        sa.Column("duty_reason", sa.String(), nullable=False),
        sa.Column("duty_since", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_operator"),
        sa.UniqueConstraint("name", name="uq_operator_name"),
        sa.UniqueConstraint("extension", name="uq_operator_extension"),
    )
    op.create_table(
        "operator_duty",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("operator_id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("duty", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name="fk_operator_duty_operator_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_operator_duty"),
    )
    op.create_index("ix_operator_duty_operator_id", "operator_duty", ["operator_id"])
    op.create_index("ix_operator_duty_at", "operator_duty", ["at"])
    op.create_table(
        "login_session",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("operator_id", sa.Integer(), nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name="fk_login_session_operator_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_login_session"),
    )
    op.create_index("ix_login_session_operator_id", "login_session", ["operator_id"])
    op.create_index("ix_login_session_expires_at", "login_session", ["expires_at"])
    op.create_table(
        "login_failure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_login_failure"),
    )
    for column in ("name", "address", "at"):
        op.create_index(f"ix_login_failure_{column}", "login_failure", [column])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("operator_id", sa.Integer()),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name="fk_audit_operator_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_operator_id", "audit", ["operator_id"])
    op.create_table(
        "queue_visit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Uuid()),
        sa.Column("uniqueid", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("joined_at", TIME, nullable=False),
        sa.Column("left_at", TIME),
        sa.Column("how", sa.String(16)),
        sa.Column("answered_at", TIME),
        sa.Column("answered_by", sa.String(), nullable=False),
        sa.Column("talk_ended_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_queue_visit"),
        sa.UniqueConstraint("uniqueid", "joined_at", name="uq_queue_visit_uniqueid_joined_at"),
    )
    for column in ("call_id", "phone", "joined_at", "left_at"):
        op.create_index(f"ix_queue_visit_{column}", "queue_visit", [column])
    op.create_table(
        "operator_call",
        sa.Column("uniqueid", sa.String(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("extension", sa.String(), nullable=False),
        sa.Column("rang_at", TIME, nullable=False),
        sa.Column("answered_at", TIME),
        sa.PrimaryKeyConstraint("uniqueid", name="pk_operator_call"),
    )
    op.create_index("ix_operator_call_extension", "operator_call", ["extension"])
    op.create_table(
        "callback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("elder_id", sa.Integer()),
        sa.Column("call_id", sa.Uuid()),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("wants", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("queued_at", TIME, nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("claimed_at", TIME),
        sa.Column("attempt_id", sa.Uuid()),
        sa.Column("reached_call_id", sa.Uuid()),
        sa.Column("closed_at", TIME),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["elder_id"], ["elder.id"], name="fk_callback_elder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_callback"),
    )
    op.create_index(
        "uq_callback_open_phone",
        "callback",
        ["phone"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("ix_callback_state_due_at", "callback", ["state", "due_at"])
    op.create_index("ix_callback_phone", "callback", ["phone"])
    op.create_index("ix_callback_closed_at", "callback", ["closed_at"])
    op.create_table(
        "callback_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("callback_id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["callback_id"], ["callback.id"], name="fk_callback_event_callback_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_callback_event"),
    )
    op.create_index("ix_callback_event_callback_id", "callback_event", ["callback_id"])
    op.create_table(
        "alarm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("answered_at", TIME),
        sa.Column("answered_by", sa.String(), nullable=False),
        sa.Column("closed_at", TIME),
        sa.Column("closed_by", sa.Integer()),
        sa.ForeignKeyConstraint(["closed_by"], ["operator.id"], name="fk_alarm_closed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_alarm"),
        sa.UniqueConstraint("call_id", name="uq_alarm_call_id"),
    )
    op.create_index("ix_alarm_raised_at", "alarm", ["raised_at"])
    op.create_index("ix_alarm_closed_at", "alarm", ["closed_at"])
    for table in ("work_order", "work_order_event"):
        # one statement that both databases know: SQLite adds no constraint to a table afterwards
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN operator_id INTEGER"
            f" CONSTRAINT fk_{table}_operator_id REFERENCES operator (id)"
        )
