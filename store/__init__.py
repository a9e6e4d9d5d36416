"""What must survive a power cut: tables, migrations, queries. Knows nobody's conversation."""
