"""Closing the loop: providers, the whole life of an order, follow-ups, ratings, SMS, plans."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "provider",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("district", sa.String(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("radius_km", sa.Float(), nullable=False),
        sa.Column("orders_a_day", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provider"),
        sa.UniqueConstraint("name", name="uq_provider_name"),
    )
    op.create_table(
        "sms_stop",
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("phone", name="pk_sms_stop"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("provider_id", sa.Integer()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_api_key_provider_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("key_hash", name="uq_api_key_key_hash"),
        sa.UniqueConstraint("name", name="uq_api_key_name"),
    )
    op.create_table(
        "greeting_plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("elder_id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("weekdays", sa.String(), nullable=False),
        sa.Column("at", sa.Time(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["elder_id"], ["elder.id"], name="fk_greeting_plan_elder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_greeting_plan"),
        sa.UniqueConstraint("elder_id", name="uq_greeting_plan_elder_id"),
    )
    op.create_table(
        "provider_service",
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["service.code"], name="fk_provider_service_code"),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name="fk_provider_service_provider_id"
        ),
        sa.PrimaryKeyConstraint("provider_id", "code", name="pk_provider_service"),
    )
    op.create_table(
        "standing_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("elder_id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("weekdays", sa.String(), nullable=False),
        sa.Column("at", sa.Time(), nullable=False),
        sa.Column("address", sa.String()),
        sa.Column("provider_id", sa.Integer()),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date()),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["service.code"], name="fk_standing_order_code"),
        sa.ForeignKeyConstraint(["elder_id"], ["elder.id"], name="fk_standing_order_elder_id"),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name="fk_standing_order_provider_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_standing_order"),
    )
    op.create_index("ix_standing_order_elder_id", "standing_order", ["elder_id"])

    op.create_table(
        "switch",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("off", sa.Boolean(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("operator_id", sa.Integer()),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name="fk_switch_operator_id"),
        sa.PrimaryKeyConstraint("name", name="pk_switch"),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_worker_provider_id"),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
        sa.UniqueConstraint("provider_id", "name", name="uq_worker_provider_id_name"),
    )
    op.create_index("ix_worker_provider_id", "worker", ["provider_id"])

    op.create_table(
        "complaint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("note", sa.String()),
        sa.Column("call_id", sa.Uuid()),
        sa.Column("at", TIME, nullable=False),
        sa.Column("operator_id", sa.Integer()),
        sa.Column("closed_at", TIME),
        sa.Column("closed_by", sa.Integer()),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["closed_by"], ["operator.id"], name="fk_complaint_closed_by"),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name="fk_complaint_operator_id"),
        sa.ForeignKeyConstraint(["order_id"], ["work_order.id"], name="fk_complaint_order_id"),
        sa.PrimaryKeyConstraint("id", name="pk_complaint"),
        sa.UniqueConstraint("order_id", name="uq_complaint_order_id"),
    )
    op.create_index("ix_complaint_at", "complaint", ["at"])
    op.create_index("ix_complaint_closed_at", "complaint", ["closed_at"])

    op.create_table(
        "follow_up",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("order_id", sa.Integer()),
        sa.Column("elder_id", sa.Integer()),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("claimed_at", TIME),
        sa.Column("attempt_id", sa.Uuid()),
        sa.Column("reached_call_id", sa.Uuid()),
        sa.Column("closed_at", TIME),
        sa.Column("end", sa.String(16)),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["elder_id"], ["elder.id"], name="fk_follow_up_elder_id"),
        sa.ForeignKeyConstraint(["order_id"], ["work_order.id"], name="fk_follow_up_order_id"),
        sa.PrimaryKeyConstraint("id", name="pk_follow_up"),
        sa.UniqueConstraint("key", name="uq_follow_up_key"),
    )
    op.create_index("ix_follow_up_attempt_id", "follow_up", ["attempt_id"])
    op.create_index("ix_follow_up_closed_at", "follow_up", ["closed_at"])
    op.create_index("ix_follow_up_created_at", "follow_up", ["created_at"])
    op.create_index("ix_follow_up_elder_id", "follow_up", ["elder_id"])
    op.create_index("ix_follow_up_order_id", "follow_up", ["order_id"])
    op.create_index("ix_follow_up_phone_state", "follow_up", ["phone", "state"])
    op.create_index("ix_follow_up_state_due_at", "follow_up", ["state", "due_at"])

    op.create_table(
        "care_alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("follow_up_id", sa.Integer(), nullable=False),
        sa.Column("elder_id", sa.Integer(), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sa.Column("closed_by", sa.Integer()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["closed_by"], ["operator.id"], name="fk_care_alert_closed_by"),
        sa.ForeignKeyConstraint(["elder_id"], ["elder.id"], name="fk_care_alert_elder_id"),
        sa.ForeignKeyConstraint(
            ["follow_up_id"], ["follow_up.id"], name="fk_care_alert_follow_up_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_care_alert"),
        sa.UniqueConstraint("follow_up_id", name="uq_care_alert_follow_up_id"),
    )
    op.create_index("ix_care_alert_closed_at", "care_alert", ["closed_at"])
    op.create_index("ix_care_alert_raised_at", "care_alert", ["raised_at"])

    op.create_table(
        "follow_up_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("follow_up_id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("operator_id", sa.Integer()),
        sa.ForeignKeyConstraint(
            ["follow_up_id"], ["follow_up.id"], name="fk_follow_up_event_follow_up_id"
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name="fk_follow_up_event_operator_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_follow_up_event"),
    )
    op.create_index("ix_follow_up_event_follow_up_id", "follow_up_event", ["follow_up_id"])

    op.create_table(
        "sms_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.String(), nullable=False),
        sa.Column("gateway_id", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("handled_at", TIME),
        sa.Column("kind", sa.String(16)),
        sa.Column("score", sa.Integer()),
        sa.Column("follow_up_id", sa.Integer()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["follow_up_id"], ["follow_up.id"], name="fk_sms_in_follow_up_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sms_in"),
        sa.UniqueConstraint("gateway", "gateway_id", name="uq_sms_in_gateway_gateway_id"),
    )
    op.create_index("ix_sms_in_handled_at", "sms_in", ["handled_at"])
    op.create_index("ix_sms_in_phone", "sms_in", ["phone"])
    op.create_index("ix_sms_in_received_at", "sms_in", ["received_at"])

    op.create_table(
        "sms_out",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("follow_up_id", sa.Integer()),
        sa.Column("order_id", sa.Integer()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("claimed_at", TIME),
        sa.Column("reference", sa.Uuid(), nullable=False),
        sa.Column("gateway_id", sa.String(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("sent_at", TIME),
        sa.Column("reported_at", TIME),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["follow_up_id"], ["follow_up.id"], name="fk_sms_out_follow_up_id"),
        sa.ForeignKeyConstraint(["order_id"], ["work_order.id"], name="fk_sms_out_order_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sms_out"),
        sa.UniqueConstraint("key", name="uq_sms_out_key"),
        sa.UniqueConstraint("reference", name="uq_sms_out_reference"),
    )
    op.create_index("ix_sms_out_created_at", "sms_out", ["created_at"])
    op.create_index("ix_sms_out_follow_up_id", "sms_out", ["follow_up_id"])
    op.create_index("ix_sms_out_gateway_id", "sms_out", ["gateway_id"])
    op.create_index("ix_sms_out_phone", "sms_out", ["phone"])
    op.create_index("ix_sms_out_state_due_at", "sms_out", ["state", "due_at"])

    op.create_table(
        "rating",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("follow_up_id", sa.Integer()),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Uuid()),
        sa.Column("sms_id", sa.Integer()),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["follow_up_id"], ["follow_up.id"], name="fk_rating_follow_up_id"),
        sa.ForeignKeyConstraint(["order_id"], ["work_order.id"], name="fk_rating_order_id"),
        sa.ForeignKeyConstraint(["sms_id"], ["sms_in.id"], name="fk_rating_sms_id"),
        sa.PrimaryKeyConstraint("id", name="pk_rating"),
        sa.UniqueConstraint("order_id", name="uq_rating_order_id"),
    )
    op.create_index("ix_rating_at", "rating", ["at"])

    with op.batch_alter_table("elder") as table:
        table.add_column(sa.Column("district", sa.String(), nullable=False, server_default=""))
        table.add_column(sa.Column("latitude", sa.Float()))
        table.add_column(sa.Column("longitude", sa.Float()))
        table.add_column(sa.Column("call_from", sa.Time()))
        table.add_column(sa.Column("call_to", sa.Time()))
        table.add_column(sa.Column("call_days", sa.String(), nullable=False, server_default=""))
        table.add_column(
            sa.Column("calls_refused", sa.Boolean(), nullable=False, server_default=sa.false())
        )

    with op.batch_alter_table("work_order") as table:
        table.add_column(sa.Column("standing_id", sa.Integer()))
        table.add_column(sa.Column("planned_on", sa.Date()))
        table.add_column(sa.Column("request_id", sa.Uuid()))
        table.add_column(sa.Column("provider_id", sa.Integer()))
        table.add_column(sa.Column("worker_id", sa.Integer()))
        table.add_column(sa.Column("district", sa.String(), nullable=False, server_default=""))
        table.add_column(sa.Column("started_at", TIME))
        table.add_column(sa.Column("completed_at", TIME))
        table.alter_column("call_id", existing_type=sa.Uuid(), nullable=True)
        table.create_index("ix_work_order_completed_at", ["completed_at"])
        table.create_index("ix_work_order_provider_id", ["provider_id"])
        table.create_index("ix_work_order_worker_id", ["worker_id"])
        table.create_unique_constraint(
            "uq_work_order_standing_id_planned_on", ["standing_id", "planned_on"]
        )
        table.create_unique_constraint("uq_work_order_request_id", ["request_id"])
        table.create_foreign_key("fk_work_order_provider_id", "provider", ["provider_id"], ["id"])
        table.create_foreign_key(
            "fk_work_order_standing_id", "standing_order", ["standing_id"], ["id"]
        )
        table.create_foreign_key("fk_work_order_worker_id", "worker", ["worker_id"], ["id"])

    with op.batch_alter_table("callback") as table:
        table.add_column(sa.Column("by_hand", sa.String(), nullable=False, server_default=""))

    with op.batch_alter_table("work_order_event") as table:
        table.add_column(sa.Column("provider_id", sa.Integer()))
        table.create_foreign_key(
            "fk_work_order_event_provider_id", "provider", ["provider_id"], ["id"]
        )
        table.add_column(sa.Column("api_key_id", sa.Integer()))
        table.create_foreign_key(
            "fk_work_order_event_api_key_id", "api_key", ["api_key_id"], ["id"]
        )
    op.execute("UPDATE work_order_event SET kind = 'completed' WHERE kind = 'finished'")
    op.execute(
        "UPDATE work_order SET completed_at = (SELECT max(at) FROM work_order_event AS happened"
        " WHERE happened.order_id = work_order.id AND happened.kind = 'completed')"
        " WHERE status = 'finished'"
    )
    # nobody is called about a service of months ago
    op.execute(
        "INSERT INTO work_order_event (order_id, kind, at, detail)"
        " SELECT id, 'closed', completed_at, '' FROM work_order"
        " WHERE status = 'finished' AND completed_at IS NOT NULL"
    )
    op.execute("UPDATE work_order SET status = 'closed' WHERE status = 'finished'")
